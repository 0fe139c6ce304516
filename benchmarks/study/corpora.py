"""A workspace of real posts in memory: the log as numbers, a vector a text, languages, account categories."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dynprof.embedded import latest_fingerprint, open_vectors
from dynprof.evaluation import EVENT_COLUMNS, EventLog, EventNames, TestEvents, index_events
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.lineage import present_corpus
from dynprof.segments import read_events
from dynprof.vector_chunk import VectorChunk
from dynprof.workspace import Workspace

__all__ = ["Posts", "ask_at"]


@dataclass(frozen=True)
class Posts:
    """Everything of one corpus. A few hundred MB for a few hundred thousand texts.

    Attributes:
        log: All events with a text.
        names: What its numbers stand for.
        vectors: Of its items.
        languages: (n,) language of each event, "" where there is none.
    """

    log: EventLog
    names: EventNames
    vectors: ItemVectors
    languages: npt.NDArray[np.object_]

    @classmethod
    def load(cls, workspace: Workspace, fingerprint: str | None = None) -> Posts:
        """Read a workspace that has been encoded.

        Args:
            workspace: Where.
            fingerprint: Of the encoder; None for the newest.
        """
        view = present_corpus(workspace)
        columns = [*EVENT_COLUMNS, "language"]
        tables = [read_events(workspace, b, columns, segments=view.segments) for b in range(view.n_buckets)]
        log, names = index_events(t.select(EVENT_COLUMNS) for t in tables)
        spoken = pa.concat_tables(t.select(["text_hash", "language"]) for t in tables)
        spoken = spoken.filter(pc.is_valid(spoken["text_hash"]))["language"]
        corpus = open_vectors(workspace, fingerprint or latest_fingerprint(workspace), view)
        rows = corpus.load(names.text_hashes)
        vectors = ItemVectors(VectorChunk(names.text_hashes, [rows]), np.arange(len(rows)))
        return cls(log, names, vectors, np.asarray(pc.fill_null(spoken, "").to_pylist(), object))

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """(n_users,) position of each user's first event, by the user's number; -1 for users without one."""
        found = np.full(len(self.names.user_ids), -1, np.int64)
        first = np.flatnonzero(np.diff(self.log.users, prepend=-1))
        found[self.log.users[first]] = first
        return found

    @cached_property
    def ends(self) -> npt.NDArray[np.int64]:
        """(n_users,) position after each user's last event; -1 for users without one."""
        first = np.flatnonzero(np.diff(self.log.users, prepend=-1))
        found = np.full(len(self.names.user_ids), -1, np.int64)
        found[self.log.users[first]] = [*first[1:], len(self.log)]
        return found

    def category(self, path: str) -> npt.NDArray[np.object_]:
        """(n_users,) account category of each user, from the file of the posts; "" where it has none."""
        table = pq.read_table(path, columns=["user_id", "account_category"])
        known: dict[Any, Any] = dict(zip(*(table[c].to_pylist() for c in table.column_names), strict=True))
        return np.array([known.get(u) or "" for u in self.names.user_ids.to_pylist()], object)


def ask_at(posts: Posts, users: npt.NDArray[np.integer], at_us: npt.NDArray[np.int64]) -> TestEvents:
    """Questions about users as of times of our own, with an empty catalogue and the item 0 for a target.

    Args:
        posts: Of which.
        users: (n,) numbers of users with at least one event.
        at_us: (n,) events strictly before count.
    """
    log, starts, ends = posts.log, posts.starts[users], posts.ends[users]
    stops = np.array(
        [a + np.searchsorted(log.event_us[a:b], t) for a, b, t in zip(starts, ends, at_us, strict=True)], np.int64
    ).reshape(len(users))
    return TestEvents(
        users=users.astype(np.int32),
        event_us=at_us,
        positions=starts,
        targets=np.zeros(len(users), np.int32),
        catalogue=np.zeros(len(users), np.int64),
        history_start=starts,
        history_stop=stops,
        include_seen=True,
    )
