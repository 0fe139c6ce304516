"""From a name to an encoder, or only to its identity."""

from __future__ import annotations

import re
from typing import Any

from dynprof.encoders.architecture import Architecture, read_architecture
from dynprof.encoders.catalog import CATALOG, published
from dynprof.encoders.checkpoint import TransformerFiles
from dynprof.encoders.encoder import Encoder
from dynprof.encoders.hashing import HashingEncoder, hashing_identity, is_hashing
from dynprof.encoders.identity import EncoderIdentity
from dynprof.encoders.model_files import check_published, hash_files
from dynprof.encoders.precision import PRECISIONS, resolve_device, resolve_precision
from dynprof.encoders.transformer import TransformerEncoder
from dynprof.encoders.weights import find_model
from dynprof.errors import ConfigError
from dynprof.text import TEXT_PREPARATION

__all__ = ["encoder_identity", "load_encoder"]

COMPUTATION = "dynprof-transformer/1"
"""Changes whenever the same files would give other vectors: what is float32, how texts are cut, the last norm."""

COMMIT = re.compile(r"[0-9a-f]{40}")


def load_encoder(
    name: str,
    *,
    revision: str | None = None,
    precision: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    trust_remote_code: bool = False,
    max_tokens_per_batch: int | None = None,
) -> Encoder:
    """Load an encoder.

    Args:
        name: `minilm`, `mpnet`, `distiluse`, `jina`; `hashing` or `hashing:<dim>` (no weights); a folder; or any
            sentence-transformers model of the hub. Where its files are looked for: `dynprof.encoders.weights`.
        revision: Branch, tag or commit on the hub; part of the fingerprint when given.
        precision: `float32`, `bfloat16`, `float16` or `auto`; see `resolve_precision`. Part of the fingerprint.
        device: `auto`, `cpu`, `cuda`, `cuda:<number>`.
        threads: Of torch on the CPU, for the whole process; None leaves them as they are.
        trust_remote_code: Run Python code that the model's repository brings. Needs `revision` to be a full commit;
            where the code lies in another repository, `<commit of the model>:<commit of the code>`.
        max_tokens_per_batch: Padded tokens a batch, > 0; None is 2,048 on a CPU and 131,072 on a GPU.

    Raises:
        ConfigError: An argument has a value that means nothing, or the model has parts that are not supported.
        ModelNotFoundError: The model is nowhere to be found.
        InputFileError: The model's files are not what they should be.
    """
    _check_counts(threads=threads, max_tokens_per_batch=max_tokens_per_batch)
    if is_hashing(name):
        return HashingEncoder(_hashing(name, revision, precision))
    files = _transformer_files(name, revision, precision, device, trust_remote_code)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    return TransformerEncoder(files, resolve_device(device), max_tokens_per_batch=max_tokens_per_batch)


def encoder_identity(
    name: str,
    *,
    revision: str | None = None,
    precision: str = "auto",
    device: str = "auto",
    trust_remote_code: bool = False,
) -> EncoderIdentity:
    """Identity, dimension and fingerprint of what `load_encoder` would load; hashes the files, loads no model.

    With `precision="auto"` this machine decides: pass `identity["precision"]` on to the machines that encode.

    Args:
        name: See `load_encoder`, also for the other arguments and the errors.
        revision: See there.
        precision: See there.
        device: Only decides what `auto` means.
        trust_remote_code: See there.
    """
    if is_hashing(name):
        return _hashing(name, revision, precision)
    return _transformer_files(name, revision, precision, device, trust_remote_code).identity


def _hashing(name: str, revision: str | None, precision: str) -> EncoderIdentity:
    if revision is not None or PRECISIONS.get(precision, precision) not in ("auto", "float32"):
        raise ConfigError(
            f"encoder {name!r}: expected no revision and precision float32, found revision {revision!r} and precision "
            f"{precision!r}. It has no weights; leave both out."
        )
    return hashing_identity(name)


def _transformer_files(
    name: str, revision: str | None, precision: str, device: str, trust_remote_code: bool
) -> TransformerFiles:
    """Find a model's files, read what they say and give that a fingerprint."""
    model_revision, code_revision = _revisions(name, revision, trust_remote_code)
    resolved = resolve_precision(precision, device)
    found = find_model(name, revision=model_revision, with_code=trust_remote_code)
    architecture = read_architecture(found.path)
    if trust_remote_code and code_revision is None:
        _refuse_unpinned_code(name, architecture)
    hashes = hash_files(found.path, architecture.folders, with_code=trust_remote_code)
    check_published(name, found.path, hashes)
    revisions = {"revision": found.revision, "code_revision": code_revision}
    described = {**revisions, "files_sha256": hashes, "precision": resolved, **_described(architecture)}
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


def _check_counts(**counts: int | None) -> None:
    """Raise ConfigError for a count below 1."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ConfigError(f"{name}: expected a whole number >= 1 or None, found {count}. Leave it out.")


def _revisions(name: str, revision: str | None, trust_remote_code: bool) -> tuple[str | None, str | None]:
    """Revision of the model and, after a colon, of its code.

    Raises:
        ConfigError: Remote code is needed and not allowed, or allowed without a full commit.
    """
    if published(name).needs_remote_code and not trust_remote_code:
        raise ConfigError(
            f"encoder {name!r}: expected trust_remote_code=True and a revision, because {CATALOG[name].hub_id} brings "
            "its own Python code; found trust_remote_code=False. Read the code, then name the commit you read."
        )
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
