"""What `serve run` builds: checked arguments, a resolved snapshot, a deployment that starts."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from ray import serve
from ray.serve._private.api import call_user_app_builder_with_args_if_necessary
from ray.serve.schema import ServeDeploySchema
from serving_world import World, make_world

from dynprof.errors import SnapshotNotFoundError, WorkspaceError
from dynprof.snapshot import SNAPSHOTS
from serve.app import build
from serve.config import ServeArgs

CONFIG = Path(__file__).parents[2] / "serve" / "serve.yaml"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("app"))


def built(**arguments: str) -> Any:
    """As `serve run serve.app:build name=value` does it: a dict of strings."""
    return call_user_app_builder_with_args_if_necessary(build, arguments)


def test_strings_of_a_command_line_become_the_options_of_the_deployment(world: World) -> None:
    app = built(workspace=world.workspace.uri, max_ongoing_requests="7", max_queued_requests="9", num_cpus="0.5")
    deployment = app._bound_deployment
    assert deployment.init_args == (world.workspace.uri, world.snapshot, 2048 << 20)
    assert (deployment.max_ongoing_requests, deployment.max_queued_requests) == (7, 9)
    assert deployment.backpressure_config.status_code == 429
    assert deployment.ray_actor_options["num_cpus"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "name"),
    [({}, "workspace"), ({"workspace": "x", "num_replica": "2"}, "num_replica"), ({"workspace": ""}, "workspace")],
)
def test_a_missing_or_unknown_argument_is_an_error_that_names_it(arguments: dict[str, str], name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        built(**arguments)


def test_a_missing_workspace_or_snapshot_is_an_error_before_anything_starts(world: World, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"workspace: expected the folder of a workspace, found nothing at .*gone"):
        built(workspace=str(tmp_path / "gone"))
    with pytest.raises(SnapshotNotFoundError, match="expected a finished snapshot, found none"):
        built(workspace=str(tmp_path))
    with pytest.raises(SnapshotNotFoundError, match=world.snapshot):
        built(workspace=world.workspace.uri, snapshot="nonesuch")


def test_an_unfinished_snapshot_is_not_served(tmp_path: Path) -> None:
    copy = make_world(tmp_path)
    copy.workspace.remove(SNAPSHOTS, copy.snapshot, "manifest.json")
    for name in ("latest", copy.snapshot):
        with pytest.raises(SnapshotNotFoundError, match="expected a finished snapshot, found none"):
            built(workspace=str(tmp_path), snapshot=name)


def test_the_application_starts_in_this_process(world: World) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Ray warns of while it starts is not ours to fix
        handle = serve.run(build(ServeArgs(workspace=world.workspace.uri)), _local_testing_mode=True)
    assert handle.deployment_name == "ProfileServer"


def test_the_config_file_is_one_that_serve_accepts_on_loopback_with_a_time_limit() -> None:
    config = ServeDeploySchema.model_validate(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))
    assert config.http_options.host == "127.0.0.1"
    assert config.http_options.request_timeout_s == 30
    (application,) = config.applications
    assert application.import_path == "serve.app:build"
    ServeArgs.model_validate(application.args)
