"""What a snapshot means: kept exactly in its manifest, told apart by its name, parsed from flags or refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.bank import Bank
from dynprof.decay import DECAY_KINDS, PROFILE_KINDS, Decay
from dynprof.duration import format_duration
from dynprof.errors import ConfigError, SnapshotNotFoundError, WorkspaceError
from dynprof.keys import bucket_name
from dynprof.snapshot import (
    DEFAULT_TYPE_WEIGHTS,
    SNAPSHOTS,
    SnapshotSpec,
    format_time_us,
    latest_snapshot,
    parse_decays,
    parse_time_us,
    parse_type_weights,
    read_spec,
)
from dynprof.workspace import Workspace

SPEC = SnapshotSpec("minilm-1a2b", 384, 1_527_811_200_000_000, parse_decays("all", "30d"))
FIRST_US, LAST_US = (
    int((t - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000
    for t in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
)

decays = st.builds(
    Decay,
    st.sampled_from(DECAY_KINDS),
    st.floats(1, 1e9).map(format_duration),
    offset=st.floats(0, 1e7).map(format_duration),
    floor=st.floats(0, 1),
    power=st.floats(0.1, 5),
)
specs = st.builds(
    SnapshotSpec,
    st.text(max_size=5),
    st.integers(1, 1024),
    st.integers(FIRST_US, LAST_US),
    st.lists(decays, max_size=3).map(tuple),
    st.dictionaries(st.text(max_size=3), st.floats(-5, 5), max_size=3),
    st.floats(0, 10),
    st.booleans(),
    st.lists(st.floats(1, 1e9), min_size=1, max_size=4, unique=True).map(lambda h: Bank(tuple(sorted(h)))),
)


@settings(max_examples=60)
@given(spec=specs)
def test_a_spec_through_json_text_and_back_is_the_same(spec):
    stored = json.loads(json.dumps({**spec.to_json(), "n_users": 7, "created_at": "now"}))
    assert SnapshotSpec.from_json(stored) == spec
    assert SnapshotSpec.from_json(stored).name("c") == spec.name("c")


OTHER = {
    "fingerprint": "mpnet-1a2b",
    "dim": 383,
    "as_of_us": SPEC.as_of_us + 1,
    "decays": SPEC.decays[::-1],
    "type_weights": {**DEFAULT_TYPE_WEIGHTS, "like": 0.5},
    "prior_weight": 0.2,
    "activity": True,
    "bank": Bank((1.0, 2.0)),
}


def test_the_name_changes_with_every_field_and_with_the_corpus():
    assert set(OTHER) == {f.name for f in fields(SnapshotSpec)}
    names = [replace(SPEC, **{field: value}).name("c") for field, value in OTHER.items()]
    changed = (Decay("exponential", "31d"), Decay("exponential", "30d", offset="1d"), Decay("hyperbolic", power=3))
    names += [replace(SPEC, decays=(decay, *SPEC.decays[1:])).name("c") for decay in changed]
    assert len({SPEC.name("c"), SPEC.name("d"), *names}) == len(names) + 2


def test_the_name_begins_with_the_time_so_that_names_sort_by_it():
    assert SPEC.name("c").startswith("20180601T000000Z-")
    assert replace(SPEC, as_of_us=SPEC.as_of_us - 1).name("c").startswith("20180531T235959Z-")


def test_the_order_in_which_type_weights_were_given_is_no_part_of_the_meaning():
    backwards = dict(reversed(DEFAULT_TYPE_WEIGHTS.items()))
    assert replace(SPEC, type_weights=backwards).name("c") == SPEC.name("c")


def test_file_names_sort_by_bucket():
    assert [bucket_name(7), bucket_name(12, "arrow")] == ["bucket-00007.parquet", "bucket-00012.arrow"]


@given(st.integers(FIRST_US, LAST_US))
def test_formatting_a_time_and_parsing_it_is_the_identity(at_us):
    assert parse_time_us(format_time_us(at_us)) == at_us


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("2018-06-01T00:00:00Z", 1_527_811_200_000_000),
        ("2018-06-01", 1_527_811_200_000_000),
        ("2018-06-01 00:00:00.000001", 1_527_811_200_000_001),
        ("2018-06-01T02:00:00+02:00", 1_527_811_200_000_000),
        ("1969-12-31T23:59:59.999999Z", -1),
    ],
)
def test_a_time_without_a_zone_is_utc_and_one_with_a_zone_is_moved(text, at_us):
    assert parse_time_us(text) == at_us


@pytest.mark.parametrize("text", ["", "yesterday", "2018-13-01", "1527811200", None, "2018-06-01T25:00"])
def test_what_is_no_time_is_refused_by_the_name_of_its_flag(text):
    with pytest.raises(ConfigError, match=r"^--as-of: expected a time such as 2018-06-01T00:00:00Z"):
        parse_time_us(text, name="--as-of")


def test_all_decays_are_the_six_and_the_control_at_one_half_life():
    assert [d.kind for d in parse_decays("all", "7d")] == list(PROFILE_KINDS)
    assert {d.half_life for d in parse_decays("all", "7d")} == {"7d", None}
    assert parse_decays(" gaussian , static", "1w") == (Decay("gaussian", "7d"), Decay("static"))
    assert parse_decays(["linear"], "1d") == (Decay("linear", "1d"),)


@pytest.mark.parametrize("kinds", ["", "gauss", "gaussian,", "gaussian,gaussian", "all,static", [], "static,static"])
def test_unknown_repeated_or_no_decays_are_refused(kinds):
    with pytest.raises(ConfigError, match=r"kind|decays"):
        parse_decays(kinds, "30d")


@pytest.mark.parametrize("half_life", ["30", "0d", "-1d"])
def test_a_half_life_that_means_nothing_is_refused(half_life):
    with pytest.raises(ConfigError, match="half_life"):
        parse_decays("all", half_life)


def test_type_weights_stand_over_the_defaults():
    assert parse_type_weights(None) == parse_type_weights("") == parse_type_weights(" , ") == DEFAULT_TYPE_WEIGHTS
    weights = parse_type_weights("LIKE=0.5, dislike = -1,seen=0")
    assert weights == {**DEFAULT_TYPE_WEIGHTS, "like": 0.5, "dislike": -1.0, "seen": 0.0}
    assert DEFAULT_TYPE_WEIGHTS["like"] == 1.0


@pytest.mark.parametrize("text", ["like", "like=", "=1", "like=much", "like=nan", "like=-inf", "like=1=2", "0.5"])
def test_a_type_weight_that_is_none_is_refused_and_quoted(text):
    with pytest.raises(ConfigError, match=f"found '{text}'"):
        parse_type_weights(f"post=1,{text}")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path)


def finish(workspace: Workspace, name: str, as_of_us: int, created_at: str) -> None:
    manifest = {**replace(SPEC, as_of_us=as_of_us).to_json(), "created_at": created_at}
    workspace.write_manifest(manifest, SNAPSHOTS, name)


def leave_unfinished(workspace: Workspace, name: str) -> None:
    with workspace.create(SNAPSHOTS, name, "states", bucket_name(0, "arrow")):
        pass


def test_the_latest_snapshot_is_that_of_the_latest_time_and_of_several_the_one_built_last(workspace):
    finish(workspace, "c", 5, "2024-01-01T00:00:09+00:00")
    finish(workspace, "b", 7, "2024-01-01T00:00:01+00:00")
    finish(workspace, "a", 7, "2024-01-01T00:00:01.5+00:00")
    leave_unfinished(workspace, "z")
    assert latest_snapshot(workspace) == "a"


def test_an_unfinished_snapshot_is_none(workspace):
    leave_unfinished(workspace, "z")
    with pytest.raises(SnapshotNotFoundError, match=r"jobs\.build"):
        latest_snapshot(workspace)
    with pytest.raises(SnapshotNotFoundError, match="Finished ones: none"):
        read_spec(workspace, "z")


def test_a_snapshot_tells_what_it_means_and_an_unknown_one_names_those_that_are_there(workspace):
    finish(workspace, "a", SPEC.as_of_us, "2024")
    leave_unfinished(workspace, "z")
    spec, manifest = read_spec(workspace, "a")
    assert spec == SPEC
    assert manifest["created_at"] == "2024"
    with pytest.raises(SnapshotNotFoundError, match=r"profiles/b: .*Finished ones: a\."):
        read_spec(workspace, "b")


def test_a_snapshot_of_another_format_is_refused(workspace):
    workspace.write_manifest({"format_version": 99}, SNAPSHOTS, "a")
    with pytest.raises(WorkspaceError, match="format version"):
        read_spec(workspace, "a")
