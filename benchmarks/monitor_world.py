"""A generated world as the monitor's measures need it: posts with vectors, and the truth about each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.drift.trail import Trail
from dynprof.encoders import load_encoder
from dynprof.world import TOPICS, World, WorldSpec

__all__ = ["WorldPosts", "read_posts"]


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
    vectors = load_encoder(encoder).encode(events["text"].to_pylist())
    return WorldPosts(
        world,
        np.array([int(u[1:]) for u in events["user_id"].to_pylist()]),
        events["timestamp"].cast(pa.int64()).to_numpy(),
        np.asarray(vectors, np.float32),
        number[place].astype(np.int64),
        np.asarray(truth["sudden"])[place],
    )
