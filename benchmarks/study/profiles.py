"""The profiles that the study compares, and their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.study.corpora import Posts
from dynprof.decay import PROFILE_KINDS, Decay
from dynprof.evaluation import TestEvents
from dynprof.evaluation.histories import profiles_before

__all__ = ["Asked", "grid", "last_means", "unit_profiles"]

_LAST = (1, 5, 20)


@dataclass(frozen=True)
class Asked:
    """One profile method: `exponential 7d`, or a mean of the last events, which has no decay."""

    name: str
    kind: str
    half_life_s: float | None = None


def grid(half_lives: Sequence[str]) -> list[Decay]:
    """The static control and every kind at every half-life."""
    kinds = [k for k in PROFILE_KINDS if k != "static"]
    return [Decay("static"), *(Decay(k, h) for k in kinds for h in half_lives)]


def asked_of(decays: Sequence[Decay]) -> Iterator[Asked]:
    """Names of the columns of `unit_profiles`."""
    for decay in decays:
        name = decay.kind if decay.half_life is None else f"{decay.kind} {decay.half_life}"
        yield Asked(name, decay.kind, decay.half_life_s)
    yield from (Asked("last item" if k == 1 else f"mean of last {k}", "last" if k == 1 else f"last {k}") for k in _LAST)


def unit_profiles(posts: Posts, asked: TestEvents, decays: Sequence[Decay]) -> npt.NDArray[np.float32]:
    """(n, len(decays) + 3, dim) profiles of norm 1 (or 0): the decays', then the means of the last 1, 5, 20 events."""
    dim = posts.vectors.take(slice(0, 1)).shape[1]
    prior = np.zeros((len(asked), dim), np.float32)
    decayed = profiles_before(posts.log, posts.vectors, asked, decays, prior=prior, prior_weight=0.0)
    both = np.concatenate([decayed, last_means(posts, asked)], axis=1)
    norms = np.linalg.norm(both, axis=2, keepdims=True)
    return np.asarray(np.divide(both, norms, out=np.zeros_like(both), where=norms > 0), np.float32)


def last_means(posts: Posts, asked: TestEvents) -> npt.NDArray[np.float32]:
    """(n, 3, dim) means of the last 1, 5 and 20 events."""
    found = []
    for start, stop in zip(asked.history_start.tolist(), asked.history_stop.tolist(), strict=True):
        recent = posts.vectors.take(posts.log.items[max(start, stop - max(_LAST)) : stop]).astype(np.float32)
        zero = np.zeros(recent.shape[1], np.float32)
        found.append([recent[-k:].mean(axis=0) if len(recent) else zero for k in _LAST])
    return np.array(found, np.float32)
