"""Embedding shards: what was written for a (text, bucket) pair is found by its bucket, by its shard and by its hash."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.bucket_vectors import BucketVectors
from dynprof.embedded import latest_fingerprint
from dynprof.embeddings import (
    EMBEDDINGS,
    load_vectors,
    read_shard,
    shard_name,
    write_shard,
)
from dynprof.errors import WorkspaceError
from dynprof.keys import text_hashes, text_shards
from dynprof.vector_chunk import VectorChunk
from dynprof.vectors import matrix_of, vector_array
from dynprof.workspace import Workspace

DIM, FINGERPRINT = 8, "test-abc"


@dataclass
class Written:
    """Texts with their vectors and the (text, bucket) pairs that need them, all on disk."""

    workspace: Workspace
    hashes: list[bytes]
    vectors: np.ndarray
    pairs: set[tuple[int, int]]
    n_buckets: int
    n_shards: int

    def of_bucket(self, bucket: int) -> dict[bytes, list[float]]:
        return {self.hashes[t]: self.vectors[t].tolist() for t, b in self.pairs if b == bucket}


def write_world(workspace: Workspace, seed: int, n_texts: int, n_buckets: int, n_shards: int) -> Written:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n_texts, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    hashes = text_hashes(pa.array([f"text {i}" for i in range(n_texts)], pa.string()))
    pairs = [(t, b) for t in range(n_texts) for b in range(n_buckets) if rng.random() < 0.4]
    rng.shuffle(pairs)
    texts, needed_by = np.array(pairs, np.int64).reshape(-1, 2).T
    shards = text_shards(hashes, n_shards)
    for shard in range(n_shards):
        mine = shards[texts] == shard
        own = np.flatnonzero(shards == shard)  # the writer knows the vectors of its shard only
        write_shard(
            workspace,
            FINGERPRINT,
            shard,
            n_buckets=n_buckets,
            needed_by=needed_by[mine].astype(np.int32),
            hashes=hashes.take(pa.array(texts[mine])),
            rows=np.searchsorted(own, texts[mine]),
            vectors=vectors[own],
            metadata={"n_texts": len(own)},
        )
    manifest = {"dim": DIM, "n_shards": n_shards, "created_at": "2024-01-01"}
    workspace.write_manifest(manifest, EMBEDDINGS, FINGERPRINT)
    return Written(workspace, hashes.to_pylist(), vectors.astype(np.float16), set(pairs), n_buckets, n_shards)


def everything(chunk) -> list[list[float]]:
    return chunk.take(np.arange(len(chunk))).tolist()


def as_pairs(chunk) -> dict[bytes, list[float]]:
    found = dict(zip(chunk.hashes.to_pylist(), everything(chunk), strict=True))
    assert len(found) == len(chunk.hashes)
    return found


@pytest.fixture(params=["local", "object store"])
def workspace(request, tmp_path) -> Workspace:
    return Workspace(tmp_path if request.param == "local" else "mock:///ws")


worlds = st.tuples(st.integers(0, 999), st.integers(0, 25), st.integers(1, 4), st.integers(1, 5))


@settings(max_examples=20)
@given(world=worlds, max_rows=st.integers(1, 30), where=st.sampled_from(["local", "mock:///ws"]))
def test_a_bucket_reads_exactly_its_texts_however_small_the_chunks(tmp_path_factory, world, max_rows, where):
    written = write_world(Workspace(tmp_path_factory.mktemp("ws") if where == "local" else where), *world)
    for bucket in range(written.n_buckets):
        read = BucketVectors(written.workspace, FINGERPRINT, bucket, written.n_shards, max_rows=max_rows)
        chunks = list(read.chunks())
        together = [pair for _, chunk in chunks for pair in as_pairs(chunk).items()]
        assert len(together) == len(written.of_bucket(bucket))
        assert dict(together) == written.of_bucket(bucket)
        # Rows count through the chunks as through the hashes; only a shard too long by itself passes max_rows.
        assert read.hashes.to_pylist() == [h for _, chunk in chunks for h in chunk.hashes.to_pylist()]
        assert [first for first, _ in chunks] == np.cumsum([0, *(len(c) for _, c in chunks)])[:-1].tolist()
        assert len(chunks) == 1 or where != "local"
        for _, chunk in chunks if where != "local" else ():
            assert len(chunk) <= max_rows or len(set(text_shards(chunk.hashes, written.n_shards))) == 1


@settings(max_examples=30)
@given(seed=st.integers(0, 99), lengths=st.lists(st.integers(0, 4), min_size=1, max_size=6), n=st.integers(0, 20))
def test_a_chunk_of_pieces_takes_and_sums_what_one_matrix_would(seed, lengths, n):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(sum(lengths), DIM)).astype(np.float16)
    pieces = np.split(matrix, np.cumsum(lengths)[:-1])
    chunk = VectorChunk(text_hashes(pa.array([str(i) for i in range(len(matrix))], pa.string())), pieces)
    rows = rng.integers(0, len(matrix), n) if len(matrix) else np.empty(0, np.int64)
    np.testing.assert_array_equal(chunk.take(rows), matrix[rows])
    weights = rng.integers(0, 5, len(matrix))
    np.testing.assert_allclose(chunk.weighted_sum(weights), weights @ matrix.astype(np.float64), atol=1e-4)


def test_vectors_of_any_texts_come_in_the_order_asked_for(workspace):
    written = write_world(workspace, 1, 40, 3, 4)
    known = sorted({t for t, _ in written.pairs})
    wanted = np.random.default_rng(0).choice(known, 100)  # repeats
    hashes = pa.array([written.hashes[t] for t in wanted], pa.binary(16))
    found = load_vectors(workspace, FINGERPRINT, hashes)
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, written.vectors[wanted])
    np.testing.assert_array_equal(load_vectors(workspace, FINGERPRINT, hashes[30:60]), found[30:60])
    chunked = pa.chunked_array([hashes[:7], hashes[7:7], hashes[7:]])
    np.testing.assert_array_equal(load_vectors(workspace, FINGERPRINT, chunked), found)
    assert load_vectors(workspace, FINGERPRINT, hashes[:0]).shape == (0, DIM)


def test_a_shard_holds_the_texts_of_all_buckets_sorted_within_each(workspace):
    written = write_world(workspace, 2, 60, 3, 2)
    shards = text_shards(pa.array(written.hashes, pa.binary(16)), 2)
    for shard in range(2):
        chunk = read_shard(workspace, FINGERPRINT, shard)
        rows = list(zip(chunk.hashes.to_pylist(), everything(chunk), strict=True))
        needed = [t for t, _ in written.pairs if shards[t] == shard]
        assert sorted(rows) == sorted((written.hashes[t], written.vectors[t].tolist()) for t in needed)
        reader = workspace.open_ipc(EMBEDDINGS, FINGERPRINT, shard_name(shard))
        assert reader.num_record_batches == 3
        for bucket in range(3):
            hashes = reader.get_batch(bucket)["text_hash"].to_pylist()
            assert hashes == sorted(hashes)
        metadata = workspace.ipc_metadata(EMBEDDINGS, FINGERPRINT, shard_name(shard))
        assert metadata == {"n_texts": int((shards == shard).sum()), "n_buckets": 3}
    assert read_shard(workspace, FINGERPRINT, 2) is None


def test_a_chunk_says_where_a_text_is_and_whether_it_is_there(workspace):
    written = write_world(workspace, 3, 30, 1, 1)
    ((_, chunk),) = BucketVectors(workspace, FINGERPRINT, 0, 1).chunks()
    rows, found = chunk.find(pa.array([written.hashes[t] for t in range(30)], pa.binary(16)))
    needed = {t for t, _ in written.pairs}
    assert found.tolist() == [t in needed for t in range(30)]
    np.testing.assert_array_equal(chunk.take(rows[found]), written.vectors[sorted(needed)])
    assert (rows[~found] == 0).all()


def test_a_text_without_a_vector_is_an_error_with_both_counts(workspace):
    written = write_world(workspace, 1, 40, 3, 1)
    known = [written.hashes[t] for t in sorted({t for t, _ in written.pairs})[:2]]
    stranger = text_hashes(pa.array(["never encoded"])).to_pylist()
    with pytest.raises(WorkspaceError, match=r"shard-00000\.arrow: expected vectors of 3 texts, found 2\. Run"):
        load_vectors(workspace, FINGERPRINT, pa.array(known + stranger, pa.binary(16)))


def test_a_missing_shard_is_an_error_that_names_it(tmp_path):
    workspace = Workspace(tmp_path)
    written = write_world(workspace, 1, 40, 2, 3)
    workspace.remove(EMBEDDINGS, FINGERPRINT, shard_name(1))
    with pytest.raises(WorkspaceError, match=r"shard-00001\.arrow: expected an embedding shard"):
        list(BucketVectors(workspace, FINGERPRINT, 0, 3).chunks())
    hashes = pa.array(written.hashes, pa.binary(16))
    lost = hashes.filter(pa.array(text_shards(hashes, 3) == 1))
    with pytest.raises(WorkspaceError, match=rf"shard-00001\.arrow: expected vectors of {len(lost)} texts, found 0"):
        load_vectors(workspace, FINGERPRINT, lost)


def test_vectors_of_an_unfinished_folder_are_not_read(workspace):
    with pytest.raises(WorkspaceError, match=r"jobs\.encode"):
        load_vectors(workspace, FINGERPRINT, pa.array([], pa.binary(16)))


def test_the_newest_finished_embeddings_are_the_ones_to_use(workspace):
    with pytest.raises(WorkspaceError, match="expected finished embeddings, found none"):
        latest_fingerprint(workspace)
    for fingerprint, created_at in (("b", "2024-01-02T00:00:00.5+00:00"), ("a", "2024-01-02T00:00:01+00:00")):
        workspace.write_manifest({"created_at": created_at}, EMBEDDINGS, fingerprint)
    with workspace.create(EMBEDDINGS, "unfinished", "shard-00000.arrow"):
        pass
    assert latest_fingerprint(workspace) == "a"


@settings(max_examples=40)
@given(n=st.integers(0, 8), dim=st.integers(1, 5), start=st.integers(0, 8), length=st.integers(0, 8))
def test_vectors_to_arrow_and_back_are_the_same_in_any_slice_and_any_chunks(n, dim, start, length):
    matrix = np.arange(n * dim, dtype=np.float16).reshape(n, dim)
    column = vector_array(matrix)
    np.testing.assert_array_equal(matrix_of(column.slice(start, length)), matrix[start : start + length])
    halves = pa.chunked_array([column[: n // 2], column[n // 2 :]], column.type)
    np.testing.assert_array_equal(matrix_of(halves), matrix)
    np.testing.assert_array_equal(matrix_of(pa.chunked_array([], column.type)), matrix[:0])


def test_a_null_vector_keeps_the_rows_of_the_others_in_place():
    matrix = np.arange(6, dtype=np.float64).reshape(3, 2)
    column = vector_array(matrix, valid=np.array([True, False, True]))
    assert column.to_pylist() == [[0.0, 1.0], None, [4.0, 5.0]]
    np.testing.assert_array_equal(matrix_of(column)[[0, 2]], matrix[[0, 2]])
