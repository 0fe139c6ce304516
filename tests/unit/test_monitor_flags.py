"""Which snapshots a monitor compares: only those whose profiles mean the same, and it says what it passed over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dynprof.bank import Bank
from dynprof.decay import Decay
from dynprof.drift.spec import MonitorSpec
from dynprof.errors import ConfigError
from dynprof.snapshot import DEFAULT_TYPE_WEIGHTS, SNAPSHOTS, SnapshotSpec
from dynprof.workspace import Workspace
from jobs.monitor_flags import make_parser, spec_from

DAY_US = 86_400_000_000
NOW = SnapshotSpec("f" * 16, 8, 9 * DAY_US, (Decay("exponential", "20d"),))
OTHERS = {
    "like": replace(NOW, type_weights={**DEFAULT_TYPE_WEIGHTS, "like": 0.3}),
    "prior weight 2.0 instead of 0.1": replace(NOW, prior_weight=2.0),
    "half-lives": replace(NOW, bank=Bank((60.0, 3_600.0))),
    "dim 16 instead of 8": replace(NOW, dim=16),
}


def days_before(spec: SnapshotSpec, days: int) -> SnapshotSpec:
    return replace(spec, as_of_us=NOW.as_of_us - days * DAY_US)


def ask(folder: Path, *earlier: SnapshotSpec, against: int | None = None) -> tuple[MonitorSpec, list[str], list[str]]:
    """The question with these snapshots there, its notes, and their names; `against`: place of the one asked for."""
    workspace, snapshots = Workspace(folder), [NOW, *earlier]
    for spec in snapshots:
        manifest = {**json.loads(json.dumps(spec.to_json())), "corpus_id": "c0", "created_at": "2026-01-01"}
        workspace.write_manifest(manifest, SNAPSHOTS, spec.name("c0"))
    names = [spec.name("c0") for spec in snapshots]
    flags = [] if against is None else ["--against", names[1 + against]]
    given = ["--workspace", workspace.uri, "--snapshot", names[0], *flags]
    return *spec_from(make_parser().parse_args(given), workspace), names[1:]


@pytest.mark.parametrize("said", OTHERS)
def test_profiles_that_mean_something_else_are_an_error_that_says_what(said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        ask(tmp_path, days_before(OTHERS[said], 1), against=0)
    assert "--against" in str(caught.value) and "jobs.build" in str(caught.value)


@pytest.mark.parametrize("said", OTHERS)
def test_without_a_wish_they_are_passed_over_and_the_report_says_so(said: str, tmp_path: Path) -> None:
    question, notes, names = ask(tmp_path, days_before(OTHERS[said], 1), days_before(NOW, 3))
    assert question.span is not None and question.span.against == names[1]
    assert len(notes) == 1 and f"Not compared with {names[0]}" in notes[0] and said in notes[0]


def test_where_no_snapshot_is_alike_there_is_no_comparison_and_two_notes(tmp_path: Path) -> None:
    question, notes, names = ask(tmp_path, *(days_before(s, i + 1) for i, s in enumerate(OTHERS.values())))
    assert question.span is None
    assert f"Not compared with {names[0]}" in notes[0] and "only finished snapshot" in notes[1] and len(notes) == 2


def test_a_weight_of_one_that_is_not_named_and_other_decays_mean_the_same(tmp_path: Path) -> None:
    alike = replace(NOW, type_weights={}, decays=(Decay("static"), Decay("gaussian", "7d")), activity=True)
    question, notes, names = ask(tmp_path, days_before(NOW, 2), days_before(alike, 1))
    assert question.span is not None and question.span.against == names[1] and notes == []
    assert ask(tmp_path, days_before(alike, 1), against=0)[1] == []
