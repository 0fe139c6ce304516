"""From a name to an encoder, or only to its identity."""

from __future__ import annotations

from typing import TypeAlias

from dynprof.encoders.checkpoint import TransformerFiles
from dynprof.encoders.distill import distilled, distilled_identity, teacher_of
from dynprof.encoders.encoder import Encoder
from dynprof.encoders.hashing import HashingEncoder, hashing_identity, is_hashing
from dynprof.encoders.identity import EncoderIdentity
from dynprof.encoders.precision import PRECISIONS, resolve_device, resolve_precision
from dynprof.encoders.resolve import find_checked, transformer_files
from dynprof.encoders.static import StaticEncoder, StaticFiles, is_static, static_files
from dynprof.encoders.transformer import TransformerEncoder
from dynprof.errors import ConfigError

__all__ = ["encoder_identity", "load_encoder"]


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
        name: `minilm`, `mpnet`, `distiluse`, `jina`; `static` or `static:<one of the others>` (distilled once, see
            `dynprof.encoders.distill`); `hashing` or `hashing:<dim>` (no weights); a folder; or any model of
            sentence-transformers or model2vec on the hub. Where its files are looked for: `dynprof.encoders.weights`.
        revision: Branch, tag or commit on the hub; part of the fingerprint when given.
        precision: `float32`, `bfloat16`, `float16` or `auto`; see `resolve_precision`. Part of the fingerprint.
        device: `auto`, `cpu`, `cuda`, `cuda:<number>`.
        threads: Of torch on the CPU, for the whole process; None leaves them as they are.
        trust_remote_code: Run Python code that the model's repository brings. Needs `revision` to be a full commit;
            where the code lies in another repository, `<commit of the model>:<commit of the code>`.
        max_tokens_per_batch: Tokens a batch, > 0; None is 4,096 on a CPU and 131,072 on a GPU.

    Raises:
        ConfigError: An argument has a value that means nothing, or the model has parts that are not supported.
        ModelNotFoundError: The model is nowhere to be found.
        InputFileError: The model's files are not what they should be.
    """
    _check_counts(threads=threads, max_tokens_per_batch=max_tokens_per_batch)
    if is_hashing(name):
        return HashingEncoder(_hashing(name, revision, precision))
    resolved = resolve_device(device)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    if teacher_of(name):
        return StaticEncoder(distilled(name, _teacher(name, revision, precision, trust_remote_code)), resolved)
    files = _find(name, revision, precision, device, trust_remote_code)
    if isinstance(files, StaticFiles):
        return StaticEncoder(files, resolved)
    return TransformerEncoder(files, resolved, max_tokens_per_batch=max_tokens_per_batch)


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
    if teacher_of(name):
        return distilled_identity(name, _teacher(name, revision, precision, trust_remote_code))
    return _find(name, revision, precision, device, trust_remote_code).identity


def _hashing(name: str, revision: str | None, precision: str) -> EncoderIdentity:
    if revision is not None or PRECISIONS.get(precision, precision) not in ("auto", "float32"):
        raise ConfigError(
            f"encoder {name!r}: expected no revision and precision float32, found revision {revision!r} and precision "
            f"{precision!r}. It has no weights; leave both out."
        )
    return hashing_identity(name)


Files: TypeAlias = TransformerFiles | StaticFiles


def _find(name: str, revision: str | None, precision: str, device: str, trust_remote_code: bool) -> Files:
    """The files of a model with weights, whichever kind it is."""
    found, code_revision = find_checked(name, revision, trust_remote_code)
    if is_static(found.path):
        _refuse_precision(name, precision)
        return static_files(name, found)
    resolved = resolve_precision(precision, device)
    return transformer_files(name, found, code_revision, resolved, trust_remote_code)


def _teacher(name: str, revision: str | None, precision: str, trust_remote_code: bool) -> TransformerFiles:
    """The transformer that a static encoder comes from, in float32 whatever computes it."""
    _refuse_precision(name, precision)
    teacher = _find(teacher_of(name) or "", revision, "float32", "cpu", trust_remote_code)
    if isinstance(teacher, StaticFiles):
        raise ConfigError(f"encoder {name!r}: expected a transformer to distil, found a static model. Use it itself.")
    return teacher


def _refuse_precision(name: str, precision: str) -> None:
    if PRECISIONS.get(precision, precision) not in ("auto", "float32"):
        raise ConfigError(
            f"encoder {name!r}: expected precision float32, found {precision!r}. It is a table; leave it out."
        )


def _check_counts(**counts: int | None) -> None:
    """Raise ConfigError for a count below 1."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ConfigError(f"{name}: expected a whole number >= 1 or None, found {count}. Leave it out.")
