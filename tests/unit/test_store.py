"""A snapshot read back: everybody is found, nobody else, and every profile is the one the log gives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_world import AS_OF_US, BIO_ONLY, DAY_US, HEAVY, ODD_IDS, SILENT, START_US, WORDLESS, World, make_world

from dynprof.decay import DECAY_KINDS, Decay, DecayKind
from dynprof.errors import AsOfError, SnapshotNotFoundError, UnknownUserError, WorkspaceError
from dynprof.keys import bucket_name
from dynprof.snapshot import SNAPSHOTS
from dynprof.state_io import priors_from_table, states_from_table
from dynprof.store import SnapshotStore, StateRows

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def store(world: World) -> SnapshotStore:
    return SnapshotStore(world.workspace)


def rows_of(ids: list[str], sizes: list[int]) -> StateRows:
    batches, start = [], 0
    for size in [*sizes, len(ids)]:
        batches.append(pa.RecordBatch.from_arrays([pa.array(ids[start : start + size], pa.string())], ["user_id"]))
        start += size
    return StateRows(batches)


@given(ids=st.sets(IDS, max_size=30), absent=IDS, sizes=st.lists(st.integers(0, 8), max_size=6))
def test_every_id_is_found_at_its_row_and_no_other_id_is_found(ids: set[str], absent: str, sizes: list[int]) -> None:
    ordered = pa.array(sorted(ids, key=str.encode), pa.string()).to_pylist()
    rows = rows_of(ordered, sizes)
    assert len(rows) == len(ordered)
    assert [rows.find(i) for i in ordered] == list(range(len(ordered)))
    assert [rows.slice(i)["user_id"].to_pylist() for i in range(len(rows))] == [[i] for i in ordered]
    assert absent in ids or rows.find(absent) is None


def test_users_are_numbered_from_0_and_numbers_lead_back_to_them(world: World, store: SnapshotStore) -> None:
    numbers = [store.number(u) for u in world.user_ids]
    assert sorted(numbers) == list(range(store.n_users)) and store.n_users == len(set(world.user_ids))
    assert [store.user_id(n) for n in numbers] == world.user_ids
    assert set(ODD_IDS) < set(world.user_ids)


@pytest.mark.parametrize("user_id", ["", "nobody", "A", "heavy ", "user-", "zzz", "\ud800", "\x00"])
def test_an_unknown_user_is_an_error_that_names_snapshot_and_user(store: SnapshotStore, user_id: str) -> None:
    with pytest.raises(UnknownUserError, match=f"user_id: expected a user of snapshot {store.name}, found"):
        store.number(user_id)


@given(
    decay=st.builds(
        Decay,
        st.sampled_from(DECAY_KINDS),
        st.sampled_from(["1d", "7d", "30d", "365d"]),
        st.sampled_from(["0s", "3d"]),
        st.sampled_from([0.0, 0.1]),
    ),
    days_later=st.integers(0, 400),
    which=st.integers(0, 23),
)
def test_any_decay_reads_the_profile_that_the_log_gives(
    world: World, store: SnapshotStore, decay: Decay, days_later: int, which: int
) -> None:
    user_id, as_of_us = [u for u in world.user_ids if u != HEAVY][which], AS_OF_US + days_later * DAY_US
    read, exact = store.profile(user_id, decay, as_of_us), in_the_snapshot(world).exact(user_id, decay, as_of_us)
    np.testing.assert_allclose(read.vector, exact.vectors[0], atol=1e-6)
    assert read.mass == pytest.approx(exact.mass[0], rel=1e-6)
    assert read.n_effective == pytest.approx(exact.n_effective[0], rel=1e-6)
    assert read.error_bound == 0


@pytest.mark.parametrize("kind", DECAY_KINDS)
def test_a_heavy_user_is_read_within_the_error_that_the_answer_states(
    world: World, store: SnapshotStore, kind: DecayKind
) -> None:
    decay = Decay(kind, "30d")
    read, exact = store.profile(HEAVY, decay, AS_OF_US), in_the_snapshot(world).exact(HEAVY, decay, AS_OF_US)
    assert 0 < read.error_bound < 1
    assert np.linalg.norm(read.vector - exact.vectors[0]) <= read.error_bound + 1e-6
    assert read.mass == pytest.approx(exact.mass[0], abs=read.error_bound * (read.mass + world.spec.prior_weight))
    assert read.n_events == 60


def in_the_snapshot(world: World) -> World:
    """The events that the snapshot has: a later as_of does not bring those that came after it."""
    before = world.event_us < AS_OF_US
    return replace(world, events=world.events.filter(pa.array(before)), vectors=world.vectors[before])


@pytest.mark.parametrize("days", [0, 1, 40, 90])
def test_a_light_user_is_read_at_any_earlier_time_without_what_came_later(
    world: World, store: SnapshotStore, days: int
) -> None:
    as_of_us, decay = START_US + days * DAY_US, Decay("exponential", "30d")
    read, exact = store.profile("a", decay, as_of_us), world.exact("a", decay, as_of_us)
    mine = world.event_us[np.asarray(world.events["user_id"]) == "a"]
    before = mine[mine < as_of_us]
    np.testing.assert_allclose(read.vector, exact.vectors[0], atol=1e-6)
    assert read.n_events == len(before)
    assert (read.first_us, read.last_us) == ((before.min(), before.max()) if len(before) else (None, None))


def test_a_heavy_user_is_not_read_at_or_before_its_last_event(store: SnapshotStore) -> None:
    decay, last_us = Decay("exponential"), store.profile(HEAVY, Decay("static"), AS_OF_US).last_us
    assert last_us is not None
    assert store.profile(HEAVY, decay, last_us + 1).n_events == 60
    with pytest.raises(AsOfError, match="as_of: expected a time after 2024-04-28"):
        store.profile(HEAVY, decay, last_us)


@pytest.mark.parametrize(
    ("user_id", "basis"), [("a", "events"), (BIO_ONLY, "bio"), (SILENT, "population"), (WORDLESS, "population")]
)
def test_a_profile_says_what_it_is_made_of(world: World, store: SnapshotStore, user_id: str, basis: str) -> None:
    read = store.profile(user_id, Decay("exponential"), AS_OF_US)
    assert read.basis == basis
    if basis != "events":
        assert (read.mass, read.n_effective, read.n_events, read.last_us) == (0, 0, 0, None)
        np.testing.assert_allclose(read.vector, world.bios.get(user_id, world.population), atol=1e-3)  # fp16


def test_everybody_at_once_is_everybody_one_by_one(store: SnapshotStore) -> None:
    decay = Decay("hyperbolic", "11d")
    together = np.concatenate([p.vectors for p in store.profiles(decay, AS_OF_US)])
    for number in range(store.n_users):
        alone = store.profile(store.user_id(number), decay, AS_OF_US).vector
        np.testing.assert_allclose(together[number], alone, atol=1e-6)


def test_states_of_a_local_snapshot_are_mapped_and_not_copied(store: SnapshotStore) -> None:
    before = pa.total_allocated_bytes()
    again = SnapshotStore(store.workspace, store.name)
    assert again.n_users == store.n_users
    state_bytes = store.workspace.size_bytes(SNAPSHOTS, store.name, "states")
    assert pa.total_allocated_bytes() - before < state_bytes / 4


def test_a_missing_or_unfinished_snapshot_is_an_error_that_names_the_finished_ones(
    world: World, tmp_path: Path
) -> None:
    with pytest.raises(SnapshotNotFoundError, match=f"Finished ones: {world.snapshot}"):
        SnapshotStore(world.workspace, "nonesuch")
    copy = make_world(tmp_path)
    copy.workspace.remove(SNAPSHOTS, copy.snapshot, "manifest.json")
    with pytest.raises(SnapshotNotFoundError, match="expected a finished snapshot, found none"):
        SnapshotStore(copy.workspace)


def test_a_snapshot_with_a_missing_file_or_of_another_corpus_is_refused(tmp_path: Path) -> None:
    copy = make_world(tmp_path)
    manifest = copy.workspace.read_manifest("corpus") or {}
    copy.workspace.write_manifest({**manifest, "corpus_id": "other"}, "corpus")
    with pytest.raises(
        WorkspaceError, match=r"expected a snapshot of the workspace's corpus \(other\), found one of c0"
    ):
        SnapshotStore(copy.workspace, copy.snapshot)
    with pytest.raises(SnapshotNotFoundError, match="found none of the present corpus"):
        SnapshotStore(copy.workspace)
    copy.workspace.write_manifest(json.loads(json.dumps(manifest)), "corpus")
    copy.workspace.remove(SNAPSHOTS, copy.snapshot, "states", bucket_name(1, "arrow"))
    with pytest.raises(WorkspaceError, match=r"expected states of \d+ users, found \d+"):
        SnapshotStore(copy.workspace)


def test_a_user_read_alone_is_what_the_table_of_states_says(world: World, store: SnapshotStore) -> None:
    for user_id in world.user_ids:
        row = store._row(store.number(user_id))
        table, alone = states_from_table(row, store.spec.bank, store.spec.dim), store.user(user_id)
        for name in ("n_events", "first_us", "last_us", "heavy", "sums", "masses", "square_masses"):
            expected, found = getattr(table, name), getattr(alone.states, name)
            np.testing.assert_array_equal(found, expected)
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype), name
        for name in ("users", "at_us", "weights", "vectors"):
            np.testing.assert_array_equal(getattr(alone.states.events, name), getattr(table.events, name))
        np.testing.assert_array_equal(alone.prior, priors_from_table(row, store.population)[0])
        assert alone.prior_kind == ("bio" if row["prior"][0].is_valid else "population")
