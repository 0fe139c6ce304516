"""Vectors that lie as an encoder's do: topics apart from each other, texts of a topic in few directions, some noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["topical_profiles", "topical_vectors"]

N_TOPICS, N_DIRECTIONS = 400, 24
_SPREAD, _NOISE = 0.9, 0.35
_ROWS_AT_ONCE = 50_000
_TEXTS, _OF_THE_FIRST = 8, 6


def topical_vectors(n: int, dim: int, *, seed: int = 0) -> npt.NDArray[np.float16]:
    """(n, dim) norm 1 but for rounding; topics of Zipf sizes.

    Independent coordinates would be the worst case of any graph and of no encoder: there no vector has neighbours.
    """
    rng = np.random.default_rng(seed)
    return _texts(_topics(rng, n), dim, rng)


def topical_profiles(n: int, dim: int, *, seed: int = 1) -> npt.NDArray[np.float32]:
    """(n, dim): means of eight texts each, six of one topic and two of another, as profiles are; no item is one."""
    rng = np.random.default_rng(seed)
    topics = np.repeat(_topics(rng, 2 * n).reshape(n, 2), (_OF_THE_FIRST, _TEXTS - _OF_THE_FIRST), axis=1)
    texts = _texts(topics.reshape(-1), dim, rng).astype(np.float32)
    return np.asarray(texts.reshape(n, _TEXTS, dim).mean(1), np.float32)


def _topics(rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    return np.minimum(rng.zipf(1.3, n) - 1, N_TOPICS - 1)


def _texts(topics: npt.NDArray[np.int64], dim: int, rng: np.random.Generator) -> npt.NDArray[np.float16]:
    world = np.random.default_rng(12345)  # one world, whoever asks
    centres = world.standard_normal((N_TOPICS, dim), np.float32)
    directions = world.standard_normal((N_TOPICS, N_DIRECTIONS, dim), np.float32) / np.float32(np.sqrt(N_DIRECTIONS))
    out = np.empty((len(topics), dim), np.float16)
    for first in range(0, len(topics), _ROWS_AT_ONCE):
        topic = topics[first : first + _ROWS_AT_ONCE]
        part = centres[topic] + np.float32(_NOISE) * rng.standard_normal((len(topic), dim), np.float32)
        place = np.float32(_SPREAD) * rng.standard_normal((len(topic), N_DIRECTIONS), np.float32)
        for t in np.unique(topic).tolist():
            mine = topic == t
            part[mine] += place[mine] @ directions[t]
        out[first : first + len(topic)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return out
