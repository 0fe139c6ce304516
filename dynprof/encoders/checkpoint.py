"""Weights from disk into a sentence-transformers model: quietly, completely, each part in its precision."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from dynprof.encoders.architecture import Architecture
from dynprof.encoders.identity import EncoderIdentity
from dynprof.errors import InputFileError

if TYPE_CHECKING:
    import torch

__all__ = ["TransformerFiles", "load_around", "load_model", "precision_of"]

# A row of the table in which transformers 5 reports weights it made up. A pooler is never used: Pooling reads tokens.
MADE_UP = re.compile(r"^(?P<key>[^\s|]+) *\|.*\b(?:MISSING|MISMATCH)\b", re.MULTILINE)
UNUSED_PART = re.compile(r"(?:^|\.)pooler\.")


@dataclass(frozen=True)
class TransformerFiles:
    """A model on disk and what it is.

    Attributes:
        folder: All its files.
        architecture: What they say.
        identity: Fingerprint of all that.
        trust_remote_code: Python code of the model's repository may run.
        code_revision: Commit of the repository of that code, where it is another one.
    """

    folder: Path
    architecture: Architecture
    identity: EncoderIdentity
    trust_remote_code: bool = False
    code_revision: str | None = None


def load_model(files: TransformerFiles, device: torch.device) -> Any:
    """The model in memory, its transformer in the identity's precision and the rest in float32.

    Returns:
        A `SentenceTransformer` for inference.

    Raises:
        InputFileError: The files cannot be loaded, or lack weights that the model needs.
    """
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    # Only code of another repository may be fetched, and only at the commit that was named.
    code = {"code_revision": files.code_revision} if files.code_revision else {}
    with _reports() as reports:
        try:
            model = SentenceTransformer(
                str(files.folder),
                device=str(device),
                local_files_only=not code,
                trust_remote_code=files.trust_remote_code,
                model_kwargs=_Unpoppable(code, dtype=precision_of(files)),
                config_kwargs=code,
                processor_kwargs=code,
            )
        except (OSError, ValueError, KeyError, ImportError, SafetensorError, UnpicklingError) as error:
            raise InputFileError(
                f"{files.folder}: expected a model that sentence-transformers loads, found: {error}. Copy its files "
                "again; if it brings its own Python code, read it, then pass trust_remote_code=True and a revision."
            ) from error
        except RuntimeError:
            _refuse_made_up(files.folder, reports)  # weights of another shape
            raise
    _refuse_made_up(files.folder, reports)
    _restore_float32(model, files)
    return model.eval().requires_grad_(False)


def precision_of(files: TransformerFiles) -> torch.dtype:
    """What the transformer's numbers are."""
    import torch

    dtype: torch.dtype = getattr(torch, files.identity.identity["precision"])
    return dtype


def load_around(files: TransformerFiles, device: torch.device) -> tuple[Any, list[Any]]:
    """What stands around a transformer that is loaded otherwise: its tokenizer, and the modules after it in float32.

    Raises:
        InputFileError: They cannot be loaded.
    """
    from sentence_transformers.sentence_transformer import modules
    from transformers import AutoTokenizer

    settings = files.architecture
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(files.folder), local_files_only=True)
        rest = [
            getattr(modules, kind).load(str(files.folder), subfolder=place, local_files_only=True)
            for kind, place in zip(settings.modules[1:], settings.folders[1:], strict=True)
            if place or kind != "Pooling"
        ]
    except (OSError, ValueError, KeyError) as error:
        raise InputFileError(
            f"{files.folder}: expected a tokenizer and the modules of modules.json, found: {error}. Copy them again."
        ) from error
    bare = [] if settings.folders[1:2] != ("",) else [modules.Pooling(settings.dim, "mean")]
    return tokenizer, [each.to(device).float().eval().requires_grad_(False) for each in [*bare, *rest]]


class _Unpoppable(dict[str, Any]):
    """Arguments that stay. sentence-transformers 6.2 pops `code_revision` for itself before transformers reads it.

    Without it transformers would run the newest code of the other repository in place of the commit that was named.
    """

    def pop(self, key: str, default: Any = None) -> Any:
        """The value, which is not removed."""
        return self.get(key, default)


def _refuse_made_up(folder: Path, reports: list[str]) -> None:
    """Raise InputFileError for weights that were drawn at random because the files lack them.

    transformers only warns: the model would run, and give other vectors in every process.
    """
    keys = {match["key"] for report in reports for match in MADE_UP.finditer(report)}
    if missing := sorted(key for key in keys if not UNUSED_PART.search(key)):
        raise InputFileError(
            f"{folder}: expected weights for every part of the model, found none that fit for {', '.join(missing[:5])}"
            f"{' and others' if missing[5:] else ''}. Copy config.json and the weights again, from one source."
        )


def _restore_float32(model: Any, files: TransformerFiles) -> None:
    """Read the parts after the transformer again: sentence-transformers rounds them to the transformer's precision."""
    for position, folder in enumerate(files.architecture.folders):
        if position and any(True for _ in model[position].parameters()):
            exact = type(model[position]).load(str(files.folder), subfolder=folder, local_files_only=True)
            model[position].float().load_state_dict(exact.state_dict())


class _Collector(logging.Handler):
    """Keeps messages instead of printing them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self.messages.append(record.getMessage())


@contextmanager
def _reports() -> Iterator[list[str]]:
    """What transformers would print while it loads: no progress bar, and warnings into the list that is given."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    logger, collector = logging.getLogger("transformers"), _Collector()
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [collector], False
    logger.setLevel(logging.WARNING)
    try:
        yield collector.messages
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])
