"""A static encoder out of a transformer: every token of its vocabulary encoded alone, then PCA and weights by rank."""

from __future__ import annotations

import json
import logging
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dynprof.encoders.batching import plan_batches
from dynprof.encoders.body import Body
from dynprof.encoders.checkpoint import TransformerFiles
from dynprof.encoders.identity import EncoderIdentity, file_sha256
from dynprof.encoders.static import STATIC_VERSION, StaticFiles
from dynprof.encoders.weights import models_folder
from dynprof.errors import ConfigError, InputFileError
from dynprof.text import TEXT_PREPARATION

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["distilled", "distilled_identity", "teacher_of"]

log = logging.getLogger(__name__)

DEFAULT_TEACHER = "minilm"
DIM = 256
SIF = 1e-4
UNUSED = re.compile(r"\[unused\d+\]")
BATCH_TOKENS = 4_096
RECEIPT = "distilled.json"

Floats = npt.NDArray[np.float64]


def teacher_of(name: str) -> str | None:
    """The transformer that `static` or `static:<name>` is distilled from; None for any other name."""
    kind, colon, teacher = name.partition(":")
    return (teacher if colon else DEFAULT_TEACHER) if kind == "static" else None


def distilled_identity(name: str, teacher: TransformerFiles) -> EncoderIdentity:
    """What the distilled encoder is, known before it is distilled.

    The teacher's files and the parameters decide the table up to rounding, which differs between processors: so they
    stand in the fingerprint, and not the table's bytes. The bytes are checked when the table is read again.
    """
    dim = min(DIM, teacher.identity.dim)
    identity = {
        "kind": "static",
        "version": STATIC_VERSION,
        "teacher": teacher.identity.identity,
        "distillation": {"version": 1, "pca_dim": dim, "sif": SIF, "token_context": "alone"},
        "dim": dim,
        "precision": "float32",
        "normalised": True,
        "text_preparation": TEXT_PREPARATION,
    }
    return EncoderIdentity(name, dim, identity)


def distilled(name: str, teacher: TransformerFiles) -> StaticFiles:
    """The distilled encoder's files: from the folder of models, else made now (tens of seconds) and put there.

    Written beside its place and renamed: whole or absent, also when two processes make it at once.

    Args:
        name: What the caller asked for.
        teacher: Its precision must be float32.

    Raises:
        InputFileError: The table in the folder of models was changed.
        ConfigError: The teacher's tokenizer has no vocabulary that can be listed, or the folder cannot be written.
    """
    identity = distilled_identity(name, teacher)
    folder = models_folder() / f"static-{identity.fingerprint}"
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".static-") as made:
                _write(Path(made) / "model", teacher, identity.dim)
                if not folder.is_dir():
                    (Path(made) / "model").rename(folder)
        except OSError as error:
            if not folder.is_dir():  # else another process was faster
                raise ConfigError(
                    f"encoder {name!r}: expected a folder to keep the distilled table in, found {folder.parent}: "
                    f"{error}. Name another one in DYNPROF_MODELS."
                ) from error
    _check(folder)
    return StaticFiles(folder, identity)


def _check(folder: Path) -> None:
    for file, expected in json.loads((folder / RECEIPT).read_text(encoding="utf-8")).items():
        found = file_sha256(folder / file) if (folder / file).is_file() else "no such file"
        if found != expected:
            raise InputFileError(
                f"{folder / file}: expected what was distilled (sha256 {expected}), found {found}. "
                "Delete the folder: it is made again."
            )


def _write(folder: Path, teacher: TransformerFiles, dim: int) -> None:
    """Distil, and write a folder that sentence-transformers reads too."""
    import torch
    from safetensors.torch import save_file

    body = Body(teacher, torch.device("cpu"))
    if not body.tokenizer.is_fast:
        raise ConfigError(f"{teacher.folder}: expected a fast tokenizer to list tokens, found none. Use another model.")
    backend = body.tokenizer.backend_tokenizer
    tokens = _kept_tokens(backend)
    log.info("distil teacher=%s tokens=%d dim=%d", teacher.folder, len(tokens), dim)
    table = np.zeros((backend.get_vocab_size(), dim), np.float32)
    table[tokens] = _principal(_encode_alone(body, backend, tokens), dim) * sif_weights(len(tokens))[:, None]
    folder.mkdir()
    save_file({"embedding.weight": torch.from_numpy(table)}, folder / "model.safetensors")
    backend.no_padding()
    backend.no_truncation()
    backend.save(str(folder / "tokenizer.json"))
    modules = [("StaticEmbedding", ""), ("Normalize", "1_Normalize")]
    package = "sentence_transformers.sentence_transformer.modules."
    entries = [{"idx": i, "name": str(i), "path": p, "type": package + k} for i, (k, p) in enumerate(modules)]
    (folder / "modules.json").write_text(json.dumps(entries, indent=2), encoding="utf-8")
    hashes = {file.name: file_sha256(file) for file in sorted(folder.iterdir())}
    (folder / RECEIPT).write_text(json.dumps(hashes, indent=2), encoding="utf-8")


def _kept_tokens(backend: Tokenizer) -> npt.NDArray[np.int64]:
    """Ids of all tokens that a text can have, in the vocabulary's order; the one for unknown words is among them."""
    special = {number for number, token in backend.get_added_tokens_decoder().items() if token.special}
    unknown = getattr(backend.model, "unk_token", None)
    names = backend.get_vocab(with_added_tokens=True)
    kept = [
        number
        for name, number in names.items()
        if name == unknown or (number not in special and not UNUSED.fullmatch(name))
    ]
    return np.sort(np.array(kept, np.int64))


def _encode_alone(body: Body, backend: Tokenizer, tokens: npt.NDArray[np.int64]) -> Floats:
    """The teacher's vector of each token between its special tokens, (n, width)."""
    import torch

    backend.no_padding()
    backend.no_truncation()
    around = backend.encode("").ids
    half = (len(around) + 1) // 2  # [CLS] before, [SEP] after; a single one stands before
    rows = np.column_stack([np.tile(around[:half], (len(tokens), 1)), tokens, np.tile(around[half:], (len(tokens), 1))])
    rows = rows.astype(np.int64)
    width = rows.shape[1]
    positions = torch.arange(width)
    parts = []
    with torch.inference_mode():
        for texts in plan_batches(np.full(len(rows), width), BATCH_TOKENS):
            ids = torch.from_numpy(rows[texts]).flatten()
            lengths = np.full(len(rows[texts]), width)
            parts.append(body(ids, positions.repeat(len(lengths)), lengths).double().numpy())
    return np.concatenate(parts)


def _principal(vectors: Floats, dim: int) -> Floats:
    """Centred and turned onto the `dim` directions of most variance, each with its largest entry positive."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    directions = directions[:, ::-1][:, :dim]
    largest = np.abs(directions).argmax(axis=0)
    turned: Floats = centred @ (directions * np.sign(directions[largest, np.arange(directions.shape[1])]))
    return turned


def sif_weights(n_tokens: int) -> Floats:
    """Weight of each token by its rank: a / (a + p), p by Zipf's law. Frequent tokens say little.

    Source: Arora, Liang and Ma (2017), "A simple but tough-to-beat baseline"; ranks for frequencies as in model2vec.
    """
    share = 1.0 / np.arange(2, n_tokens + 2)
    weights: Floats = SIF / (SIF + share / share.sum())
    return weights
