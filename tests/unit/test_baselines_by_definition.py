"""Each baseline against its definition, worked out the slow way on small worlds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from dynprof.baselines.ease import Ease
from dynprof.baselines.ials import Ials
from dynprof.baselines.interactions import fit_matrix, past_matrix
from dynprof.baselines.item_knn import ItemKnn, nearest_items
from dynprof.evaluation import EventLog

from .baseline_data import World, world

HOUR_US = 3_600_000_000


def liked_by(log: EventLog) -> npt.NDArray[np.float64]:
    """(n_users, n_items) 1 where a user met an item with a positive weight, by a loop."""
    had = np.zeros((int(log.users.max()) + 1, log.n_items))
    for user, item, weight in zip(log.users, log.items, log.weights, strict=True):
        if weight > 0:
            had[user, item] = 1
    return had


def own(one: World, row: int, n_items: int) -> npt.NDArray[np.float64]:
    """(n_items,) 1 for what the user of a test had before it and the fit knows."""
    out = np.zeros(n_items)
    out[[item for item in one.liked(row) if item < n_items]] = 1
    return out


@pytest.mark.parametrize("hours", [3, 24, 1_000])
def test_recent_popularity_counts_the_events_of_its_window(hours: int) -> None:
    one = world(1)
    for row, scores in enumerate(one.scores("popular (tuned window)", {"window_s": hours * 3_600.0})):
        t = one.tests.event_us[row]
        inside = (one.log.event_us < t) & (one.log.event_us >= t - hours * HOUR_US)
        assert scores.tolist() == [float(sum(one.log.items[inside] == item)) for item in range(len(scores))]


def test_max_similarity_is_the_greatest_cosine_with_one_of_the_last_items() -> None:
    one = world(2)
    vectors = one.vectors.take(slice(0, one.log.n_items)).astype(np.float64)
    for row, scores in enumerate(one.scores("max similarity", {"last": 3})):
        last: list[int] = []
        for position in reversed(one.past(row)):
            item = int(one.log.items[position])
            if one.log.weights[position] > 0 and item not in last and len(last) < 3:
                last.append(item)
        expected = [
            max((float(vectors[item] @ vectors[mine]) for mine in last), default=0.0) for item in range(len(scores))
        ]
        assert scores.tolist() == expected


@settings(max_examples=8)
@given(seed=st.integers(0, 1 << 20), neighbours=st.integers(1, 40), shrink=st.sampled_from([0.0, 2.5]))
def test_neighbours_are_the_most_similar_items_by_definition(seed: int, neighbours: int, shrink: float) -> None:
    fit = world(seed % 50).fit
    had = liked_by(fit)
    found = nearest_items(fit_matrix(fit).sign(), neighbours, shrink)
    for i in range(fit.n_items):
        similar = {}
        for j in range(fit.n_items):
            both = float((had[:, i] * had[:, j]).sum())
            if i != j and both:
                similar[j] = both / (np.sqrt(had[:, i].sum() * had[:, j].sum()) + shrink)
        best = sorted(similar, key=lambda j: (-similar[j], j))[:neighbours]
        expected = np.zeros(fit.n_items)
        expected[best] = [similar[j] for j in best]
        assert found[i].toarray()[0].tolist() == expected.tolist()


@pytest.mark.parametrize("half_life_s", [None, 40_000.0])
def test_item_knn_adds_the_similarities_of_what_the_user_had(half_life_s: float | None) -> None:
    one = world(6)
    chosen = {"neighbours": 5, "shrink": 1.0, "half_life_s": half_life_s}
    near = nearest_items(fit_matrix(one.fit).sign(), 5, 1.0).toarray()
    for row, scores in enumerate(one.scores("item kNN", chosen)):
        expected = np.zeros(len(scores))
        for item in one.liked(row):
            latest = max(
                one.log.event_us[p] for p in one.past(row) if one.log.items[p] == item and one.log.weights[p] > 0
            )
            age_s = (one.tests.event_us[row] - latest) / 1e6
            if item < one.fit.n_items:
                expected[: one.fit.n_items] += near[item] * (1 if half_life_s is None else 2 ** (-age_s / half_life_s))
        np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("half_life_s", [None, 40_000.0])
def test_live_item_knn_counts_what_was_before_each_test(half_life_s: float | None) -> None:
    one = world(11, n_users=9)
    log = one.log
    chosen = {"neighbours": 3, "shrink": 1.0, "half_life_s": half_life_s, "last": 4}
    n_scored = 0
    for row, scores in enumerate(one.scores("item kNN (live)", chosen)):
        t, n = int(one.tests.event_us[row]), len(scores)
        had = liked_by(log.before(t))[:, :n]
        near = nearest_items(sparse.csr_matrix(had), 3, 1.0).toarray()
        last: dict[int, int] = {}
        for position in reversed(one.past(row)):
            item = int(log.items[position])
            if log.weights[position] > 0 and item not in last and len(last) < 4:
                last[item] = int(log.event_us[position])
        ages_s = {item: (t - time) / 1e6 for item, time in last.items()}
        decay = {i: 1 if half_life_s is None else 2 ** (-age / half_life_s) for i, age in ages_s.items()}
        expected = sum((near[item] * decay[item] for item in last), np.zeros(n))
        np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-15)
        n_scored += bool(scores[one.fit.n_items :].any())
    assert n_scored  # items that appeared after the fit are scored too


def ease_by_lagrange(had: npt.NDArray[np.float64], l2: float) -> npt.NDArray[np.float64]:
    """B, column by column: the stationary point of |x_j - X b|^2 + l2 |b|^2 + 2 mu b_j."""
    n = had.shape[1]
    columns = []
    for j in range(n):
        system = np.zeros((n + 1, n + 1))
        system[:n, :n] = had.T @ had + l2 * np.eye(n)
        system[n, j] = system[j, n] = 1
        columns.append(np.linalg.solve(system, np.append(had.T @ had[:, j], 0))[:n])
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(("n_users", "n_texts"), [(5, 30), (60, 12)])  # the inverse of users, and of items
def test_ease_is_the_constrained_least_squares(n_users: int, n_texts: int) -> None:
    one = world(7, n=300, n_users=n_users, n_texts=n_texts)
    had = liked_by(one.fit)
    assert (np.count_nonzero(had.any(axis=1)) < np.count_nonzero(had.any(axis=0))) == (n_users == 5)
    expected = ease_by_lagrange(had, 3.0)
    for row, scores in enumerate(one.scores("EASE", {"l2": 3.0})):
        n = one.fit.n_items
        np.testing.assert_allclose(scores[:n], own(one, row, n) @ expected, atol=1e-10)
        assert not scores[n:].any()


def test_ease_beyond_its_cap_takes_the_most_frequent_items() -> None:
    one = world(8, n=400, n_users=20, n_texts=30)
    had = liked_by(one.fit)
    kept = sorted(sorted(range(one.fit.n_items), key=lambda j: (-had[:, j].sum(), j))[:7])
    made = Ease(one.fit, {"l2": 1.0, "largest": 7})
    assert made.kept.tolist() == kept
    weights = ease_by_lagrange(had[:, kept], 1.0)
    for row, scores in enumerate(one.scores("EASE", {"l2": 1.0, "largest": 7})):
        expected = np.zeros(len(scores))
        expected[kept] = own(one, row, one.fit.n_items)[kept] @ weights
        np.testing.assert_allclose(scores, expected, atol=1e-10)


def test_ials_solves_the_user_from_the_past_as_implicit_does_and_as_the_normal_equations_do() -> None:
    one = world(9, n=300, n_users=12)
    chosen = {"factors": 6, "alpha": 4.0, "regularization": 0.3}
    made = Ials(one.fit, chosen)
    model: Any = made._model
    items = model.item_factors.astype(np.float64)
    for row, scores in enumerate(one.scores("iALS", chosen)):
        confidence = np.ones(one.fit.n_items)
        for position in one.past(row):
            if one.log.weights[position] > 0 and one.log.items[position] < len(confidence):
                confidence[one.log.items[position]] += 4.0 * one.log.weights[position]
        likes = confidence > 1
        left = (items.T * confidence) @ items + 0.3 * np.eye(6)
        user = np.linalg.solve(left, items.T @ (confidence * likes))
        np.testing.assert_allclose(scores[: len(items)], items @ user, atol=1e-4)
        past = past_matrix(one.log, one.tests.take(slice(row, row + 1)), made.n_items, counted=True).astype(np.float32)
        past.data = 1 + np.float32(4) * past.data
        if past.nnz:
            theirs = model.item_factors @ model.recalculate_user([0], past)[0]
            assert scores[: len(items)].tolist() == theirs.astype(np.float64).tolist()


def test_an_item_nobody_liked_in_the_fit_scores_nothing() -> None:
    one = world(10, n=300)
    unloved = np.flatnonzero(~liked_by(one.fit).any(axis=0))
    for name in ("item kNN", "EASE", "iALS"):
        assert all(not scores[unloved].any() for scores in one.scores(name))
    assert isinstance(ItemKnn(one.fit, {}), ItemKnn)
