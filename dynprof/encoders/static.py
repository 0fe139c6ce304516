"""Static encoders: a vector a token, a text's vector their mean. No attention, hundreds of times as fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynprof.encoders.architecture import read_json
from dynprof.encoders.encoder import Encoder, Vectors
from dynprof.encoders.identity import EncoderIdentity
from dynprof.encoders.model_files import hash_files
from dynprof.encoders.tokenise import from_backend
from dynprof.encoders.weights import ModelFolder
from dynprof.errors import ConfigError, InputFileError
from dynprof.text import TEXT_PREPARATION

if TYPE_CHECKING:
    import torch

__all__ = ["STATIC_VERSION", "StaticEncoder", "StaticFiles", "is_static", "static_files"]

STATIC_VERSION = "dynprof-static/1"
"""Changes whenever the same table would give other vectors."""

# model2vec states no limit. A text's tokens are summed, so a limit would only cost information.
MOST_TOKENS = 1_000_000


@dataclass(frozen=True)
class StaticFiles:
    """A table of token vectors on disk and what it is.

    Attributes:
        folder: With the table and its tokenizer.
        identity: Fingerprint.
    """

    folder: Path
    identity: EncoderIdentity


def is_static(folder: Path) -> bool:
    """Whether a folder holds a static model of sentence-transformers or model2vec."""
    if (folder / "modules.json").is_file():
        return _kinds(folder)[:1] == ["StaticEmbedding"]
    return str(read_json(folder / "config.json").get("model_type")) == "model2vec"


def static_files(name: str, found: ModelFolder) -> StaticFiles:
    """Identity of a static model in a folder: for which `is_static`.

    Raises:
        ConfigError: Something follows the table that is not a norm.
        InputFileError: The table cannot be read.
    """
    kinds = _kinds(found.path)
    if set(kinds) - {"StaticEmbedding", "Normalize"}:
        raise ConfigError(
            f"{found.path / 'modules.json'}: expected a StaticEmbedding and at most a Normalize, found "
            f"{', '.join(kinds)}. Use a model built of these."
        )
    width, shortened = _load(found.path)[0].shape[1], _settings(found.path).get("truncate_dim")
    dim = min(width, shortened or width)
    folders = {"", *(str(entry["path"]) for entry in _entries(found.path))}
    identity = {
        "kind": "static",
        "version": STATIC_VERSION,
        "revision": found.revision,
        "files_sha256": hash_files(found.path, folders, with_code=False),
        "dim": dim,
        "precision": "float32",
        "normalised": True,
        "text_preparation": TEXT_PREPARATION,
    }
    return StaticFiles(found.path, EncoderIdentity(name, dim, identity))


class StaticEncoder(Encoder):
    """The sum of the vectors of a text's tokens, at norm 1. A text without a token has the zero vector.

    Args:
        files: From `static_files`, or distilled.
        device: Where the sums are taken; a CPU is as fast as its memory.
    """

    def __init__(self, files: StaticFiles, device: torch.device) -> None:
        super().__init__(files.identity)
        table, tokenizer = _load(files.folder)
        self._table = table[:, : self.dim].float().to(device).contiguous()
        self._device = device
        prompt = _settings(files.folder)
        words = (prompt.get("prompts") or {}).get(prompt.get("default_prompt_name")) or ""
        self._tokenise = from_backend(tokenizer, MOST_TOKENS, prompt=words, special=False)

    def encode_distinct(self, texts: list[str]) -> Vectors:
        """See `Encoder`."""
        import torch

        tokens = self._tokenise(texts)
        with torch.inference_mode():
            ids, starts = (torch.from_numpy(a.astype(np.int64)).to(self._device) for a in (tokens.ids, tokens.starts))
            summed = torch.nn.functional.embedding_bag(ids, self._table, starts, mode="sum")
            vectors: Vectors = torch.nn.functional.normalize(summed, dim=1).cpu().numpy()
        return vectors


def _load(folder: Path) -> tuple[torch.Tensor, Any]:
    """The table (n_tokens, dim) and the tokenizer, of either library's layout."""
    from safetensors import SafetensorError
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    place = next((str(e["path"]) for e in _entries(folder)), "")
    try:
        module = StaticEmbedding.load(str(folder), subfolder="" if place == "." else place, local_files_only=True)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InputFileError(
            f"{folder}: expected a static model (model.safetensors, tokenizer.json), found: {error}. Copy it again."
        ) from error
    return module.embedding.weight.detach(), module.tokenizer


def _entries(folder: Path) -> list[dict[str, Any]]:
    return list(read_json(folder / "modules.json") or [])


def _kinds(folder: Path) -> list[str]:
    return [str(entry["type"]).rpartition(".")[2] for entry in _entries(folder)]


def _settings(folder: Path) -> dict[str, Any]:
    return dict(read_json(folder / "config_sentence_transformers.json"))
