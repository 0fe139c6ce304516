"""Stable hashes: which bucket a user is in, which shard a text is in. Never change: files on disk depend on them."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.vectors import one_chunk

__all__ = ["bucket_name", "bucket_of", "buckets", "find_words", "hash_words", "text_hashes", "text_shards"]

UINT64 = np.dtype("<u8")


def buckets(ids: pa.Array | pa.ChunkedArray, n_buckets: int) -> npt.NDArray[np.int32]:
    """Bucket of each id: BLAKE2b-64, little endian, modulo `n_buckets`.

    Args:
        ids: (n,) strings without nulls. Repeated ids are hashed once.
        n_buckets: > 0.

    Returns:
        (n,) int32 in [0, n_buckets).
    """
    encoded = one_chunk(ids).dictionary_encode()
    digests = b"".join(blake2b(i.encode(), digest_size=8).digest() for i in encoded.dictionary.to_pylist())
    per_id = (np.frombuffer(digests, UINT64) % np.uint64(n_buckets)).astype(np.int32)
    indices: npt.NDArray[np.int64] = encoded.indices.to_numpy(zero_copy_only=False)
    return per_id[indices]


def bucket_of(user_id: str, n_buckets: int) -> int:
    """`buckets` of one id, without a detour through arrays.

    Raises:
        UnicodeEncodeError: Half a surrogate pair is no text and thus no id.
    """
    return int.from_bytes(blake2b(user_id.encode(), digest_size=8).digest(), "little") % n_buckets


def bucket_name(bucket: int, suffix: str = "parquet") -> str:
    """File name of a bucket's table."""
    return f"bucket-{bucket:05d}.{suffix}"


def text_hashes(prepared: pa.Array | pa.ChunkedArray) -> pa.FixedSizeBinaryArray:
    """BLAKE2b-128 of each prepared text; null for null and for empty.

    Args:
        prepared: (n,) strings from `dynprof.text.prepare_texts`.
    """
    digests = [blake2b(t.encode(), digest_size=16).digest() if t else None for t in one_chunk(prepared).to_pylist()]
    return pa.array(digests, pa.binary(16))


def text_shards(hashes: pa.Array | pa.ChunkedArray, n_shards: int) -> npt.NDArray[np.int32]:
    """Shard of each text hash: its first 8 bytes, little endian, modulo `n_shards`. No nulls allowed."""
    return (hash_words(hashes)[:, 0] % np.uint64(n_shards)).astype(np.int32)


def hash_words(hashes: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """View (n,) 16-byte hashes without nulls as (n, 2) little-endian uint64, without a copy where possible."""
    array = one_chunk(hashes)
    if array.null_count:
        raise ValueError(f"expected text hashes without nulls, found {array.null_count} nulls; filter them first.")
    words = np.frombuffer(array.buffers()[1] or b"", UINT64, count=2 * (len(array) + array.offset))
    return words.reshape(-1, 2)[array.offset :]


def find_words(
    words: npt.NDArray[np.uint64], sorted_words: npt.NDArray[np.uint64], sorted_rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Look texts up among sorted ones.

    Args:
        words: (m, 2) text hashes as of `hash_words`.
        sorted_words: (n, 2) likewise, sorted.
        sorted_rows: (n,) what stands for each of them.

    Returns:
        (m,) row of each text and whether it is there; rows of absent ones are 0.
    """
    first, last = sorted_words[:, 0], sorted_words[:, 1]
    low, high = np.searchsorted(first, words[:, 0], "left"), np.searchsorted(first, words[:, 0], "right")
    rows, found = np.zeros(len(words), np.int64), np.zeros(len(words), np.bool_)
    for step in range(int((high - low).max(initial=0))):  # once, unless two texts share half a hash
        at, mine = low + step, np.flatnonzero(low + step < high)
        mine = mine[last[at[mine]] == words[mine, 1]]
        rows[mine], found[mine] = sorted_rows[at[mine]], True
    return rows, found
