"""Tuning finds what is planted, sees nothing of the test windows, and says so in the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.bank import Bank
from dynprof.decay import Decay
from dynprof.errors import ConfigError, WorkspaceError
from dynprof.evaluation.log import EventLog, EventNames
from dynprof.evaluation.protocol import Window
from dynprof.evaluation.retrieval import Ranks
from dynprof.learned_decay import LearnedDecay
from dynprof.profile import exact_profiles
from dynprof.tuning.bank_sums import BankSums
from dynprof.tuning.choice import CHOICE, Choice, read_choice, write_choice
from dynprof.tuning.fit_data import N_RECENT, sample_candidates
from dynprof.tuning.grid import Grid, Similarity, coefficients_of, decay_name
from dynprof.tuning.learned import Fit, LearnedCurve, _loss, fit_curve
from dynprof.tuning.sealed import SealedLog, fitting_window, sample_tests, seal
from dynprof.tuning.search import search
from dynprof.workspace import Workspace
from unit.evaluation_data import events_table, index, random_rows

BANK = Bank((3_600.0, 86_400.0, 30 * 86_400.0))
GRID = Grid(kinds=("exponential",), half_lives=("1h", "1d", "30d"), shares=(0.7,), item_half_lives=("1d",), bank=BANK)
WEIGHTS = {"post": 1.0}


def sums_at(n: int, *, k: int = BANK.size, dim: int = 4) -> BankSums:
    return BankSums(np.ones((n, k, dim), np.float32), np.zeros((n, dim), np.float32), np.ones((n, dim), np.float16))


def worth(value_of) -> object:
    """A count under which a point with n candidates above has the value that belongs to it."""

    def count(sums: BankSums, coefficients, prior_weights, similarities) -> Ranks:
        points = [(c, k, s) for c, k in zip(coefficients, prior_weights, strict=True) for s in similarities]
        above = np.array([[value_of(c, k, s) for c, k, s in points]] * len(sums), np.int64)
        return Ranks(above, np.zeros_like(above))

    return count


def test_the_best_point_wins_and_of_equal_ones_the_simpler() -> None:
    wanted = coefficients_of(Decay("exponential", "1d"), BANK)

    def best_is_one_day(c, _kappa, similarity) -> int:
        return 0 if np.allclose(c, wanted) and similarity.metric == "cosine_time" else 2

    found = search(sums_at(5), GRID, worth(best_is_one_day), type_weights=WEIGHTS, prior_weight=0.1)
    assert found is not None
    assert found.best.reading.decay == Decay("exponential", "1d")
    assert found.best.similarity == Similarity("cosine_time", "1d")
    assert (found.best.value, found.reference.value) == pytest.approx((1.0, 0.5))
    assert (found.reference.reading.name, found.reference.similarity) == ("static", found.best.similarity)
    even = search(sums_at(5), GRID, worth(lambda *_: 2), type_weights=WEIGHTS, prior_weight=0.1)
    assert even is not None
    assert (even.best.reading.name, even.best.similarity.name) == ("static", "cosine")
    assert even.best.prior_weight == 0.1


def test_kappa_is_tried_at_the_best_point_and_weights_at_the_best_kappa() -> None:
    parts = {"post": sums_at(3), "like": replace(sums_at(3), sums=np.full((3, BANK.size, 4), 2, np.float32))}
    seen = []

    def count(sums, coefficients, prior_weights, similarities) -> Ranks:
        points = [(c, k) for c, k in zip(coefficients, prior_weights, strict=True) for _ in similarities]
        seen.append((float(sums.sums[0, 0, 0]), sorted(set(prior_weights))))
        above = [[0 if k == 1.0 and sums.sums[0, 0, 0] == 1.5 else 1 if k == 1.0 else 5 for _, k in points]] * 3
        return Ranks(np.array(above), np.zeros((3, len(points)), np.int64))

    both = replace(sums_at(3), sums=np.full((3, BANK.size, 4), 3, np.float32))
    weights = {"post": 1.0, "like": 1.0}
    found = search(both, GRID, count, type_weights=weights, prior_weight=0.1, by_type=parts)
    assert found is not None
    assert found.best.prior_weight == 1.0
    assert found.best.type_weights == {"post": 1.0, "like": 0.25}
    assert {total for total, _ in seen} == {3.0, 2.0, 2.25, 2.5, 4.0, 1.0, 1.5, 5.0}


def test_a_curve_with_negative_coefficients_is_reported_and_never_chosen() -> None:
    free = LearnedCurve((1.0, -0.5, 0.2, 0.1), BANK.half_lives_s, True, 0.1, 1.0)
    plain = replace(free, coefficients=(0.4, 0.3, 0.2, 0.1), is_free=False)

    def count(sums, coefficients, _prior_weights, similarities) -> Ranks:
        above = [0 if (c < 0).any() else 1 if np.allclose(c, plain.coefficients) else 4 for c in coefficients]
        above = np.repeat([above], len(sums), 0).repeat(len(similarities), axis=1)
        return Ranks(above, np.zeros_like(above))

    found = search(sums_at(2), GRID, count, type_weights=WEIGHTS, prior_weight=0.1, learn=lambda _: [plain, free])
    assert found is not None
    assert found.tried[0].reading.decay is None
    assert found.best.reading.decay == LearnedDecay.of(BANK.half_lives_s, plain.coefficients)


def test_without_a_test_there_is_nothing_to_choose() -> None:
    assert search(sums_at(0), GRID, worth(lambda *_: 0), type_weights=WEIGHTS, prior_weight=0.1) is None


@given(seed=st.integers(0, 1 << 30), kappa=st.sampled_from([0.0, 0.1, 5.0]))
def test_a_point_of_the_grid_has_the_direction_of_the_exact_profile(seed: int, kappa: float) -> None:
    random = np.random.default_rng(seed)
    n, dim = 30, 5
    ages_s, weights = random.uniform(0, 60 * 86_400, n), random.uniform(0.1, 2, n)
    vectors = random.normal(size=(n, dim)).astype(np.float32)
    prior = random.normal(size=dim).astype(np.float32)
    sums = np.einsum("nk,nd->kd", weights[:, None] * BANK.factors(ages_s), vectors)
    of = BankSums(sums[None].astype(np.float32), prior[None], np.zeros((1, dim), np.float16))
    decays = [Decay("static"), Decay("exponential", "1d"), LearnedDecay.of((3_600.0, 86_400.0), (0.2, 0.5, 0.3))]
    made = of.directions(np.stack([coefficients_of(d, BANK) for d in decays]), np.full(3, kappa))[0]
    for direction, decay in zip(made, decays, strict=True):
        exact = exact_profiles(
            np.zeros(n, np.int64),
            np.arange(n),
            (-ages_s * 1e6).astype(np.int64),
            weights,
            vectors,
            decay,
            n_users=1,
            as_of_us=1,
            prior=prior,
            prior_weight=kappa,
        ).vectors[0]
        cosine = direction @ exact / np.linalg.norm(direction) / np.linalg.norm(exact)
        assert cosine == pytest.approx(1, abs=1e-4)


def perturbed(log: EventLog, names: EventNames, stop_us: int, seed: int) -> tuple[EventLog, EventNames]:
    """The same log with everything from a time on thrown about: other items, times, weights, and fewer of them."""
    random = np.random.default_rng(seed)
    late = log.event_us >= stop_us
    kept = ~late | (random.random(len(log)) < 0.7)
    shuffled = np.where(late, stop_us + random.integers(0, 10**9, len(log)), log.event_us)
    items = np.where(late, random.integers(0, log.n_items, len(log)), log.items).astype(np.int32)
    weights = np.where(late, random.normal(size=len(log)), log.weights)
    first_us = log.first_us.copy()
    later = first_us >= stop_us
    first_us[later] = np.sort(stop_us + random.integers(0, 10**9, later.sum()))
    starts = np.concatenate([[0], np.cumsum(kept)])[names.bucket_starts]
    other = EventLog(log.users[kept], shuffled[kept], items[kept], weights[kept], log.novel[kept], first_us)
    return other, EventNames(names.user_ids, names.text_hashes, starts)


@settings(max_examples=20)
@given(seed=st.integers(0, 1 << 30))
def test_whatever_happens_in_the_test_windows_what_tuning_gets_is_the_same(seed: int) -> None:
    log, names = index(events_table(random_rows(seed, n=200, n_users=8, n_texts=50)))
    times = np.sort(log.event_us)
    window = Window(int(times[100]), int(times[160]))
    sealed, other = (seal(*of, window) for of in ((log, names), perturbed(log, names, window.stop_us, seed)))
    assert (sealed.log.event_us < window.stop_us).all()
    for field in ("users", "event_us", "items", "weights", "novel", "first_us"):
        np.testing.assert_array_equal(getattr(sealed.log, field), getattr(other.log, field))
    np.testing.assert_array_equal(sealed.names.bucket_starts, other.names.bucket_starts)
    assert sealed.names.text_hashes.equals(other.names.text_hashes)
    assert fitting_window(sealed) == fitting_window(other)
    mine, theirs = (sample_tests(s, s.validation, max_events=12, seed=3) for s in (sealed, other))
    np.testing.assert_array_equal(mine.positions, theirs.positions)
    assert len(mine) <= 12
    for drawn in zip(
        sample_candidates(sealed.log, mine, seed=1), sample_candidates(other.log, theirs, seed=1), strict=True
    ):
        np.testing.assert_array_equal(*drawn)


def sealed_world() -> SealedLog:
    log, names = index(events_table(random_rows(7, n=400, n_users=8, n_texts=60)))
    times = np.sort(log.event_us)
    return seal(log, names, Window(int(times[200]), int(times[300])))


def test_the_fitting_stretch_ends_where_validation_begins() -> None:
    sealed = sealed_world()
    window = fitting_window(sealed)
    assert window.stop_us == sealed.validation.start_us
    inside = (sealed.log.event_us >= window.start_us) & (sealed.log.event_us < window.stop_us)
    judged = sealed.log.event_us >= sealed.validation.start_us
    assert judged.sum() <= inside.sum() <= judged.sum() + 20  # ties at the start are kept together
    nothing = SealedLog(sealed.log, sealed.names, Window(0, sealed.stop_us))
    assert fitting_window(nothing) == Window(0, 0)


def test_sampled_candidates_appeared_before_and_are_new_to_the_user() -> None:
    sealed = sealed_world()
    tests = sample_tests(sealed, sealed.validation, max_events=0, seed=0)
    items, barred = sample_candidates(sealed.log, tests, seed=0)
    assert len(tests) > 20
    np.testing.assert_array_equal(items[:, 0], tests.targets)
    assert not barred[:, 0].any()
    for row in range(len(tests)):
        allowed = items[row, 1:][~barred[row, 1:]]
        assert (allowed < tests.catalogue[row]).all()
        assert not np.isin(allowed, tests.excluded(sealed.log, row)).any()
        newest = np.arange(max(0, tests.catalogue[row] - N_RECENT), tests.catalogue[row])
        assert set(newest) - set(tests.excluded(sealed.log, row)) <= set(allowed)


def planted(truth: npt.NDArray, *, n: int = 400, m: int = 20, aged: bool = False, seed: int = 0) -> Fit:
    """Events whose target is drawn by softmax of 12 times the cosine with the profile that `truth` reads."""
    random = np.random.default_rng(seed)
    size, dim = BANK.size + 1, 16
    basis = random.normal(size=(n, size, dim))
    basis[:, -1] = 0  # no prior
    vectors = random.normal(size=(n, m, dim))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    profiles = np.einsum("k,nkd->nd", np.append(truth, 0), basis)
    profiles /= np.linalg.norm(profiles, axis=1, keepdims=True)
    scores = 12 * np.einsum("nmd,nd->nm", vectors, profiles)
    target = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
    rows = np.arange(n)
    vectors[rows, 0], vectors[rows, target] = vectors[rows, target].copy(), vectors[rows, 0].copy()
    products = np.einsum("nmd,nkd->nmk", vectors, basis).astype(np.float32)
    ages = -random.random((n, m)) if aged else None
    return Fit(products, basis @ basis.swapaxes(1, 2), ages, np.zeros((n, m), np.bool_))


def test_planted_coefficients_are_found() -> None:
    truth = np.array([0.6, 0.0, 0.3, 0.1])
    found = fit_curve(planted(truth), l2=1e-6, free=False, prior_weight=0.0, bank=BANK)
    np.testing.assert_allclose(found.coefficients, truth, atol=0.06)
    free = fit_curve(planted(np.array([0.9, -0.5, 0.1, 0.0])), l2=1e-6, free=True, prior_weight=0.0, bank=BANK)
    ratio = np.asarray(free.coefficients) / free.coefficients[0]
    np.testing.assert_allclose(ratio, np.array([0.9, -0.5, 0.1, 0.0]) / 0.9, atol=0.12)


@pytest.mark.parametrize("aged", [False, True])
def test_the_gradient_is_that_of_differences(aged: bool) -> None:
    data = planted(np.array([0.4, 0.3, 0.2, 0.1]), n=15, m=6, aged=aged)
    data = replace(data, products=data.products.astype(np.float64), barred=np.arange(6)[None] > [[4]] * 15)
    c, step = np.array([0.5, 0.2, -0.1, 0.3, 0.1]), 1e-4
    _, of_c, of_beta = _loss(data, c, 3.0)
    for k in range(4):
        move = step * np.eye(5)[k]
        by_difference = (_loss(data, c + move, 3.0)[0] - _loss(data, c - move, 3.0)[0]) / (2 * step)
        assert of_c[k] == pytest.approx(by_difference, abs=2e-3)
    by_beta = (_loss(data, c, 3.0 * np.exp(step))[0] - _loss(data, c, 3.0 * np.exp(-step))[0]) / (2 * step)
    assert of_beta == pytest.approx(by_beta, abs=2e-3)


def choice() -> Choice:
    return Choice(
        "f0",
        "plain",
        "c0",
        LearnedDecay.of((60.0, 3_600.0), (0.5, 0.25, 0.25)),
        "cosine_time",
        "1h",
        0.1,
        {"post": 1.0, "like": 0.5},
        LearnedDecay.of((60.0,), (0.5, 0.5)),
        {"value": 0.25},
    )


@pytest.mark.parametrize("decay", [Decay("static"), Decay("gaussian", "7d", "1h", 0.1), choice().decay])
def test_a_choice_is_what_was_written_in_the_same_bytes(tmp_path: Path, decay: Decay) -> None:
    workspace = Workspace(tmp_path)
    assert read_choice(workspace) is None
    written = replace(choice(), decay=decay)
    write_choice(workspace, written)
    first = (tmp_path / CHOICE).read_bytes()
    assert read_choice(workspace) == written
    write_choice(workspace, written)
    assert (tmp_path / CHOICE).read_bytes() == first


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"format_version": 99}', '{"format_version": 2, "decay": {}}'])
def test_a_file_that_is_no_choice_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / CHOICE).write_text(text)
    with pytest.raises(WorkspaceError, match=r"choice\.json: expected what .*--tune"):
        read_choice(Workspace(tmp_path))


@pytest.mark.parametrize(
    "wrong", [{"metric": "basic"}, {"item_half_life": None}, {"metric": "cosine"}, {"metric": "x"}]
)
def test_a_choice_of_a_similarity_that_is_none_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        replace(choice(), **wrong)


def test_the_grid_is_simplest_first_and_has_every_point_once() -> None:
    decays = list(Grid().decays())
    assert decays[0] == Decay("static")
    assert len(set(decays)) == len(decays) == 1 + 6 * 12 + 2 * 11
    assert len({decay_name(d) for d in decays}) == len(decays)
    assert Grid().similarities()[0] == Similarity("cosine")
