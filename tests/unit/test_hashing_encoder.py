"""The encoder without weights: its laws, and its definition spelled out letter by letter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.encoders import encoder, encoder_identity, load_encoder
from dynprof.errors import ConfigError
from dynprof.text import prepare_texts

TEXTS = st.lists(
    st.one_of(st.none(), st.text(max_size=40), st.sampled_from(["", " ", "a", "é!", "😀", "שלום עולם"])), max_size=20
)
law = settings(max_examples=60)


@pytest.fixture(scope="module")
def hashing():
    return load_encoder("hashing")


@law
@given(TEXTS)
def test_a_vector_is_unit_or_zero_where_nothing_is_left_of_the_text(texts) -> None:
    norms = np.linalg.norm(load_encoder("hashing:16").encode(texts), axis=1)
    left = [bool(text) for text in prepare_texts(pa.array(texts, pa.string())).to_pylist()]
    assert norms == pytest.approx(np.array(left, float), abs=1e-6)


@law
@given(TEXTS, st.randoms(use_true_random=False))
def test_a_vector_depends_on_its_own_text_only(texts, random) -> None:
    order = list(range(len(texts)))
    random.shuffle(order)
    small = load_encoder("hashing:32")
    together = small.encode(texts)
    assert np.array_equal(small.encode([texts[i] for i in order]), together[order])
    for text, vector in zip(texts, together, strict=True):
        assert np.array_equal(small.encode([text])[0], vector)


@pytest.mark.parametrize(("n_texts", "n_bytes"), [(1, 1 << 20), (7, 1 << 20), (1_000, 3), (1_000, 40)])
def test_windows_do_not_change_the_result(hashing, monkeypatch, n_texts, n_bytes) -> None:
    texts = [f"text {i} of {'many ' * (i % 5)}" for i in range(40)] + ["", None, "text 1 of"]
    whole = hashing.encode(texts)
    monkeypatch.setattr(encoder, "WINDOW_TEXTS", n_texts)
    monkeypatch.setattr(encoder, "WINDOW_BYTES", n_bytes)
    assert np.array_equal(hashing.encode(texts), whole)


def test_more_texts_than_a_chunk_are_as_good_as_one(hashing) -> None:
    texts = [f"text number {i}" for i in range(5_000)]
    vectors = hashing.encode(texts)
    assert np.array_equal(
        vectors[[0, 2_047, 2_048, 4_999]], hashing.encode([texts[i] for i in (0, 2_047, 2_048, 4_999)])
    )


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("the cats sat on the mat", "a cat sat on a mat", "stock markets fell sharply"),
        ("кошка сидит на ковре", "кошки сидели на ковре", "биржа резко упала вчера"),
        ("القط على السجادة", "القطط على السجادة", "انهار سوق الأسهم"),
        ("Great game tonight", "GREAT GAME TONIGHT", "great"),
    ],
)
def test_texts_that_share_words_are_closer(hashing, text, near, far) -> None:
    vectors = hashing.encode([text, near, far])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_the_order_of_letters_in_a_word_matters(hashing) -> None:
    vectors = hashing.encode(["listen", "silent"])
    assert vectors[0] @ vectors[1] < 0.5


def test_a_text_has_this_very_vector_on_every_machine(hashing) -> None:
    vector = hashing.encode(["Hello"])[0]
    assert {int(i): float(vector[i] / np.abs(vector).max()) for i in np.flatnonzero(vector)} == {
        **dict.fromkeys((31, 96, 107, 118, 183, 226, 234), -0.25),
        **dict.fromkeys((117, 146), 0.25),
        239: -1.0,
    }
    assert hashing.fingerprint == "651c002a412bb63e"


@law
@given(st.lists(st.text(st.sampled_from("abcÄß 😀я"), min_size=1, max_size=12), min_size=1, max_size=5))
def test_vectors_are_those_of_the_definition_feature_by_feature(texts) -> None:
    vectors = load_encoder("hashing:64").encode(texts)
    for text, vector in zip(prepare_texts(pa.array(texts)).to_pylist(), vectors, strict=True):
        sums = np.zeros(64)
        for feature, weight in slow_features(text.lower()):
            sums[feature % 64] += -weight if feature >> 63 else weight
        if text and not sums.any():
            sums[0] = 1.0
        assert vector == pytest.approx(sums / max(np.linalg.norm(sums), 1e-30), abs=1e-6)


def slow_features(text: str) -> Iterator[tuple[int, float]]:
    for word in text.split():
        yield mix(sum(mix(ord(letter) + (place << 32)) for place, letter in enumerate(word))), 1.0
        framed = f" {word} "
        for size in (3, 4):
            for start in range(len(framed) - size + 1):
                state = size
                for letter in framed[start : start + size]:
                    state = mix(state + ord(letter))
                yield state, 0.25


def mix(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) % 2**64
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return value ^ (value >> 31)


def test_the_fingerprint_is_of_the_vector_and_not_of_the_name() -> None:
    assert encoder_identity("hashing").fingerprint == encoder_identity("hashing:256").fingerprint
    assert encoder_identity("hashing").fingerprint != encoder_identity("hashing:128").fingerprint
    assert load_encoder("hashing").fingerprint == encoder_identity("hashing").fingerprint
    assert load_encoder("hashing", precision="fp32").identity["precision"] == "float32"


@pytest.mark.parametrize("dim", ["", "8", "-16", "many", "1e3", "65537", "١٦"])
def test_a_dimension_that_means_nothing_is_refused(dim) -> None:
    with pytest.raises(ConfigError, match="hashing:<dim> with a whole number from 16 to 65536"):
        load_encoder(f"hashing:{dim}")


@pytest.mark.parametrize("options", [{"precision": "bfloat16"}, {"precision": "fast"}, {"revision": "main"}])
def test_options_of_weights_are_refused_without_weights(options) -> None:
    with pytest.raises(ConfigError, match="It has no weights"):
        load_encoder("hashing", **options)


@pytest.mark.parametrize("texts", ["one text", b"bytes", [1, 2], [["nested"]], pa.array([[1]]), pa.array([1])])
def test_what_is_not_texts_is_refused(hashing, texts) -> None:
    with pytest.raises(ConfigError, match="texts: expected"):
        hashing.encode(texts)


@pytest.mark.parametrize(
    "texts", [[], pa.array([], pa.string()), pa.chunked_array([], pa.string()), pa.array([], pa.null())]
)
def test_no_texts_are_no_vectors(hashing, texts) -> None:
    vectors = hashing.encode(texts)
    assert vectors.shape == (0, 256)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize(
    "texts",
    [
        pa.array(["a b", None, "c"]),
        pa.chunked_array([["a b"], [None, "c"]]),
        pa.array(["a b", None, "c"], pa.large_string()),
        pa.array(["a b", None, "c"]).dictionary_encode(),
        np.array(["a b", None, "c"], dtype=object),
    ],
)
def test_texts_may_come_in_any_column(hashing, texts) -> None:
    assert np.array_equal(hashing.encode(texts), hashing.encode(["a b", None, "c"]))
