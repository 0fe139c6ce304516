"""Counts over a grid are those of scoring everything, and stop only where more would change nothing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.evaluation import choose_tests
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.metrics import metric
from dynprof.evaluation.retrieval import Ranks
from dynprof.tuning import duel
from dynprof.tuning.bank_sums import BankSums
from dynprof.tuning.duel import Asked, Duels, count_duels
from dynprof.tuning.rounds import LIMIT, rank_grid
from dynprof.vector_chunk import VectorChunk
from unit.evaluation_data import events_table, index, random_rows

DIM = 6


def world(seed: int):
    """A log, its tests, vectors with many equal ones, and bank sums; times in whole days, so that many are equal."""
    random = np.random.default_rng(seed)
    rows = random_rows(seed, n=150, n_users=6, n_texts=40)
    log, _ = index(events_table(rows))
    good = np.flatnonzero(log.novel & (log.first_us[log.items] < log.event_us))
    tests = choose_tests(log, good)
    few = random.normal(size=(12, DIM))
    vectors = few[random.integers(0, 12, log.n_items)]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    sums = random.normal(size=(len(tests), 3, DIM)).astype(np.float32)
    sums[random.random(len(tests)) < 0.2] = 0
    priors = np.zeros((len(tests), DIM), np.float32)
    return log, tests, vectors, BankSums(sums, priors, vectors[tests.targets])


def item_vectors(vectors: np.ndarray) -> ItemVectors:
    hashes = pa.array([int(i).to_bytes(16, "big") for i in range(len(vectors))], pa.binary(16))
    return ItemVectors(VectorChunk(hashes, [vectors]), np.arange(len(vectors)))


def by_scoring_everything(log, tests, vectors, profiles, half_lives_s) -> Ranks:
    """(n, m, s) places, one score at a time, in float64."""
    n, m = profiles.shape[:2]
    ranks = Ranks.zeros((n, m * len(half_lives_s)))
    for i in range(n):
        barred = set(tests.excluded(log, i).tolist())
        candidates = [c for c in range(tests.catalogue[i]) if c not in barred]
        target = tests.targets[i]
        older_s = (log.first_us[target] - log.first_us[[*candidates, target]]) / 1e6
        for g in range(m):
            cosines = vectors[[*candidates, target]].astype(np.float64) @ profiles[i, g].astype(np.float64)
            for j, half_life_s in enumerate(half_lives_s):
                given = (
                    cosines
                    if np.isinf(half_life_s)
                    else (1 + cosines) - (1 + cosines[-1]) * np.exp2(np.clip(older_s / half_life_s, -1000, 1000))
                )
                own = given[-1]
                ranks.above[i, g * len(half_lives_s) + j] = np.count_nonzero(given[:-1] > own)
                ranks.tied[i, g * len(half_lives_s) + j] = np.count_nonzero(given[:-1] == own)
    return ranks


HALF_LIVES_S = np.array([np.inf, 3_600.0, 86_400.0, 30 * 86_400.0])


@settings(max_examples=25)
@given(seed=st.integers(0, 1 << 30), n_items=st.sampled_from([3, 16, 512]))
def test_counts_are_those_of_scoring_everything(seed: int, n_items: int) -> None:
    log, tests, vectors, sums = world(seed)
    if not len(tests):
        return
    made = sums.directions(np.eye(3)[:2], np.zeros(2))
    duels = Duels.of(made, sums.targets, 0, len(HALF_LIVES_S))
    asked = Asked.of(log, tests, HALF_LIVES_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duel, "_ITEMS_AT_ONCE", n_items)
        patch.setattr(duel, "_ROWS_AT_ONCE", 7)
        items = np.arange(log.n_items)
        counts = count_duels(duels, asked, items, item_vectors(vectors), log.first_us, limit=1 << 30)
    profiles = duels.profiles.reshape(len(tests), 2, DIM)
    expected = by_scoring_everything(log, tests, vectors, profiles, HALF_LIVES_S)
    np.testing.assert_array_equal(counts.above.reshape(expected.above.shape), expected.above)
    np.testing.assert_array_equal(counts.tied.reshape(expected.tied.shape), expected.tied)


@settings(max_examples=25)
@given(seed=st.integers(0, 1 << 30), n_parts=st.integers(1, 20))
def test_a_grid_in_rounds_has_the_ndcg_of_all_candidates_however_they_are_cut(seed: int, n_parts: int) -> None:
    log, tests, vectors, sums = world(seed)
    if not len(tests):
        return
    random = np.random.default_rng(seed)
    part_of = random.integers(0, n_parts, log.n_items)
    coefficients, kappas = random.random((4, 3)), np.zeros(4)
    asked = Asked.of(log, tests, HALF_LIVES_S)
    looked_at = []

    def count_parts(duels: Duels, asked: Asked, parts: range):
        for part in parts:
            items = np.flatnonzero(part_of == part)
            looked_at.append(len(duels.tests) * len(items))
            if len(items):
                of = item_vectors(vectors[items])
                yield count_duels(duels, asked, items, of, log.first_us[items], limit=LIMIT)

    ranks = rank_grid(sums, coefficients, kappas, asked, count_parts, n_parts)
    profiles = Duels.of(sums.directions(coefficients, kappas), sums.targets, 0, 1).profiles
    expected = by_scoring_everything(log, tests, vectors, profiles.reshape(len(tests), 4, DIM), HALF_LIVES_S)
    ndcg = metric("ndcg@10")
    np.testing.assert_array_equal(ndcg(ranks.above, ranks.tied), ndcg(expected.above, expected.tied))
    few = expected.above < LIMIT
    np.testing.assert_array_equal(ranks.above[few], expected.above[few])
    assert sum(looked_at) <= len(tests) * 4 * log.n_items


def test_candidates_may_begin_later_than_the_first_item() -> None:
    log, tests, vectors, sums = world(3)
    first = tests.catalogue // 2
    first = np.minimum(first, tests.targets)
    asked = Asked.of(log, tests, np.array([np.inf]), first_candidate=first.astype(np.int64))
    duels = Duels.of(sums.directions(np.eye(3)[:1], np.zeros(1)), sums.targets, 0, 1)
    counts = count_duels(duels, asked, np.arange(log.n_items), item_vectors(vectors), log.first_us, limit=1 << 30)
    for row in range(len(tests)):
        barred = tests.excluded(log, row)
        allowed = [c for c in range(first[row], tests.catalogue[row]) if c not in barred]
        scores = vectors[allowed].astype(np.float64) @ duels.profiles[row].astype(np.float64)
        assert counts.above[row, 0] == np.count_nonzero(scores > duels.scores[row])
