"""Traces as files that a server maps into memory, with the ids and texts behind their numbers."""

from __future__ import annotations

import hashlib
import io
import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.evaluation.log import EventNames
from dynprof.filesystems import open_input
from dynprof.keys import find_words, hash_words
from dynprof.ranker.past import STRANGER
from dynprof.ranker.reading import read_log, read_tags
from dynprof.ranker.traces import Tags, Traces
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace

__all__ = ["TRACES", "NamedTraces", "ensure_traces", "open_traces", "read_traces", "save_traces"]

TRACES = "traces"
"""Folder of the workspace; below it a folder a corpus and time."""

_IDS = pa.schema([pa.field("user_id", pa.string(), nullable=False)])
_ROWS_OF_A_BATCH = 1 << 20


@dataclass(frozen=True)
class NamedTraces:
    """What everybody did, as far as a snapshot knows, with names.

    Attributes:
        traces: Of the events strictly before the snapshot's time.
        user_ids: (n_users,) sorted, in chunks.
        words: (n_items, 2) uint64 text hash of each item.
        sorted_words: (n_items, 2) the same, sorted.
        sorted_items: (n_items,) int64 item of each of them.
    """

    traces: Traces
    user_ids: pa.ChunkedArray
    words: npt.NDArray[np.uint64]
    sorted_words: npt.NDArray[np.uint64]
    sorted_items: npt.NDArray[np.int64]

    @classmethod
    def of(cls, traces: Traces, names: EventNames) -> NamedTraces:
        """With the names of the log that they are of."""
        words = hash_words(names.text_hashes)[: traces.n_items]
        order = np.lexsort((words[:, 1], words[:, 0]))
        return cls(traces, pa.chunked_array([names.user_ids], pa.string()), words, words[order], order)

    def number_of(self, user_id: str) -> int:
        """A user's number; `STRANGER` for whom nobody knows."""
        place = bisect_left(_Ids(self.user_ids), user_id.encode(errors="surrogatepass"))
        known = place < len(self.user_ids) and self.user_ids[place].as_py() == user_id
        return place if known else STRANGER

    def items_of(self, words: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """(m,) item of each text, (m, 2) as of `hash_words`, and whether there is one; items of absent ones are 0."""
        return find_words(words, self.sorted_words, self.sorted_items)


class _Ids:
    """User ids as a sequence of UTF-8 for bisection: they are sorted by their bytes."""

    def __init__(self, ids: pa.ChunkedArray) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, place: int) -> bytes:
        return str(self._ids[place].as_py()).encode()


def trace_files(store: SnapshotStore) -> tuple[str, str]:
    """Folder of the traces of a snapshot: snapshots of one corpus, time and event weights share it."""
    said = json.dumps([store.spec.as_of_us, dict(sorted(store.spec.type_weights.items()))])
    return TRACES, f"{store.corpus.corpus_id}-{hashlib.blake2b(said.encode(), digest_size=4).hexdigest()}"


def read_traces(store: SnapshotStore) -> NamedTraces:
    """Make the traces of a snapshot from its corpus: some seconds a million events, 40 bytes each."""
    log, names = read_log(store.workspace, store.corpus, store.spec.type_weights)
    tags = read_tags(store.workspace, store.corpus, names)
    return NamedTraces.of(Traces.of(log.before(store.spec.as_of_us), tags, n_users=len(names.user_ids)), names)


def save_traces(store: SnapshotStore, named: NamedTraces) -> None:
    """Write the traces of a snapshot, the manifest last."""
    workspace, folder = store.workspace, trace_files(store)
    arrays = {f.name: getattr(named.traces, f.name) for f in fields(Traces) if f.name != "tags"}
    arrays |= {f"tag_{f.name}": getattr(named.traces.tags, f.name) for f in fields(Tags)}
    arrays |= {name: getattr(named, name) for name in ("words", "sorted_words", "sorted_items")}
    for name, array in arrays.items():
        with workspace.create(*folder, f"{name}.npy") as sink:
            np.lib.format.write_array(sink, np.ascontiguousarray(array), allow_pickle=False)
    ids = pa.table([named.user_ids], schema=_IDS)
    workspace.write_ipc(ids.to_batches(_ROWS_OF_A_BATCH), _IDS, *folder, "users.arrow")
    counts = {"n_events": len(named.traces.at_us), "n_users": len(named.user_ids), "n_items": named.traces.n_items}
    workspace.write_manifest({"corpus_id": store.corpus.corpus_id, "as_of_us": store.spec.as_of_us, **counts}, *folder)


def ensure_traces(store: SnapshotStore) -> bool:
    """Write the traces of a snapshot unless they are there; whether they were."""
    there = store.workspace.read_manifest(*trace_files(store)) is not None
    if not there:
        save_traces(store, read_traces(store))
    return there


def open_traces(store: SnapshotStore) -> NamedTraces | None:
    """What `save_traces` wrote; None where it did not, or did not finish. On a disk it is mapped, not read."""
    workspace, folder = store.workspace, trace_files(store)
    if workspace.read_manifest(*folder) is None:
        return None

    def load(name: str) -> npt.NDArray[Any]:
        return _array(workspace, *folder, f"{name}.npy")

    tags = Tags(**{f.name: load(f"tag_{f.name}") for f in fields(Tags)})
    traces = Traces(**{f.name: load(f.name) for f in fields(Traces) if f.name != "tags"}, tags=tags)
    reader = workspace.open_ipc(*folder, "users.arrow")
    batches = [reader.get_batch(i)["user_id"] for i in range(reader.num_record_batches)]
    words: Mapping[str, npt.NDArray[Any]] = {n: load(n) for n in ("words", "sorted_words", "sorted_items")}
    return NamedTraces(traces, pa.chunked_array(batches, pa.string()), **words)


def _array(workspace: Workspace, *parts: str) -> npt.NDArray[Any]:
    if workspace.is_local:
        return np.asarray(np.load(workspace.path(*parts), mmap_mode="r", allow_pickle=False))
    with open_input(workspace.filesystem, workspace.path(*parts)) as source:
        return np.asarray(np.load(io.BytesIO(source.read()), allow_pickle=False))
