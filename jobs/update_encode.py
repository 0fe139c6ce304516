"""The vectors of a segment: known ones are copied, new texts are encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import ray

from dynprof.embedded import CorpusVectors, find_in_shards, segment_fingerprint
from dynprof.embeddings import EMBEDDINGS, shard_name, write_shard
from dynprof.encoders import Encoder, load_encoder
from dynprof.errors import FingerprintError
from dynprof.keys import text_shards
from dynprof.live.log import EventLog
from dynprof.schema import embeddings_schema
from dynprof.segments import read_segment
from dynprof.text import prepare_texts
from dynprof.vectors import matrix_of, one_chunk, vector_array
from dynprof.workspace import Workspace
from jobs.actors import actor_plan, n_processors

__all__ = ["encode_segment"]

_TEXTS_PER_SHARD = 8_192


def encode_segment(
    vectors: CorpusVectors,
    segment: str,
    corpus_id: str,
    encoder: Mapping[str, Any],
    *,
    device: str,
    actors: int,
    log: EventLog | None = None,
) -> int:
    """Write `embeddings/<fingerprint>/segments/<segment>/`; shards that are there are not written again.

    Args:
        vectors: Of the corpus before the segment.
        segment: Its name.
        corpus_id: Id of the corpus with it.
        encoder: Arguments of `load_encoder`, but for threads.
        device: As there.
        actors: How many texts are encoded at a time, in shards; 0 chooses by the cluster.
        log: Of live events, whose vectors are taken as they are.

    Returns:
        How many texts were encoded now.
    """
    workspace, fingerprint = vectors.workspace, vectors.fingerprint
    folder = (EMBEDDINGS, segment_fingerprint(fingerprint, segment))
    texts = ray.remote(num_returns=2)(_texts_of_segment).remote(workspace.uri, segment)
    n_texts = ray.get(texts[1])
    n_shards = max(1, -(-n_texts // _TEXTS_PER_SHARD))
    workspace.sweep(*folder)
    written = {name: workspace.ipc_metadata(*folder, name) for name in workspace.files(*folder, suffix=".arrow")}
    done = {m["shard"] for m in written.values() if (m["corpus_id"], m["n_shards"]) == (corpus_id, n_shards)}
    groups = [g.tolist() for g in np.array_split(np.arange(vectors.n_shards), min(n_processors(), vectors.n_shards))]
    look_up = ray.remote(_find_vectors)
    known = [look_up.remote(vectors, group, i == 0, texts[0]) for i, group in enumerate(groups)]
    if log is not None:
        known.append(ray.put(_vectors_of_log(log, fingerprint, ray.get(texts[0]), int(vectors.manifest["dim"]))))
    _, resources, threads = actor_plan(device, actors, n_shards - len(done))
    resources = {"num_cpus": threads} if "num_cpus" in resources else resources
    # A task and not an actor: a worker keeps its encoder for the next shard, and a lost one is replaced by itself.
    encode = ray.remote(_encode_shard).options(**resources)
    arguments = {**encoder, "device": device, "threads": threads}
    common = (workspace.uri, fingerprint, segment, corpus_id, n_shards, arguments, texts[0])
    todo = [encode.remote(shard, *common, *known) for shard in range(n_shards) if shard not in done]
    n_encoded: int = sum(ray.get(todo))
    _finish(workspace, folder, fingerprint, corpus_id, n_texts, n_shards)
    return n_encoded


def _finish(
    workspace: Workspace, folder: tuple[str, ...], fingerprint: str, corpus_id: str, n_texts: int, n_shards: int
) -> None:
    """The manifest of a segment's vectors, with their sum."""
    counts = [workspace.ipc_metadata(*folder, shard_name(shard)) for shard in range(n_shards)]
    manifest = {
        "fingerprint": fingerprint,
        "corpus_id": corpus_id,
        "created_at": datetime.now(UTC).isoformat(),
        "n_shards": n_shards,
        "n_texts": n_texts,
        "vector_sum": np.sum([m["vector_sum"] for m in counts], axis=0).tolist(),
    }
    workspace.write_manifest(manifest, *folder)


