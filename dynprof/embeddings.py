"""Embedding shards: the vectors of one text shard, laid out so that a user bucket reads only its own part.

A shard is one Arrow IPC file with a record batch per user bucket. Building the profiles of a bucket reads that batch
of every shard, so no vector is shuffled after it was computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc

from dynprof.errors import WorkspaceError
from dynprof.keys import text_shards
from dynprof.schema import embeddings_schema
from dynprof.vector_chunk import VectorChunk
from dynprof.vectors import vector_array
from dynprof.workspace import Workspace

__all__ = [
    "EMBEDDINGS",
    "load_vectors",
    "open_shard",
    "read_shard",
    "shard_name",
    "write_shard",
]

EMBEDDINGS = "embeddings"


def shard_name(shard: int) -> str:
    """File name of a shard."""
    return f"shard-{shard:05d}.arrow"


def write_shard(
    workspace: Workspace,
    fingerprint: str,
    shard: int,
    *,
    n_buckets: int,
    needed_by: npt.NDArray[np.integer],
    hashes: pa.Array,
    rows: npt.NDArray[np.integer],
    vectors: npt.NDArray[np.floating],
    metadata: Mapping[str, Any],
) -> None:
    """Write one shard, a record batch for every user bucket.

    Args:
        workspace: Where.
        fingerprint: Of the encoder.
        shard: Number of the shard.
        n_buckets: Number of user buckets.
        needed_by: (n,) bucket that needs the text, one entry a (text, bucket) pair.
        hashes: (n,) hash of the text.
        rows: (n,) row of its vector.
        vectors: (m, dim), norm 1 (or 0); stored as fp16.
        metadata: Counts, stored in the file.
    """
    schema = embeddings_schema(vectors.shape[1])
    half = np.asarray(vectors, np.float16)
    order = np.argsort(needed_by, kind="stable")
    bounds = np.searchsorted(needed_by[order], np.arange(n_buckets + 1))

    def batches() -> Iterator[pa.RecordBatch]:
        for start, stop in pairwise(bounds):
            mine = order[start:stop]
            keys = hashes.take(pa.array(mine))
            mine = mine[np.asarray(pc.array_sort_indices(keys))]
            columns = [hashes.take(pa.array(mine)), vector_array(half[rows[mine]])]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    workspace.write_ipc(
        batches(), schema, EMBEDDINGS, fingerprint, shard_name(shard), metadata={**metadata, "n_buckets": n_buckets}
    )


def read_shard(workspace: Workspace, fingerprint: str, shard: int) -> VectorChunk | None:
    """All vectors of a shard, whichever bucket needs them; None where the shard was not written yet."""
    if not workspace.exists(EMBEDDINGS, fingerprint, shard_name(shard)):
        return None
    reader = open_shard(workspace, fingerprint, shard)
    return VectorChunk.of([reader.get_batch(b) for b in range(reader.num_record_batches)])


def load_vectors(
    workspace: Workspace, fingerprint: str, text_hashes: pa.Array | pa.ChunkedArray
) -> npt.NDArray[np.float16]:
    """Vectors of texts, wherever they lie.

    Args:
        workspace: Where.
        fingerprint: Of the encoder.
        text_hashes: (n,) 16-byte hashes without nulls; may repeat.

    Returns:
        (n, dim) float16.

    Raises:
        WorkspaceError: No finished embeddings of that fingerprint, or a text without a vector.
    """
    manifest = workspace.require_manifest(EMBEDDINGS, fingerprint, made_by="encode")
    hashes = text_hashes.combine_chunks() if isinstance(text_hashes, pa.ChunkedArray) else text_hashes
    out = np.zeros((len(hashes), manifest["dim"]), np.float16)
    shards = text_shards(hashes, manifest["n_shards"])
    order = np.argsort(shards, kind="stable")
    bounds = np.searchsorted(shards[order], np.arange(manifest["n_shards"] + 1))
    for shard in np.flatnonzero(np.diff(bounds)):
        mine = order[bounds[shard] : bounds[shard + 1]]
        chunk = read_shard(workspace, fingerprint, int(shard))
        rows, found = chunk.find(hashes.take(pa.array(mine))) if chunk else (mine, np.zeros(len(mine), np.bool_))
        if chunk is None or not found.all():
            raise WorkspaceError(
                f"{workspace.path(EMBEDDINGS, fingerprint, shard_name(int(shard)))}: expected vectors of {len(mine)} "
                f"texts, found {int(found.sum())}. Run `python -m jobs.encode` again."
            )
        out[mine] = chunk.take(rows)
    return out


def open_shard(
    workspace: Workspace, fingerprint: str, shard: int, *, columns: Sequence[str] = ()
) -> ipc.RecordBatchFileReader:
    """Open one shard; `columns` restricts what its batches hold and what is read of them.

    Raises:
        WorkspaceError: The shard is missing.
    """
    try:
        return workspace.open_ipc(EMBEDDINGS, fingerprint, shard_name(shard), columns=columns)
    except FileNotFoundError as error:
        raise WorkspaceError(
            f"{workspace.path(EMBEDDINGS, fingerprint, shard_name(shard))}: expected an embedding shard, found no "
            "file. Run `python -m jobs.encode` again: it writes only what is missing."
        ) from error
