from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dynprof.text import prepare_texts
from dynprof.world import LANGUAGES, TOPICS, World, WorldSpec, generate, measured
from dynprof.world.compose import compose_texts
from dynprof.world.lexicon import Lexicon, parse_words
from dynprof.world.people import draw_people
from dynprof.world.strings import numbered, short_links
from dynprof.world.truth import iterate_users

REAL_POSTS = Path(__file__).parents[3] / "shared/data/ira_posts.parquet"
TAG = r"#[\p{L}\p{N}_]+"


@pytest.fixture(scope="module")
def texts() -> pa.Array:
    spec = WorldSpec(n_users=4_000, n_events=250_000, seed=2)
    return pa.concat_tables(c.events for c in generate(spec))["text"].drop_null().combine_chunks()


@pytest.fixture(scope="module")
def real_texts() -> Iterator[pa.ChunkedArray]:
    if not REAL_POSTS.exists():
        pytest.skip("the real posts are not there: ../shared/data/ira_posts.parquet")
    yield pq.read_table(REAL_POSTS, columns=["text"])["text"]


def share_matching(texts: pa.Array, pattern: str) -> float:
    return float(np.mean(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)))


def shares_of_counts(texts: pa.Array, pattern: str, most: int) -> np.ndarray:
    counts = pc.count_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return np.bincount(np.minimum(counts, most), minlength=most + 1) / len(counts)


def lengths(texts: pa.Array) -> np.ndarray:
    return pc.utf8_length(texts).to_numpy(zero_copy_only=False)


def test_lengths_are_those_of_real_posts(texts: pa.Array) -> None:
    inner = slice(2, -2)
    found = np.quantile(lengths(texts), measured.LENGTH_LEVELS[inner])
    np.testing.assert_allclose(found, measured.LENGTHS[inner], atol=6)


def test_links_hashtags_and_mentions_are_as_frequent_as_in_real_posts(texts: pa.Array) -> None:
    np.testing.assert_allclose(shares_of_counts(texts, "https://", 2), measured.URL_SHARES, atol=0.03)
    np.testing.assert_allclose(shares_of_counts(texts, TAG, 3), measured.TAG_SHARES, atol=0.03)
    assert share_matching(texts, "@") == pytest.approx(measured.MENTION_SHARE, abs=0.03)


def test_texts_repeat_as_often_as_in_real_posts(texts: pa.Array) -> None:
    prepared = prepare_texts(texts)
    repeated = 1 - pc.count_distinct(prepared).as_py() / len(prepared)
    assert repeated == pytest.approx(measured.REPEAT_SHARE, abs=0.04)


def test_activity_is_as_skewed_as_in_real_posts() -> None:
    people = draw_people(WorldSpec(n_users=200_000, n_events=0, bot_share=0.0))
    quartile, median, upper = np.quantile(people.rate, [0.25, 0.5, 0.75])
    assert people.rate.mean() / median == pytest.approx(936 / 134, rel=0.1)
    assert np.log(upper / quartile) == pytest.approx(np.log(542 / 28), rel=0.15)
    assert 100 < people.rate.max() / median < 500  # 147 among 400 users
    assert people.rate.sum() == pytest.approx(1.0)


def test_the_measured_numbers_are_those_of_the_real_posts(real_texts: pa.ChunkedArray) -> None:
    inner = slice(1, -1)
    found = np.quantile(lengths(real_texts), measured.LENGTH_LEVELS[inner])
    np.testing.assert_allclose(found, measured.LENGTHS[inner], atol=1)
    np.testing.assert_allclose(shares_of_counts(real_texts, "https?://", 2), measured.URL_SHARES, atol=0.002)
    np.testing.assert_allclose(shares_of_counts(real_texts, TAG, 3), measured.TAG_SHARES, atol=0.002)
    assert share_matching(real_texts, r"@\w") == pytest.approx(measured.MENTION_SHARE, abs=0.002)


def test_every_language_has_the_same_topics_with_words_for_every_role() -> None:
    assert len(TOPICS) == len(set(TOPICS)) >= 24
    for language, written in LANGUAGES.items():
        words = parse_words(written)
        assert (*TOPICS, "everyday") == tuple(words), language
        for topic in TOPICS:
            n = {role: len(set(found)) for role, found in words[topic].items()}
            assert n.keys() == {"subject", "predicate", "tag", "bio"}, (language, topic)
            assert n["subject"] >= 6, (language, topic)
            assert n["predicate"] >= 7, (language, topic)
            assert (n["tag"], n["bio"]) == (3, 3), (language, topic)


def test_topics_share_no_phrase_within_a_language() -> None:
    for language, written in LANGUAGES.items():
        words = parse_words(written)
        phrases = [p for t in TOPICS for role in ("subject", "predicate", "bio") for p in words[t][role]]
        assert len(phrases) == len(set(phrases)), language


def test_a_text_has_a_subject_of_its_topic_and_of_no_other() -> None:
    lexicon, words = Lexicon(["de"]), parse_words(LANGUAGES["de"])
    topic = np.repeat(np.arange(len(TOPICS), dtype=np.int8), 40)
    nobody = pa.repeat("", len(topic))
    texts = compose_texts(lexicon, topic, np.zeros_like(topic), nobody, np.random.default_rng(0)).to_pylist()
    for number, text in zip(topic, texts, strict=True):
        assert any(subject[1:] in text for subject in words[TOPICS[number]]["subject"]), text


def test_the_words_of_a_topic_tell_it_from_the_others() -> None:
    lexicon = Lexicon(LANGUAGES)
    rng = np.random.default_rng(1)
    topic, language = (np.repeat(np.arange(n, dtype=np.int8), k) for n, k in ((len(TOPICS), 100), (4, 600)))
    language = np.tile(np.arange(4, dtype=np.int8), len(topic) // 4)
    texts = prepare_texts(compose_texts(lexicon, topic, language, pa.repeat("", len(topic)), rng)).to_pylist()
    bags = [frozenset(word.lower().strip(".,!#:") for word in text.split() if len(word) > 3) for text in texts]
    held_out = np.arange(len(topic)) % 100 >= 60
    known = [
        frozenset().union(*(bags[i] for i in np.flatnonzero(~held_out & (topic == t)))) for t in range(len(TOPICS))
    ]
    guessed = [np.argmax([len(bags[i] & words) for words in known]) for i in np.flatnonzero(held_out)]
    assert np.mean(np.array(guessed) == topic[held_out]) > 0.95


def test_a_bio_is_on_the_first_interests_and_some_users_have_none() -> None:
    world = World(WorldSpec(n_users=3_000, n_events=0, languages=("es",)))
    words, bios = parse_words(LANGUAGES["es"]), pa.concat_tables(iterate_users(world))["bio"].to_pylist()
    assert 0.10 < np.mean([bio is None for bio in bios]) < 0.20
    topics = world.interests.topics[world.interests.first, 0]
    assert all(bio.startswith(tuple(words[TOPICS[t]]["bio"])) for bio, t in zip(bios, topics, strict=True) if bio)


def test_names_and_links_have_their_fixed_form() -> None:
    assert numbered("u", np.array([0, 7, 12_345]), 5).to_pylist() == ["u00000", "u00007", "u12345"]
    assert numbered("u", np.zeros(0, np.int64), 5).to_pylist() == []
    links = short_links(np.array([True, False, True]), np.random.default_rng(0)).to_pylist()
    assert links[1] == ""
    assert all(
        pc.match_substring_regex(pa.array([links[0], links[2]]), r"^ https://t\.co/[A-Za-z0-9]{10}$").to_pylist()
    )
