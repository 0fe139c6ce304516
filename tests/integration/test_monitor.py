"""The monitor's whole way: two snapshots of a generated world, report, second run, resumed run, bad input."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dynprof.errors import ConfigError, FingerprintError, SnapshotNotFoundError, WorkspaceError
from dynprof.evaluation.storage import REPORTS
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world
from jobs import build, monitor, monitor_passes, pipeline
from jobs.command import deliberate
from jobs.monitor import exit_code
from jobs.stages import parts_of

pytestmark = pytest.mark.usefixtures("ray_session")

QUIET = ["--replays", "5", "--log-level", "ERROR"]
FLAGS = ["--users", "40", "--items", "30", "--max-tests", "60", "--min-interactions", "3", "--topics", "6", *QUIET]
POPULATION = ["--users", "40", "--items", "0", "--max-tests", "0", "--topics", "0", *QUIET]
DECAYS = ["--decays", "exponential", "--half-life", "20d", "--log-level", "ERROR"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Snapshots as of day 60 and of the end, day 90."""
    world, workspace = tmp_path_factory.mktemp("world"), tmp_path_factory.mktemp("ws")
    write_world(WorldSpec(n_users=50, n_events=2_400, seed=3, days=90, languages=("en",)), Workspace(world))
    files = [a for t in ("events", "users", "items") for a in (f"--{t}", f"{world}/{t}*")]
    more = ["--encoder", "hashing:32", "--shard-texts", "900", "--buckets", "2", "--no-evaluate", *DECAYS]
    pipeline.main([*files, "--workspace", str(workspace), *more])
    build.main(["--workspace", str(workspace), "--as-of", "2024-03-01", *DECAYS])
    return Workspace(workspace)


@pytest.fixture(scope="module")
def first(built: Workspace) -> dict[str, Any]:
    return monitor.main(["--workspace", built.uri, *FLAGS])


def tables(workspace: Workspace, name: str) -> dict[str, pa.Table]:
    folder = Path(workspace.path(REPORTS, name))
    return {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}


def document(workspace: Workspace, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(workspace.path(REPORTS, name, "report.json")).read_text())
    return found


def test_the_report_has_every_subject_and_the_summary_says_the_alarms(built: Workspace, first: dict[str, Any]) -> None:
    found, told = tables(built, first["report"]), document(built, first["report"])
    assert (
        set(found)
        == set(told["tables"])
        >= {"curve", "entities", "maturity", "norms", "staleness", "cost", "population"}
    )
    assert {name: len(t) for name, t in found.items()} == told["tables"]
    assert all(
        len(found[n]) for n in ("curve", "maturity", "norms", "staleness", "cost", "spearman", "popularity", "drift")
    )
    kinds = set(zip(*(found["staleness"][c].to_pylist() for c in ("kind", "decay", "schedule")), strict=True))
    schedules = ("interaction", "hour", "day", "week")
    assert kinds == {(k, d, s) for k in ("user", "item") for d in ("exponential 20d", "static") for s in schedules}
    assert first["alarms"] == [v["measure"] for v in told["population"] if v["value"] > v["limit"]]
    assert exit_code(first) == int(bool(first["alarms"]))
    assert any("No engagement" in note for note in told["notes"]) and told["engagement"] is None
    json.dumps(first, allow_nan=False)


def test_real_time_serves_nothing_stale_and_a_week_more_than_an_hour(built: Workspace, first: dict[str, Any]) -> None:
    told = document(built, first["report"])
    stale = {
        r["schedule"]: r["mean"] for r in told["staleness"] if (r["kind"], r["decay"]) == ("user", "exponential 20d")
    }
    assert stale["interaction"] == 0 < stale["hour"] < stale["day"] < stale["week"]
    mature = {
        r["schedule"]: r["median"]
        for r in told["maturity"]
        if (r["kind"], r["decay"], r["alpha"]) == ("user", "exponential 20d", 0.1)
    }
    assert mature["interaction"] <= mature["hour"] <= mature["week"]
    cost = {(r["schedule"], r["metric"]): r for r in told["cost"]}
    assert len(cost) == 8 and cost["interaction", "ndcg@10"]["minus_real_time"] == 0
    assert max(r["norm"] for r in told["norms"]) <= 1 + 1e-6


def test_the_gauges_are_prometheus_text(built: Workspace, first: dict[str, Any]) -> None:
    text = Path(built.path(REPORTS, first["report"], "metrics.prom")).read_text()
    families = {f.name: f for f in text_string_to_metric_families(text)}
    drift = {s.labels["measure"]: s.value for s in families["dynprof_monitor_drift"].samples}
    assert drift == {name: pytest.approx(v["value"]) for name, v in first["drift"].items()}


