"""Candidates and features: nothing later counts, nobody beside counts, and the batch is the single question."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.decay import Decay
from dynprof.evaluation import EventLog
from dynprof.evaluation.histories import profiles_before
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.profile import age_seconds
from dynprof.ranker.affinity import Affinity
from dynprof.ranker.content import bank_decays, nearest_columns
from dynprof.ranker.features import describe, feature_names
from dynprof.ranker.folding import fold_contents
from dynprof.ranker.past import LATEST_EVENTS, Past
from dynprof.ranker.questions import Questions
from dynprof.ranker.traces import NO_TAG, Tags, Traces, last_before, slices
from unit.ranker_data import BANK, MINUTE_US, asked_of, make_log, questions_of, random_log, tags_for, vectors_for

SEEDS = st.integers(0, 1 << 30)
few = settings(max_examples=6)


def asked(questions: Questions, tests) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(items.copy(), features.copy()) for items, features in questions.ask(tests)]


def shifted_after(log: EventLog, at_us: int, rng: np.random.Generator) -> EventLog:
    """The same strictly before a time; what is at or after it happens to others, to other items, at other times."""
    late = log.event_us >= at_us
    keeps_first = np.isin(np.arange(log.n_items), log.items[~late])
    users, items, times = log.users.copy(), log.items.astype(np.int64).copy(), log.event_us.copy()
    users[late] = rng.integers(0, users.max() + 1, late.sum())
    items[late] = rng.integers(0, log.n_items, late.sum())
    times[late] += rng.integers(0, 50, late.sum()) * MINUTE_US
    # items that had appeared keep their numbers: new ones come after them
    other = ~keeps_first[np.minimum(items, log.n_items - 1)] & late
    items[other] += log.n_items
    return make_log(users, times, items, log.weights)


@few
@given(seed=SEEDS)
def test_nothing_at_or_after_the_time_changes_a_candidate_or_a_feature(seed: int) -> None:
    rng, log = np.random.default_rng(seed), random_log(seed)
    tests = asked_of(log)
    if not len(tests):
        return
    row = int(rng.integers(len(tests)))
    at_us, catalogue = int(tests.event_us[row]), int(tests.catalogue[row])
    one = tests.take(slice(row, row + 1))
    (items, features), *_ = asked(questions_of(log), one)
    changed = shifted_after(log, at_us, rng)
    np.testing.assert_array_equal(changed.first_us[:catalogue], log.first_us[:catalogue])
    vectors, tags = vectors_for(log), tags_for(log)
    rest = changed.n_items - catalogue
    again = Questions(
        changed,
        Traces.of(
            changed,
            Tags(
                np.append(tags.languages[:catalogue], np.zeros(rest, np.int32)),
                np.append(tags.authors[:catalogue], np.zeros(rest, np.int32)),
            ),
        ),
        ItemVectors(vectors.chunk, np.append(np.arange(catalogue), np.zeros(rest, np.int64))),
        BANK,
    )
    user = int(one.users[0])
    start = int(np.searchsorted(changed.users, user))
    n_before = int(np.count_nonzero((changed.users == user) & (changed.event_us < at_us)))
    moved = type(one)(
        one.users,
        one.event_us,
        one.positions,
        one.targets,
        one.catalogue,
        np.array([start]),
        np.array([start + n_before]),
        one.include_seen,
    )
    (items_again, features_again), *_ = asked(again, moved)
    np.testing.assert_array_equal(items_again, items)
    np.testing.assert_array_equal(features_again, features)


@few
@given(seed=SEEDS)
def test_a_question_is_answered_alike_alone_and_among_others(seed: int) -> None:
    questions = questions_of(random_log(seed))
    tests = asked_of(questions.log)
    together = asked(questions, tests)
    for row in range(0, len(tests), 17):
        (items, features), *_ = asked(questions, tests.take(slice(row, row + 1)))
        np.testing.assert_array_equal(items, together[row][0])
        np.testing.assert_array_equal(features, together[row][1])


@few
@given(seed=SEEDS)
def test_a_feature_does_not_depend_on_the_other_candidates_or_their_order(seed: int) -> None:
    rng, questions = np.random.default_rng(seed), questions_of(random_log(seed))
    tests = asked_of(questions.log)
    if not len(tests):
        return
    one = tests.take(slice(len(tests) // 2, len(tests) // 2 + 1))
    past = Past.of(questions.traces, int(one.users[0]), int(one.event_us[0]))
    affinity, content = Affinity.of(past), fold_contents(questions.log, questions.vectors, one, BANK)[0]
    items = np.arange(int(one.catalogue[0]))
    whole = describe(past, affinity, content, items, questions.vectors.take(items))
    some = rng.permutation(items)[: max(1, len(items) // 2)]
    np.testing.assert_array_equal(describe(past, affinity, content, some, questions.vectors.take(some)), whole[some])


@few
@given(seed=SEEDS)
def test_no_candidate_is_seen_or_yet_to_come_and_none_comes_twice(seed: int) -> None:
    questions = questions_of(random_log(seed))
    tests = asked_of(questions.log)
    for row, (items, features) in enumerate(questions.ask(tests)):
        history = questions.log.items[tests.history_start[row] : tests.history_stop[row]]
        assert not np.isin(items, history).any()
        assert (items < tests.catalogue[row]).all() and (np.diff(items) > 0).all()
        assert features.shape == (len(items), len(feature_names(BANK))) and np.isfinite(features).all()


@few
@given(seed=SEEDS)
def test_the_order_of_buckets_changes_no_trace(seed: int) -> None:
    log, rng = random_log(seed), np.random.default_rng(seed)
    by_user = [np.flatnonzero(log.users == u) for u in rng.permutation(np.unique(log.users))]
    order = np.concatenate(by_user)
    shuffled = EventLog(
        log.users[order], log.event_us[order], log.items[order], log.weights[order], log.novel[order], log.first_us
    )
    one, other = Traces.of(log), Traces.of(shuffled)
    for name, array in vars(one).items():
        if name != "tags":
            np.testing.assert_array_equal(getattr(other, name), array)


@few
@given(seed=SEEDS)
def test_folded_profiles_point_where_exact_ones_do(seed: int) -> None:
    questions = questions_of(random_log(seed))
    log, tests = questions.log, asked_of(questions.log)
    prior = np.zeros((len(tests), 8), np.float32)
    exact = profiles_before(log, questions.vectors, tests, bank_decays(BANK), prior=prior, prior_weight=0.0)
    for row, content in enumerate(fold_contents(log, questions.vectors, tests, BANK)):
        history = slice(tests.history_start[row], tests.history_stop[row])
        ages = age_seconds(int(tests.event_us[row]), log.event_us[history])
        np.testing.assert_allclose(content.masses, np.abs(log.weights[history]) @ BANK.factors(ages), atol=1e-9)
        norms = np.linalg.norm(exact[row], axis=1)
        clear = norms > 1e-2  # a sum that all but cancels has no direction in float32
        np.testing.assert_allclose(
            content.vectors[:-1][clear], exact[row][clear] / norms[clear][:, None], atol=2e-4, rtol=0
        )


@few
@given(seed=SEEDS)
def test_without_an_event_is_as_if_it_had_not_been(seed: int) -> None:
    """Another log, in which the user has one event less, has the same features for the same items."""
    log = random_log(seed)
    liked = np.flatnonzero(log.weights > 0)
    traces = Traces.of(log)
    user = int(np.bincount(log.users[liked]).argmax())
    at_us = int(log.event_us.max()) + MINUTE_US
    past = Past.of(traces, user, at_us)
    place = len(past) // 2
    item, when = past.items[place], past.at_us[place]
    gone = np.flatnonzero((log.users == user) & (log.items == item) & (log.event_us == when) & (log.weights > 0))[:1]
    if log.first_us[item] == when:
        return  # without it the item would have appeared later, or never
    kept = np.delete(np.arange(len(log)), gone)
    less = EventLog(
        log.users[kept], log.event_us[kept], log.items[kept], log.weights[kept], log.novel[kept], log.first_us
    )
    other = Past.of(Traces.of(less, n_users=traces.n_users), user, at_us)
    without = past.without(place)
    items = np.setdiff1d(np.arange(log.n_items), past.items)
    vectors = vectors_for(log).take(items)
    (content,) = fold_contents(log, vectors_for(log), asked_of(log).take(slice(0, 1)), BANK)
    np.testing.assert_allclose(
        describe(without, Affinity.of(without), content, items, vectors),
        describe(other, Affinity.of(other), content, items, vectors),
        rtol=1e-6,
        atol=1e-6,
    )


def test_who_follows_is_known_by_the_same_items() -> None:
    log = make_log(np.array([0, 1, 0, 1, 2, 1]), np.arange(6) * MINUTE_US, np.array([0, 0, 1, 1, 2, 3]))
    past = Past.of(Traces.of(log), 0, 6 * MINUTE_US)
    affinity = Affinity.of(past)
    assert affinity.users.tolist() == [1]
    assert affinity.long[0] == pytest.approx(2 / np.log2(3), rel=1e-3)
    assert affinity.ahead[0] == 0 and affinity.latest[0] == 2 and affinity.last[0] == 1


def test_a_past_is_the_latest_events_and_counts_the_others() -> None:
    n = LATEST_EVENTS + 20
    log = make_log(np.zeros(n, np.int64), np.arange(n) * MINUTE_US, np.arange(n))
    past = Past.of(Traces.of(log), 0, n * MINUTE_US)
    assert (len(past), past.n_events) == (LATEST_EVENTS, n)
    assert past.items.tolist() == list(range(20, n))
    assert not past.joined.any()
    assert len(Past.of(Traces.of(log), -1, n * MINUTE_US)) == 0


@few
@given(seed=SEEDS)
def test_bisecting_many_ranges_equals_bisecting_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 9, 12)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    times = np.concatenate([np.sort(rng.integers(0, 6, n)) for n in lengths]).astype(np.int64)
    at_us = rng.integers(0, 7, 12)
    found = last_before(times, starts[:-1], starts[1:], at_us)
    each = [s + np.searchsorted(times[s:e], t) for s, e, t in zip(starts, starts[1:], at_us, strict=False)]
    assert found.tolist() == each
    positions, owner = slices(starts[:-1], starts[1:])
    assert (
        positions.tolist() == list(range(starts[-1])) and np.bincount(owner, minlength=12).tolist() == lengths.tolist()
    )


def test_the_banks_nearest_half_lives_are_found_and_its_decays_are_exact() -> None:
    assert nearest_columns(BANK, (1.0, 60.0)) == [1, 2]
    assert bank_decays(BANK)[0] == Decay("exponential", "1h") and bank_decays(BANK)[-1] == Decay("static")
    assert NO_TAG == -1
