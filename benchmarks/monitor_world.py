"""A generated world as the monitor's measures need it: posts with vectors, and the truth about each."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.drift.trail import Trail
from dynprof.encoders import load_encoder
from dynprof.world import TOPICS, World, WorldSpec

__all__ = ["KNOWN", "WorldPosts", "agreement", "read_posts"]

KNOWN = "known"
"""Instead of an encoder: vectors made from the true topics, for tests that have no time for a transformer."""

_DIM, _WITHIN, _BETWEEN = 64, 0.46, 0.25
"""Mean cosine of posts of one topic and of two, as the encoder `static` has them in this world: `main` prints both."""


@dataclass(frozen=True)
class WorldPosts:
    """Events with a text of their own, in order of time.

    Attributes:
        world: Whose.
        user: (n,) number of the user.
        at_us: (n,) microseconds since 1970.
        vectors: (n, dim) float32.
        topic: (n,) number of the true topic.
        sudden: (n,) whether the topic is a sudden event's.
    """

    world: World
    user: npt.NDArray[np.int64]
    at_us: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float32]
    topic: npt.NDArray[np.int64]
    sudden: npt.NDArray[np.bool_]

    def trail(self, user: int, *, calm: bool = False) -> Trail:
        """One user's posts; `calm`: without those of sudden events."""
        mine = np.flatnonzero((self.user == user) & ~(calm & self.sudden))
        return Trail(self.at_us[mine], np.ones(len(mine)), self.vectors[mine])


def read_posts(spec: WorldSpec, encoder: str = "hashing:64") -> WorldPosts:
    """Generate a world and encode its posts."""
    world = World(spec)
    chunks = list(world.chunks())
    truth = pa.concat_tables([c.truth_items for c in chunks])
    events = pa.concat_tables([c.events for c in chunks])
    place = pc.index_in(events["item_id"], value_set=truth["item_id"].combine_chunks())
    known = pc.and_(pc.is_valid(events["text"]), pc.is_valid(place))
    events, place = events.filter(known), np.asarray(pc.drop_null(place.filter(known)))
    number = np.asarray(pc.index_in(truth["topic"], value_set=pa.array(TOPICS)))
    topic = number[place].astype(np.int64)
    vectors = _known(topic, spec.seed) if encoder == KNOWN else load_encoder(encoder).encode(events["text"].to_pylist())
    return WorldPosts(
        world,
        np.array([int(u[1:]) for u in events["user_id"].to_pylist()]),
        events["timestamp"].cast(pa.int64()).to_numpy(),
        np.asarray(vectors, np.float32),
        topic,
        np.asarray(truth["sudden"])[place],
    )


def _known(topic: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.float32]:
    """(n, dim) unit vectors with the mean cosines above."""
    rng = np.random.default_rng(seed)
    centres, common = rng.standard_normal((len(TOPICS), _DIM)), rng.standard_normal(_DIM)
    noise = rng.standard_normal((len(topic), _DIM))
    parts = (_BETWEEN, common), (_WITHIN - _BETWEEN, centres[topic]), (1 - _WITHIN, noise)
    raw = sum(np.sqrt(share) * vectors for share, vectors in parts)
    return np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True), np.float32)


def agreement(posts: WorldPosts) -> tuple[float, float]:
    """Mean cosine of two posts of one topic, and of two topics."""
    groups = [posts.vectors[posts.topic == t].astype(np.float64) for t in np.unique(posts.topic)]
    sums = np.array([g.sum(axis=0) for g in groups])
    sizes = np.array([len(g) for g in groups])
    within = (np.square(sums).sum(axis=1) - sizes) / (sizes * (sizes - 1))
    means = sums / sizes[:, None]
    between = (means @ means.T)[~np.eye(len(means), dtype=bool)]
    return float(within.mean()), float(between.mean())


def main() -> None:
    """Print the agreement of encoders, one JSON line each: `python -m benchmarks.monitor_world static known`."""
    for encoder in sys.argv[1:]:
        posts = read_posts(WorldSpec(100, 4_000, seed=2, days=60, languages=("en",)), encoder)
        within, between = agreement(posts)
        print(json.dumps({"encoder": encoder, "posts": len(posts.user), "within": within, "between": between}))


if __name__ == "__main__":
    main()
