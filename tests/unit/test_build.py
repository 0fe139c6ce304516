"""Laws of a build: it is the exact path, in any chunks and passes, and blind to what comes at or after as_of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.build import BucketEvents, BuiltBucket, build_bucket, build_runs
from dynprof.decay import PROFILE_KINDS, Decay
from dynprof.errors import WorkspaceError
from dynprof.keys import text_hashes
from dynprof.profile import MICROSECONDS, exact_profiles
from dynprof.schema import BIOS, EVENTS, profiles_schema, states_schema
from dynprof.snapshot import SnapshotSpec, parse_decays
from dynprof.state import ProfileStates
from dynprof.state_io import priors_from_table, states_from_table
from dynprof.user_runs import UserRun, runs_of_users
from dynprof.vector_chunk import VectorChunk
from dynprof.vectors import matrix_of

DIM, N_TEXTS = 6, 30
DAY_US = 86_400 * MICROSECONDS
AS_OF_US = 1_600_000_000 * MICROSECONDS
SPEC = SnapshotSpec(
    "f", DIM, AS_OF_US, parse_decays("all", "30d"), {"post": 1.0, "like": 0.25, "dislike": -1.0, "seen": 0.0}
)
POPULATION = np.full(DIM, 0.1, np.float32)


def unit(rng: np.random.Generator, n: int) -> np.ndarray:
    vectors = rng.normal(size=(n, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


HASHES = text_hashes(pa.array([f"text {i}" for i in range(N_TEXTS)]))
VECTORS = unit(np.random.default_rng(0), N_TEXTS)


def chunks_of(cuts: list[int]) -> list[tuple[int, VectorChunk]]:
    """The vectors of texts [0, cut), [cut, cut), ...: a chunk a range, each of two pieces."""
    edges = [0, *sorted(set(cuts) - {0, N_TEXTS}), N_TEXTS]
    return [(a, VectorChunk(HASHES[a:b], [VECTORS[a : a + 1], VECTORS[a + 1 : b]])) for a, b in pairwise(edges)]


def event(user: str, days_before: float, text: int | None, kind: str = "post", weight: float = 1.0) -> dict:
    return {
        "user_id": user,
        "timestamp": AS_OF_US - int(days_before * DAY_US),
        "event_type": kind,
        "text_hash": None if text is None else HASHES[text].as_py(),
        "weight": weight,
    }


def event_table(rows: list[dict]) -> pa.Table:
    table = pa.Table.from_pylist([{**dict.fromkeys(EVENTS.names), **r} for r in rows], schema=EVENTS)
    return table.sort_by([("user_id", "ascending"), ("timestamp", "ascending")])


def bio_table(bios: dict[str, int | None]) -> pa.Table:
    rows = [{"user_id": u, "text_hash": None if t is None else HASHES[t].as_py()} for u, t in sorted(bios.items())]
    return pa.Table.from_pylist([{"bio": None, **r} for r in rows], schema=BIOS)


@dataclass
class Bucket:
    """A bucket of users of every sort: heavy, light, with a bio alone, with text-less events alone."""

    events: pa.Table
    bios: pa.Table

    def select(self, spec: SnapshotSpec = SPEC) -> BucketEvents:
        return BucketEvents.select([self.events], self.bios, spec, HASHES)


def make_bucket(seed: int, n_events: int) -> Bucket:
    rng = np.random.default_rng(seed)
    users = np.minimum(rng.geometric(0.4, n_events), 6)
    rows = [
        event(
            f"u{user}",
            rng.uniform(1e-6, 900),
            None if rng.random() < 0.1 else int(rng.integers(N_TEXTS)),
            str(rng.choice(["post", "like", "dislike", "seen", "own"])),
            float(rng.choice([1.0, 2.0, 0.0, -0.5])),
        )
        for user in users
    ]
    rows += [event("mute", 3, None), event("mute", 4, None)]
    return Bucket(event_table(rows), bio_table({"u1": 3, "bio only": 4, "u3": None, "empty bio": None}))


def build(bucket: Bucket, cuts: list[int] = (2,), spec: SnapshotSpec = SPEC) -> BuiltBucket:
    return build_bucket(bucket.select(spec), chunks_of(cuts), spec, population=POPULATION)


def rows_of(table: pa.Table, user: str) -> pa.Table:
    return table.filter(pc.equal(table["user_id"], user))


def assert_same_built(a: BuiltBucket, b: BuiltBucket) -> None:
    """Equal but for the order of the sums."""
    exact = ["user_id", "kind", "half_life_s", "n_events", "last_event_at"]
    assert a.profiles.select(exact).equals(b.profiles.select(exact))
    for column in ("mass", "n_effective"):
        np.testing.assert_allclose(a.profiles[column], b.profiles[column], rtol=1e-12)
    np.testing.assert_allclose(_matrix(a), _matrix(b), atol=1e-3)
    assert_same_states(*(states_from_table(x.states, SPEC.bank, DIM) for x in (a, b)))
    assert a.states["user_id"].equals(b.states["user_id"])
    assert a.states["prior"].equals(b.states["prior"])


def _matrix(built: BuiltBucket) -> np.ndarray:
    return np.asarray(matrix_of(built.profiles["profile"]), np.float32)


def assert_same_states(a: ProfileStates, b: ProfileStates) -> None:
    for name in ("n_events", "first_us", "last_us", "heavy"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_array_equal(a.events.users, b.events.users)
    np.testing.assert_array_equal(a.events.at_us, b.events.at_us)
    # Events of one user in one microsecond stand in the order in which they came.
    assert sorted(map(_event_key, *_columns(a))) == sorted(map(_event_key, *_columns(b)))
    for name in ("sums", "masses", "square_masses"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-5, rtol=1e-6)


def _columns(states: ProfileStates) -> tuple[list, ...]:
    e = states.events
    return e.users.tolist(), e.at_us.tolist(), e.weights.tolist(), e.vectors.tolist()


def _event_key(user: int, at_us: int, weight: float, vector: list[float]) -> tuple:
    return user, at_us, weight, tuple(vector)


buckets = st.builds(make_bucket, st.integers(0, 10_000), st.integers(0, 120))


@settings(max_examples=20)
@given(bucket=buckets)
def test_every_profile_is_the_one_of_the_exact_path(bucket):
    profiles = build(bucket).profiles
    user_ids = sorted({*bucket.events["user_id"].to_pylist(), *bucket.bios["user_id"].to_pylist()})
    assert profiles.schema == profiles_schema(DIM)
    assert profiles["user_id"].to_pylist() == [u for u in user_ids for _ in SPEC.decays]
    assert profiles["kind"].to_pylist() == list(PROFILE_KINDS) * len(user_ids)
    place = {h: i for i, h in enumerate(HASHES.to_pylist())}
    with_text = [e for e in bucket.events.to_pylist() if e["text_hash"] is not None]
    bios = {b["user_id"]: place[b["text_hash"]] for b in bucket.bios.to_pylist() if b["text_hash"] is not None}
    for k, decay in enumerate(SPEC.decays):
        exact = exact_profiles(
            np.array([user_ids.index(e["user_id"]) for e in with_text], np.int64),
            np.array([place[e["text_hash"]] for e in with_text], np.int64),
            np.array([int(e["timestamp"].timestamp() * 1e6 + 0.5) for e in with_text], np.int64),
            np.array([e["weight"] * SPEC.type_weights.get(e["event_type"], 1.0) for e in with_text]),
            VECTORS.astype(np.float32),
            decay,
            n_users=len(user_ids),
            as_of_us=AS_OF_US,
            prior=np.stack([VECTORS[bios[u]] if u in bios else POPULATION for u in user_ids]),
            prior_weight=SPEC.prior_weight,
        )
        mine = profiles.take(np.arange(k, len(profiles), len(SPEC.decays)))
        np.testing.assert_allclose(matrix_of(mine["profile"]), exact.vectors, atol=1e-3)
        np.testing.assert_allclose(mine["mass"], exact.mass, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(mine["n_effective"], exact.n_effective, rtol=1e-9)
        assert mine["half_life_s"].to_pylist() == [decay.half_life_s] * len(user_ids)
    assert (np.linalg.norm(_matrix(build(bucket)), axis=1) <= 1 + 1e-3).all()


@settings(max_examples=20)
@given(bucket=buckets, cuts=st.lists(st.integers(0, N_TEXTS), max_size=5))
def test_any_chunks_of_vectors_give_the_same(bucket, cuts):
    assert_same_built(build(bucket, cuts), build(bucket, []))


@settings(max_examples=20)
@given(bucket=buckets, stops=st.lists(st.integers(0, 9), max_size=3))
def test_passes_over_users_give_what_one_pass_gives(bucket, stops):
    selected = bucket.select()
    edges = [0, *sorted(stops), len(selected.user_ids) + 5]
    parts = [
        build_bucket(selected.between(a, b), chunks_of([10, 20]), SPEC, population=POPULATION)
        for a, b in pairwise(edges)
    ]
    whole = build(bucket, [10, 20])
    assert pa.concat_tables(p.profiles for p in parts).equals(whole.profiles)
    assert pa.Table.from_batches([p.states for p in parts]).equals(pa.Table.from_batches([whole.states]))


@settings(max_examples=20)
@given(bucket=buckets, late=st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0.0, -1e-9, -5.0])), max_size=9))
def test_nothing_at_or_after_as_of_changes_a_byte(bucket, late):
    more = event_table([event(f"u{u}", days, u) for u, days in late] + [event("not yet born", 0.0, 1)])
    events = pa.concat_tables([bucket.events, more]).sort_by([("user_id", "ascending"), ("timestamp", "ascending")])
    leaky = build(Bucket(events, bucket.bios))
    assert leaky.profiles.equals(build(bucket).profiles)
    assert leaky.states.equals(build(bucket).states)


@settings(max_examples=20)
@given(bucket=buckets, seed=st.integers(0, 99), size=st.integers(1, 50))
def test_states_of_a_build_are_those_of_a_stream_in_any_order(bucket, seed, size):
    selected = bucket.select()
    built = build(bucket).states
    assert built.schema == states_schema(DIM)
    rows = selected.rows
    order = np.random.default_rng(seed).permutation(len(rows))
    streamed = ProfileStates.empty(len(selected.user_ids), DIM)
    for part in (order[i : i + size] for i in range(0, len(order), size)):
        streamed = streamed.add(selected.users[part], selected.at_us[part], selected.weights[part], VECTORS[rows[part]])
    assert_same_states(states_from_table(built, SPEC.bank, DIM), streamed)


@pytest.mark.parametrize("kind", PROFILE_KINDS)
def test_profiles_and_states_of_one_build_tell_the_same(kind):
    built = build(make_bucket(1, 400))
    states = states_from_table(built.states, SPEC.bank, DIM)
    assert 0 < len(states.heavy) < states.n_users
    prior = priors_from_table(built.states, POPULATION)
    read = states.profile(Decay(kind), AS_OF_US, prior=prior, prior_weight=SPEC.prior_weight)
    stored = built.profiles.filter(pc.equal(built.profiles["kind"], kind))
    error = np.linalg.norm(read.vectors - matrix_of(stored["profile"]), axis=1)
    assert (error <= read.error_bound + 2e-3).all()


def test_a_profile_worked_out_by_hand():
    # One event 30 days (a half-life) old, one like (0.25) of weight 2 now, one dislike a half-life old, a bio.
    rows = [
        event("ann", 30, 0),
        event("ann", 1e-9, 1, "like", 2.0),
        event("ann", 30, 2, "dislike"),
        event("ann", 2, None),
    ]
    spec = replace(SPEC, decays=(Decay("static"), Decay("exponential", "30d")))
    profiles = build(Bucket(event_table(rows), bio_table({"ann": 3})), spec=spec).profiles.to_pylist()
    a, b, c, bio = VECTORS[:4].astype(np.float64)
    static, fading = profiles
    np.testing.assert_allclose(static["profile"], (a + 0.5 * b - c + 0.1 * bio) / 2.6, atol=1e-3)
    np.testing.assert_allclose(fading["profile"], (0.5 * a + 0.5 * b - 0.5 * c + 0.1 * bio) / 1.6, atol=1e-3)
    assert (static["mass"], fading["mass"]) == (2.5, pytest.approx(1.5))
    assert (static["n_effective"], fading["n_effective"]) == (pytest.approx(2.5**2 / 2.25), pytest.approx(3))
    assert (static["half_life_s"], fading["half_life_s"]) == (None, 30 * 86_400)
    for row in profiles:
        assert row["n_events"] == 3  # those that carry a vector
        assert int(row["last_event_at"].timestamp() * 1e6) == AS_OF_US - int(1e-9 * DAY_US)


def test_users_without_a_vector_of_their_own_are_their_prior():
    built = build(make_bucket(2, 50))
    for user, prior in (("bio only", VECTORS[4]), ("empty bio", POPULATION), ("mute", POPULATION)):
        rows = rows_of(built.profiles, user)
        assert len(rows) == len(SPEC.decays)
        np.testing.assert_allclose(matrix_of(rows["profile"]), np.tile(prior, (len(rows), 1)), atol=1e-3)
        for name, value in (("mass", 0.0), ("n_effective", 0.0), ("n_events", 0), ("last_event_at", None)):
            assert rows[name].to_pylist() == [value] * len(rows)
    has_prior = dict(
        zip(built.states["user_id"].to_pylist(), built.states["prior"].is_valid().to_pylist(), strict=True)
    )
    assert {u for u, has in has_prior.items() if has} == {"u1", "bio only"}


def test_without_a_prior_weight_a_user_without_events_is_zero():
    spec = replace(SPEC, prior_weight=0.0)
    built = build(Bucket(event_table([]), bio_table({"ann": 1})), spec=spec)
    assert not _matrix(built).any()


def test_a_user_idle_for_hundreds_of_half_lives_has_finite_profiles():
    events = event_table([event("ann", days, 1) for days in (140, 1_000, 2_000)] + [event("bob", 2_000, 2)])
    for prior_weight in (0.0, 0.1):
        spec = replace(SPEC, decays=parse_decays("all", "1d"), prior_weight=prior_weight)
        profiles = build(Bucket(events, bio_table({})), spec=spec).profiles
        vectors = np.asarray(matrix_of(profiles["profile"]), np.float64)
        assert np.isfinite(vectors).all()
        assert np.isfinite(profiles["mass"]).all() and np.isfinite(profiles["n_effective"]).all()
        assert (np.linalg.norm(vectors, axis=1) <= 1 + 1e-3).all()


def test_events_of_weight_zero_are_counted_and_weigh_nothing():
    built = build(Bucket(event_table([event("ann", 1, 1, "seen"), event("ann", 2, 2, weight=0.0)]), bio_table({})))
    assert set(built.profiles["n_events"].to_pylist()) == {2}
    assert set(built.profiles["mass"].to_pylist()) == {0.0}
    assert set(built.profiles["n_effective"].to_pylist()) == {0.0}
    np.testing.assert_allclose(_matrix(built), np.tile(POPULATION, (len(SPEC.decays), 1)), atol=1e-3)


def test_one_user_with_nearly_all_events_is_summed_like_the_others():
    rng = np.random.default_rng(4)
    texts, days = rng.integers(0, N_TEXTS, 6_000), rng.uniform(1e-3, 300, 6_000)
    rows = [event("heavy", d, int(t)) for t, d in zip(texts, days, strict=True)] + [event("light", 5, 7)]
    built = build(Bucket(event_table(rows), bio_table({})), cuts=[3, 11, 12, 25])
    stored = rows_of(built.profiles, "heavy").to_pylist()
    for decay, row in zip(SPEC.decays, stored, strict=True):
        weights = decay.weights((days * DAY_US).astype(np.int64) / MICROSECONDS)
        total = weights @ VECTORS[texts].astype(np.float64)
        expected = (total + SPEC.prior_weight * POPULATION) / (weights.sum() + SPEC.prior_weight)
        np.testing.assert_allclose(row["profile"], expected, atol=2e-4, err_msg=decay.kind)
        assert row["mass"] == pytest.approx(weights.sum(), rel=1e-9)
        assert row["n_events"] == 6_000
    assert rows_of(built.profiles, "light")["n_events"].to_pylist() == [1] * len(SPEC.decays)


def test_a_bucket_without_users_has_empty_tables_of_the_right_types():
    nobody = Bucket(event_table([event("late", -1, 1)]), bio_table({}))
    built = build(nobody)
    assert built.profiles.equals(profiles_schema(DIM).empty_table())
    assert built.states.num_rows == 0
    assert built.states.schema == states_schema(DIM)
    assert len(nobody.select().between(0, 10).user_ids) == 0


def test_a_text_without_a_vector_is_an_error_that_counts():
    bucket = Bucket(event_table([event("ann", 1, 1), event("ann", 2, 2)]), bio_table({"ann": 3}))
    with pytest.raises(WorkspaceError, match=r"each of 2 texts, found 1\. .*jobs\.encode"):
        BucketEvents.select([bucket.events], bucket.bios, SPEC, HASHES.take(pa.array([0, 2])))
    with pytest.raises(WorkspaceError, match=r"each of 1 texts, found 0\. .*jobs\.encode"):
        BucketEvents.select([bucket.events], bucket.bios, SPEC, HASHES.take(pa.array([2, 1])))


def test_a_type_without_a_weight_counts_one():
    selected = Bucket(event_table([event("ann", 3, 1, "own", 0.5), event("ann", 2, 1, "like")]), bio_table({})).select()
    assert selected.weights.tolist() == [0.5, 0.25]


@settings(max_examples=20)
@given(bucket=buckets, cuts=st.lists(st.integers(0, 120), max_size=4))
def test_a_bucket_read_in_slices_is_the_bucket(bucket, cuts):
    edges = [0, *sorted(c for c in cuts if c < len(bucket.events)), len(bucket.events)]
    slices = [bucket.events[a:b] for a, b in pairwise(edges)]
    read, whole = BucketEvents.select(slices, bucket.bios, SPEC, HASHES), bucket.select()
    assert read.user_ids.equals(whole.user_ids)
    for name in ("users", "at_us", "weights", "rows", "bio_users", "bio_rows"):
        np.testing.assert_array_equal(getattr(read, name), getattr(whole, name))


class MappedVectors:
    """All vectors as `BucketVectors` gives them, in chunks."""

    hashes = HASHES

    def chunks(self) -> Iterator[tuple[int, VectorChunk]]:
        return iter(chunks_of([7, 20]))


def runs_of(bucket: Bucket, size: int) -> list[UserRun]:
    slices = [bucket.events[i : i + size] for i in range(0, len(bucket.events), size)]
    return list(runs_of_users(slices, bucket.bios, EVENTS))


@settings(max_examples=30)
@given(bucket=buckets, size=st.integers(1, 150))
def test_runs_are_the_bucket_in_order_and_bounded(bucket, size):
    runs = runs_of(bucket, size)
    for table, whole in (("events", bucket.events), ("bios", bucket.bios)):
        assert pa.concat_tables(getattr(run, table) for run in runs).equals(whole)
    assert max(len(run.events) for run in runs) <= 2 * size
    last = ""
    for run, before in zip(runs, [UserRun(runs[0].events[:0], runs[0].bios[:0]), *runs], strict=False):
        users = sorted({*run.events["user_id"].to_pylist(), *run.bios["user_id"].to_pylist()})
        if before.goes_on:
            assert users == [last]
        elif users:
            assert users[0] > last
        assert len(users) == 1 or not run.goes_on
        last = users[-1] if users else last
    assert not runs[-1].goes_on


@settings(max_examples=30)
@given(bucket=buckets, size=st.integers(1, 150), users_at_once=st.integers(1, 9))
def test_a_bucket_built_in_runs_is_the_bucket(bucket, size, users_at_once):
    runs = runs_of(bucket, size)
    parts = build_runs(runs, MappedVectors(), SPEC, population=POPULATION, users_at_once=users_at_once)
    states, profiles = [], []
    for part in parts:
        assert len(part.states) <= users_at_once
        states.append(part.states)
        profiles.append(part.profiles)
    together = BuiltBucket(pa.concat_tables(profiles), pa.Table.from_batches(states).combine_chunks().to_batches()[0])
    assert_same_built(together, build(bucket))


def test_a_bucket_without_users_has_one_run_and_no_part():
    (run,) = runs_of(Bucket(event_table([]), bio_table({})), 5)
    assert (len(run.events), len(run.bios), run.goes_on) == (0, 0, False)
    assert list(build_runs([run], MappedVectors(), SPEC, population=POPULATION, users_at_once=5)) == []
