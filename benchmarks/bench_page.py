"""The page with many users: one movement of the slider, the first view, the first map.

A movement is one `/view` with ten recommendations and their reasons at a half-life that nobody asked for before. Its
physical limit is what it has to read: all stored profiles once for the neighbours and all items once for the
recommendations, so in every round the same user is also asked for `/neighbors` and `/recommendations` at the snapshot's
half-life, the two single questions, and the sum of their times is what a movement is compared with.

    python -m benchmarks.bench_page --folder /somewhere          # 100,000 users, 100,000 items x 384

The workspace is made once and kept in the folder. How many of the ten neighbours are those of all users is counted
against `/neighbors` at some of the half-lives. The first view is timed in Chromium, where that is installed, from the
request of the address to the numbers on the screen; and the frames of the map of all users while it is dragged and
zoomed, drawn by the processor where there is no graphics card. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench_serve import prepared
from benchmarks.machine import machine
from benchmarks.served import serving
from benchmarks.served_world import user_name
from serve.page_files import page_file

HALF_LIVES_D = np.geomspace(0.1, 900, 12)
OVERLAP_HALF_LIVES_D = (1.0, 7.0, 365.0)
USERS_A_ROUND = 4
_WATCH_FRAMES = """() => {
    let last = performance.now();
    window.frames = [];
    const tick = (now) => { frames.push(now - last); last = now; requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
}"""


def main() -> None:
    """Prepare, serve, measure, print the line."""
    flags = _flags()
    with serving(prepared(flags), replicas=1, fast=False, limit_s=flags.limit) as served:
        first = [_first_view(served.url) for _ in range(flags.rounds)]
        users = np.random.default_rng(5).choice(flags.users, USERS_A_ROUND * flags.rounds, replace=False)
        _slide(served.url, users[:1].tolist(), jitter=0.5)  # the stored profiles, the words of the background
        rounds = []
        for number, some in enumerate(users.reshape(flags.rounds, -1).tolist()):
            moves, single = _slide(served.url, some, jitter=number / 100), _single(served.url, some)
            rounds.append({"moves_ms": moves, "single_ms": single})
            _say(f"round={number} move={statistics.median(moves):.1f} ms single={statistics.median(single):.1f} ms")
        maps = {kind: _map(served.url, kind) for kind in ("users", "items")}
        drag = _drag(served.url)
        overlap = _overlap(served.url, users[:5].tolist())
    print(
        json.dumps(
            {"benchmark": "page", **_about(flags), **_result(rounds, first), "maps": maps, "drag": drag, **overlap}
        )
    )


def _slide(url: str, users: list[int], *, jitter: float) -> list[float]:
    """Milliseconds of each movement: some users, each over all half-lives, none of them asked for twice."""
    took = []
    for number in users:
        _timed(f"{url}/v1/users/{user_name(number)}/view?explain=true")  # the user's events are read once a visit
        half_lives = (HALF_LIVES_D * (1 + jitter / 10)).tolist()
        asked = f"{url}/v1/users/{user_name(number)}/view?explain=true&half_life="
        took += [_timed(f"{asked}{days:.5f}d") for days in half_lives]
    return took


def _single(url: str, users: list[int]) -> list[float]:
    """Milliseconds of the two single questions together, at the snapshot's half-life."""
    asked = ("neighbors", "recommendations?explain=true")
    return [sum(_timed(f"{url}/v1/users/{user_name(n)}/{what}") for what in asked) for n in users for _ in range(3)]


def _map(url: str, kind: str) -> dict[str, float]:
    first = _timed(f"{url}/v1/map/{kind}")
    again = min(_timed(f"{url}/v1/map/{kind}") for _ in range(3))
    asked = urllib.request.Request(f"{url}/v1/map/{kind}", headers={"Accept-Encoding": "gzip"})  # noqa: S310 - ours
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        packed = answer.read()
    sizes = {"kb": len(gzip.decompress(packed)) >> 10, "packed_kb": len(packed) >> 10}
    return {"first_ms": first, "again_ms": again, **sizes}


def _overlap(url: str, users: list[int]) -> dict[str, Any]:
    """How many of the ten nearest of all users a movement finds."""
    shares = []
    for days in OVERLAP_HALF_LIVES_D:
        quick = {n: _ids(f"{url}/v1/users/{user_name(n)}/view?half_life={days}d", "neighbors") for n in users}
        for number, found in quick.items():  # afterwards: the first of these makes the matrix of this half-life
            exact = _ids(f"{url}/v1/users/{user_name(number)}/neighbors?half_life={days}d", "neighbors")
            shares.append(len(found & exact) / len(exact))
    return {"neighbors_found": round(statistics.mean(shares), 3), "neighbors_found_least": min(shares)}


def _ids(url: str, name: str) -> set[str]:
    with urllib.request.urlopen(url) as answer:  # noqa: S310
        return {one["user_id"] for one in json.load(answer)[name]}


def _timed(url: str) -> float:
    started = time.perf_counter()
    with urllib.request.urlopen(url) as answer:  # noqa: S310
        answer.read()
    return round((time.perf_counter() - started) * 1000, 2)


@contextmanager
def _page() -> Iterator[Any]:
    """A page of a browser that has seen nothing; None without one."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None or not find_spec("playwright"):
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


def _first_view(url: str) -> float | None:
    """Milliseconds until the overview shows its numbers; None without a browser."""
    with _page() as page:
        if page is None:
            return None
        begun = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_selector(".facts dd")
        return round((time.perf_counter() - begun) * 1000, 1)


def _drag(url: str) -> dict[str, Any] | None:
    """Milliseconds from frame to frame while the map of all users is dragged and zoomed; None without a browser."""
    with _page() as page:
        if page is None:
            return None
        page.goto(f"{url}/#/map?kind=users")
        page.wait_for_selector("canvas[data-painter]", timeout=60_000)
        page.mouse.move(500, 400)
        page.evaluate(_WATCH_FRAMES)
        page.mouse.down()
        for x, y in ((800, 450), (400, 350), (600, 500), (500, 400)):
            page.mouse.move(x, y, steps=25)
        page.mouse.up()
        for turn in (-200, -200, -200, 200, 200):
            page.mouse.wheel(0, turn)
            page.mouse.move(500 + turn / 10, 400, steps=10)
        frames = page.evaluate("frames.slice(1)")
        painter = page.get_attribute("canvas[data-painter]", "data-painter")
    p50, p95 = np.percentile(frames, [50, 95]).round(1).tolist()
    return {"painter": painter, "frames": len(frames), "frame_p50_ms": p50, "frame_p95_ms": p95}


def _result(rounds: list[dict[str, list[float]]], first: list[float | None]) -> dict[str, Any]:
    moves = sorted(ms for one in rounds for ms in one["moves_ms"])
    ratios = [statistics.median(r["moves_ms"]) / statistics.median(r["single_ms"]) for r in rounds]
    return {
        "move_p50_ms": round(statistics.median(moves), 1),
        "move_p95_ms": round(float(np.quantile(moves, 0.95)), 1),
        "times_the_single_questions": [round(f(ratios), 2) for f in (statistics.median, min, max)],
        "first_view_ms": first,
        "own_files_packed_kb": sum(len(f.packed or f.body) for f in _own_files()) >> 10,
        "rounds": rounds,
    }


def _own_files() -> list[Any]:
    folder = Path(__file__).parents[1] / "serve" / "page"
    return [page_file(path.name) for path in sorted(folder.iterdir())]


def _about(flags: argparse.Namespace) -> dict[str, Any]:
    return {**{name: getattr(flags, name) for name in ("users", "items", "dim", "rounds")}, "machine": machine()}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _flags() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--folder", required=True, help="where the workspace is made and kept")
    made.add_argument("--users", type=int, default=100_000)
    made.add_argument("--items", type=int, default=100_000)
    made.add_argument("--dim", type=int, default=384)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--limit", type=float, default=300.0, help="seconds until it must be ready")
    return made.parse_args()


if __name__ == "__main__":
    main()
