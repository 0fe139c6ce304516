from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynprof.decay import Decay
from dynprof.evaluation import COUNTS, Ranks, Window, count_candidates, histories, profile_methods, tiles
from dynprof.evaluation.histories import profiles_before
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.retrieval import ask as ask_scores
from dynprof.profile import exact_profiles

from .evaluation_data import Asked, Row, ask, events_table, of_matrix, random_rows, vectors_of

DECAYS = (Decay("static"), Decay("exponential", "1d"), Decay("gaussian", "2d"))
METHODS = [*(p.method.name for p in profile_methods(DECAYS, ("cosine",), ())), *COUNTS]
ALWAYS = Window(0, 10**18)


def expected_ranks(asked: Asked, row: int) -> list[tuple[int, int]]:
    """(above, tied) of every method from the definitions, with scores in float64."""
    log, tests, vectors = asked.log, asked.tests, asked.vectors.astype(np.float64)
    user, time, target = int(tests.users[row]), int(tests.event_us[row]), int(tests.targets[row])
    before = log.event_us < time
    history = np.flatnonzero(before & (log.users == user))
    seen = set() if tests.include_seen else set(log.items[history].tolist())
    candidates = np.array([i for i in range(log.n_items) if log.first_us[i] < time and i not in seen])
    profiles = [
        exact_profiles(
            np.zeros(len(history), np.int64),
            log.items[history],
            log.event_us[history],
            log.weights[history],
            asked.vectors.astype(np.float32),
            decay,
            n_users=1,
            as_of_us=time,
            prior=asked.priors[row],
            prior_weight=asked.prior_weight,
        ).vectors[0]
        for decay in DECAYS
    ]
    scores = [np.round(vectors @ (p / max(np.linalg.norm(p), 1e-30)), 6) for p in profiles]
    scores += [log.first_us, np.bincount(log.items[before], minlength=log.n_items), np.zeros(log.n_items)]
    return [(int((s[candidates] > s[target]).sum()), int((s[candidates] == s[target]).sum()) - 1) for s in scores]


@pytest.mark.parametrize("include_seen", [False, True])
@pytest.mark.parametrize("prior_weight", [0.0, 0.1])
def test_every_rank_is_that_of_the_definition(include_seen: bool, prior_weight: float) -> None:
    asked = ask(events_table(random_rows(3)), ALWAYS, DECAYS, include_seen=include_seen, prior_weight=prior_weight)
    ranks = asked.ranks()
    assert len(asked.tests) > 40
    for row in range(len(asked.tests)):
        found = list(zip(ranks.above[row].tolist(), ranks.tied[row].tolist(), strict=True))
        assert found == expected_ranks(asked, row)


def counts_of_definition(grid: np.ndarray, scores: np.ndarray, catalogue: np.ndarray, vectors: np.ndarray) -> Ranks:
    """In whole numbers: profiles and vectors are multiples of 2^-24, their products fit in 64 bits."""
    profiles, items = (np.rint(a.astype(np.float64) * 2**24).astype(np.int64) for a in (grid, vectors))
    exact = np.einsum("nmd,kd->nmk", profiles, items)
    target = np.rint(scores * 2.0**48).astype(np.int64)[:, :, None]
    candidate = (np.arange(len(vectors)) < catalogue[:, None])[:, None, :] & grid.any(axis=2)[:, :, None]
    return Ranks(((exact > target) & candidate).sum(axis=2), ((exact == target) & candidate).sum(axis=2))


