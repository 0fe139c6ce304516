"""Labels are words that a group says more often than everybody, in any language, and nothing else."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dynprof.word_labels import Background, label_groups

FOOTBALL = ["the derby and a penalty", "the goal of the derby", "a derby for the ages"]
COOKING = ["the dough and a recipe", "bread of the oven and dough", "dough for the bread"]
EVERYBODY = Background(pa.array([*FOOTBALL, *COOKING, "the and a of for", "rain on the roof and a cat", None]))


def labels(texts: list[str | None], groups: list[int], n_groups: int) -> list[list[str]]:
    return label_groups(pa.array(texts, pa.string()), np.array(groups, np.int64), n_groups, EVERYBODY)


def test_each_group_is_named_by_its_own_words_and_not_by_those_of_all() -> None:
    football, cooking = labels([*FOOTBALL, *COOKING], [0, 0, 0, 1, 1, 1], 2)
    assert football[0] == "derby" and cooking[0] == "dough"
    assert not {"the", "and", "a", "of", "for"} & {*football, *cooking}


def test_links_mentions_and_numbers_are_no_words() -> None:
    said = ["@ann https://t.co/abc 2024 telescope", "@ann https://t.co/abc 2024 telescope"]
    assert labels(said, [0, 0], 1) == [["telescope"]]


def test_scripts_without_latin_letters_and_hashtags_are_words_too() -> None:
    assert "телескоп" in labels(["новый телескоп", "мой телескоп"], [0, 0], 1)[0]
    assert "#ai" in labels(["#AI today", "#ai tomorrow"], [0, 0], 1)[0]


def test_texts_without_words_have_no_label() -> None:
    assert labels(["😀 🎉", None, ""], [0, 1, 1], 2) == [[], []]
    assert labels([], [], 3) == [[], [], []]


def test_markup_is_text_like_any_other() -> None:
    found = labels(["<script>alert(1)</script>", "<script>alert(1)</script>"], [0, 0], 1)
    assert set(found[0]) <= {"script", "alert"}
    assert Background(pa.array([], pa.string())).counts_of(pa.array(["x"])).tolist() == [0]
