"""From a transformer's name to its files, what they say, and the fingerprint of that."""

from __future__ import annotations

import re
from typing import Any

from dynprof.encoders.architecture import Architecture, read_architecture
from dynprof.encoders.checkpoint import TransformerFiles
from dynprof.encoders.identity import EncoderIdentity
from dynprof.encoders.jina import is_jina
from dynprof.encoders.model_files import check_published, hash_files
from dynprof.encoders.weights import ModelFolder, find_model
from dynprof.errors import ConfigError
from dynprof.text import TEXT_PREPARATION

__all__ = ["find_checked", "transformer_files"]

COMPUTATION = "dynprof-transformer/1"
"""Changes whenever the same files would give other vectors: what is float32, how texts are cut, the last norm."""

COMMIT = re.compile(r"[0-9a-f]{40}")


def find_checked(name: str, revision: str | None, trust_remote_code: bool) -> tuple[ModelFolder, str | None]:
    """A model's folder, and the commit of its code where that is another repository's.

    Raises:
        ConfigError: Remote code is allowed without a full commit.
        ModelNotFoundError: Nowhere.
    """
    model_revision, code_revision = _revisions(name, revision, trust_remote_code)
    return find_model(name, revision=model_revision, with_code=trust_remote_code), code_revision


def transformer_files(
    name: str, found: ModelFolder, code_revision: str | None, precision: str, trust_remote_code: bool
) -> TransformerFiles:
    """Read what a model's files say and give that a fingerprint.

    Args:
        name: What the caller asked for.
        found: From `find_checked`, as `code_revision`.
        code_revision: Commit of the code.
        precision: Resolved, not `auto`.
        trust_remote_code: Python code of the repository may run.

    Raises:
        ConfigError: The model has parts that are not supported, or code that is not pinned.
        InputFileError: The files are not what they should be.
    """
    architecture = read_architecture(found.path)
    if trust_remote_code and code_revision is None:
        _refuse_unpinned_code(name, architecture)
    hashes = hash_files(found.path, architecture.folders, with_code=trust_remote_code)
    check_published(name, found.path, hashes)
    revisions = {"revision": found.revision, "code_revision": code_revision}
    described = {**revisions, "files_sha256": hashes, "precision": precision, **_described(architecture)}
    if is_jina(found.path):
        described["implementation"] = "published code" if trust_remote_code else "dynprof"
    identity = EncoderIdentity(name, architecture.dim, described)
    return TransformerFiles(found.path, architecture, identity, trust_remote_code, code_revision)


def _described(architecture: Architecture) -> dict[str, Any]:
    """The part of an identity that the code and the files' content decide."""
    return {
        "kind": "transformer",
        "version": COMPUTATION,
        "modules": list(architecture.modules),
        "pooling": list(architecture.pooling),
        "normalised": True,
        "dim": architecture.dim,
        "max_length": architecture.max_length,
        "prompt": architecture.prompt,
        "text_preparation": TEXT_PREPARATION,
    }


def _revisions(name: str, revision: str | None, trust_remote_code: bool) -> tuple[str | None, str | None]:
    """Revision of the model and, after a colon, of its code."""
    model, _, code = (revision or "").partition(":")
    if trust_remote_code and not all(COMMIT.fullmatch(part) for part in (model, code or model)):
        raise ConfigError(
            f"encoder {name!r}: expected a revision that is a full commit (40 hex digits) with trust_remote_code, "
            f"found {revision!r}. Name the commit whose code you have read: a branch can change under you."
        )
    return model or None, code or None


def _refuse_unpinned_code(name: str, architecture: Architecture) -> None:
    """Raise ConfigError for code in another repository: transformers would take its newest."""
    if architecture.code_repositories:
        raise ConfigError(
            f"encoder {name!r}: expected revision=<commit of the model>:<commit of the code>, because its code lies "
            f"in {', '.join(architecture.code_repositories)}; found no commit of the code. "
            "Read it, then name its commit."
        )
