"""The log in one SQLite file: for one machine, any number of its processes and threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from dynprof.live.group_commit import GroupCommit
from dynprof.live.log import Change, ChangeKind, LiveEvent, Outcome
from dynprof.live.record import Record, keyed, records_of, unpack
from dynprof.live.sqlite_file import ERASE_EVENT, ERASE_USER, EVENT, VECTOR, SqliteFile
from dynprof.live.verdicts import check_vectors, refuse_erased

__all__ = ["SqliteLog"]

MOST_OF_A_GROUP = 10_000
_TRIMMED_AT_ONCE = 2_000
_ASKED_AT_ONCE = 500
_KINDS: dict[int, ChangeKind] = {EVENT: "event", VECTOR: "vector", ERASE_EVENT: "erase_event", ERASE_USER: "erase_user"}


class SqliteLog:
    """An `EventLog` in a file, see there for what every method promises.

    Args:
        path: The file, on a local disk (SQLite's WAL needs shared memory, which network file systems lack).
        on_step: Called with the name of each step of an append; for tests that end the process there.
    """

    def __init__(self, path: str | Path, *, on_step: Callable[[str], None] = lambda _: None) -> None:
        self._file = SqliteFile(Path(path))
        self._secret = self._file.secret()
        self._on_step = on_step
        self._group = GroupCommit(self._write_events, self._file.turn, most=MOST_OF_A_GROUP)
        self._encoded_up_to: dict[str, int] = {}

    def append(self, events: Sequence[LiveEvent]) -> list[Outcome]:
        """See `EventLog`. Callers that come at the same time share one transaction."""
        return self._group.submit(records_of(events, self._secret)) if events else []

    def _write_events(self, records: list[Record]) -> list[Outcome]:
        self._on_step("begin")
        with self._file.write() as db:
            outcomes, fresh = _judge(db, records)
            number = _last(db)
            self._on_step("judged")
            rows = list(enumerate(fresh, number + 1))
            db.executemany("INSERT INTO seen VALUES (?, ?)", [(r.id_key, n) for n, r in rows])
            self._on_step("ids written")
            db.executemany(
                "INSERT INTO change VALUES (?, ?, ?, ?, ?)",
                [(n, EVENT, r.text_hash, r.user_key, r.packed) for n, r in rows],
            )
            self._on_step("events written")
        self._on_step("committed")
        return outcomes

    def read(self, after: int, limit: int) -> list[Change]:
        """See `EventLog`."""
        found = self._file.rows(
            "SELECT number, kind, key, event FROM change WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
        )
        return [_change(*row) for row in found]

    def last_number(self) -> int:
        """See `EventLog`."""
        found = self._file.rows("SELECT seq FROM sqlite_sequence WHERE name = 'change'")
        return int(found[0][0]) if found else 0

    def put_vectors(self, fingerprint: str, hashes: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """See `EventLog`."""
        half = check_vectors(hashes, vectors)
        with self._file.turn, self._file.write() as db:
            for text_hash, vector in zip(hashes, half, strict=True):
                if _is_needed(db, text_hash):
                    row = (fingerprint, text_hash, vector.tobytes())
                    put = db.execute("INSERT OR IGNORE INTO vector (fingerprint, hash, value) VALUES (?, ?, ?)", row)
                    if put.rowcount:
                        _add_change(db, VECTOR, text_hash)

    def vectors(self, fingerprint: str, hashes: Sequence[bytes]) -> Mapping[bytes, npt.NDArray[np.float16]]:
        """See `EventLog`."""
        found = {}
        for start in range(0, len(hashes), _ASKED_AT_ONCE):
            asked = tuple(hashes[start : start + _ASKED_AT_ONCE])
            marks = ",".join("?" * len(asked))
            # Only question marks are put into the statement.
            question = f"SELECT hash, value FROM vector WHERE hash IN ({marks}) AND fingerprint = ?"  # noqa: S608
            for text_hash, value in self._file.rows(question, (*asked, fingerprint)):
                found[text_hash] = np.frombuffer(value, "<f2").astype(np.float16)
        return found

    def without_vector(self, fingerprint: str, limit: int) -> list[tuple[bytes, str]]:
        """See `EventLog`. What was found complete once is not looked at again by this object."""
        last, known = self.last_number(), self._encoded_up_to.get(fingerprint, 0)
        found = self._file.rows(
            "SELECT number, key, event FROM change AS c WHERE number > ? AND kind = ? AND key IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM vector WHERE hash = c.key AND fingerprint = ?) ORDER BY number LIMIT ?",
            (known, EVENT, fingerprint, limit),
        )
        # Vectors go only together with the last event that has their text: what is complete stays so.
        self._encoded_up_to[fingerprint] = max(known, found[0][0] - 1 if found else last)
        texts: dict[bytes, str] = {}
        for _, text_hash, event in found:
            texts.setdefault(text_hash, unpack(event).text or "")
        return list(texts.items())

    def events_of(self, user_id: str) -> list[LiveEvent]:
        """See `EventLog`."""
        question = "SELECT event FROM change WHERE user_key = ? ORDER BY number"
        return [unpack(event) for (event,) in self._file.rows(question, (self.keyed(user_id),))]

    def erase_user(self, user_id: str) -> int:
        """See `EventLog`."""
        key = self.keyed(user_id)
        with self._file.turn:
            with self._file.write() as db:
                gone = db.execute("SELECT number, key FROM change WHERE user_key = ?", (key,)).fetchall()
                _forget(db, gone)
                _entomb(db, ERASE_USER, key)
            self._file.scrub()
        return len(gone)

    def erase_event(self, event_id: str) -> bool:
        """See `EventLog`."""
        key = self.keyed(event_id)
        with self._file.turn:
            with self._file.write() as db:
                gone = db.execute(
                    "SELECT number, key FROM change WHERE number = (SELECT number FROM seen WHERE id_key = ?)", (key,)
                ).fetchall()
                _forget(db, gone)
                _entomb(db, ERASE_EVENT, key)
                db.execute("INSERT OR IGNORE INTO seen VALUES (?, NULL)", (key,))
            self._file.scrub()
        return bool(gone)

    def keyed(self, identity: str) -> bytes:
        """See `EventLog`."""
        return keyed(identity, self._secret)

    @property
    def secret(self) -> bytes:
        """See `EventLog`."""
        return self._secret

    def erased_users(self) -> frozenset[bytes]:
        """See `EventLog`."""
        return self._erased(ERASE_USER)

    def erased_events(self) -> frozenset[bytes]:
        """See `EventLog`."""
        return self._erased(ERASE_EVENT)

    def _erased(self, kind: int) -> frozenset[bytes]:
        return frozenset(key for (key,) in self._file.rows("SELECT key FROM erased WHERE kind = ?", (kind,)))

    def trim(self, up_to: int) -> int:
        """See `EventLog`. In pieces, between which others write."""
        n_dropped = 0
        while True:
            with self._file.turn, self._file.write() as db:
                gone = db.execute(
                    "SELECT number, key FROM change WHERE number <= ? AND kind = ? ORDER BY number LIMIT ?",
                    (up_to, EVENT, _TRIMMED_AT_ONCE),
                ).fetchall()
                _forget(db, gone)
            n_dropped += len(gone)
            if len(gone) < _TRIMMED_AT_ONCE:
                return n_dropped

    def close(self) -> None:
        """See `EventLog`."""
        self._file.close()


def _judge(db: sqlite3.Connection, records: list[Record]) -> tuple[list[Outcome], list[Record]]:
    """What becomes of each record, and those that are accepted."""
    users = {r.user_key for r in records}
    found = (db.execute("SELECT key FROM erased WHERE kind = ? AND key = ?", (ERASE_USER, u)).fetchone() for u in users)
    erased = {row[0] for row in found if row}
    outcomes, fresh, ids = [], [], set()
    for record in records:
        if record.user_key in erased:
            outcomes.append(refuse_erased(record.event_id))
        elif record.id_key in ids or db.execute("SELECT 1 FROM seen WHERE id_key = ?", (record.id_key,)).fetchone():
            outcomes.append(Outcome(record.event_id, "duplicate"))
        else:
            ids.add(record.id_key)
            fresh.append(record)
            outcomes.append(Outcome(record.event_id, "accepted"))
    return outcomes, fresh


def _last(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'change'").fetchone()
    return int(row[0]) if row else 0


def _add_change(db: sqlite3.Connection, kind: int, key: bytes) -> None:
    db.execute("INSERT INTO change (kind, key) VALUES (?, ?)", (kind, key))


def _entomb(db: sqlite3.Connection, kind: int, key: bytes) -> None:
    """Remember what was erased, and say it once."""
    if db.execute("INSERT OR IGNORE INTO erased VALUES (?, ?)", (kind, key)).rowcount:
        _add_change(db, kind, key)


def _is_needed(db: sqlite3.Connection, text_hash: bytes) -> bool:
    """Whether an event has this text."""
    return db.execute("SELECT 1 FROM change WHERE key = ? AND kind = ?", (text_hash, EVENT)).fetchone() is not None


def _forget(db: sqlite3.Connection, events: Iterable[tuple[int, bytes | None]]) -> None:
    """Delete events, given by number and text hash, and the vectors of texts that no other event has."""
    events = list(events)
    db.executemany("DELETE FROM change WHERE number = ?", [(number,) for number, _ in events])
    for text_hash in {text_hash for _, text_hash in events if text_hash is not None}:
        if not _is_needed(db, text_hash):
            db.execute("DELETE FROM vector WHERE hash = ?", (text_hash,))
            db.execute("DELETE FROM change WHERE key = ? AND kind = ?", (text_hash, VECTOR))


def _change(number: int, kind: int, key: bytes | None, event: bytes | None) -> Change:
    if kind in (ERASE_EVENT, ERASE_USER):
        return Change(number, _KINDS[kind], erased=key)
    return Change(number, _KINDS[kind], cast("LiveEvent | None", event and unpack(event)), text_hash=key)
