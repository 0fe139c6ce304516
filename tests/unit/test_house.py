"""The rules of the house that neither ruff nor mypy knows: imports, sizes, the README's tree, links, pins."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).parents[2]
PACKAGES = ("dynprof", "jobs", "serve")
FORBIDDEN = {
    "dynprof": {"ray", "fastapi", "starlette", "jobs", "serve"},
    "jobs": {"serve"},
    "serve": {"jobs"},
}
MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 55


def module_name(path: Path) -> str:
    """dynprof/encoders/load.py -> dynprof.encoders.load; a package's __init__.py -> the package."""
    parts = path.relative_to(REPO).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for package in PACKAGES for path in sorted((REPO / package).rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def imported_names(module: str) -> set[str]:
    """Dotted names that a module imports anywhere in it, in functions and under TYPE_CHECKING too."""
    names: set[str] = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: write the import in full, not relative"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def modules_imported_by(module: str) -> set[str]:
    """Our own modules among the imports: `from a.b import c` is a.b.c where that is a module, else a.b."""
    found = set()
    for name in imported_names(module):
        if name in SOURCES:
            found.add(name)
        elif (parent := name.rpartition(".")[0]) in SOURCES:
            found.add(parent)
    return found - {module}


def git_files() -> list[str]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout: which files belong to the project is not known")
    return listing.stdout.rstrip("\0").split("\0")


def readme_tree() -> list[tuple[str, str]]:
    """(path, what it is) of each line of the README's tree; a level is two spaces."""
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^## The file tree\n.*?^```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert block, "README.md: expected a ```text block below the heading '## The file tree'"
    above: list[str] = []
    entries = []
    for line in block[1].splitlines():
        match = re.fullmatch(r"((?:  )*)(\S+)(?:\s{2,}(\S.*))?", line)
        assert match, f"README.md: expected 'name  what it is', indented by two spaces a level, found {line!r}"
        level = len(match[1]) // 2
        assert level <= len(above), f"README.md: {line!r} is indented below nothing"
        above = [*above[:level], match[2].rstrip("/")]
        entries.append(("/".join(above) + ("/" if match[2].endswith("/") else ""), match[3] or ""))
    return entries


def pins() -> dict[str, str]:
    lines = (REPO / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    versions = {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in requirements}
    assert len(versions) == len(requirements), "constraints.txt pins something twice"
    return versions


def declared_requirements() -> list[Requirement]:
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    return [Requirement(text) for text in [*project["dependencies"], *(text for extra in extras for text in extra)]]


def is_installed(requirement: Requirement) -> bool:
    """What only benchmarks compare with need not be there; what the rest needs, `make install` has installed."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if str(requirement) not in map(str, map(Requirement, project["optional-dependencies"]["bench"])):
        return True
    return any(metadata.distributions(name=requirement.name))


def installed_closure(requirements: list[Requirement]) -> set[str]:
    """Distributions that the requirements need in this environment, directly or through others."""
    todo = [(canonicalize_name(r.name), frozenset(r.extras)) for r in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        name, extras = node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        for text in metadata.distribution(name).requires or []:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras | {""}):
                todo.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    return {name for name, _ in seen}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    for module in SOURCES:
        if module.split(".")[0] == package:
            found = {name.split(".")[0] for name in imported_names(module)} & FORBIDDEN[package]
            assert not found, f"{module} imports {sorted(found)}, which {package} must not know"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_modules_of_a_package_import_in_one_direction(package: str) -> None:
    graph = {module: modules_imported_by(module) for module in SOURCES if module.split(".")[0] == package}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' <- '.join(error.args[1])}")


def test_importing_the_library_loads_neither_ray_nor_fastapi() -> None:
    library = sorted(m for m in SOURCES if m.split(".")[0] == "dynprof" and not m.endswith("__main__"))
    code = f"import sys, {', '.join(library)}; print(*sorted({{'ray', 'fastapi'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("module", SOURCES)
def test_a_file_is_one_idea(module: str) -> None:
    n_lines = len(SOURCES[module].read_text(encoding="utf-8").splitlines())
    assert n_lines <= MOST_LINES_OF_A_FILE, f"{module} has {n_lines} lines: it is more than one idea"


@pytest.mark.parametrize("module", SOURCES)
def test_a_function_fits_on_a_screen(module: str) -> None:
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            n_lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert n_lines <= MOST_LINES_OF_A_FUNCTION, f"{module}:{node.lineno}: {node.name} has {n_lines} lines"


def test_readme_tree_names_what_exists_and_says_what_it_is() -> None:
    for path, what in readme_tree():
        assert (REPO / path).exists(), f"README.md: {path} does not exist"
        assert (REPO / path).is_dir() == path.endswith("/"), f"README.md: only a folder ends in /, found {path}"
        assert what, f"README.md: {path} has no description"


def test_readme_tree_names_nothing_twice() -> None:
    paths = [path for path, _ in readme_tree()]
    assert len(paths) == len(set(paths))


def test_readme_tree_has_every_entry_of_the_root() -> None:
    tracked = {path.split("/")[0] + ("/" if "/" in path else "") for path in git_files()}
    missing = tracked - {path for path, _ in readme_tree()}
    assert not missing, f"README.md: the file tree lacks {sorted(missing)}"


def test_links_between_pages_lead_somewhere() -> None:
    pages = [REPO / path for path in git_files() if path.endswith(".md")]
    for page in pages:
        text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)", text):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), f"{page.relative_to(REPO)} links to {target}"


def test_constraints_pin_every_declared_dependency_to_a_version_that_it_allows() -> None:
    versions = pins()
    for requirement in declared_requirements():
        version = versions.get(canonicalize_name(requirement.name))
        assert version, f"constraints.txt does not pin {requirement.name}"
        assert requirement.specifier.contains(version), f"{requirement} does not allow {version}"


def test_constraints_pin_what_dependencies_need_and_it_is_what_is_installed() -> None:
    versions = pins()
    for name in sorted(installed_closure([r for r in declared_requirements() if is_installed(r)])):
        assert name in versions, f"constraints.txt does not pin {name}"
        installed = metadata.version(name).split("+")[0]  # torch's CPU build is 2.13.0+cpu
        assert installed == versions[name], f"{name} {installed} is installed, constraints.txt says {versions[name]}"


def test_constraints_are_sorted_and_exact() -> None:
    lines = (REPO / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split("==")[0].lower() for line in lines if line and not line.startswith("#")]
    assert all(before < after for before, after in pairwise(names))
    assert all("==" in line for line in lines if line and not line.startswith("#"))
