"""Population measures against definitions, thresholds against their promise, lists and lifts against brute force."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from dynprof.drift import population
from dynprof.drift.alarms import judge, limits, parse_thresholds, replay_measures
from dynprof.drift.engagement import lift
from dynprof.drift.lists import LIST_LENGTH, LIST_METRICS, ask_readers, readers_of
from dynprof.drift.popularity_bias import activity_group, list_numbers, rank_correlation
from dynprof.drift.population import MEASURES, classifier_auc, compare_populations, neighbour_loss
from dynprof.drift.trail import unit
from dynprof.errors import ConfigError
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.judging import Judged, judge_candidates
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.ranking import settle_ranks
from dynprof.evaluation.seen import SeenItems
from dynprof.evaluation.tiles import Candidates
from dynprof.scoring import score
from dynprof.vector_chunk import VectorChunk

DAY_US = 86_400 * 1_000_000
NOBODY = np.empty(0)


def crowd(seed: int, n: int = 60, dim: int = 40) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((n, dim)))


def test_when_nothing_moves_every_measure_is_at_its_zero() -> None:
    a = crowd(0)
    found = compare_populations(a, a, own_reference=NOBODY, n_permutations=50)
    assert found.values["turn"] == pytest.approx(0, abs=1e-12)
    assert found.values["neighbours"] == 0 and found.values["ks"] == 0
    assert found.values["mmd"] == pytest.approx(0, abs=1e-12)
    assert found.values["auc"] == 0.5
    assert found.p["mmd"] == 1.0 and found.p["ks mean"] == 1.0


def test_when_the_crowd_moves_together_every_measure_sees_it() -> None:
    a = crowd(0)
    b = unit(a + 0.6 * crowd(1, 1))
    found = compare_populations(a, b, own_reference=np.zeros(50), n_permutations=200)
    assert found.values["auc"] > 0.9 and found.values["turn"] > 0.1 and found.values["ks"] == 1.0
    assert found.p["mmd"] == pytest.approx(1 / 201) and max(found.p.values()) < 0.01


def test_the_area_under_the_curve_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    a, b = np.round(rng.normal(0, 1, 50), 1), np.round(rng.normal(0.5, 1, 50), 1)
    expected = roc_auc_score(np.repeat([0, 1], 50), np.concatenate([a, b]))
    assert population._area(a, b) == pytest.approx(expected)
    assert classifier_auc(crowd(2), crowd(2)) == 0.5  # a user's two rows are never in different folds


def test_mmd_is_the_difference_of_mean_kernels() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 30, 5))
    found, _ = population._mmd(a, b, 0, rng)
    both = np.vstack([a, b])
    square = ((both[:, None] - both[None]) ** 2).sum(axis=2)
    kernel = np.exp(-square / np.median(square[np.triu_indices(60, 1)]))
    assert found == pytest.approx(kernel[:30, :30].mean() + kernel[30:, 30:].mean() - 2 * kernel[:30, 30:].mean())


def test_neighbours_are_lost_as_brute_force_says() -> None:
    a, b = crowd(3, 25), crowd(4, 25)
    kept = 0
    for i in range(25):
        near = [sorted(set(range(25)) - {i}, key=lambda j: -(x[i] @ x[j]))[:10] for x in (a, b)]
        kept += len(set(near[0]) & set(near[1]))
    assert neighbour_loss(a, b) == pytest.approx(1 - kept / 250)


def test_limits_hold_what_they_promise_for_one_more_replay() -> None:
    rng = np.random.default_rng(0)
    above = [bool((rng.normal(size=5) > limits(rng.normal(size=(20, 5)))).any()) for _ in range(2_000)]
    assert np.mean(above) == pytest.approx(0.05, abs=0.012)


def test_too_few_replays_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 5"):
        limits(np.zeros((4, 5)))


def test_replays_of_a_quiet_crowd_raise_no_alarm_and_a_threshold_of_ones_own_stands() -> None:
    rng, base = np.random.default_rng(0), crowd(0)
    replays = unit(base[None, :, None] + 0.05 * rng.standard_normal((6, 60, 2, 40)))
    measured, turns = replay_measures(replays)
    quiet = unit(base[:, None] + 0.05 * rng.standard_normal((60, 2, 40)))
    moved = compare_populations(quiet[:, 0], quiet[:, 1], own_reference=turns)
    verdicts = judge(moved, measured, {"turn": 0.0})
    assert [v.measure for v in verdicts] == list(MEASURES)
    assert [v.measure for v in verdicts if v.alarm] == ["turn"]


@pytest.mark.parametrize("text", ["auc", "auc=high", "warmth=3", "=1", "auc=nan"])
def test_a_threshold_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--threshold"):
        parse_thresholds([text])
    assert parse_thresholds(["auc=0.6", "ks=0"]) == {"auc": 0.6, "ks": 0.0}


def readers_log(rng: np.random.Generator, n_items: int, seen: list[np.ndarray], *, days: int) -> EventLog:
    """Every item once, by a user of its own, and what each of the others had."""
    first_us = np.sort(rng.integers(0, days, n_items)) * DAY_US
    who = np.concatenate([np.full(n_items, 99), *(np.full(len(had), user) for user, had in enumerate(seen))])
    items = np.concatenate([np.arange(n_items), *seen]).astype(np.int32)
    n = len(items)
    at_us = np.concatenate([first_us, *(np.full(len(had), days * DAY_US - 1) for had in seen)]).astype(np.int64)
    return EventLog(who.astype(np.int32), at_us, items, np.ones(n), np.ones(n, np.bool_), first_us)


def test_lists_are_the_best_of_all_items_however_they_are_split() -> None:
    rng = np.random.default_rng(0)
    items, people = unit(rng.standard_normal((70, 12))).astype(np.float16), rng.standard_normal((5, 12))
    people[1] = 0
    seen = [np.sort(rng.choice(70, k, replace=False)) for k in (1, 3, 65, 70, 1)]
    log = readers_log(rng, 70, seen, days=9)
    readers = readers_of(log, np.array([3, 0, 1, 2, 4]), 10 * DAY_US)
    people, seen = people[[3, 0, 1, 2, 4]], [seen[i] for i in (3, 0, 1, 2, 4)]
    queries, had = ask_readers(readers, people.astype(np.float32)), SeenItems.of(log, readers)
    found = Judged.nothing((5, 2), LIST_LENGTH)
    for part in np.array_split(rng.permutation(70), 4):
        mine = np.sort(part)
        of = ItemVectors(VectorChunk(pa.nulls(70, pa.binary(16)), [items]), mine)
        candidates = Candidates(mine, of, log.first_us[mine])
        found += judge_candidates(queries, readers.catalogue, candidates, seen=had, list_size=LIST_LENGTH)
    lists = settle_ranks(log, readers, queries.silent, queries.clocks, found).lists
    weights = 2 ** (-(10 * DAY_US - log.first_us) / (2 * DAY_US))
    for user in range(5):
        for number, metric in enumerate(LIST_METRICS):
            scores = score(people[user], items.astype(np.float32), metric=metric, time_weights=weights)
            scores[seen[user]] = -np.inf
            best = np.argsort(-scores, kind="stable")[:LIST_LENGTH]
            expected = [int(i) if scores[i] > -np.inf else -1 for i in best]
            assert lists[user, number].tolist() == expected


def test_groups_without_users_have_no_row_and_new_items_are_those_of_the_week() -> None:
    rng = np.random.default_rng(0)
    log, n_events = readers_log(rng, 30, [np.arange(12)], days=30), np.array([5, 9, 200])
    lists = rng.integers(0, 30, (3, 2, LIST_LENGTH)).astype(np.int32)
    rows = list(list_numbers(lists, n_events, log, 30 * DAY_US))
    assert {r["group"] for r in rows} == {"all", "1-9", "100+"}
    places = lists[:, 0].ravel()
    assert rows[0]["arp"] == pytest.approx((1 + (places < 12)).mean())
    assert rows[0]["catalogue_arp"] == pytest.approx(42 / 30)
    assert rows[0]["new_share"] == pytest.approx((log.first_us[places] >= 23 * DAY_US).mean())
    assert activity_group(np.array([0, 1, 9, 10, 99, 100])).tolist() == ["0", "1-9", "1-9", "10-99", "10-99", "100+"]


def test_a_rank_correlation_needs_something_to_rank() -> None:
    assert rank_correlation(np.ones(9), np.arange(9)) is None
    assert rank_correlation(np.arange(2), np.arange(2)) is None
    assert rank_correlation(np.arange(9.0), np.arange(9.0) ** 3)[0] == pytest.approx(1)


def test_lift_is_a_ratio_of_rates_and_nothing_without_a_showing() -> None:
    pairs = pa.table({"shown": [10] * 12, "shown_taken": [2] * 12, "other_taken": [1] * 12})
    found = lift(pairs, 110)
    assert (found.shown_rate, found.other_rate) == (0.2, 0.01)
    assert found.lift == pytest.approx(20) and found.low == pytest.approx(20)
    assert lift(pairs.slice(0, 0), 110) is None
    assert lift(pairs.slice(0, 3), 110).low is None