def test_a_second_run_does_nothing_and_a_killed_one_goes_on_to_the_same_tables(
    built: Workspace, first: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert monitor.main(["--workspace", built.uri, *FLAGS])["done_before"]
    again = Workspace(tmp_path / "ws")
    shutil.copytree(built.path(), again.path(), copy_function=lambda a, b: Path(b).hardlink_to(a))
    shutil.rmtree(again.path(REPORTS, first["report"]))
    with monkeypatch.context() as patch:
        patch.setattr(monitor, "make_report", _killed)
        with pytest.raises(KeyboardInterrupt):
            monitor.main(["--workspace", again.uri, *FLAGS])
    parts = Path(again.path(REPORTS, first["report"], "parts"))
    (parts / "counts-00000.parquet").unlink()
    asked: list[Any] = []
    monkeypatch.setattr(monitor_passes, "parts_of", lambda todo: asked.append(todo) or parts_of(todo))
    second = monitor.main(["--workspace", again.uri, *FLAGS])
    assert asked[0] == [0] and len(asked) <= 2  # one shard, and the posts behind sudden topics; no bucket, no item
    assert second["drift"] == first["drift"]
    ours, theirs = tables(again, second["report"]), tables(built, first["report"])
    assert ours.keys() == theirs.keys()
    assert all(str(ours[name].to_pydict()) == str(theirs[name].to_pydict()) for name in ours)  # NaN equals NaN here
    assert not parts.exists()


def test_a_threshold_of_ones_own_raises_the_alarm_and_the_exit_code(built: Workspace) -> None:
    flags = ["--workspace", built.uri, *POPULATION, "--threshold", "turn=0", "--threshold", "auc=1"]
    command = [sys.executable, "-m", "jobs.monitor", *flags, "--page"]
    summary = monitor.main(flags)
    assert "turn" in summary["alarms"] and "auc" not in summary["alarms"] and exit_code(summary) == 1
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr[-2_000:]
    assert json.loads(done.stdout.splitlines()[-1])["done_before"] is True
    assert "Above its limit: turn" in Path(built.path(REPORTS, f"{summary['report']}.html")).read_text()
    assert Path(built.path(REPORTS, summary["report"], "population-plot.png")).stat().st_size > 1_000


def test_one_snapshot_alone_is_said_to_be_alone(built: Workspace) -> None:
    earlier = min(built.folders("profiles"))
    summary = monitor.main(["--workspace", built.uri, *POPULATION, "--snapshot", earlier])
    assert summary["alarms"] == [] and summary["against"] is None
    assert any("only finished snapshot" in note for note in document(built, summary["report"])["notes"])


@pytest.fixture
def copy(built: Workspace, tmp_path: Path) -> Workspace:
    """A workspace whose manifests may be changed."""
    shutil.copytree(built.path("profiles"), tmp_path / "profiles")
    for folder in ("corpus", "embeddings"):
        (tmp_path / folder).symlink_to(built.path(folder))
    return Workspace(tmp_path)


def _of_another_encoder(manifest: dict[str, Any]) -> None:
    manifest["fingerprint"] = "0" * 16


def _before_any_event(manifest: dict[str, Any]) -> None:
    manifest["as_of_us"] = 0


@pytest.mark.parametrize(
    ("change", "flags", "kind", "said"),
    [
        (_of_another_encoder, ["--against", "{first}"], FingerprintError, "two encoders"),
        (None, ["--snapshot", "{first}", "--against", "{last}"], ConfigError, "a time before"),
        (None, ["--against", "nobody"], SnapshotNotFoundError, "nobody"),
        (_before_any_event, ["--snapshot", "{first}"], WorkspaceError, "nothing to monitor"),
        (None, ["--alphas", "near"], ConfigError, "--alphas"),
    ],
)
def test_bad_input_is_one_clear_error(
    copy: Workspace, change: Callable[[dict[str, Any]], None] | None, flags: list[str], kind: type[Exception], said: str
) -> None:
    snapshots = copy.folders("profiles")
    if change:
        path = Path(copy.path("profiles", snapshots[0], "manifest.json"))
        manifest = json.loads(path.read_text())
        change(manifest)
        path.write_text(json.dumps(manifest))
    named = [f.format(first=snapshots[0], last=snapshots[-1]) for f in flags]
    with pytest.raises(Exception, match=said) as caught:
        monitor.main(["--workspace", copy.uri, *FLAGS, *named])
    assert isinstance(deliberate(caught.value), kind)


def _killed(*_: object, **__: object) -> Any:
    raise KeyboardInterrupt
