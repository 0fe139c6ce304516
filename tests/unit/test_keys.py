"""Keys lie on disk: their values are pinned, and they depend on nothing but the id or the text."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.keys import buckets, hash_words, text_hashes, text_shards

ids = st.lists(st.text(max_size=6), max_size=20)


def test_buckets_hashes_and_shards_have_the_values_that_files_on_disk_hold():
    assert buckets(pa.array(["u1", "ann", "", "никто", "😀"]), 64).tolist() == [18, 13, 36, 57, 53]
    hashes = text_hashes(pa.array(["hello", "привет мир"]))
    assert [h.hex() for h in hashes.to_pylist()] == [
        "46fb7408d4f285228f4af516ea25851b",
        "54fb393f828181f3c2f7611f1bd0ae29",
    ]
    assert text_shards(hashes, 1_000).tolist() == [846, 156]


@settings(max_examples=50)
@given(ids, st.integers(1, 5_000))
def test_the_bucket_of_an_id_is_as_documented_and_the_same_in_any_batch(names, n_buckets):
    expected = [int.from_bytes(blake2b(n.encode(), digest_size=8).digest(), "little") % n_buckets for n in names]
    column = pa.array(names, pa.string())
    assert buckets(column, n_buckets).tolist() == expected
    halves = pa.chunked_array([column[: len(names) // 2], column[len(names) // 2 :]], pa.string())
    assert buckets(halves, n_buckets).tolist() == expected
    assert buckets(pa.chunked_array([column.dictionary_encode().cast(pa.string())]), n_buckets).tolist() == expected


@settings(max_examples=50)
@given(st.lists(st.one_of(st.none(), st.text(max_size=6)), max_size=20), st.integers(1, 5_000), st.integers(0, 20))
def test_hash_and_shard_of_a_text_are_as_documented_and_the_same_in_any_slice(texts, n_shards, cut):
    hashes = text_hashes(pa.array(texts, pa.string()))
    digests = [blake2b(t.encode(), digest_size=16).digest() if t else None for t in texts]
    assert hashes.type == pa.binary(16)
    assert hashes.to_pylist() == digests
    valid = hashes.drop_null()[cut:]
    kept = [d for d in digests if d][cut:]
    assert text_shards(valid, n_shards).tolist() == [int.from_bytes(d[:8], "little") % n_shards for d in kept]
    assert hash_words(valid).tobytes() == b"".join(kept)


def test_ids_spread_evenly_over_buckets():
    counts = np.bincount(buckets(pa.array([str(i) for i in range(64_000)]), 64), minlength=64)
    assert 850 < counts.min() <= counts.max() < 1_150


def test_no_ids_have_no_buckets():
    assert len(buckets(pa.array([], pa.string()), 4)) == 0
    assert len(buckets(pa.chunked_array([], pa.string()), 4)) == 0
    assert len(text_shards(text_hashes(pa.array([], pa.string())), 4)) == 0


def test_a_shard_of_no_text_is_refused():
    with pytest.raises(ValueError, match="1 nulls"):
        text_shards(text_hashes(pa.array(["a", ""])), 4)
