"""Profiles by weighing every event of corpus and log, settled as the next update will: the judge of what is served.

Shares with the overlay what both must agree on (formats, the log, the formula of a profile), not its bookkeeping.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.decay import Decay
from dynprof.embedded import open_vectors
from dynprof.increment import Increment, Known, settle_increment
from dynprof.keys import buckets
from dynprof.live.absorbed import absorbed_number
from dynprof.live.corpus_texts import CorpusTexts
from dynprof.live.log import EventLog
from dynprof.live.rows import events_between, rows_of_events
from dynprof.live.tombstones import Tombstones
from dynprof.profile import exact_profiles
from dynprof.schema import BIOS, EVENTS, ITEMS
from dynprof.segments import find_rows, read_bios, read_events
from dynprof.state import ProfileStates
from dynprof.store import SnapshotStore

__all__ = ["ExactProfile", "Truth"]

_BIO_ROWS = pa.schema([*BIOS][:2]).append(pa.field("read_order", pa.int64()))


@dataclass(frozen=True)
class ExactProfile:
    """One user.

    Attributes:
        vector: (dim,) float32, every event weighed.
        rebuilt: (dim,) float32, out of a state built of all events: what a snapshot of everything answers.
        mass: sum |w|.
        n_events: Events with a vector before the time.
        n_waiting: Events with a text that has no vector yet.
    """

    vector: npt.NDArray[np.float32]
    rebuilt: npt.NDArray[np.float32]
    mass: float
    n_events: int
    n_waiting: int


class Truth:
    """Corpus and log as of the moment when this is made.

    Args:
        store: The snapshot that is served; it has all events of its corpus.
        log: Live events since.
    """

    def __init__(self, store: SnapshotStore, log: EventLog) -> None:
        self.store, self._log = store, log
        view = store.corpus
        vectors = open_vectors(store.workspace, store.spec.fingerprint, view)
        self._texts, self._manifest, self._view = CorpusTexts(vectors), vectors.manifest, view
        after, up_to = absorbed_number(view.manifest, log), log.last_number()
        self._rows = rows_of_events(list(events_between(log, after, up_to)), view.n_buckets)
        self.tombstones = Tombstones.of(log)
        last_us = pc.max(self._rows["timestamp"].cast(pa.int64())).as_py()
        self.as_of_us = store.spec.as_of_us if last_us is None else max(store.spec.as_of_us, last_us + 1)

    @property
    def live_users(self) -> list[str]:
        """Users with an event that only the log has."""
        return sorted(set(self._increment.events["user_id"].to_pylist()))

    def profile(self, user_id: str, decay: Decay, as_of_us: int) -> ExactProfile | None:
        """One user's profile; None where nothing is known of the user."""
        if self.tombstones.has_users(pa.array([user_id])).any():
            return None
        events, bio = self._events_of(user_id), self._bio_of(user_id)
        if not len(events) and bio is None:
            return None
        early = events.filter(pc.less(events["timestamp"].cast(pa.int64()), as_of_us))
        told = early.filter(pc.is_valid(early["text_hash"]))
        known = self._vectors(told["text_hash"])
        counted = np.flatnonzero([text in known for text in told["text_hash"].to_pylist()])
        rows, spec = told.take(pa.array(counted)), self.store.spec
        matrix = np.array([known[t] for t in rows["text_hash"].to_pylist()], np.float16).reshape(-1, spec.dim)
        at_us = np.asarray(rows["timestamp"].cast(pa.int64()))
        weights = np.asarray(rows["weight"], np.float64)
        weights = weights * [spec.type_weights.get(name, 1.0) for name in rows["event_type"].to_pylist()]
        prior = self.population if not bio else self._texts.find([bio]).get(bio, self.population)
        shrinking = {"prior": np.asarray(prior, np.float32)[None], "prior_weight": spec.prior_weight}
        users = np.zeros(len(rows), np.int64)
        states = ProfileStates.from_events(users, at_us, weights.astype(np.float32), matrix, 1, bank=spec.bank)
        exact = exact_profiles(
            users,
            np.arange(len(rows)),
            at_us,
            weights,
            matrix.astype(np.float32),
            decay,
            n_users=1,
            as_of_us=as_of_us,
            **shrinking,  # type: ignore[arg-type]
        )
        rebuilt = states.profile(decay, as_of_us, **shrinking).vectors[0]  # type: ignore[arg-type]
        return ExactProfile(exact.vectors[0], rebuilt, float(exact.mass[0]), len(rows), len(told) - len(rows))

    @cached_property
    def population(self) -> npt.NDArray[np.float32]:
        """(dim,) mean vector of all events that have one."""
        n = int(self._view.manifest["n_events_with_text"])
        total = np.asarray(self._manifest["mean_vector"], np.float64) * n
        new, revised = self._increment.events, self._increment.revised
        gone = self._erased_events
        of_others = pc.invert(pc.is_in(revised["event_id"], value_set=gone["event_id"].combine_chunks()))
        revised = revised.filter(of_others)
        signed = ((new["text_hash"], 1), (revised["text_hash"], 1), (revised["old_text_hash"], -1))
        for hashes, sign in (*signed, (gone["text_hash"], -1)):
            known = self._vectors(hashes)
            for found in pc.value_counts(hashes.combine_chunks().drop_null()).to_pylist():
                if found["values"] in known:
                    total += sign * found["counts"] * known[found["values"]].astype(np.float64)
                    n += sign * found["counts"]
        return np.asarray(total / n if n > 0 else 0 * total, np.float32)

    @cached_property
    def _increment(self) -> Increment:
        """What the next update would make of the log."""
        view, rows, workspace = self._view, self._rows, self.store.workspace

        def find(table: str, values: pa.Array, columns: list[str]) -> pa.Table:
            parts = range(view.n_buckets)
            found = [find_rows(workspace, table, b, values, columns, segments=view.segments) for b in parts]
            return pa.concat_tables(found)

        def events_about(items: pa.Array) -> pa.Table:
            old = [read_events(workspace, b, EVENTS.names, segments=view.segments) for b in range(view.n_buckets)]
            return pa.concat_tables([o.filter(pc.is_in(o["item_id"], value_set=items)) for o in old])

        events = find("events", pc.unique(rows["event_id"]), ["event_id", "user_id", "item_id"])
        known = Known(events, find("items", pc.unique(rows["item_id"]), ITEMS.names), BIOS.empty_table())
        return settle_increment(rows, _BIO_ROWS.empty_table(), known, events_about)

    @cached_property
    def _erased_events(self) -> pa.Table:
        """Events of the corpus that were erased."""
        none = pa.schema([EVENTS.field(n) for n in ("event_id", "text_hash")]).empty_table()
        tables, columns = [none], ["event_id", "user_id", "text_hash"]
        for bucket in range(self._view.n_buckets if self.tombstones else 0):
            events = read_events(self.store.workspace, bucket, columns, segments=self._view.segments)
            gone = self.tombstones.has_events(events["event_id"], events["user_id"])
            tables.append(events.filter(pa.array(gone)).select(none.column_names))
        return pa.concat_tables(tables)

    def _events_of(self, user_id: str) -> pa.Table:
        columns, new = EVENTS.names, self._increment
        old = read_events(
            self.store.workspace, self._bucket(user_id), columns, segments=self._view.segments, user_id=user_id
        ).replace_schema_metadata(None)
        again = new.revised.filter(pc.equal(new.revised["user_id"], user_id)).select(columns)
        stays = pc.invert(pc.is_in(old["event_id"], value_set=again["event_id"].combine_chunks()))
        mine = new.events.filter(pc.equal(new.events["user_id"], user_id))
        events = pa.concat_tables([old.filter(stays), again, mine])
        return events.filter(pa.array(~self.tombstones.has_events(events["event_id"], events["user_id"])))

    def _bio_of(self, user_id: str) -> bytes | None:
        """Hash of the user's bio; b"" for a user in the table of bios without a text in it."""
        bios = read_bios(
            self.store.workspace, self._bucket(user_id), ["user_id", "text_hash"], segments=self._view.segments
        )
        mine = bios.filter(pc.equal(bios["user_id"], user_id))["text_hash"].to_pylist()
        return (mine[0] or b"") if mine else None

    def _vectors(self, hashes: pa.ChunkedArray) -> dict[bytes, npt.NDArray[np.float16]]:
        distinct = pc.unique(hashes).drop_null().to_pylist()
        return {**self._log.vectors(self.store.spec.fingerprint, distinct), **self._texts.find(distinct)}

    def _bucket(self, user_id: str) -> int:
        return int(buckets(pa.array([user_id], pa.string()), self._view.n_buckets)[0])
