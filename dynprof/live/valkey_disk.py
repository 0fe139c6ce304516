"""What a Valkey server has on its disk: whether acknowledged writes are there, and whether erased bytes still are."""

from __future__ import annotations

import logging
import time
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from dynprof.errors import LiveLogError

__all__ = ["require_durable", "rewrite_files"]

LOG = logging.getLogger("dynprof.live")

REWRITE_TIMEOUT_S = 120.0
_POLL_S = 0.01
_NEEDED = {"appendonly": "yes", "appendfsync": "always"}


def require_durable(client: Redis, where: str, *, insist: bool) -> None:
    """Check that the server answers a write only when it is on its disk, and never evicts.

    That is `appendonly yes` with `appendfsync always`; with `everysec` a crash of the machine loses up to a second of
    what was acknowledged. A replica that takes over may lack the last writes whatever is set: nobody waits for it.

    Args:
        client: Of the server.
        where: Address without a password, for messages.
        insist: Refuse; else warn.

    Raises:
        LiveLogError: `insist`, and the settings are others or the server does not tell.
    """
    found = {name: _setting(client, name) for name in (*_NEEDED, "maxmemory", "maxmemory-policy")}
    wrong = [f"{name} {value}" for name, value in _NEEDED.items() if found[name] != value]
    if found["maxmemory"] != "0" and found["maxmemory-policy"] != "noeviction":
        wrong.append("maxmemory-policy noeviction")
    if not wrong:
        return
    message = (
        f"{where}: expected the settings {', '.join(wrong)}, found "
        f"{', '.join(f'{name} {value}' for name, value in found.items())}. Without them events that were acknowledged "
        "can be lost. Set them in the server's configuration, or add durable=no to the address to accept the loss."
    )
    if insist:
        raise LiveLogError(message)
    LOG.warning("store=%s durable=no %s", where, message)


def rewrite_files(client: Redis, where: str) -> None:
    """Have the server write its files anew from what it holds now; return when the old ones are gone.

    Raises:
        LiveLogError: It does not get done in two minutes.
    """
    deadline = time.monotonic() + REWRITE_TIMEOUT_S
    if _setting(client, "appendonly") != "no":
        _run(client, client.bgrewriteaof, "aof_rewrite_in_progress", "aof_last_bgrewrite_status", deadline, where)
    if _setting(client, "save") != "":
        _run(client, client.bgsave, "rdb_bgsave_in_progress", "rdb_last_bgsave_status", deadline, where)


def _run(client: Redis, start: Any, busy: str, status: str, deadline: float, where: str) -> None:
    """Start a rewrite when none is running, since one that runs may have begun before the erasure; wait for its end."""
    while True:
        _wait_idle(client, busy, deadline, where)
        try:
            start()
            break
        except ResponseError as error:  # another client was faster; the server runs one at a time
            if "in progress" not in str(error) or time.monotonic() > deadline:
                raise
    _wait_idle(client, busy, deadline, where)
    if client.info("persistence")[status] != "ok":
        raise LiveLogError(
            f"{where}: expected the server to rewrite its files, found {status} not ok. What was erased is gone from "
            "every answer, its bytes are not: look into the server's log, then erase again."
        )


def _wait_idle(client: Redis, busy: str, deadline: float, where: str) -> None:
    while True:
        found = client.info("persistence")
        if not (found[busy] or found["aof_rewrite_scheduled"]):
            return
        if time.monotonic() > deadline:
            raise LiveLogError(
                f"{where}: expected the server to rewrite its files in {REWRITE_TIMEOUT_S:.0f} s, found {busy} still "
                "set. What was erased is gone from every answer, its bytes may not be: erase again."
            )
        time.sleep(_POLL_S)


def _setting(client: Redis, name: str) -> str:
    try:
        return str(client.config_get(name).get(name, "unknown"))
    except ResponseError:  # hosted servers do not tell
        return "unknown"
