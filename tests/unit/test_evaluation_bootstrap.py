from __future__ import annotations

import numpy as np

from dynprof.evaluation import bootstrap
from dynprof.evaluation.bootstrap import bootstrap_means, percentile_interval


def world(seed: int, n_users: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Two paired columns 0.2 apart, with a user effect far larger than the difference."""
    generator = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), generator.integers(1, 12, n_users))
    effect = generator.normal(0, 1, n_users)[users]
    first = effect + generator.normal(0, 0.3, len(users))
    return np.column_stack([first, first + 0.2 + generator.normal(0, 0.3, len(users))]), users


def test_a_paired_interval_covers_a_known_difference_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(60):
        values, users = world(seed)
        replicates = bootstrap_means(values, users, n_replicates=200, seed=seed)
        low, high = percentile_interval((replicates[:, 1] - replicates[:, 0])[:, None])
        covered += int(low[0] <= 0.2 <= high[0])
    assert 50 <= covered <= 60  # 95 % of 60 is 57; percentile intervals of 60 users are a little narrow


def test_pairing_takes_the_users_out_of_the_difference() -> None:
    values, users = world(1)
    replicates = bootstrap_means(values, users)
    paired = np.std(replicates[:, 1] - replicates[:, 0])
    assert paired < np.std(replicates[:, 0]) / 3


def test_users_are_drawn_and_not_events() -> None:
    """One user with many events spreads the means as one draw, not as many."""
    users = np.repeat(np.arange(20), 50)
    values = np.repeat(np.random.default_rng(0).normal(size=20), 50)[:, None]
    spread = np.std(bootstrap_means(values, users), axis=0)[0]
    np.testing.assert_allclose(spread, values.std() / np.sqrt(20), rtol=0.1)


def test_replicates_follow_the_seed() -> None:
    values, users = world(2)
    first = bootstrap_means(values, users, seed=5)
    np.testing.assert_array_equal(first, bootstrap_means(values, users, seed=5))
    assert not np.array_equal(first, bootstrap_means(values, users, seed=6))


def test_replicates_do_not_depend_on_the_memory_they_get(monkeypatch) -> None:
    values, users = world(3)
    whole = bootstrap_means(values, users, n_replicates=100)
    monkeypatch.setattr(bootstrap, "_DRAWS_AT_ONCE", 7 * 60)
    np.testing.assert_allclose(bootstrap_means(values, users, n_replicates=100), whole, rtol=1e-12)


def test_the_numbering_of_users_does_not_matter_and_equal_values_give_no_width() -> None:
    users = np.array([900, 7, 900, 12, 7])
    low, high = percentile_interval(bootstrap_means(np.full((5, 2), 0.3), users))
    np.testing.assert_allclose([low, high], 0.3)
