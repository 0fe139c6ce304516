"""The SQLite file of a log: its tables, how it is opened so that a commit is on the disk, and who may write when."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dynprof.errors import LiveLogError
from dynprof.live.record import SECRET_BYTES

__all__ = ["ERASE_EVENT", "ERASE_USER", "EVENT", "VECTOR", "SqliteFile"]

EVENT, VECTOR, ERASE_EVENT, ERASE_USER = 1, 2, 3, 4
"""Values of `change.kind`."""

FORMAT = 1
BUSY_TIMEOUT_S = 30.0
"""How long a writer waits for another process."""

# AUTOINCREMENT: a number is never given twice, also where the last change was erased. Rows with an event or a vector
# come in the order of their numbers, so that pages fill from the left and little is moved about.
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE change (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    key BLOB,
    user_key BLOB,
    event BLOB
);
CREATE INDEX change_of_user ON change (user_key) WHERE user_key IS NOT NULL;
CREATE INDEX change_of_text ON change (key, kind) WHERE key IS NOT NULL;
CREATE TABLE seen (id_key BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID;
CREATE TABLE erased (kind INTEGER, key BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE vector (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, hash BLOB NOT NULL, value BLOB NOT NULL);
CREATE UNIQUE INDEX vector_of_text ON vector (hash, fingerprint);
"""


class SqliteFile:
    """Connections to one file: one that writes, under a lock, and as many that read as there are readers at a time.

    Args:
        path: The file; it and its folder are made where they are not there, readable for their owner only.

    Raises:
        LiveLogError: The file is something else, or this SQLite cannot overwrite what it deletes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.turn = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        # Never opened where it exists: closing it again would drop the locks that this process has on it (POSIX).
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with self._explained():
            self._writer = self._connect()
            self._prepare()

    def _connect(self) -> sqlite3.Connection:
        # Any thread may use it, one at a time; transactions are ours, not the module's.
        db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA synchronous = FULL")  # in WAL mode only FULL waits for the disk at every commit
        db.execute("PRAGMA secure_delete = ON")
        return db

    def _prepare(self) -> None:
        if self._journal_mode() != "wal":
            raise LiveLogError(f"{self.path}: expected a file system on which SQLite can use WAL, found another.")
        if self._writer.execute("PRAGMA secure_delete").fetchone()[0] != 1:
            raise LiveLogError(f"{self.path}: expected an SQLite that overwrites what it deletes, found one without.")
        with self.write() as db:
            if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone():
                for statement in _TABLES.split(";\n"):
                    db.execute(statement)
                secret = secrets.token_bytes(SECRET_BYTES)
                db.executemany("INSERT INTO meta VALUES (?, ?)", [("format", FORMAT), ("secret", secret)])
        found = self._writer.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()[0]
        if found != FORMAT:
            raise LiveLogError(f"{self.path}: expected a log of format {FORMAT}, found {found}. Update dynprof.")
        # A process that died between an erasure and the end of its work may have left old pages in the WAL.
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _journal_mode(self) -> str:
        """Turn WAL on. SQLite does not wait for others who do the same at this moment, so that is done here."""
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                return str(self._writer.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)

    def secret(self) -> bytes:
        """The key of `dynprof.live.record.keyed`."""
        return bytes(self.rows("SELECT value FROM meta WHERE name = 'secret'")[0][0])

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on the disk when the block ends. The caller holds `turn`."""
        with self._explained():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")

    def rows(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of one question, as of one moment. Waits for no writer."""
        with self._explained():
            try:
                db = self._idle.pop()
            except IndexError:
                db = self._connect()
            try:
                return db.execute(statement, parameters).fetchall()
            finally:
                self._idle.append(db)

    def scrub(self) -> None:
        """Move the write-ahead log into the file and cut it to nothing: pages as they were before are gone.

        The caller holds `turn`.

        Raises:
            LiveLogError: Another process reads an old state and does not end.
        """
        with self._explained():
            busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise LiveLogError(
                f"{self.path}-wal: expected to be alone for a moment within {BUSY_TIMEOUT_S:.0f} s, found a process "
                "that keeps reading an old state. What was erased is gone from every answer, its bytes are not: erase "
                "again."
            )

    def close(self) -> None:
        """Close all connections; the last one of all processes folds the write-ahead log into the file."""
        with self.turn:
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            self._writer.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        if self._closed:
            raise LiveLogError(f"{self.path}: expected an open log, found a closed one. Open it again: open_log.")
        try:
            yield
        except sqlite3.Error as error:
            raise LiveLogError(
                f"{self.path}: expected SQLite to read and write, found: {error}. Is the disk full, the file another "
                "program's, or another process in the midst of a long write?"
            ) from error
