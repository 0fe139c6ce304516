"""How many posts of somebody else a day needs to hold before its user counts as suddenly turned.

The limit is the encoder: posts of one topic must agree more than posts of several. A generated world's users, posts of
sudden events left out, have on one day more posts than usual: another user's, whose first topic is another. Found is a
turn where that day is named; windows named in users as they are count as false, though some of them change abruptly.
One JSON line:

    python -m benchmarks.monitor_turns --posts 10,20,30,50
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from benchmarks.monitor_world import WorldPosts, read_posts
from dynprof.decay import Decay
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.surprise import cut_windows
from dynprof.drift.trail import Trail
from dynprof.drift.users import sudden_windows
from dynprof.world import WorldSpec

__all__ = ["DAY_US", "SPEC", "find_turns", "quiet_turns", "trails_of"]

DAY_US = 86_400_000_000
SPEC = MonitorSpec("", "", "", 2**62, {}, 0.1, (Decay("exponential", "30d"),))
_FEWEST, _MOST = 100, 1_000
_SETTLED = 20


def trails_of(posts: WorldPosts) -> dict[int, Trail]:
    """Users with 100 to 1,000 posts, without those of sudden events."""
    counts = np.bincount(posts.user[~posts.sudden])
    chosen = np.flatnonzero((counts >= _FEWEST) & (counts < _MOST))
    return {user: posts.trail(user, calm=True) for user in chosen.tolist()}


def find_turns(posts: WorldPosts, trails: Mapping[int, Trail], n_posts: int, seed: int) -> tuple[int, int]:
    """Plant a day in every user; how many were found, of how many."""
    interests, rng = posts.world.interests, np.random.default_rng(seed)
    topic = interests.topics[interests.first, 0]
    found = tried = 0
    for user, trail in trails.items():
        days = cut_windows(trail.at_us, DAY_US).start_us[_SETTLED:]
        lenders = [v for v, other in trails.items() if topic[v] != topic[user] and len(other) >= n_posts]
        if not len(days) or not lenders:
            continue
        day = int(rng.choice(days))
        planted = _planted(trail, trails[int(rng.choice(lenders))], day, n_posts, rng)
        found += day in [w.start_us for w in sudden_windows(planted, SPEC)]
        tried += 1
    return found, tried


def quiet_turns(trails: Mapping[int, Trail]) -> tuple[int, int]:
    """Sudden windows of users as they are, of how many that were judged."""
    named = sum(len(sudden_windows(trail, SPEC)) for trail in trails.values())
    judged = (len(cut_windows(trail.at_us, DAY_US).start_us) - SPEC.history for trail in trails.values())
    return named, sum(max(n, 0) for n in judged)


def _planted(trail: Trail, lender: Trail, day_us: int, n_posts: int, rng: np.random.Generator) -> Trail:
    first = int(rng.integers(0, len(lender) - n_posts + 1))
    at_us: npt.NDArray[np.int64] = np.append(trail.at_us, day_us + rng.integers(0, DAY_US, n_posts))
    vectors = np.vstack([trail.vectors, lender.vectors[first : first + n_posts]])
    order = np.argsort(at_us, kind="stable")
    return Trail(at_us[order], np.ones(len(order)), vectors[order])


def main() -> None:
    """Measure, one JSON line."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--posts", default="10,20,30,50")
    made.add_argument("--encoder", default="hashing:64")
    args = made.parse_args()
    began = time.perf_counter()
    posts = read_posts(WorldSpec(400, 40_000, seed=2, days=180, languages=("en",)), args.encoder)
    trails = trails_of(posts)
    turns = {n: find_turns(posts, trails, n, seed=n) for n in map(int, args.posts.split(","))}
    named, judged = quiet_turns(trails)
    rows = [{"posts": n, "found": found, "of": tried} for n, (found, tried) in turns.items()]
    told = {"benchmark": "monitor_turns", "encoder": args.encoder, "planted": rows, "named": named, "judged": judged}
    print(json.dumps({**told, "seconds": round(time.perf_counter() - began, 1)}))


if __name__ == "__main__":
    main()
