from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from dynprof.errors import ConfigError
from dynprof.evaluation.metrics import ALL_METRICS, hit_rate, metric, mrr, ndcg, parse_metric, reciprocal_rank

COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 60))


def as_counts(above: int, tied: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array([above]), np.array([tied])


@given(COUNTS, st.integers(1, 40))
def test_a_metric_under_ties_is_the_mean_over_all_places_of_the_target(counts: tuple[int, int], k: int) -> None:
    above, tied = counts
    places = np.arange(above + 1, above + tied + 2)
    assert hit_rate(*as_counts(*counts), k)[0] == pytest.approx(np.mean(places <= k))
    assert ndcg(*as_counts(*counts), k)[0] == pytest.approx(np.mean(np.where(places <= k, 1 / np.log2(1 + places), 0)))
    assert reciprocal_rank(*as_counts(*counts))[0] == pytest.approx(np.mean(1 / places))


@given(st.lists(st.integers(0, 6), min_size=2, max_size=40), st.integers(1, 20), st.data())
def test_ndcg_agrees_with_scikit_learn_ties_included(scores: list[int], k: int, data: st.DataObject) -> None:
    target = data.draw(st.integers(0, len(scores) - 1))
    relevant = np.eye(len(scores))[target][None, :]
    values = np.array(scores)
    counts = as_counts(int((values > values[target]).sum()), int((values == values[target]).sum()) - 1)
    assert ndcg(*counts, k)[0] == pytest.approx(ndcg_score(relevant, values[None, :].astype(float), k=k), abs=1e-12)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 70), min_size=1, max_size=12), st.sampled_from([1, 5, 10, 50]))
def test_ranks_are_worth_what_ir_measures_says(ranks: list[int], k: int) -> None:
    """An oracle of its own: a run of 71 documents for each query, the relevant one at the given place."""
    judged = [ir_measures.Qrel(f"q{i}", "target", 1) for i in range(len(ranks))]
    run = [
        ir_measures.ScoredDoc(f"q{i}", "target" if place == rank else f"d{place}", 100.0 - place)
        for i, rank in enumerate(ranks)
        for place in range(71)
    ]
    names = {f"nDCG@{k}": "ndcg", f"RR@{k}": "mrr", f"R@{k}": "recall", f"Success@{k}": "hit_rate"}
    measures = [ir_measures.parse_measure(name) for name in names]
    oracle = {str(m): value for m, value in ir_measures.calc_aggregate(measures, judged, run).items()}
    above, tied = np.array(ranks), np.zeros(len(ranks), np.int64)
    for theirs, ours in names.items():
        assert metric(f"{ours}@{k}")(above, tied).mean() == pytest.approx(oracle[theirs], abs=1e-9)
    whole = ir_measures.calc_aggregate([ir_measures.RR], judged, run)[ir_measures.RR]
    assert metric("mrr")(above, tied).mean() == pytest.approx(whole, abs=1e-9)


@given(COUNTS, st.integers(1, 40))
def test_a_cut_reciprocal_rank_under_ties_is_the_mean_over_all_places(counts: tuple[int, int], k: int) -> None:
    places = np.arange(counts[0] + 1, counts[0] + counts[1] + 2)
    assert mrr(*as_counts(*counts), k)[0] == pytest.approx(np.mean(np.where(places <= k, 1 / places, 0)))


def test_known_ranks_give_known_numbers() -> None:
    above, tied = np.array([0, 1, 9, 10]), np.zeros(4, np.int64)
    assert hit_rate(above, tied, 10).tolist() == [1, 1, 1, 0]
    np.testing.assert_allclose(ndcg(above, tied, 10), [1, 1 / np.log2(3), 1 / np.log2(11), 0])
    np.testing.assert_allclose(reciprocal_rank(above, tied), [1, 1 / 2, 1 / 10, 1 / 11])


def test_a_constant_scorer_gets_what_chance_gets() -> None:
    assert hit_rate(*as_counts(0, 999), 10)[0] == pytest.approx(0.01)
    assert hit_rate(*as_counts(0, 4), 10)[0] == 1


def test_names_lead_to_metrics() -> None:
    assert metric("hit_rate@3")(*as_counts(2, 0))[0] == 1
    assert metric("ndcg@2")(*as_counts(2, 0))[0] == 0
    assert metric("mrr")(*as_counts(3, 0))[0] == 0.25


@pytest.mark.parametrize("name", ["hit_rate", "hit_rate@0", "hit_rate@x", "map@10", "coverage", ""])
def test_an_unknown_metric_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match=r"hit_rate@K, recall@K, ndcg@K, mrr@K, popularity@K.*mrr"):
        parse_metric(name)


def test_a_metric_of_lists_reaches_no_further_than_they_do() -> None:
    assert parse_metric("coverage@50").needs_lists
    with pytest.raises(ConfigError, match="K <= 50"):
        parse_metric("coverage@51")
    with pytest.raises(ConfigError, match="coverage@10"):
        metric("coverage@10")


def test_every_metric_of_all_has_a_name_of_its_own() -> None:
    assert len(set(ALL_METRICS)) == len(ALL_METRICS) == len([parse_metric(m) for m in ALL_METRICS])
