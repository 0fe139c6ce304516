"""Is what is served what a rebuild would give? `python -m jobs.verify`, against a workspace or a running server."""

from __future__ import annotations

import argparse
import base64
import json
import logging
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.errors import AsOfError, ConfigError, UnknownUserError
from dynprof.live.log import EventLog
from dynprof.live.store import LiveStore
from dynprof.live.truth import ExactProfile, Truth
from dynprof.snapshot import format_time_us, parse_decays
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace
from jobs.command import Stopwatch, parser, run, start_logging
from jobs.live_flag import add_live_flag, live_log

__all__ = ["LEAST_COSINE", "Served", "verify"]

LOG = logging.getLogger("dynprof.verify")

LEAST_COSINE = 0.999999
_ROUNDING = 1e-3
"""Of the length of a vector: stored vectors are fp16, and the population's mean is one of those."""
_TRIES = 5
_WAIT_S = 0.5
_EXIT_DIFFERENT = 1


@dataclass(frozen=True)
class Served:
    """An answer about one user."""

    vector: npt.NDArray[np.float32]
    n_events: int
    error_bound: float


class Server(Protocol):
    """Who answers."""

    def profile(self, user_id: str, decay: Decay, as_of_us: int) -> Served | None:
        """One user; None where nothing is known of the user."""


class LibraryServer:
    """A `LiveStore` of this process, which follows the log itself."""

    def __init__(self, store: SnapshotStore, log: EventLog) -> None:
        self._live = LiveStore(store, log)

    def profile(self, user_id: str, decay: Decay, as_of_us: int) -> Served | None:
        """See `Server`."""
        self._live.overlay.catch_up()
        try:
            read = self._live.profile(user_id, decay, as_of_us)
        except UnknownUserError:
            return None
        return Served(read.vector, read.n_events, read.error_bound)


