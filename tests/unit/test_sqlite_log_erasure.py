"""Erased is erased: no byte of id or text is left in any file of the log, whatever came before and after."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from dynprof.live.log import LiveEvent
from dynprof.live.sqlite_log import SqliteLog

FINGERPRINT = "0123456789abcdef"
N_USERS = 40


def marked_event(rng: Random, number: int) -> LiveEvent:
    """An event whose every field that says something begins with a mark that occurs nowhere else."""
    user_id = f"<user {rng.randrange(N_USERS)} of the marked>"
    mark = f"<event {number} of {user_id}>"
    text = f"{mark}: " + mark * rng.choice([0, 1, 5, 40, 300])  # up to many pages of the file
    return LiveEvent(mark, user_id, number, "post", mark, text)


def bytes_on_disk(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.iterdir()))


@pytest.mark.parametrize("seed", range(3))
def test_no_byte_of_erased_users_and_events_is_left_in_the_files(tmp_path: Path, seed: int) -> None:
    rng, number = Random(seed), 0
    log = SqliteLog(tmp_path / "log.db")
    alive: dict[str, LiveEvent] = {}
    gone: list[str] = []
    for _ in range(10):
        events = [marked_event(rng, number + i) for i in range(rng.randint(1, 60))]
        number += len(events)
        accepted = [e for e, o in zip(events, log.append(events), strict=True) if o.status == "accepted"]
        alive |= {event.event_id: event for event in accepted}
        pending = log.without_vector(FINGERPRINT, rng.randint(1, 60))
        log.put_vectors(FINGERPRINT, [h for h, _ in pending], np.ones((len(pending), 64), np.float32))
        if rng.random() < 0.3:
            for change in log.read(0, 1000):
                if change.event is not None and change.number < number / 2:
                    alive.pop(change.event.event_id)  # in the corpus from now on
            log.trim(int(number / 2 - 0.5))
        victims = [event for event in alive.values() if rng.random() < 0.02]
        user_id = f"<user {rng.randrange(N_USERS)} of the marked>"
        log.erase_user(user_id)
        for event in victims:
            log.erase_event(event.event_id)
        gone += [user_id, *(event.event_id for event in victims)]
        alive = {i: e for i, e in alive.items() if i not in gone and e.user_id not in gone}
        files = bytes_on_disk(tmp_path)
        assert [mark for mark in gone if mark.encode() in files] == []
        assert all(mark.encode() in files for mark in alive)  # or the scan would prove nothing
    log.close()
    assert [mark for mark in gone if mark.encode() in bytes_on_disk(tmp_path)] == []


def test_erased_vectors_are_gone_from_the_files_too(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")
    log.append([LiveEvent("e", "ann", 1, "post", "e", "private")])
    ((text_hash, _),) = log.without_vector(FINGERPRINT, 1)
    vector = np.random.default_rng(1).normal(size=(1, 64)).astype(np.float16)
    log.put_vectors(FINGERPRINT, [text_hash], vector.astype(np.float32))
    assert vector.tobytes() in bytes_on_disk(tmp_path) and text_hash in bytes_on_disk(tmp_path)
    log.erase_user("ann")
    files = bytes_on_disk(tmp_path)
    assert vector.tobytes() not in files and text_hash not in files and b"ann" not in files
    log.close()


def test_an_erasure_that_was_cut_short_is_finished_when_the_log_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = SqliteLog(path)
    log.append([LiveEvent("e", "the erased user", 1, "post", "e", "text")])
    log._file.scrub = lambda: None  # type: ignore[method-assign]  # the process died after the commit
    log.erase_user("the erased user")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for file in tmp_path.glob("log.db*"):
        (crashed / file.name).write_bytes(file.read_bytes())
    log.close()
    assert b"the erased user" in bytes_on_disk(crashed)
    opened = SqliteLog(crashed / "log.db")
    assert b"the erased user" not in bytes_on_disk(crashed)
    opened.close()
