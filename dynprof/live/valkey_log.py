"""The log in Valkey or Redis: for several machines. Every write is one script, which the server runs alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import numpy as np
import numpy.typing as npt
from redis import Redis
from redis.exceptions import RedisError

from dynprof.errors import ConfigError, LiveLogError
from dynprof.live import valkey_scripts as scripts
from dynprof.live.log import Change, ChangeKind, LiveEvent, Outcome
from dynprof.live.record import KEY_BYTES, SECRET_BYTES, keyed, records_of, unpack
from dynprof.live.valkey_disk import require_durable, rewrite_files
from dynprof.live.verdicts import check_vectors, refuse_erased

__all__ = ["ValkeyLog"]

FORMAT = b"1"
TIMEOUT_S = 30.0
DEFAULT_NAME = "dynprof"
_SCHEMES = {"valkey": "redis", "valkeys": "rediss", "redis": "redis", "rediss": "rediss"}
_LOOKED_AT_ONCE = 1_000
_NUMBER_DIGITS = 16
_KINDS: dict[int, ChangeKind] = {ord("v"): "vector", ord("x"): "erase_event", ord("u"): "erase_user"}


class ValkeyLog:
    """An `EventLog` in a server, see there for what every method promises.

    Args:
        uri: `valkey://[user:password@]host[:port][/database]`, also `valkeys` (TLS), `redis`, `rediss`. `?log=NAME`:
            several logs in one database. `?durable=no`: take a server that may lose acknowledged events.

    Raises:
        ConfigError: The address means nothing.
        LiveLogError: The server cannot be reached, is not durable, or holds a log of another format.
    """

    def __init__(self, uri: str) -> None:
        address, name, insist, self._where = _parts(uri)
        self._prefix = f"{{{name}}}:".encode()
        self._redis: Redis = Redis.from_url(address, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        named = {name: getattr(scripts, name) for name in scripts.__all__}
        self._scripts = {name: self._redis.register_script(text) for name, text in named.items()}
        self._encoded_up_to: dict[str, int] = {}
        with self._explained():
            require_durable(self._redis, self._where, insist=insist)
            self._secret = self._once("secret", secrets.token_bytes(SECRET_BYTES))
            found = self._once("format", FORMAT)
        if found != FORMAT:
            raise LiveLogError(f"{self._where}: expected a log of format {FORMAT!r}, found {found!r}. Update dynprof.")

    def append(self, events: Sequence[LiveEvent]) -> list[Outcome]:
        """See `EventLog`. The server makes callers that come together durable together."""
        records = records_of(events, self._secret)
        fields = [field for r in records for field in (r.id_key, r.user_key, r.text_hash or b"", r.packed)]
        letters = self._run("APPEND", *fields) if events else []
        return [_outcome(record.event_id, letter) for record, letter in zip(records, letters, strict=True)]

    def read(self, after: int, limit: int) -> list[Change]:
        """See `EventLog`."""
        found = self._run("READ", after, limit)
        return [_change(int(number), change) for number, change in zip(found[::2], found[1::2], strict=True)]

    def last_number(self) -> int:
        """See `EventLog`."""
        with self._explained():
            return int(self._redis.get(self._prefix + b"last") or 0)

    def put_vectors(self, fingerprint: str, hashes: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """See `EventLog`."""
        half = check_vectors(hashes, vectors)
        pairs = [part for text_hash, row in zip(hashes, half, strict=True) for part in (text_hash, row.tobytes())]
        if pairs:
            self._run("PUT_VECTORS", fingerprint, *pairs)

    def vectors(self, fingerprint: str, hashes: Sequence[bytes]) -> Mapping[bytes, npt.NDArray[np.float16]]:
        """See `EventLog`."""
        if not hashes:
            return {}
        with self._explained():
            found: Any = self._redis.hmget(self._prefix + f"vectors:{fingerprint}".encode(), list(hashes))
        present = ((text_hash, value) for text_hash, value in zip(hashes, found, strict=True) if value is not None)
        return {h: np.frombuffer(value[_NUMBER_DIGITS:], "<f2").astype(np.float16) for h, value in present}

    def without_vector(self, fingerprint: str, limit: int) -> list[tuple[bytes, str]]:
        """See `EventLog`. What was found complete once is not looked at again by this object."""
        texts: dict[bytes, str] = {}
        after = complete = self._encoded_up_to.get(fingerprint, 0)
        while len(texts) < limit:
            last, *found = self._run("WITHOUT_VECTOR", fingerprint, after, _LOOKED_AT_ONCE)
            for change in found[1::2][: limit - len(texts)]:
                texts.setdefault(change[1 : 1 + KEY_BYTES], unpack(change[1 + 2 * KEY_BYTES :]).text or "")
            if not found:  # vectors go only together with the last event that has their text: what is complete stays so
                complete = int(last or after) if complete == after else complete
            if not last:
                break
            after = int(last)
        self._encoded_up_to[fingerprint] = complete
        return list(texts.items())

    def events_of(self, user_id: str) -> list[LiveEvent]:
        """See `EventLog`."""
        with self._explained():
            numbers: Any = self._redis.smembers(self._prefix + b"user:" + self.keyed(user_id))
            found: Any = self._redis.hmget(self._prefix + b"changes", sorted(numbers, key=int)) if numbers else []
        return [unpack(change[1 + 2 * KEY_BYTES :]) for change in found if change is not None]

    def erase_user(self, user_id: str) -> int:
        """See `EventLog`. The server writes its files anew, which takes as long as the log is large."""
        n_removed = int(self._run("ERASE_USER", self.keyed(user_id)))
        self._scrub()
        return n_removed

    def erase_event(self, event_id: str) -> bool:
        """See `EventLog`; as for users."""
        removed = bool(self._run("ERASE_EVENT", self.keyed(event_id)))
        self._scrub()
        return removed

    def keyed(self, identity: str) -> bytes:
        """See `EventLog`. Only this leaves the process when something is erased, not the id."""
        return keyed(identity, self._secret)

    @property
    def secret(self) -> bytes:
        """See `EventLog`."""
        return self._secret

    def erased_users(self) -> frozenset[bytes]:
        """See `EventLog`."""
        return self._members("erased_users")

    def erased_events(self) -> frozenset[bytes]:
        """See `EventLog`."""
        return self._members("erased_events")

    def trim(self, up_to: int) -> int:
        """See `EventLog`. In pieces, between which others write."""
        after, n_dropped = "0", 0
        while True:
            last, n = self._run("TRIM", after, up_to, _LOOKED_AT_ONCE)
            n_dropped += int(n)
            if not last:
                return n_dropped
            after = last

    def close(self) -> None:
        """See `EventLog`."""
        self._redis.close()

    def _run(self, script: str, *arguments: Any) -> Any:
        with self._explained():
            return self._scripts[script](keys=[self._prefix], args=arguments)

    def _members(self, key: str) -> frozenset[bytes]:
        with self._explained():
            members: Any = self._redis.smembers(self._prefix + key.encode())
        return frozenset(members)

    def _once(self, key: str, value: bytes) -> bytes:
        """Set a key where it is not there; what it holds."""
        self._redis.setnx(self._prefix + key.encode(), value)
        return bytes(self._redis.get(self._prefix + key.encode()))

    def _scrub(self) -> None:
        with self._explained():
            rewrite_files(self._redis, self._where)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            raise LiveLogError(
                f"{self._where}: expected a Valkey or Redis server that reads and writes, found: {error}. Does it run, "
                "may this user write, is its memory or disk full?"
            ) from error


def _parts(uri: str) -> tuple[str, str, bool, str]:
    """Address for the client, name of the log, whether it must be durable, and the address without a password."""
    split = urlsplit(uri)
    options = dict(parse_qsl(split.query, keep_blank_values=True))
    name, durable = options.pop("log", DEFAULT_NAME), options.pop("durable", "yes")
    place = split.netloc.rpartition("@")[2]
    where = f"{split.scheme}://{place}{split.path}?log={name}"
    port = place.rpartition("]")[2].partition(":")[2]  # after an IPv6 address in brackets, too
    fine = split.hostname and name and "}" not in name and durable in ("yes", "no") and (port.isdecimal() or not port)
    if split.scheme not in _SCHEMES or not fine:
        raise ConfigError(
            f"log: expected valkey://HOST[:PORT][/DATABASE][?log=NAME][&durable=yes|no], found {where}. "
            "Schemes: valkey, valkeys (TLS), redis, rediss."
        )
    address = split._replace(scheme=_SCHEMES[split.scheme], query=urlencode(options)).geturl()
    return address, name, durable == "yes", where


def _outcome(event_id: str, letter: bytes) -> Outcome:
    if letter == b"r":
        return refuse_erased(event_id)
    return Outcome(event_id, "accepted" if letter == b"a" else "duplicate")


def _change(number: int, change: bytes) -> Change:
    kind, key = change[0], change[1 : 1 + KEY_BYTES]
    if kind in (ord("e"), ord("n")):
        event = unpack(change[1 + 2 * KEY_BYTES :])
        return Change(number, "event", event, text_hash=key if kind == ord("e") else None)
    if kind == ord("v"):
        return Change(number, "vector", text_hash=key)
    return Change(number, _KINDS[kind], erased=key)