@given(st.data(), st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 40), st.booleans())
def test_counts_of_any_split_of_the_items_add_up_to_those_of_the_definition(data, seed, m, n_distinct, silent) -> None:
    """Many equal vectors, vectors of zeros, vectors one last bit apart; shards and tiles of any size."""
    generator = np.random.default_rng(seed)
    n, k, dim = int(generator.integers(1, 30)), int(generator.integers(1, 90)), 5
    hashes = [int(i).to_bytes(16, "little") for i in generator.integers(0, n_distinct, k)]
    vectors = vectors_of(pa.array(hashes, pa.binary(16)), dim)
    vectors[generator.random(k) < 0.1] = 0
    nudged = generator.random(k) < 0.2
    vectors[nudged, 2] = np.nextafter(vectors[nudged, 2], np.float16(2))
    profiles = generator.standard_normal((n, m, dim)).astype(np.float32)
    profiles[generator.random((n, m)) < 0.2 * silent] = 0
    queries = ask_scores(profiles, vectors[generator.integers(0, k, n)])
    catalogue = np.sort(generator.integers(0, k + 1, n))
    owner = generator.integers(0, data.draw(st.integers(1, 9), label="shards"), k)
    sizes = {"_ITEMS_AT_ONCE": 8, "_PROFILES_AT_ONCE": data.draw(st.integers(1, 9)), "_VECTORS_AT_ONCE": 12}
    with pytest.MonkeyPatch.context() as patch:
        for name, size in sizes.items() if data.draw(st.booleans(), label="small tiles") else ():
            patch.setattr(tiles, name, size)
        found = Ranks.zeros((n, m))
        for shard in set(owner.tolist()):
            items = np.flatnonzero(owner == shard)
            found += count_candidates(queries, catalogue, items, ItemVectors(of_matrix(vectors).chunk, items))
    expected = counts_of_definition(queries.profiles, queries.cosines, catalogue, vectors)
    np.testing.assert_array_equal(found.above, expected.above)
    np.testing.assert_array_equal(found.tied, expected.tied)


@given(st.integers(0, 10**6), st.data())
def test_nothing_at_or_after_an_event_changes_its_rank(seed: int, data: st.DataObject) -> None:
    """Events at or after t are removed, moved, reweighted or added: what was asked before t keeps its answer."""
    rows = random_rows(seed, n=60)
    moment = data.draw(st.sampled_from(sorted({r[2] for r in rows})))
    past = [r for r in rows if r[2] < moment]
    asked_at = (f"asked-{seed}", data.draw(st.sampled_from(["u0", "u1", "new"])), moment, "t1")
    future = [
        (f"x{i}", data.draw(st.sampled_from(["u0", "u1", "u9"])), moment + data.draw(st.integers(0, 3)), text)
        for i, text in enumerate(data.draw(st.lists(st.sampled_from(["t1", "t2", "t99", "t98"]), max_size=8)))
    ]
    window = Window(moment, moment + 1)
    include_seen = data.draw(st.booleans())

    def answer(rows: list[Row], weights: list[float]) -> list[tuple[int, int]] | None:
        asked = ask(events_table(rows, weights), window, DECAYS, include_seen=include_seen, prior_weight=0.1)
        return asked.by_event().get((asked_at[1], moment, b"t1".ljust(16, b"_")))

    without = answer([*past, asked_at], [1.0] * (len(past) + 1))
    heavy = [1.0] * (len(past) + 1) + [7.5] * len(future)
    assert answer([*past, asked_at, *future], heavy) == without
    had = ("t1", asked_at[1]) in {(r[3], r[1]) for r in past}
    assert (without is None) == ("t1" not in {r[3] for r in past} or (had and not include_seen))


def test_ranks_do_not_depend_on_blocks_chunks_or_the_order_of_rows(monkeypatch) -> None:
    rows = random_rows(5)
    asked = ask(events_table(rows), ALWAYS, DECAYS, prior_weight=0.1)
    whole = asked.ranks()
    monkeypatch.setattr(tiles, "_ITEMS_AT_ONCE", 8)
    monkeypatch.setattr(tiles, "_PROFILES_AT_ONCE", 5)
    monkeypatch.setattr(tiles, "_VECTORS_AT_ONCE", 3)
    monkeypatch.setattr(histories, "_EVENTS_AT_ONCE", 10)
    reordered = ask(events_table(rows[::-1]), ALWAYS, DECAYS, prior_weight=0.1)
    shards = [np.arange(i, len(asked.vectors), 4) for i in range(4)]
    for start, stop in [(0, 1), (1, 6), (6, len(asked.tests))]:
        part = reordered.ranks(slice(start, stop), shards)
        np.testing.assert_array_equal(part.above, whole.above[start:stop])
        np.testing.assert_array_equal(part.tied, whole.tied[start:stop])


