"""Recommendations and neighbours are what sorting everything by hand gives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from serving_world import AS_OF_US, BIO_ONLY, DAY_US, HALF_LIFE, HEAVY, SILENT, START_US, World, make_world

from dynprof.decay import Decay
from dynprof.errors import ConfigError, WorkspaceError
from dynprof.item_rows import ItemRows
from dynprof.items import ItemCatalogue
from dynprof.keys import bucket_name, text_hashes
from dynprof.neighbors import NeighborIndex, UserMatrix
from dynprof.recommend import METRICS, Metric, recommend, score, top_k
from dynprof.seen import SeenTexts
from dynprof.snapshot import SNAPSHOTS
from dynprof.store import SnapshotStore
from dynprof.text import prepare_texts

SCORES = hnp.arrays(np.float64, st.integers(0, 40), elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.25, 0.5, 1.0]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("recommend"))


@pytest.fixture(scope="module")
def store(world: World) -> SnapshotStore:
    return SnapshotStore(world.workspace)


@pytest.fixture(scope="module")
def catalogue(world: World) -> ItemCatalogue:
    return ItemCatalogue.load(world.workspace, world.spec.fingerprint)


@given(scores=SCORES, k=st.integers(1, 50))
def test_top_k_is_the_head_of_a_full_sort_with_later_positions_first_among_equals(
    scores: npt.NDArray[np.float64], k: int
) -> None:
    by_hand = sorted(np.flatnonzero(scores > -np.inf).tolist(), key=lambda i: (-scores[i], -i))
    assert top_k(scores, k).tolist() == by_hand[:k]


@pytest.mark.parametrize("metric", METRICS)
def test_a_score_does_not_depend_on_the_other_candidates(metric: Metric) -> None:
    rng = np.random.default_rng(0)
    profile, vectors, weights = rng.normal(size=8), rng.normal(size=(30, 8)).astype(np.float32), rng.random(30)
    together = score(profile, vectors, metric=metric, time_weights=weights)
    alone = [score(profile, vectors[i : i + 1], metric=metric, time_weights=weights[i : i + 1])[0] for i in range(30)]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_the_three_metrics_are_their_formulas() -> None:
    profile, vectors = np.array([0.0, 0.5]), np.array([[0, 1], [1, 0], [0, -1]], np.float32)
    weights = np.array([0.5, 1.0, 0.25])
    assert score(profile, vectors, metric="basic").tolist() == [0.5, 0.0, -0.5]
    assert score(profile, vectors, metric="cosine").tolist() == [1.0, 0.0, -1.0]
    assert score(profile, vectors, metric="cosine_time", time_weights=weights).tolist() == [0.5, 0.5, 0.0]


@given(cosine=st.floats(-1, 1), older=st.floats(0, 1), newer=st.floats(0, 1))
def test_age_never_raises_a_score_not_even_of_a_negative_cosine(cosine: float, older: float, newer: float) -> None:
    vector = np.array([[cosine, np.sqrt(1 - cosine**2)]], np.float32)
    weights = [np.array([min(older, newer)]), np.array([max(older, newer)])]
    low, high = (score(np.array([1.0, 0.0]), vector, metric="cosine_time", time_weights=w)[0] for w in weights)
    assert low <= high


def test_a_profile_of_zeros_is_as_close_to_everything_as_to_nothing() -> None:
    assert score(np.zeros(3), np.eye(3, dtype=np.float32), metric="cosine").tolist() == [0, 0, 0]


def test_an_unknown_metric_and_a_missing_age_are_errors_that_name_the_argument() -> None:
    with pytest.raises(ConfigError, match="metric: expected one of cosine_time, cosine, basic, found 'dot'"):
        score(np.ones(2), np.eye(2, dtype=np.float32), metric="dot")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="time_weights: expected"):
        score(np.ones(2), np.eye(2, dtype=np.float32), metric="cosine_time")


def test_the_catalogue_has_each_text_with_a_vector_once_under_its_earliest_item(
    world: World, catalogue: ItemCatalogue
) -> None:
    events = world.events.filter(pc.is_valid(world.events["text_hash"])).sort_by("timestamp")
    assert len(catalogue) == len(pc.unique(events["text_hash"]))
    earliest = {}
    for row in events.to_pylist():
        earliest.setdefault(row["text_hash"], row["timestamp"])
    hashes = text_hashes(prepare_texts(catalogue.table["text"])).to_pylist()
    assert dict(zip(hashes, catalogue.table["created_at"].to_pylist(), strict=True)) == earliest
    assert (np.diff(catalogue.created_us) >= 0).all()
    assert not {"cold", "wordless-0"} & set(catalogue.table["item_id"].to_pylist())
    np.testing.assert_allclose(np.linalg.norm(catalogue.unit_vectors(np.arange(len(catalogue))), axis=1), 1, atol=1e-6)


def test_texts_are_found_by_hash_and_absent_ones_are_not(catalogue: ItemCatalogue) -> None:
    asked = pa.array(["orbit 3", "never written", "everyone: the derby"])
    words = np.frombuffer(b"".join(text_hashes(asked).to_pylist()), np.uint64).reshape(-1, 2)
    found = catalogue.table["text"].take(pa.array(catalogue.rows_of(words))).to_pylist()
    assert sorted(found) == ["everyone: the derby", "orbit 3"]
    assert len(catalogue.rows_of(words[:0])) == 0


def test_two_texts_that_share_half_a_hash_are_told_apart() -> None:
    words = np.array([[1, 5], [7, 2], [7, 9], [8, 0]], np.uint64)
    rows = np.array([3, 1, 0, 2])
    twins = ItemRows(pa.table({"item_id": ["a"] * 4}), np.arange(4), np.eye(4, dtype=np.float16), words, rows)
    asked = np.array([[7, 9], [7, 2], [7, 3], [1, 9], [8, 0]], np.uint64)
    rows, found = twins.find_rows(asked)
    assert found.tolist() == [True, True, False, False, True] and rows[found].tolist() == [0, 1, 2]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("days", [0, 20, 150, 200])
def test_recommendations_equal_a_sort_of_everything_that_appeared_before(
    catalogue: ItemCatalogue, store: SnapshotStore, metric: Metric, days: int
) -> None:
    as_of_us, k = START_US + days * DAY_US, 7
    profile = store.profile("a", Decay("exponential"), as_of_us).vector
    excluded = np.array([0, 2, 5, len(catalogue) - 1])
    best = recommend(catalogue, profile, k=k, as_of_us=as_of_us, metric=metric, excluded=excluded)
    by_hand, vectors = {}, catalogue.unit_vectors(np.arange(len(catalogue)))
    for row in range(len(catalogue)):
        if catalogue.created_us[row] < as_of_us and row not in excluded:
            product = float(vectors[row] @ profile)
            cosine = product / float(np.linalg.norm(profile))
            age_days = (as_of_us - catalogue.created_us[row]) / DAY_US
            by_hand[row] = {"basic": product, "cosine": cosine, "cosine_time": (1 + cosine) / 2 * 2 ** (-age_days / 2)}
    expected = sorted(by_hand, key=lambda r: -by_hand[r][metric])[:k]
    assert len(best.rows) == min(k, len(by_hand))
    np.testing.assert_allclose(best.scores, [by_hand[r][metric] for r in expected], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(best.scores, [by_hand[r][metric] for r in best.rows.tolist()], rtol=1e-5, atol=1e-6)


def test_items_so_old_that_their_weight_is_0_come_newest_first(catalogue: ItemCatalogue) -> None:
    profile = np.ones(catalogue.vectors.shape[1])
    brief = Decay("exponential", "1s")
    as_of_us = int(catalogue.created_us[-1]) + DAY_US
    best = recommend(catalogue, profile, k=5, as_of_us=as_of_us, item_decay=brief)
    assert best.scores.tolist() == [0.0] * 5
    assert best.rows.tolist() == list(range(len(catalogue) - 1, len(catalogue) - 6, -1))


def test_seen_texts_are_the_users_own_strictly_before_the_time(world: World, catalogue: ItemCatalogue) -> None:
    seen = SeenTexts(world.workspace, 4)
    for user_id in ("a", "a/b", 'q"uote', "Ünï 😀", HEAVY, BIO_ONLY, "nobody"):
        mine = world.events.filter(pc.equal(world.events["user_id"], user_id))
        for as_of_us in (START_US, START_US + 60 * DAY_US, AS_OF_US):
            before = mine.filter(pc.less(mine["timestamp"].cast(pa.int64()), as_of_us))
            rows = catalogue.rows_of(seen.before(user_id, as_of_us))
            found = prepare_texts(catalogue.table["text"].take(pa.array(rows))).to_pylist()
            assert sorted(set(found)) == sorted(set(prepare_texts(before["text"]).to_pylist()))


def cosine(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("decay", [Decay("gaussian", HALF_LIFE), Decay("gaussian", "9d"), Decay("static")])
def test_neighbours_equal_a_sort_of_all_users_with_mass(store: SnapshotStore, decay: Decay) -> None:
    index = NeighborIndex(store)
    profiles = {i: store.profile(store.user_id(i), decay, AS_OF_US) for i in range(store.n_users)}
    for user_id in ("a", HEAVY, BIO_ONLY):
        number = store.number(user_id)
        found = index.nearest(user_id, decay, 100)
        others = [i for i, p in profiles.items() if p.mass > 0 and i != number]
        cosines = {i: cosine(profiles[number].vector, profiles[i].vector) for i in others}
        assert sorted(found.rows.tolist()) == sorted(others)
        np.testing.assert_allclose(found.scores, sorted(cosines.values(), reverse=True), atol=2e-3)
        np.testing.assert_allclose(found.scores, [cosines[i] for i in found.rows.tolist()], atol=2e-3)
        assert index.nearest(user_id, decay, 3).rows.tolist() == found.rows[:3].tolist()


def test_users_with_only_a_prior_are_nobodys_neighbours(store: SnapshotStore) -> None:
    found = {store.user_id(i) for i in NeighborIndex(store).nearest("a", Decay("static"), 1000).rows.tolist()}
    assert not {"a", BIO_ONLY, SILENT} & found and HEAVY in found


def test_stored_profiles_and_states_give_the_same_matrix(store: SnapshotStore, monkeypatch: pytest.MonkeyPatch) -> None:
    decay = Decay("inverse_sqrt", HALF_LIFE)
    stored = UserMatrix.load(store, decay)
    monkeypatch.setattr("dynprof.neighbors._is_stored", lambda *_: False)
    read = UserMatrix.load(store, decay)
    np.testing.assert_allclose(stored.vectors, read.vectors, atol=2e-3)
    np.testing.assert_allclose(stored.mass, read.mass, rtol=1e-3)


def test_matrices_are_kept_up_to_the_bytes_given_and_the_oldest_goes_first(
    store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str | None] = []
    load = UserMatrix.load

    def counting(store: SnapshotStore, decay: Decay) -> UserMatrix:
        loaded.append(str(decay.half_life))
        return load(store, decay)

    monkeypatch.setattr(UserMatrix, "load", staticmethod(counting))
    two = 2 * load(store, Decay("static")).size_bytes
    index = NeighborIndex(store, cache_bytes=two)
    for half_life in ("3d", "5d", "3d", "7d", "3d", "5d"):
        index.nearest("a", Decay("exponential", half_life), 1)
    assert loaded == ["3d", "5d", "7d", "5d"]


def test_a_bucket_without_its_profiles_is_an_error_that_names_the_file(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    copy = make_world(tmp_path_factory.mktemp("broken"))
    copy.workspace.remove(SNAPSHOTS, copy.snapshot, "profiles", bucket_name(2))
    with pytest.raises(WorkspaceError, match=r"bucket-00002.parquet: expected static profiles of \d+ users, found 0"):
        UserMatrix.load(SnapshotStore(copy.workspace), Decay("static"))
    copy.workspace.remove("embeddings", copy.spec.fingerprint, "shard-00001.arrow")
    with pytest.raises(WorkspaceError, match="expected 2 shards, found no shard 1"):
        ItemCatalogue.load(copy.workspace, copy.spec.fingerprint)
