"""Explanations: shares add up to the score, and the score without an event is that of a history without it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.decay import Decay
from dynprof.explain import Explanation, explain
from dynprof.history import History
from dynprof.recommend import METRICS, Metric, score

AS_OF_US = 1_700_000_000_000_000
DAY_US = 86_400_000_000
DIM = 8
DECAY = Decay("hyperbolic", "3d")


def unit(rng: np.random.Generator, n: int) -> npt.NDArray[np.float32]:
    vectors = rng.normal(size=(n, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def history_of(
    at_us: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    rows: npt.NDArray[np.int64],
    vectors: npt.NDArray[np.floating],
) -> History:
    names = ("event_id", "item_id", "event_type", "text")
    return History(at_us, weights, rows, vectors, pa.table({name: [name] * len(at_us) for name in names}))


def random_history(rng: np.random.Generator, n: int) -> History:
    """Some weights are negative, some vectors shared, some events after the time."""
    m = max(1, n // 2)
    at_us = np.sort(AS_OF_US - rng.integers(-DAY_US, 30 * DAY_US, n))
    weights = rng.choice([1.0, 2.5, -0.5], n)
    return history_of(at_us, weights, rng.integers(0, m, n), unit(rng, m).astype(np.float16))


def without(history: History, event: int) -> History:
    keep = np.arange(len(history)) != event
    events = history.events.filter(pa.array(keep))
    return History(history.at_us[keep], history.weights[keep], history.rows[keep], history.vectors, events)


def score_of(
    history: History,
    prior: npt.NDArray[np.float32],
    kappa: float,
    item: npt.NDArray[np.float32],
    metric: Metric,
    weight: float,
) -> float:
    """As the ranking computes it: the exact profile, then the score."""
    read = history.profile(DECAY, AS_OF_US, prior=prior, prior_kind="bio", prior_weight=kappa)
    return float(score(read.vector, item[None], metric=metric, time_weights=np.array([weight]))[0])


def explained(
    history: History,
    prior: npt.NDArray[np.float32],
    kappa: float,
    items: npt.NDArray[np.float32],
    metric: Metric,
    weights: npt.NDArray[np.float64],
    n_events: int,
) -> list[Explanation]:
    return explain(
        history,
        DECAY,
        AS_OF_US,
        prior=prior,
        prior_weight=kappa,
        items=items,
        metric=metric,
        time_weights=weights,
        n_events=n_events,
    )


@given(
    seed=st.integers(0, 300),
    n=st.integers(0, 30),
    kappa=st.sampled_from([0.0, 0.1, 3.0]),
    metric=st.sampled_from(METRICS),
    n_events=st.integers(1, 40),
)
@settings(max_examples=40)
def test_shares_add_up_to_the_score_of_the_exact_profile(
    seed: int, n: int, kappa: float, metric: Metric, n_events: int
) -> None:
    rng = np.random.default_rng(seed)
    history, prior, items, weights = random_history(rng, n), unit(rng, 1)[0], unit(rng, 3), rng.random(3)
    for item, weight, found in zip(
        items, weights, explained(history, prior, kappa, items, metric, weights, n_events), strict=True
    ):
        assert found.score == pytest.approx(score_of(history, prior, kappa, item, metric, weight), abs=2e-5)
        assert found.base + found.prior + found.others + found.contributions.sum() == pytest.approx(
            found.score, abs=1e-12
        )
        assert len(found.events) <= n_events
        assert (np.diff(np.abs(found.contributions)) <= 1e-7).all()
        everything = explained(history, prior, kappa, item[None], metric, np.array([weight]), 40)[0]
        assert everything.others == pytest.approx(0, abs=1e-6)


@given(
    seed=st.integers(0, 300), n=st.integers(1, 12), kappa=st.sampled_from([0.0, 0.1]), metric=st.sampled_from(METRICS)
)
@settings(max_examples=40)
def test_the_score_without_an_event_is_that_of_a_history_without_it(
    seed: int, n: int, kappa: float, metric: Metric
) -> None:
    rng = np.random.default_rng(seed)
    history, prior, item = random_history(rng, n), unit(rng, 1)[0], unit(rng, 1)
    (found,) = explained(history, prior, kappa, item, metric, np.array([0.7]), n)
    for event, left in zip(found.events.tolist(), found.without.tolist(), strict=True):
        assert left == pytest.approx(score_of(without(history, event), prior, kappa, item[0], metric, 0.7), abs=1e-4)


@pytest.mark.parametrize(("metric", "left"), [("basic", 0.0), ("cosine", 0.0), ("cosine_time", 0.4)])
def test_without_the_only_event_and_without_a_prior_nothing_is_left(metric: Metric, left: float) -> None:
    vector = np.eye(DIM, dtype=np.float32)[:1]
    history = history_of(np.array([AS_OF_US - DAY_US]), np.array([0.3]), np.zeros(1, np.int64), vector)
    (found,) = explained(history, np.zeros(DIM, np.float32), 0.0, vector, metric, np.array([0.8]), 5)
    assert found.without.tolist() == [left]


def test_an_event_after_the_time_has_no_share() -> None:
    rng = np.random.default_rng(3)
    vectors = unit(rng, 2)
    history = history_of(np.array([AS_OF_US - DAY_US, AS_OF_US]), np.ones(2), np.arange(2), vectors)
    (found,) = explained(history, vectors[0], 0.1, vectors[:1], "cosine", np.ones(1), 5)
    assert found.events.tolist() == [0]


def test_a_dislike_speaks_against_what_it_is_like() -> None:
    vectors = np.eye(DIM, dtype=np.float32)[:2]
    history = history_of(np.array([AS_OF_US - DAY_US] * 2), np.array([1.0, -1.0]), np.arange(2), vectors)
    liked, disliked = explained(history, vectors[0], 0.1, vectors, "cosine", np.ones(2), 1)
    assert liked.contributions[0] > 0 > disliked.contributions[0]
    assert disliked.without[0] > disliked.score