class HttpServer:
    """A running deployment.

    Args:
        url: Such as http://127.0.0.1:8000.
        token: Sent as bearer; one that may read vectors.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"--url: expected http://... or https://..., found {url!r}.")
        self._url, self._headers = url.rstrip("/"), {"Authorization": f"Bearer {token}"} if token else {}

    def profile(self, user_id: str, decay: Decay, as_of_us: int) -> Served | None:
        """See `Server`."""
        asked = {"kind": decay.kind, "as_of": format_time_us(as_of_us), "vector": "true"}
        if decay.half_life is not None:
            asked["half_life"] = str(decay.half_life)
        path = f"/v1/users/{urllib.parse.quote(user_id, safe='')}/profile?{urllib.parse.urlencode(asked)}"
        request = urllib.request.Request(self._url + path, headers=self._headers)  # noqa: S310 - http, checked above
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise OSError(f"{self._url}{path}: expected a profile, found HTTP {error.code}: {error.reason}") from error
        vector = np.frombuffer(base64.b64decode(answer["vector"]), "<f4")
        return Served(vector, answer["n_events"], answer["error_bound"])


def verify(
    store: SnapshotStore, log: EventLog, server: Server, decays: Sequence[Decay], *, n_users: int, seed: int = 0
) -> dict[str, Any]:
    """Compare served profiles with those of corpus and log: error with the exact one, cosine with a rebuilt state's.

    While events come in, a served profile may be ahead of the log as it was read: what differs is compared again with
    the log of then, a few times.

    Args:
        store: The snapshot that is served.
        log: Live events.
        server: Who is asked.
        decays: At which.
        n_users: How many users: half of them with live events, where there are so many.
        seed: Of the choice.

    Returns:
        `users`, `missing` and `extra` (users and events), `least_cosine`, `worst_error_over_bound` (error less
        bound, of the vector's length), `ok`, and the first `differences`.
    """
    truth = Truth(store, log)
    users = _choose(truth, n_users, np.random.default_rng(seed))
    open_questions = [(user, decay) for user in users for decay in decays]
    total = _Comparison()
    for attempt in range(_TRIES):
        found = {asked: _compare(truth, server, *asked) for asked in open_questions}
        last = attempt == _TRIES - 1
        for comparison in found.values():
            if comparison.ok or last:
                total = total.worse_of(comparison)
        open_questions = [asked for asked, comparison in found.items() if not comparison.ok]
        if not open_questions or last:
            break
        time.sleep(_WAIT_S)
        truth = Truth(store, log)
    differences = [f"{decay.kind}: {found[user, decay]}" for user, decay in open_questions[:3]]
    return {
        "users": len(users),
        "profiles": len(users) * len(decays),
        "missing": total.missing,
        "extra": total.extra,
        "least_cosine": round(total.cosine, 9),
        "worst_error_over_bound": total.excess,
        "ok": not open_questions,
        "differences": differences,
    }


@dataclass(frozen=True)
class _Comparison:
    """missing, extra: users and events; cosine: the least; excess: of the error over the bound and rounding."""

    missing: int = 0
    extra: int = 0
    cosine: float = 1.0
    excess: float = -1.0

    @property
    def ok(self) -> bool:
        return not (self.missing or self.extra or self.excess > 0 or self.cosine < LEAST_COSINE)

    def worse_of(self, other: _Comparison) -> _Comparison:
        counts = self.missing + other.missing, self.extra + other.extra
        return _Comparison(*counts, min(self.cosine, other.cosine), max(self.excess, other.excess))


def _compare(truth: Truth, server: Server, user_id: str, decay: Decay) -> _Comparison:
    expected = truth.profile(user_id, decay, truth.as_of_us)
    try:
        served = server.profile(user_id, decay, truth.as_of_us)
    except (AsOfError, OSError) as error:  # an event that came since: the next round knows it
        LOG.debug("as_of=%d %s", truth.as_of_us, error)
        return _Comparison(missing=1)
    if expected is not None and served is not None:
        return _distance(expected, served)
    return _Comparison(int(expected is not None), int(served is not None))


def _distance(expected: ExactProfile, served: Served) -> _Comparison:
    n_expected = expected.n_events + expected.n_waiting
    missing, extra = max(0, n_expected - served.n_events), max(0, served.n_events - n_expected)
    error = float(np.linalg.norm(expected.vector - served.vector))
    rebuilt = expected.rebuilt.astype(np.float64)
    lengths = float(np.linalg.norm(rebuilt) * np.linalg.norm(served.vector))
    cosine = float(rebuilt @ served.vector) / lengths if lengths > _ROUNDING else 1.0
    return _Comparison(missing, extra, cosine, error - served.error_bound - _ROUNDING)


def _choose(truth: Truth, n_users: int, rng: np.random.Generator) -> list[str]:
    live, store = truth.live_users, truth.store
    some = rng.choice(live, min(len(live), -(-n_users // 2)), replace=False).tolist() if live else []
    numbers = rng.choice(store.n_users, min(store.n_users, n_users - len(some)), replace=False)
    return list(dict.fromkeys([*map(str, some), *(store.user_id(int(n)) for n in numbers)]))


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, compare, summarise."""
    made = parser("verify", "Compare what is served with an exact rebuild from the corpus and the log.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    add_live_flag(made)
    made.add_argument("--url", help="of a running server; default: read by this process")
    made.add_argument("--token", help="bearer token that may read vectors")
    made.add_argument("--users", type=int, default=200, help="how many to compare, half of them with live events")
    made.add_argument("--decays", default="exponential,hyperbolic", help="comma-separated kinds, or all")
    made.add_argument("--half-life", default="30d", help="of every decay")
    made.add_argument("--seed", type=int, default=0, help="of the choice of users")
    args = made.parse_args(argv)
    start_logging(args.log_level)
    return _main(args)


def _main(args: argparse.Namespace) -> dict[str, Any]:
    if args.users < 1:
        raise ConfigError(f"--users: expected a whole number >= 1, found {args.users}.")
    watch, workspace = Stopwatch(), Workspace(args.workspace)
    decays = parse_decays(args.decays, args.half_life)
    with live_log(workspace, args.live) as log, watch.stage("verify"):
        if log is None:
            raise ConfigError(f"--live: expected a log of live events, found none in {workspace.uri}. Name it.")
        store = SnapshotStore(workspace)
        server: Server = LibraryServer(store, log) if args.url is None else HttpServer(args.url, args.token)
        found = verify(store, log, server, decays, n_users=args.users, seed=args.seed)
    return {"job": "verify", **found, "snapshot": store.name, "workspace": args.workspace, "seconds": watch.seconds}


def exit_code(summary: Mapping[str, Any]) -> int:
    """1 where what is served differs from what it should be."""
    return 0 if summary["ok"] else _EXIT_DIFFERENT


def _run() -> None:
    outcome: list[Mapping[str, Any]] = []

    def keep(argv: Sequence[str] | None) -> Mapping[str, Any]:
        outcome.append(main(argv))
        return outcome[0]

    try:
        run(keep)
    except SystemExit as end:
        sys.exit(end.code or exit_code(outcome[0]))


if __name__ == "__main__":
    _run()
