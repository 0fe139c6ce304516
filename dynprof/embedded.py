"""The vectors of a corpus, base and segments put together: what the readers of vectors go through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.bucket_vectors import BucketVectors
from dynprof.corpus import CORPUS
from dynprof.embeddings import EMBEDDINGS, load_vectors, open_shard
from dynprof.errors import FingerprintError, WorkspaceError
from dynprof.keys import text_shards
from dynprof.lineage import SEGMENTS, CorpusView, corpus_of, present_corpus
from dynprof.vector_chunk import VectorChunk, join_hashes
from dynprof.vectors import matrix_of
from dynprof.workspace import Workspace

__all__ = [
    "CorpusVectors",
    "Vectors",
    "continued_fingerprint",
    "covers",
    "find_in_shards",
    "latest_fingerprint",
    "open_vectors",
    "segment_fingerprint",
]


def segment_fingerprint(fingerprint: str, segment: str) -> str:
    """Stands for a fingerprint where the vectors of a segment are meant: the folder below `embeddings/`."""
    return f"{fingerprint}/{SEGMENTS}/{segment}"


class Vectors:
    """Several `BucketVectors` read as one. A text may stand in more than one of them; its first row is found."""

    def __init__(self, parts: list[BucketVectors]) -> None:
        self._parts = parts

    @cached_property
    def hashes(self) -> pa.ChunkedArray:
        """(n,) 16-byte hash of the text of every row."""
        return join_hashes([part.hashes for part in self._parts])

    def chunks(self) -> Iterator[tuple[int, VectorChunk]]:
        """The vectors, each chunk with the number of its first row."""
        before = 0
        for part in self._parts:
            for first, chunk in part.chunks():
                yield before + first, chunk
            before += len(part.hashes)


@dataclass(frozen=True)
class CorpusVectors:
    """Vectors of all texts of a corpus by one encoder. Cheap to make and to pickle.

    Attributes:
        workspace: Where.
        fingerprint: Of the encoder.
        manifest: Of the base's embeddings, with `mean_vector` of the whole corpus.
        segments: Of the corpus.
        parts: Folder below `embeddings/` and number of shards of each segment that the base does not cover.
    """

    workspace: Workspace
    fingerprint: str
    manifest: Mapping[str, Any]
    segments: tuple[str, ...] = ()
    parts: tuple[tuple[str, int], ...] = ()

    @property
    def n_shards(self) -> int:
        """Number of the base's shards; what a `VectorChunk` counts in."""
        return int(self.manifest["n_shards"])

    def of_bucket(self, bucket: int) -> Vectors:
        """What a user bucket needs: of the base what `BucketVectors` reads, and all of the segments."""
        base = BucketVectors(self.workspace, self.fingerprint, bucket, self.n_shards)
        return Vectors([base, *(BucketVectors(self.workspace, folder, 0, n) for folder, n in self.parts)])

    @property
    def folders(self) -> tuple[tuple[str, int], ...]:
        """Folder below `embeddings/` and number of shards: of the base, then of each of `parts`."""
        return (self.fingerprint, self.n_shards), *self.parts

    def locate(self, hashes: pa.Array) -> npt.NDArray[np.int64]:
        """(n,) place in `folders` of the first segment that has each text, else 0: then the base has it or nobody.

        Reads the hashes of segments, no vector. The texts of a segment's events are all in it, known ones too.
        """
        place = np.zeros(len(hashes), np.int64)
        for number, (folder, n_shards) in enumerate(self.parts, 1):
            known = BucketVectors(self.workspace, folder, 0, n_shards).hashes
            rest = np.flatnonzero(place == 0)
            place[rest[np.asarray(pc.is_in(hashes.take(pa.array(rest)), value_set=known))]] = number
        return place

    def load(self, hashes: pa.Array) -> npt.NDArray[np.float16]:
        """Vectors of texts, as `load_vectors`.

        Raises:
            WorkspaceError: A text without a vector.
        """
        out = np.zeros((len(hashes), self.manifest["dim"]), np.float16)
        rest = np.flatnonzero(~self.fill(hashes, out))
        out[rest] = load_vectors(self.workspace, self.fingerprint, hashes.take(pa.array(rest)))
        return out

    def fill(self, hashes: pa.Array, out: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Write the vectors that the segments know into `out`, (n, dim); (n,) whether they do."""
        found = np.zeros(len(hashes), np.bool_)
        for part in self.parts:
            for chunk in _part_chunks(self.workspace, *part):
                rows, has = chunk.find(hashes)
                out[has], found = chunk.take(rows[has]), found | has
        return found


def latest_fingerprint(workspace: Workspace) -> str:
    """The fingerprint of the finished embeddings of the present corpus; the newest where there are several.

    Raises:
        WorkspaceError: There are none.
    """
    has_corpus = workspace.read_manifest(CORPUS) is not None
    finished = []
    for fingerprint in workspace.folders(EMBEDDINGS):
        manifest = workspace.read_manifest(EMBEDDINGS, fingerprint)
        if manifest is not None and (not has_corpus or covers(workspace, fingerprint, present_corpus(workspace))):
            finished.append((manifest["created_at"], fingerprint))
    if not finished:
        raise WorkspaceError(
            f"{workspace.path(EMBEDDINGS)}: expected finished embeddings, found none of the present corpus. "
            "Run `python -m jobs.encode` first."
        )
    return max(finished)[1]


def continued_fingerprint(workspace: Workspace) -> str:
    """The same, but where the last segments have no vectors yet, the newest that can be carried on.

    Raises:
        WorkspaceError: There are none.
    """
    try:
        return latest_fingerprint(workspace)
    except WorkspaceError:
        view, begun = present_corpus(workspace), []
        for fingerprint in workspace.folders(EMBEDDINGS):
            manifest = workspace.read_manifest(EMBEDDINGS, fingerprint)
            if manifest is not None and view.at(manifest["corpus_id"]) >= 0:
                begun.append((manifest["created_at"], fingerprint))
        if not begun:
            raise
        return max(begun)[1]


def covers(workspace: Workspace, fingerprint: str, view: CorpusView) -> bool:
    """Whether there are vectors of all texts of a corpus."""
    try:
        open_vectors(workspace, fingerprint, view)
    except WorkspaceError:  # a FingerprintError is one
        return False
    return True


def open_vectors(workspace: Workspace, fingerprint: str, view: CorpusView) -> CorpusVectors:
    """The vectors of a corpus.

    Args:
        workspace: Where.
        fingerprint: Of the encoder.
        view: The corpus.

    Raises:
        WorkspaceError: No finished embeddings.
        FingerprintError: They are of another corpus, or a segment of this one was not encoded.
    """
    base = workspace.require_manifest(EMBEDDINGS, fingerprint, made_by="encode")
    covered = view.at(base["corpus_id"])
    if covered < 0 and present_corpus(workspace).at(base["corpus_id"]) < 0:
        raise FingerprintError(
            f"{workspace.path(EMBEDDINGS, fingerprint)}: expected embeddings of corpus {view.corpus_id}, "
            f"found those of {base['corpus_id']}. "
            "Run `python -m jobs.encode` again: what it knows is not encoded twice."
        )
    segments = view.segments[covered:] if covered >= 0 else ()  # else they are of a later corpus, which has them all
    made_of = view.ids[len(view.ids) - len(segments) :]
    manifests = [_segment_manifest(workspace, fingerprint, view, *of) for of in zip(segments, made_of, strict=True)]
    if not manifests:
        return CorpusVectors(workspace, fingerprint, base, view.segments)
    corpus = corpus_of(workspace, base["corpus_id"], whose=(EMBEDDINGS, fingerprint), what="embeddings").manifest
    total = np.asarray(base["mean_vector"]) * corpus["n_events_with_text"]
    total = total + np.sum([m["vector_sum"] for m in manifests], axis=0)
    mean = (total / max(1, view.manifest["n_events_with_text"])).tolist()
    parts = [(segment_fingerprint(fingerprint, s), m["n_shards"]) for s, m in zip(segments, manifests, strict=True)]
    described = {**base, "mean_vector": mean, "corpus_id": view.corpus_id}
    return CorpusVectors(workspace, fingerprint, described, view.segments, tuple(parts))


def _segment_manifest(
    workspace: Workspace, fingerprint: str, view: CorpusView, segment: str, corpus_id: str
) -> dict[str, Any]:
    folder = segment_fingerprint(fingerprint, segment)
    manifest = workspace.read_manifest(EMBEDDINGS, folder)
    if manifest is None or view.renamed.get(manifest["corpus_id"], manifest["corpus_id"]) != corpus_id:
        raise FingerprintError(
            f"{workspace.path(EMBEDDINGS, folder)}: expected vectors of this segment of the corpus, found none. Run "
            "`python -m jobs.update` again, or `python -m jobs.encode` for an encoder that updates do not carry on."
        )
    return manifest


def _part_chunks(workspace: Workspace, folder: str, n_shards: int) -> Iterator[VectorChunk]:
    """The vectors of a segment; its shards have one record batch for all buckets."""
    return (chunk for _, chunk in BucketVectors(workspace, folder, 0, n_shards).chunks())


def find_in_shards(
    workspace: Workspace, fingerprint: str, shards: Iterable[int], hashes: pa.Array, *, n_shards: int, dim: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
    """Look texts up in some shards, whichever bucket needed them. Reads hashes, and of the vectors those found.

    Args:
        workspace: Where.
        fingerprint: Of the encoder.
        shards: Which of them to search.
        hashes: (n,) distinct.
        n_shards: Of how many.
        dim: Length of a vector.

    Returns:
        (m,) rows of `hashes` that were found, and (m, dim) their vectors.
    """
    of_text = text_shards(hashes, n_shards)
    rows, vectors = [np.empty(0, np.int64)], [np.empty((0, dim), np.float16)]
    for shard in shards:
        mine = np.flatnonzero(of_text == shard)
        if len(mine):
            found, chunk = _find_in_shard(workspace, fingerprint, shard, hashes.take(pa.array(mine)))
            rows.append(mine[found])
            vectors.append(chunk)
    return np.concatenate(rows), np.concatenate(vectors)


def _find_in_shard(
    workspace: Workspace, fingerprint: str, shard: int, hashes: pa.Array
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
    """Rows of `hashes` in one shard, each once, and their vectors."""
    reader = open_shard(workspace, fingerprint, shard)
    dim = reader.schema.field("vector").type.list_size
    found, vectors = [np.empty(0, np.int64)], [np.empty((0, dim), np.float16)]
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        where = pc.index_in(batch["text_hash"], value_set=hashes)
        rows = np.flatnonzero(np.asarray(where.is_valid()))
        if len(rows):
            found.append(np.asarray(where.drop_null(), np.int64))
            vectors.append(matrix_of(batch["vector"])[rows])
    distinct, first = np.unique(np.concatenate(found), return_index=True)
    return distinct, np.concatenate(vectors)[first]
