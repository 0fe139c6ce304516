"""Two workspaces compared through the public readers: everything that an updated one must share with a built one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.items import ItemCatalogue
from dynprof.neighbors import UserMatrix
from dynprof.seen import SeenTexts
from dynprof.segments import read_bios, read_events, read_items
from dynprof.snapshot import parse_decays
from dynprof.snapshot_users import SnapshotUsers
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace

FP16_ULP = 2.0**-11
"""Of a component of a vector no longer than 1, at most: half the last place, twice."""

DECAYS = (*parse_decays("all", "30d"), Decay("exponential", "1d"), Decay("gaussian", "200d"))
DAY_US = 86_400_000_000


def user_ids(store: SnapshotStore) -> list[str]:
    """Everybody, sorted."""
    return sorted(store.user_id(n) for n in range(store.n_users))


def assert_same_answers(updated: Workspace, built: Workspace) -> None:
    """Users, profiles, items, texts seen, tables of the corpus."""
    a, b = SnapshotStore(updated), SnapshotStore(built)
    assert (a.spec.as_of_us, a.spec.decays, a.spec.fingerprint) == (b.spec.as_of_us, b.spec.decays, b.spec.fingerprint)
    assert user_ids(a) == user_ids(b)
    assert a.manifest["n_events"] == b.manifest["n_events"]
    np.testing.assert_allclose(a.population, b.population, atol=1e-4)
    for decay in DECAYS:
        assert_same_profiles(a, b, decay)
        assert_same_matrices(a, b, decay)
    assert_same_corpus(updated, a, built, b)
    assert_same_items(updated, a, built, b)
    assert_same_histories(a, b)
    seen_a = SeenTexts(updated, a.n_buckets, segments=a.corpus.segments)
    seen_b = SeenTexts(built, b.n_buckets, segments=b.corpus.segments)
    for user in user_ids(b):
        mine, theirs = (seen.before(user, b.spec.as_of_us).tolist() for seen in (seen_a, seen_b))
        assert sorted(mine) == sorted(theirs)


def assert_same_profiles(a: SnapshotStore, b: SnapshotStore, decay: Decay) -> None:
    """One by one and in bulk, now and later."""
    for as_of_us in (a.spec.as_of_us, a.spec.as_of_us + 40 * DAY_US):
        bulk = (by_user(a, decay, as_of_us), by_user(b, decay, as_of_us))
        for user in user_ids(a):
            mine, theirs = a.profile(user, decay, as_of_us), b.profile(user, decay, as_of_us)
            assert (mine.n_events, mine.first_us, mine.last_us) == (theirs.n_events, theirs.first_us, theirs.last_us)
            assert (mine.prior, mine.basis) == (theirs.prior, theirs.basis)
            assert (mine.error_bound == 0) == (theirs.error_bound == 0)
            np.testing.assert_allclose(mine.vector, theirs.vector, atol=FP16_ULP)
            np.testing.assert_allclose(mine.mass, theirs.mass, rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(mine.n_effective, theirs.n_effective, rtol=1e-5, atol=1e-9)
            for read, one in zip(bulk, (mine, theirs), strict=True):
                np.testing.assert_allclose(read[user], one.vector, atol=FP16_ULP)


def by_user(store: SnapshotStore, decay: Decay, as_of_us: int) -> dict[str, npt.NDArray[np.float32]]:
    """Everybody's vector, read in bulk."""
    vectors = np.concatenate([read.vectors for read in store.profiles(decay, as_of_us)])
    return {store.user_id(n): vector for n, vector in enumerate(vectors)}


def assert_same_matrices(a: SnapshotStore, b: SnapshotStore, decay: Decay) -> None:
    """Directions of all profiles, which a built snapshot reads from its tables."""
    mine, theirs = UserMatrix.load(a, decay), UserMatrix.load(b, decay)
    number = [b.number(a.user_id(n)) for n in range(a.n_users)]
    bound = np.concatenate([p.error_bound for p in a.profiles(decay, a.spec.as_of_us)])
    read = np.concatenate([p.vectors for p in a.profiles(decay, a.spec.as_of_us)])
    length = np.maximum(np.linalg.norm(read, axis=1), 1e-3)
    gap = np.linalg.norm(mine.vectors - theirs.vectors[number], axis=1)
    assert (gap <= 2 * bound / length + 4e-3 / length).all()


def assert_same_corpus(updated: Workspace, a: SnapshotStore, built: Workspace, b: SnapshotStore) -> None:
    """Rows of all tables, whatever part they stand in."""
    for reader, columns in (
        (read_events, ["event_id", "user_id", "timestamp", "event_type", "item_id", "text", "text_hash", "weight"]),
        (read_bios, ["user_id", "bio", "text_hash"]),
        (read_items, ["item_id", "text", "text_hash", "text_source", "text_at", "created_at", "n_events"]),
    ):
        for bucket in range(a.n_buckets):
            mine = reader(updated, bucket, columns, segments=a.corpus.segments).to_pylist()
            theirs = reader(built, bucket, columns, segments=b.corpus.segments).to_pylist()
            assert mine == theirs


def assert_same_items(updated: Workspace, a: SnapshotStore, built: Workspace, b: SnapshotStore) -> None:
    """What can be recommended."""
    mine = ItemCatalogue.load(updated, a.spec.fingerprint, a.corpus)
    theirs = ItemCatalogue.load(built, b.spec.fingerprint, b.corpus)
    assert rows_of(mine) == rows_of(theirs)
    np.testing.assert_allclose(mine.vectors, theirs.vectors, atol=FP16_ULP)


def assert_same_histories(a: SnapshotStore, b: SnapshotStore) -> None:
    """Events with their vectors, of some users; they are what the state was made of."""
    mine, theirs = SnapshotUsers(a), SnapshotUsers(b)
    for user_id in user_ids(a)[:25]:
        x, y, known = mine.history(user_id), theirs.history(user_id), mine.user(user_id)
        assert x.events.to_pylist() == y.events.to_pylist()
        assert x.at_us.tolist() == y.at_us.tolist() == mine.times(user_id).at_us.tolist()
        assert x.weights.tolist() == y.weights.tolist()
        np.testing.assert_allclose(x.vectors[x.rows], y.vectors[y.rows], atol=FP16_ULP)
        prior = {"prior": known.prior, "prior_kind": known.prior_kind, "prior_weight": known.prior_weight}
        exact, read = x.profile(DECAYS[0], a.spec.as_of_us, **prior), known.profile(DECAYS[0], a.spec.as_of_us)
        assert np.linalg.norm(exact.vector - read.vector) <= read.error_bound + 2 * FP16_ULP


def rows_of(catalogue: ItemCatalogue) -> list[dict[str, Any]]:
    """Rows of the table but for what an update leaves as it first was."""
    return [{k: v for k, v in row.items() if k not in ("language",)} for row in catalogue.table.to_pylist()]
