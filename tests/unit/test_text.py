"""Laws of text preparation, and what it does to each thing that posts carry."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dynprof.text import prepare_texts

PIECES = [
    "RT @a: ", "RT @a_1:", "http://t.co/x", "HTTPS://a.b", "www.a", "t.co/q", "@ann", "#tag", "é", "e", "\u0301", "가",
    "\u1100", "\u1161", "\u200b", "\u200d", "\ufeff", "\x00", "\x0b", "\x1c", "\x85", "\u00a0", "\u2028", "\u3000",
    " ", "\n", "😀", "ﷺ", "Å", "ω", "…", ":", "RT", "a",
]  # fmt: skip
posts = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))


def prepare(text: str) -> str:
    return prepare_texts(pa.array([text])).to_pylist()[0]


@settings(max_examples=200)
@given(posts)
@example("e\u200b\u0301")  # composes only once the zero-width space between the two is gone
@example("RT @a: \x0bRT @b: x")
def test_preparing_twice_is_preparing_once(text):
    assert prepare(prepare(text)) == prepare(text)


@settings(max_examples=150)
@given(posts)
def test_what_comes_out_is_nfc_and_has_single_spaces_no_ends_and_nothing_invisible(text):
    out = prepare(text)
    assert unicodedata.is_normalized("NFC", out)
    assert re.search(r"[^\S ]|  |^ | $", out) is None  # Python's \s is every Unicode white space
    assert re.search("[\x00-\x1f\x7f\u200b\u2060\ufeff]", out) is None
    assert re.search(r"(^|\s)(https?://|www\.|t\.co/)", out, re.IGNORECASE) is None


@settings(max_examples=50)
@given(st.lists(st.one_of(st.none(), posts), max_size=8), st.integers(0, 8))
def test_a_text_comes_out_the_same_in_any_batch_and_any_chunks(texts, cut):
    column = pa.array(texts, pa.string())
    alone = [None if t is None else prepare(t) for t in texts]
    assert prepare_texts(column).to_pylist() == alone
    assert prepare_texts(pa.chunked_array([column[:cut], column[cut:]], pa.string())).to_pylist() == alone
    assert prepare_texts(column.cast(pa.large_string())).to_pylist() == alone


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("see https://t.co/abc now", "see now"),
        ("see HTTP://a.b/c?d=e#f, now", "see now"),
        ("www.site.org/page", ""),
        ("photo pic.twitter.com/AbC", "photo"),
        ("cut off https://t…", "cut off"),
        ("速報 http://t.co/x\u3000続きを読む", "速報 続きを読む"),
        ("http://a.b\u00a0word", "word"),
        ("http and www are words", "http and www are words"),
        ("thewww.site stays", "thewww.site stays"),
    ],
)
def test_a_url_goes_and_the_words_around_it_stay(text, prepared):
    assert prepare(text) == prepared


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("RT @ann: hello", "hello"),
        ("RT @ann: RT @bob_2: hello", "hello"),
        ("  RT @ann:hello", "hello"),
        ("http://t.co/x RT @ann: hello", "hello"),
        ("so true RT @ann: hello", "so true RT @ann: hello"),
        ("rt @ann: hello", "rt @ann: hello"),
        ("RT: hello", "RT: hello"),
    ],
)
def test_only_a_leading_retweet_mark_goes(text, prepared):
    assert prepare(text) == prepared


@pytest.mark.parametrize(
    "text",
    [
        "@ann and @bob",
        "#Now or #никогда",
        "👩\u200d👩\u200d👧 family",
        "CASE and case!?",
        "שלום עולם",
        "नमस्\u200dते",
        "a_b* [c](d)",
        "x² ﬁn ½ ①",
    ],
)
def test_mentions_tags_emoji_case_punctuation_joiners_and_compatibility_letters_stay(text):
    assert prepare(text) == text


def test_every_kind_of_white_space_becomes_one_space_and_ends_are_trimmed():
    assert prepare("\t a \n\r\n b\u00a0\u2003c\x0b\x0cd\x85e\u2028f\u3000") == "a b c d e f"


def test_characters_that_nobody_sees_go_and_letters_compose():
    assert prepare("a\x00b\u200bc\ufeffd\x7fe\u2060f") == "abcdef"
    assert prepare("cafe\u0301 Å") == "café Å"


def test_null_stays_null_and_nothing_left_is_the_empty_text():
    assert prepare_texts(pa.array([None, "", " \n", "https://a.b", "RT @a:"])).to_pylist() == [None, "", "", "", ""]
    assert prepare_texts(pa.array([], pa.string())).to_pylist() == []


def test_a_very_long_text_is_prepared_whole():
    assert prepare("word  " * 200_000) == ("word " * 200_000).strip()
