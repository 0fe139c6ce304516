"""What a monitor looks at depends on what is in the log and on the seed, not on how the log is cut or numbered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynprof.decay import Decay
from dynprof.drift import choice
from dynprof.drift.spec import MonitorSpec
from dynprof.lineage import present_corpus

from .evaluation_data import DAY_US, Row, events_table, random_rows, write_workspace

SPEC = MonitorSpec(
    "s", "c0", "f0", 5 * DAY_US, {}, 0.1, (Decay("exponential", "1d"),),
    users=9, items=8, min_interactions=3, topics=2, max_tests=25, test_share=0.6,
)  # fmt: skip
N_TOPIC_ITEMS = 12


@dataclass(frozen=True)
class Named:
    """A choice without numbers: ids, text hashes, and the user, time and text of each test in order."""

    users: list[str]
    items: list[bytes]
    topic_items: list[bytes]
    tests: list[tuple[str, int, bytes]]


@pytest.fixture(autouse=True)
def few_topic_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_TOPIC_SAMPLE", N_TOPIC_ITEMS)


def choose(folder: Path, rows: list[Row], n_buckets: int, **given_: int) -> Named:
    workspace = write_workspace(str(folder), events_table(rows), {}, n_buckets=n_buckets)
    found = choice.choose(workspace, present_corpus(workspace), replace(SPEC, **given_))  # type: ignore[arg-type]
    ids, hashes = found.names.user_ids.to_pylist(), found.names.text_hashes.to_pylist()
    tests = zip(found.tests.users.tolist(), found.tests.event_us.tolist(), found.tests.targets.tolist(), strict=True)
    return Named(
        users=[ids[u] for u in found.users],
        items=[hashes[i] for i in found.items],
        topic_items=[hashes[i] for i in found.topic_items],
        tests=[(ids[user], at_us, hashes[item]) for user, at_us, item in tests],
    )


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.integers(0, 2**32), seed=st.integers(0, 3), n_buckets=st.integers(2, 7))
def test_how_users_are_cut_into_buckets_changes_no_sample(
    tmp_path_factory: pytest.TempPathFactory, data: int, seed: int, n_buckets: int
) -> None:
    rows = random_rows(data, n=300, n_users=20, n_texts=60)
    one, several = (choose(tmp_path_factory.mktemp("ws"), rows, n, seed=seed) for n in (1, n_buckets))
    assert one == several
    sizes = (len(one.users), len(one.items), len(one.topic_items), len(one.tests))
    assert sizes == (SPEC.users, SPEC.items, N_TOPIC_ITEMS, SPEC.max_tests)


def test_ids_of_events_and_the_order_of_rows_change_no_sample(tmp_path: Path) -> None:
    rows = random_rows(5, n=300, n_users=20, n_texts=60)
    other = [(f"x{(37 * i) % 300:03d}", *row[1:]) for i, row in enumerate(rows)][::-1]
    assert choose(tmp_path / "a", rows, 3) == choose(tmp_path / "b", other, 3)


def test_a_text_that_comes_along_takes_at_most_one_place_of_each_sample(tmp_path: Path) -> None:
    rows = random_rows(6, n=300, n_users=20, n_texts=60)
    early = [(f"new{i}", f"u{i}", i + 1, "a new text") for i in range(4)]  # it shifts the numbers of nearly all others
    before, after = choose(tmp_path / "a", rows, 2), choose(tmp_path / "b", [*rows, *early], 2)
    assert len(set(before.items) - set(after.items)) <= 1
    assert len(set(before.topic_items) - set(after.topic_items)) <= 1
    assert before.users == after.users


def test_another_seed_draws_other_samples_and_none_asked_for_is_none(tmp_path: Path) -> None:
    rows = random_rows(7, n=300, n_users=20, n_texts=60)
    a, b = (choose(tmp_path / str(seed), rows, 2, seed=seed) for seed in (0, 1))
    assert all(getattr(a, name) != getattr(b, name) for name in vars(a))
    none = choose(tmp_path / "none", rows, 2, items=0, topics=0, max_tests=0)
    assert (none.users, none.items, none.topic_items, none.tests) == (a.users, [], [], [])
