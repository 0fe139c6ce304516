"""A sentence-transformers model that runs its own batches, and in float32 whatever comes after the transformer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dynprof.encoders.batching import Integers, Tokens, pad_batch, plan_batches
from dynprof.encoders.checkpoint import TransformerFiles, load_model
from dynprof.encoders.encoder import Encoder, Vectors
from dynprof.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["TransformerEncoder"]

# Padded tokens a batch. On a CPU a batch's activations should stay in its caches; a GPU wants thousands of rows.
CPU_TOKENS_PER_BATCH = 2_048
GPU_TOKENS_PER_BATCH = 131_072


class TransformerEncoder(Encoder):
    """Transformer in the chosen precision, then pooling, projection and normalisation in float32.

    Args:
        files: The model; `files.identity.identity["precision"]` is the precision.
        device: Where to compute.
        max_tokens_per_batch: Padded tokens a batch; None chooses by device. Speed only, not the result.
    """

    def __init__(
        self, files: TransformerFiles, device: torch.device, *, max_tokens_per_batch: int | None = None
    ) -> None:
        super().__init__(files.identity)
        self._model = load_model(files, device)
        self._architecture = files.architecture
        self._device = device
        default = CPU_TOKENS_PER_BATCH if device.type == "cpu" else GPU_TOKENS_PER_BATCH
        self._max_tokens = default if max_tokens_per_batch is None else max_tokens_per_batch

    def encode_distinct(self, texts: list[str]) -> Vectors:
        """See `Encoder`; longest texts first, vectors in the order of the texts.

        Raises:
            ConfigError: The precision's range is too small for this model.
        """
        vectors = np.zeros((len(texts), self.dim), np.float32)
        tokens = self._tokenise(texts)
        for rows in plan_batches(tokens.lengths, self._max_tokens):
            vectors[rows] = self._forward(*pad_batch(tokens, rows, self._pad_id))
        if not np.isfinite(vectors).all():
            raise ConfigError(
                f"encoder {self.name!r}: expected finite vectors, found overflow with precision "
                f"{self.identity['precision']}. Use precision float32; with it, the weights themselves are not finite."
            )
        return vectors

    @property
    def _pad_id(self) -> int:
        return int(self._model.tokenizer.pad_token_id or 0)  # a tokenizer without padding: the mask hides any id

    def _tokenise(self, texts: list[str]) -> Tokens:
        """Token ids, cut at the model's limit.

        The cut is the tokenizer's: how many characters a token takes has no bound (WordPiece drops accents, and one
        endless word is one token), so cutting the text beforehand could change the tokens that are kept.
        """
        tokenizer, limit = self._model.tokenizer, self._architecture.max_length
        texts = [self._architecture.prompt + text for text in texts]
        if not tokenizer.is_fast:
            return Tokens.from_lists(tokenizer(texts, truncation=True, max_length=limit, verbose=False)["input_ids"])
        backend = tokenizer.backend_tokenizer
        backend.no_padding()
        backend.enable_truncation(limit, direction=tokenizer.truncation_side)
        # Without offsets, which nobody needs here: nearly twice as fast as calling the tokenizer.
        return Tokens.from_lists([encoding.ids for encoding in backend.encode_batch_fast(texts)])

    def _forward(self, ids: Integers, mask: Integers) -> Vectors:
        """Vectors (b, dim) of one padded batch: ids and mask are (b, longest)."""
        import torch

        with torch.inference_mode():
            features: dict[str, Any] = {
                "input_ids": torch.from_numpy(ids).to(self._device, non_blocking=True),
                "attention_mask": torch.from_numpy(mask).to(self._device, non_blocking=True),
            }
            transformer, *rest = self._model
            features = _float32(transformer(features))
            for module in rest:
                features = module(features)
            pooled = features["sentence_embedding"][:, : self.dim]
            vectors: Vectors = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()
            return vectors


def _float32(features: dict[str, Any]) -> dict[str, Any]:
    """Every floating-point tensor as float32: means over tokens and what follows lose nothing to the precision."""
    import torch

    floating = {k: v for k, v in features.items() if isinstance(v, torch.Tensor) and v.is_floating_point()}
    return {**features, **{k: v.float() for k, v in floating.items()}}
