"""The files of a model that its loader reads, their hashes, and whether they are the published ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from dynprof.encoders.catalog import published
from dynprof.encoders.identity import file_sha256
from dynprof.errors import InputFileError

__all__ = ["CONFIG_SUFFIXES", "NOT_READ", "check_published", "has_weights", "hash_files", "weight_files"]

# What sentence-transformers reads besides weights. Other formats (onnx, openvino) lie in folders that are not read.
CONFIG_SUFFIXES = frozenset({".json", ".txt", ".model", ".jinja"})
NOT_READ = frozenset({"data_config.json", "train_script.py", "requirements.txt"})


def weight_files(folder: Path) -> list[Path]:
    """Weights in a folder as the loader takes them: safetensors, else PyTorch's own format. Sorted, maybe none."""
    return sorted(folder.glob("*.safetensors")) or sorted(
        [*folder.glob("pytorch_model*.bin"), *folder.glob("adapter_model.bin")]
    )


def has_weights(folder: Path) -> bool:
    """Whether a model's first module has its weights: they lie in the folder, or below it in one named 0_*."""
    return any(weight_files(place) for place in (folder, *folder.glob("0_*")))


def hash_files(root: Path, folders: Iterable[str], *, with_code: bool) -> dict[str, str]:
    """SHA-256 of every file that the loader reads, by path relative to the root.

    Args:
        root: The model's folder.
        folders: The modules' folders relative to it; "" is the root itself. Missing ones hold nothing.
        with_code: Python files count too.
    """
    suffixes = CONFIG_SUFFIXES | ({".py"} if with_code else set())
    paths: set[Path] = set()
    for folder in {root, *(root / f for f in folders)}:
        paths.update(weight_files(folder))
        if folder.is_dir():
            paths.update(f for f in folder.iterdir() if f.suffix in suffixes and f.name not in NOT_READ)
    return {p.relative_to(root).as_posix(): file_sha256(p) for p in sorted(paths)}


def check_published(name: str, folder: Path, hashes: Mapping[str, str]) -> None:
    """Refuse weights under a catalog name that are not the published ones.

    Args:
        name: Of the encoder. Names that are not in the catalog promise nothing.
        folder: The model's.
        hashes: From `hash_files`.

    Raises:
        InputFileError: Other weights.
    """
    model = published(name)
    found = hashes.get("model.safetensors", "no such file")
    if model.weights_sha256 not in (None, found):
        raise InputFileError(
            f"{folder / 'model.safetensors'}: expected the published weights of {model.hub_id} (sha256 "
            f"{model.weights_sha256}), found {found}. Copy them again; for weights of your own, name their folder in "
            f"place of {name!r}."
        )