def _texts_of_segment(uri: str, segment: str) -> tuple[pa.Table, int]:
    """Distinct `text_hash`, `text` and `n` (events with it, less those that no longer have it); and how many.

    The texts that revised events had before are among them, without the text: only their vectors are asked for.
    """
    workspace = Workspace(uri)
    events, revised = (read_segment(workspace, segment, table) for table in ("events", "revised"))
    bios = read_segment(workspace, segment, "users")
    sources = [
        (events["text_hash"], events["text"], 1),
        (revised["text_hash"], revised["text"], 1),
        (revised["old_text_hash"], pa.nulls(len(revised), pa.string()), -1),
        (bios["text_hash"], bios["bio"], 0),
    ]
    columns = ["text_hash", "text", "n"]
    tables = [pa.table([h, t, pa.array(np.full(len(h), n))], columns) for h, t, n in sources]
    texts = pa.concat_tables(tables).filter(pc.field("text_hash").is_valid())
    grouped = texts.group_by("text_hash").aggregate([("text", "min"), ("n", "sum")])
    distinct = grouped.select(["text_hash", "text_min", "n_sum"]).rename_columns(columns).combine_chunks()
    return distinct, len(distinct)


def _find_vectors(vectors: CorpusVectors, shards: Sequence[int], with_segments: bool, texts: pa.Table) -> pa.Table:
    """`text_hash` and `vector` of the texts that some base shards, or the segments, have."""
    hashes, dim = one_chunk(texts["text_hash"]), int(vectors.manifest["dim"])
    rows, found = find_in_shards(
        vectors.workspace, vectors.fingerprint, shards, hashes, n_shards=vectors.n_shards, dim=dim
    )
    if with_segments:
        out = np.zeros((len(hashes), dim), np.float16)
        more = np.flatnonzero(vectors.fill(hashes, out))
        rows, found = np.concatenate([rows, more]), np.concatenate([found, out[more]])
    return _vector_table(hashes.take(pa.array(rows)), found)


def _vectors_of_log(log: EventLog, fingerprint: str, texts: pa.Table, dim: int) -> pa.Table:
    """The same of what a log has."""
    found = log.vectors(fingerprint, texts["text_hash"].to_pylist())
    matrix = np.stack(list(found.values())) if found else np.zeros((0, dim), np.float16)
    return _vector_table(pa.array(found, pa.binary(16)), matrix)


def _encode_shard(
    shard: int,
    uri: str,
    fingerprint: str,
    segment: str,
    corpus_id: str,
    n_shards: int,
    encoder: Mapping[str, Any],
    texts: pa.Table,
    *known: pa.Table,
) -> int:
    """Write the vectors of one shard of a segment's texts; returns how many were encoded."""
    workspace, dim = Workspace(uri), int(known[0].schema.field("vector").type.list_size)
    texts = texts.filter(pa.array(text_shards(texts["text_hash"], n_shards) == shard)).combine_chunks()
    texts = texts.sort_by("text_hash").combine_chunks()
    hashes, vectors = one_chunk(texts["text_hash"]), np.zeros((len(texts), dim), np.float32)
    new = np.ones(len(texts), np.bool_)
    for table in known:
        where = pc.index_in(hashes, value_set=one_chunk(table["text_hash"]))
        has = np.asarray(where.is_valid())
        vectors[has] = matrix_of(table["vector"])[np.asarray(where.drop_null(), np.int64)]
        new &= ~has
    if new.any():
        loaded = _encoder(fingerprint, tuple(sorted(encoder.items())))
        vectors[new] = loaded.encode(prepare_texts(one_chunk(texts["text"]).filter(pa.array(new))))
    folder, none = segment_fingerprint(fingerprint, segment), np.zeros(len(texts), np.int64)
    counts = {"shard": shard, "n_shards": n_shards, "corpus_id": corpus_id, "n_texts": len(texts)}
    total = {"vector_sum": (np.asarray(texts["n"], np.float64) @ vectors).tolist()}
    write_shard(
        workspace,
        folder,
        shard,
        n_buckets=1,
        needed_by=none,
        hashes=hashes,
        rows=np.arange(len(texts)),
        vectors=vectors,
        metadata=counts | total,
    )
    return int(new.sum())


@cache
def _encoder(fingerprint: str, arguments: tuple[tuple[str, Any], ...]) -> Encoder:
    """The encoder of this process, loaded once.

    Raises:
        FingerprintError: This node has other weights than the workspace's vectors were made with.
    """
    loaded = load_encoder(**dict(arguments))
    if loaded.fingerprint != fingerprint:
        raise FingerprintError(
            f"encoder {dict(arguments)['name']}: expected fingerprint {fingerprint}, as of the workspace, found "
            f"{loaded.fingerprint} on this node. Give every node the same weights."
        )
    return loaded


def _vector_table(hashes: pa.Array, vectors: npt.NDArray[np.float16]) -> pa.Table:
    return pa.Table.from_arrays([hashes, vector_array(vectors)], schema=embeddings_schema(vectors.shape[1]))
