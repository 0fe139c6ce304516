"""A synthetic social world whose right answers are known: who cares about what, and since when."""

from dynprof.world.chunks import World, WorldChunk, generate
from dynprof.world.files import read_world, write_world
from dynprof.world.lexicon import LANGUAGES, TOPICS
from dynprof.world.spec import WorldSpec

__all__ = ["LANGUAGES", "TOPICS", "World", "WorldChunk", "WorldSpec", "generate", "read_world", "write_world"]
