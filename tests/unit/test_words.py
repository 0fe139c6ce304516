"""Token ids by words are the tokenizer's own, whatever the text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from dynprof.encoders import words
from dynprof.encoders.batching import Tokens
from dynprof.encoders.weights import find_model
from dynprof.encoders.words import WordTokenizer

PIECES = [
    "the",
    "cat",
    "İstanbul",
    "ΟΔΟΣ",
    "ｆｕｌｌ",
    "naïve",
    "👨‍👩‍👧",
    "#tag",
    "@you",
    "don't",
    "東京",
    "мир",
    "\u0301",
    "\u200d",
]
PIECES += ["[SEP]", "[PAD]", "[MASK]x", "a[CLS]b", "x" * 150, "…", "\u3000", "\t", "é́", "ـ"]
TEXTS = st.lists(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=12), min_size=1, max_size=9).map(" ".join), max_size=12
)


def load() -> Tokenizer:
    return Tokenizer.from_file(str(find_model("minilm").path / "tokenizer.json"))


@pytest.fixture(scope="module")
def by_words() -> WordTokenizer:
    return WordTokenizer(load(), 24)


@pytest.fixture(scope="module")
def whole() -> Tokenizer:
    tokenizer = load()
    tokenizer.no_padding()
    tokenizer.enable_truncation(24)
    return tokenizer


def same(tokens: Tokens, id_lists: list[list[int]]) -> bool:
    expected = Tokens.from_lists(id_lists)
    return np.array_equal(tokens.ids, expected.ids) and np.array_equal(tokens.lengths, expected.lengths)


@settings(max_examples=150)
@given(TEXTS)
def test_tokens_are_the_tokenizers_own(by_words, whole, texts) -> None:
    assert same(by_words(texts), [each.ids for each in whole.encode_batch(texts)])


@settings(max_examples=40)
@given(TEXTS)
def test_without_special_tokens_too(texts) -> None:
    plain = WordTokenizer(load(), 1_000, special=False)
    whole_text = load()
    whole_text.no_padding()
    whole_text.no_truncation()
    assert same(plain(texts), [each.ids for each in whole_text.encode_batch(texts, add_special_tokens=False)])


def test_what_is_forgotten_is_learnt_again(whole, monkeypatch) -> None:
    monkeypatch.setattr(words, "MOST_WORDS", 3)
    tokenizer = WordTokenizer(load(), 24)
    for texts in (["one two three four five"], ["two six one"], ["seven one"]):
        assert same(tokenizer(texts), [each.ids for each in whole.encode_batch(texts)])
        assert len(tokenizer._numbers) <= 8


def test_a_tokenizer_that_looks_across_spaces_is_refused() -> None:
    from tokenizers import models, pre_tokenizers

    marks_spaces = Tokenizer(models.WordPiece({"[UNK]": 0}))
    marks_spaces.pre_tokenizer = pre_tokenizers.Metaspace()
    assert not WordTokenizer.is_supported(marks_spaces)
    spaced = load()
    spaced.add_tokens(["two words"])
    assert not WordTokenizer.is_supported(spaced)
    assert WordTokenizer.is_supported(load())
