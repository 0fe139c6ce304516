"""What the manifests and the operations page tell a cluster to run: commands, environment, Serve configuration."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.runtime_env import RuntimeEnv
from ray.serve.schema import ServeDeploySchema

from serve.config import ServeArgs
from tests.unit.manifests import REPO, manifest

PAGE = (REPO / "docs" / "operations.md").read_text(encoding="utf-8")
RUNTIME_ENV = yaml.safe_load((REPO / "runtime_env.yaml").read_text(encoding="utf-8"))
SERVE = yaml.safe_load((REPO / "serve" / "serve.yaml").read_text(encoding="utf-8"))
IN_CLUSTER = yaml.safe_load(manifest("RayService")["spec"]["serveConfigV2"])


class Parsed(Exception):  # noqa: N818 - it stops a job where its flags are known
    """What a job understood."""

    def __init__(self, flags: argparse.Namespace) -> None:
        self.flags = flags


def understood(command: str, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """What the job's own parser makes of `python -m jobs.verb ...`; nothing is run."""
    words = shlex.split(command)
    at = words.index("-m")
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, argv: Any = None, namespace: Any = None) -> Any:
        raise Parsed(parse(parser, argv, namespace))

    with monkeypatch.context() as patched:
        patched.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
        with pytest.raises(Parsed) as stopped:
            importlib.import_module(words[at + 1]).main(words[at + 2 :])
    return stopped.value.flags


def commands_on_the_page() -> list[str]:
    """Every `python -m jobs...` with flags: of indented blocks, continued lines joined, and within the text."""
    blocks = re.sub(r"\\\n\s+", "", "\n".join(line for line in PAGE.splitlines() if line.startswith("    ")))
    within_lines = re.findall(r"`(python -m jobs\.\w+ --[^`]*)`", PAGE)
    return re.findall(r"python -m jobs\.\w+ [^\n#]*", blocks) + within_lines


def test_the_entrypoint_of_the_job_is_a_command_that_its_parser_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = understood(manifest("RayJob")["spec"]["entrypoint"], monkeypatch)
    assert flags.workspace.startswith("s3://")
    assert flags.no_evaluate


def test_a_misspelt_flag_in_an_entrypoint_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        understood("python -m jobs.pipeline --events x --workspace y --encode-actor 4 --devise cuda", monkeypatch)


def test_as_many_gpus_are_asked_for_as_the_group_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = manifest("RayJob")["spec"]
    flags = understood(spec["entrypoint"], monkeypatch)
    (group,) = [g for g in spec["rayClusterSpec"]["workerGroupSpecs"] if g["groupName"] == "gpu"]
    assert (flags.device, flags.encode_actors) == ("cuda", group["maxReplicas"])
    assert flags.precision != "auto"  # the driver has no GPU: it would choose for a processor


@pytest.mark.parametrize("command", commands_on_the_page())
def test_commands_on_the_operations_page_parse(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    understood(command, monkeypatch)


def test_the_page_shows_commands() -> None:
    assert len(commands_on_the_page()) >= 4


def test_the_runtime_environment_is_one_that_ray_takes() -> None:
    parsed = RuntimeEnv(**RUNTIME_ENV)
    assert parsed["env_vars"] == RUNTIME_ENV["env_vars"]
    assert set(RUNTIME_ENV) <= RuntimeEnv.known_fields


def test_a_variable_that_is_no_text_would_be_noticed() -> None:
    with pytest.raises(TypeError):
        RuntimeEnv(env_vars={"HF_HUB_OFFLINE": 1})


def test_no_model_is_downloaded_and_nothing_installed_by_a_job() -> None:
    assert RUNTIME_ENV["env_vars"]["HF_HUB_OFFLINE"] == "1"
    assert not {"pip", "uv", "conda", "working_dir"} & set(RUNTIME_ENV)


def test_a_package_for_one_job_as_the_page_shows_it_is_installed_with_the_constraints() -> None:
    (shown,) = re.findall(r"--runtime-env-json '(\{.*\})'", PAGE)
    pip = RuntimeEnv(**yaml.safe_load(shown))["pip"]["packages"]
    assert pip[0] == "-c ${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/constraints.txt"


def test_what_jobs_need_is_carried_and_nothing_that_exists_not_is_excluded() -> None:
    excluded = {pattern.strip("/") for pattern in RUNTIME_ENV["excludes"]}
    assert not excluded & {"dynprof", "jobs", "constraints.txt", "pyproject.toml"}
    assert excluded - {".git", "data"} == {name for name in excluded if (REPO / name).is_dir()} - {".git", "data"}


def test_job_and_service_run_in_that_environment() -> None:
    assert yaml.safe_load(manifest("RayJob")["spec"]["runtimeEnvYAML"]) == RUNTIME_ENV
    assert IN_CLUSTER["applications"][0]["runtime_env"]["env_vars"] == RUNTIME_ENV["env_vars"]


@pytest.mark.parametrize("config", [SERVE, IN_CLUSTER], ids=["serve.yaml", "rayservice.yaml"])
def test_the_configuration_of_serve_fits_its_schema_and_the_application(
    config: dict[str, Any],
) -> None:
    deployed = ServeDeploySchema.model_validate(config)
    (application,) = deployed.applications
    module, _, name = application.import_path.partition(":")
    assert callable(getattr(importlib.import_module(module), name))
    ServeArgs.model_validate(application.args)


def test_the_service_differs_from_serve_yaml_only_where_it_says() -> None:
    here, there = ({**c, "applications": c["applications"][0]} for c in (SERVE, IN_CLUSTER))
    assert there["http_options"] == {**here["http_options"], "host": "0.0.0.0"}  # noqa: S104 - within its network policy
    assert there["proxy_location"] == here["proxy_location"]
    assert {k: v for k, v in there["applications"].items() if k not in ("args", "runtime_env")} == {
        k: v for k, v in here["applications"].items() if k != "args"
    }
    assert set(there["applications"]["args"]) == {"workspace", "num_replicas", "num_cpus"}


def test_a_pod_of_the_service_has_room_for_its_replica() -> None:
    spec = manifest("RayService")["spec"]["rayClusterConfig"]
    (group,) = spec["workerGroupSpecs"]
    cpus = int(group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])
    args = IN_CLUSTER["applications"][0]["args"]
    assert cpus / 2 < args["num_cpus"] <= cpus
    assert args["num_replicas"] == group["minReplicas"]


def test_the_same_working_directory_and_environment_are_submitted_everywhere() -> None:
    submitted = re.findall(r"ray job submit[^\n]*(?:\\\n[^\n]*)*", PAGE)
    assert len([s for s in submitted if "--runtime-env runtime_env.yaml" in s and "--working-dir ." in s]) >= 1
    assert Path(REPO / "runtime_env.yaml").is_file()