def test_long_histories_are_summed_piece_by_piece_to_the_same_profile(monkeypatch) -> None:
    asked = ask(events_table(random_rows(7, n_users=1)), ALWAYS, DECAYS, include_seen=True)
    assert asked.tests.n_history.max() > 50
    prior, of = np.zeros_like(asked.priors), of_matrix(asked.vectors)

    def profiles() -> np.ndarray:
        return profiles_before(asked.log, of, asked.tests, DECAYS, prior=prior, prior_weight=0.5)

    whole = profiles()
    monkeypatch.setattr(histories, "_PIECE", 5)
    monkeypatch.setattr(histories, "_EVENTS_AT_ONCE", 12)
    np.testing.assert_allclose(profiles(), whole, atol=1e-6)


def test_scores_that_only_rounding_tells_apart_are_ties() -> None:
    """Against a profile of equal numbers every permutation of a vector has the same cosine; float32 sums differ."""
    generator = np.random.default_rng(0)
    one = vectors_of(pa.array([b"t".ljust(16)], pa.binary(16)), dim=96)[0]
    vectors = np.stack([generator.permutation(one) for _ in range(300)])
    profiles = np.full((1, 1, 96), 0.5, np.float32)
    rounded = vectors.astype(np.float32) @ (profiles[0, 0] / np.linalg.norm(profiles))
    assert len(np.unique(rounded)) > 1
    found = count_candidates(ask_scores(profiles, vectors[20:21]), np.array([300]), np.arange(300), of_matrix(vectors))
    assert (found.above[0, 0], found.tied[0, 0]) == (0, 300)


def test_a_profile_of_zeros_ties_all_candidates() -> None:
    """At prior weight 0 a user without history knows nothing: chance, not the first or the last place."""
    rows: list[Row] = [(f"f{i}", "other", i, f"t{i}") for i in range(30)] + [("e", "new", 50, "t3")]
    asked = ask(events_table(rows), Window(50, 51), (Decay("static"),))
    assert asked.by_event()["new", 50, b"t3".ljust(16, b"_")] == [(0, 29), (26, 0), (0, 29), (0, 29)]


def test_seen_texts_are_no_candidates_unless_asked_for() -> None:
    rows: list[Row] = [(f"f{i}", "other", i, f"t{i}") for i in range(10)]
    rows += [("h1", "u", 20, "t8"), ("h2", "u", 21, "t9"), ("h3", "u", 22, "t9"), ("e", "u", 30, "t5")]
    key = ("u", 30, b"t5".ljust(16, b"_"))
    newest = METHODS.index("newest") - len(DECAYS) + 1
    window = Window(30, 31)
    without = ask(events_table(rows), window, (Decay("static"),)).by_event()
    assert without[key][newest] == (2, 0)  # t6 and t7
    seen = ask(events_table(rows), window, (Decay("static"),), include_seen=True).by_event()
    assert seen[key][newest] == (4, 0)


def test_popularity_counts_events_strictly_before() -> None:
    rows: list[Row] = [(f"{t}{i}", f"v{i}", 1 + i, t) for t, n in (("p", 5), ("q", 3), ("r", 2)) for i in range(n)]
    rows += [("e", "u", 40, "q"), *((f"later{i}", f"w{i}", 40 + i, "r") for i in range(9))]
    asked = ask(events_table(rows), Window(40, 41), (Decay("static"),))
    popular = METHODS.index("popular") - len(DECAYS) + 1
    assert asked.by_event()["u", 40, b"q".ljust(16, b"_")][popular] == (1, 0)
