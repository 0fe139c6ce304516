"""How often the monitor cries wolf, and how often it sees a tenth of the users change their topic.

There is no physical limit here but the statistics: false alarms at most 5 %, power at least 0.9. A generated world
gives users whose interests are stable, posts of sudden events left out. A trial takes two times, the profiles at both,
and limits from A/A replay; without a change every alarm is false. With one, a tenth of the users have, from the earlier
time on, posts of somebody whose first topic is another. One JSON line:

    python -m benchmarks.monitor_alarms --trials 100
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.monitor_world import KNOWN, WorldPosts, read_posts
from dynprof.decay import Decay
from dynprof.drift.alarms import judge, replay_measures
from dynprof.drift.bucket_pass import BLOCK_US
from dynprof.drift.population import compare_populations
from dynprof.drift.replays import replay_pairs
from dynprof.drift.trail import Trail, profiles_along
from dynprof.world import WorldSpec
from dynprof.world.interests import CHANGES

__all__ = ["Stable", "alarms_of", "stable_users"]

DAY_US = 86_400_000_000
DECAY = Decay("exponential", "14d")
SPAN_DAYS = 14
_LEAST_EVENTS = 20


@dataclass(frozen=True)
class Stable:
    """Users who never change, of a world of so many days.

    Attributes:
        trails: One a user.
        topics: (n,) number of each user's first topic.
        start_us: Of the world.
        days: Its length.
    """

    trails: Sequence[Trail]
    topics: npt.NDArray[np.int64]
    start_us: int
    days: int

    def take(self, rows: npt.NDArray[np.int64]) -> Stable:
        """Some of the users."""
        return Stable([self.trails[i] for i in rows], self.topics[rows], self.start_us, self.days)


def stable_users(posts: WorldPosts) -> Stable:
    """The stable humans of a world with at least 20 posts, without the posts of sudden events."""
    world = posts.world
    calm = (world.interests.change == CHANGES.index("stable")) & ~world.people.is_bot
    counts = np.bincount(posts.user[~posts.sudden], minlength=world.spec.n_users)
    chosen = np.flatnonzero(calm & (counts >= _LEAST_EVENTS))
    topics = world.interests.topics[world.interests.first[chosen], 0].astype(np.int64)
    trails = [posts.trail(int(user), calm=True) for user in chosen]
    return Stable(trails, topics, world.spec.start_us, world.spec.days)


def alarms_of(users: Stable, *, share: float, n_replays: int, seed: int) -> list[str]:
    """The measures above their limit in one trial.

    Args:
        users: At least 20 of them with posts before the earlier time.
        share: Of the users whose posts are another's from the earlier time on; 0 for no change.
        n_replays: A/A replays.
        seed: Of times, of who changes, and of the replays.
    """
    rng = np.random.default_rng(seed)
    earlier = users.start_us + int(rng.uniform(0.4 * users.days, users.days - SPAN_DAYS) * DAY_US)
    times = (earlier, earlier + SPAN_DAYS * DAY_US)
    stretch = (earlier - int(4 * (DECAY.half_life_s or 0) * 1e6), times[1])
    changed = rng.permutation(len(users.trails))[: round(share * len(users.trails))]
    pairs, replays = [], []
    for i, own in enumerate(users.trails):
        trail = _changed(users, i, earlier, rng) if i in changed else own
        counts = trail.before(np.array(times))
        if not counts[0]:
            continue
        trail = trail.first(int(counts[1]))
        prior = np.zeros(trail.vectors.shape[1], np.float32)
        pairs.append(profiles_along(trail, counts, np.array(times), DECAY, prior=prior, prior_weight=0.1).vectors)
        given: dict[str, Any] = {"prior": np.stack([prior, prior]), "prior_weight": 0.1, "stretch": stretch}
        more: dict[str, Any] = {"block_us": BLOCK_US, "n_replays": n_replays, "seed": (seed, i)}
        replays.append(replay_pairs(trail, times, DECAY, **given, **more))
    measured, turns = replay_measures(np.stack(replays, axis=1), seed=seed)
    both = np.stack(pairs)
    moved = compare_populations(both[:, 0], both[:, 1], own_reference=turns, seed=seed)
    return [v.measure for v in judge(moved, measured, {}) if v.alarm]


def _changed(users: Stable, i: int, since_us: int, rng: np.random.Generator) -> Trail:
    """The user's trail with another's posts from a time on."""
    trail, others = users.trails[i], np.flatnonzero(users.topics != users.topics[i])
    lender = users.trails[int(rng.choice(others))]
    vectors, late = trail.vectors.copy(), trail.at_us >= since_us
    vectors[late] = lender.vectors[rng.integers(0, len(lender), int(late.sum()))]
    return Trail(trail.at_us, trail.weights, vectors)


def main() -> None:
    """Measure, one JSON line."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--trials", type=int, default=100)
    made.add_argument("--users", type=int, default=1_200, help="of the world; about half of a third are used")
    made.add_argument("--events", type=int, default=120_000)
    made.add_argument("--replays", type=int, default=20)
    made.add_argument("--encoder", default=KNOWN)
    made.add_argument("--share", type=float, default=0.1)
    made.add_argument("--seed", type=int, default=1, help="of the world")
    args = made.parse_args()
    began = time.perf_counter()
    found: dict[str, list[list[str]]] = {"false": [], "true": []}
    spec = WorldSpec(args.users, args.events, seed=args.seed, days=200, languages=("en",))
    users = stable_users(read_posts(spec, args.encoder))
    rng = np.random.default_rng(0)
    for trial in range(args.trials):
        half = np.sort(rng.permutation(len(users.trails))[: len(users.trails) // 2])
        for name, share in (("false", 0.0), ("true", args.share)):
            found[name].append(alarms_of(users.take(half), share=share, n_replays=args.replays, seed=trial))
    rates = {name: float(np.mean([bool(a) for a in alarms])) for name, alarms in found.items()}
    counts = {name: Counter(m for alarm in alarms for m in alarm) for name, alarms in found.items()}
    print(
        json.dumps(
            {
                "benchmark": "monitor_alarms",
                "trials": args.trials,
                "users_a_trial": len(users.trails) // 2,
                "seed": args.seed,
                "share_changed": args.share,
                "encoder": args.encoder,
                "false_alarms": rates["false"],
                "power": rates["true"],
                "alarms_by_measure": counts,
                "seconds": round(time.perf_counter() - began, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
