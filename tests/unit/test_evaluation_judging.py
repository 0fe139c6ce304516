"""Counts and lists of a streamed catalogue, held against scoring everything at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.evaluation import Judged, judge_candidates, tiles, top_lists
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.retrieval import Queries, ask, time_score
from dynprof.evaluation.seen import SeenItems
from dynprof.evaluation.tiles import Candidates

from .evaluation_data import DAY_US, of_matrix, vectors_of

SIZE = 6
CLOCKS = (None, 3_600.0, 86_400.0 * 30)


def drawn(seed: int, m: int, n_distinct: int) -> tuple[Queries, np.ndarray, np.ndarray, np.ndarray, SeenItems]:
    """Queries, catalogues, vectors, first times and what was seen: vectors repeat, some are zeros or one bit apart."""
    generator = np.random.default_rng(seed)
    n, k, dim = int(generator.integers(1, 24)), int(generator.integers(1, 90)), 5
    hashes = [int(i).to_bytes(16, "little") for i in generator.integers(0, n_distinct, k)]
    vectors = vectors_of(pa.array(hashes, pa.binary(16)), dim)
    vectors[generator.random(k) < 0.1] = 0
    nudged = generator.random(k) < 0.2
    vectors[nudged, 2] = np.nextafter(vectors[nudged, 2], np.float16(2))
    first_us = np.sort(generator.choice([0, 1, 2, 30, 300, 900], k) * (DAY_US // 3))
    targets = generator.integers(0, k, n)
    event_us = np.sort(first_us[targets] + generator.integers(1, 400, n) * (DAY_US // 4))
    catalogue = np.searchsorted(first_us, event_us)
    profiles = generator.standard_normal((n, m, dim)).astype(np.float32)
    profiles[generator.random((n, m)) < 0.1] = 0
    profiles[generator.random((n, m)) < 0.1] = -vectors[0].astype(np.float32)  # cosines of -1
    queries = ask(profiles, vectors[targets], event_us=event_us, target_us=first_us[targets], clocks=CLOCKS)
    pairs = np.unique(generator.integers(0, 4 * k, 60))
    who = generator.integers(0, 4, n)
    positions = generator.permutation(len(pairs))
    stops = generator.integers(0, len(pairs) + 1, n)
    own = dict(zip(pairs.tolist(), positions.tolist(), strict=True))
    for row in range(n):  # a target is none of what was seen before
        stops[row] = min(stops[row], own.get(who[row] * k + targets[row], len(pairs)))
    return queries, catalogue, vectors, first_us, SeenItems(who, stops, pairs, positions, k)


def allowed(seen: SeenItems, catalogue: np.ndarray, row: int) -> np.ndarray:
    """Items that are candidates of a test."""
    mine = seen.keys // seen.n_items == seen.who[row]
    struck = seen.keys[mine & (seen.positions < seen.stops[row])] % seen.n_items
    return np.setdiff1d(np.arange(catalogue[row]), struck)


def expected(queries: Queries, catalogue: np.ndarray, vectors: np.ndarray, first_us: np.ndarray, seen: SeenItems):
    """Above, beside (itself among them) and list of every test and column, by sorting exact scores."""
    for row in range(len(queries)):
        items = allowed(seen, catalogue, row)
        for profile in range(queries.profiles.shape[1]):
            cosines = vectors[items].astype(np.float64) @ queries.profiles[row, profile].astype(np.float64)
            own = queries.cosines[row, profile]
            for clock in queries.clocks:
                if clock is None and not queries.profiles[row, profile].any():
                    yield 0, 0, []
                    continue
                at_us = queries.event_us[row]
                score = cosines if clock is None else time_score(cosines, at_us - first_us[items], clock)
                mine = own if clock is None else time_score(np.array([own]), at_us - queries.target_us[[row]], clock)[0]
                best = items[np.lexsort((items, -score))][:SIZE].tolist()
                yield int((score > mine).sum()), int((score == mine).sum()), best


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(0, 10**6), st.integers(1, 3), st.sampled_from([1, 3, 40, 1 << 60]))
def test_counts_and_lists_of_any_split_are_those_of_the_definition(data, seed, m, n_distinct) -> None:
    queries, catalogue, vectors, first_us, seen = drawn(seed, m, n_distinct)
    n_shards = data.draw(st.integers(1, 5), label="shards")
    owner = np.random.default_rng(seed).integers(0, n_shards, len(vectors))
    sizes = {"_ITEMS_AT_ONCE": 8, "_PROFILES_AT_ONCE": data.draw(st.integers(1, 9)), "_VECTORS_AT_ONCE": 16}
    found = Judged.nothing((len(queries), queries.n_columns), SIZE)
    with pytest.MonkeyPatch.context() as patch:
        for name, size in sizes.items() if data.draw(st.booleans(), label="small tiles") else ():
            patch.setattr(tiles, name, size)
        patch.setattr(top_lists, "_PENDING_A_ROW", data.draw(st.integers(0, 3)))
        patch.setattr(top_lists, "_MOST_KEPT_A_ROW", data.draw(st.sampled_from([1, 8])))
        for shard in set(owner.tolist()):
            items = np.flatnonzero(owner == shard)
            candidates = Candidates(items, ItemVectors(of_matrix(vectors).chunk, items), first_us[items])
            found += judge_candidates(queries, catalogue, candidates, seen=seen, list_size=SIZE)
    above, tied, lists = found.counts.above.ravel(), found.counts.tied.ravel(), found.items.reshape(-1, SIZE)
    for column, (n_above, n_tied, best) in enumerate(expected(queries, catalogue, vectors, first_us, seen)):
        assert (above[column], tied[column]) == (n_above, n_tied)
        assert lists[column].tolist() == [*best, *[-1] * (SIZE - len(best))]


def test_a_short_half_life_puts_the_newest_first_and_a_long_one_the_nearest() -> None:
    vectors = np.eye(4, dtype=np.float16)
    first_us = np.arange(4) * DAY_US
    profile = np.array([[[0.9, 0.3, 0.2, 0.1]]], np.float32)
    at_us = np.array([4 * DAY_US])
    clocks = (60.0, 86_400.0 * 10_000)
    queries = ask(profile, vectors[[1]], event_us=at_us, target_us=first_us[[1]], clocks=clocks)
    candidates = Candidates(np.arange(4), of_matrix(vectors), first_us)
    found = judge_candidates(queries, np.array([4]), candidates, list_size=4)
    assert found.items[0].tolist() == [[3, 2, 1, 0], [0, 1, 2, 3]]
    assert found.counts.above[0].tolist() == [2, 1]
