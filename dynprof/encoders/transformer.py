"""A sentence-transformers model that runs its own batches, and in float32 whatever comes after the transformer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from dynprof.encoders.ahead import ahead
from dynprof.encoders.batching import Integers, Tokens, plan_batches
from dynprof.encoders.body import Body
from dynprof.encoders.checkpoint import TransformerFiles
from dynprof.encoders.encoder import Encoder, Vectors
from dynprof.encoders.memory import device_memory, is_out_of_memory
from dynprof.encoders.tokenise import tokeniser
from dynprof.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["TransformerEncoder"]

log = logging.getLogger(__name__)

# Tokens a batch. On a CPU a batch's activations should stay in its caches; a GPU wants thousands of texts.
CPU_TOKENS_PER_BATCH = 4_096
GPU_TOKENS_PER_BATCH = 131_072


class TransformerEncoder(Encoder):
    """Transformer in the chosen precision, then pooling, projection and normalisation in float32.

    Args:
        files: The model; `files.identity.identity["precision"]` is the precision.
        device: Where to compute.
        max_tokens_per_batch: Tokens a batch; None chooses by device. Speed only, not the result.

    Raises:
        ConfigError: The weights do not fit on the device.
    """

    def __init__(
        self, files: TransformerFiles, device: torch.device, *, max_tokens_per_batch: int | None = None
    ) -> None:
        super().__init__(files.identity)
        self._device = device
        try:
            self._body = Body(files, device)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise ConfigError(
                f"encoder {self.name!r}: expected room for its weights, found {device_memory(device)}. "
                "Use device='cpu', a GPU with more memory, or a smaller model."
            ) from error
        self._tokenise: Callable[[list[str]], Tokens] = tokeniser(self._body.tokenizer, files.architecture)
        default = CPU_TOKENS_PER_BATCH if device.type == "cpu" else GPU_TOKENS_PER_BATCH
        self._max_tokens = default if max_tokens_per_batch is None else max_tokens_per_batch

    def encode_windows(self, windows: Iterable[list[str]]) -> Iterator[Vectors]:
        """See `Encoder`. A window is tokenised while the one before it is computed.

        On a GPU nothing waits for a window's vectors until the next one's work is queued.

        Raises:
            ConfigError: The precision's range is too small for this model, or the device for one text.
        """
        before: torch.Tensor | None = None
        for tokens in ahead(map(self._tokenise, windows)):
            queued = self._vectors(tokens)
            if before is not None:
                yield self._checked(before)
            before = queued
        if before is not None:
            yield self._checked(before)

    def encode_distinct(self, texts: list[str]) -> Vectors:
        """See `Encoder`; vectors in the order of the texts. Raises as `encode_windows`."""
        return self._checked(self._vectors(self._tokenise(texts)))

    def _vectors(self, tokens: Tokens) -> torch.Tensor:
        """Unit vectors of a window, (n, dim) float32 on the device, maybe not computed yet."""
        import torch

        order = tokens.longest_first()
        ordered = tokens.take(order)
        with torch.inference_mode():
            ids, positions = self._send(ordered.ids), self._send(ordered.positions.astype(np.int32))
            ends = np.concatenate([[0], np.cumsum(ordered.lengths)])
            vectors = torch.zeros((len(tokens.lengths), self.dim), device=self._device)
            parts = []
            for texts in plan_batches(ordered.lengths, self._max_tokens):
                part = slice(int(ends[texts.start]), int(ends[texts.stop]))
                parts.append(self._batch(ids[part], positions[part], ordered.lengths[texts]))
            if parts:
                vectors[self._send(order)] = torch.cat(parts)
        return vectors

    def _batch(self, ids: torch.Tensor, positions: torch.Tensor, lengths: Integers) -> torch.Tensor:
        """Vectors of one batch; in halves if memory runs out, and then all later batches are smaller too."""
        import torch

        if len(lengths) == 1 or len(lengths) * int(lengths[0]) <= self._max_tokens:
            try:
                return self._body(ids.long(), positions.long(), lengths)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._shrink(lengths, error)
        # Here and not in the handler: the error holds the frames, and they what the batch had allocated.
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        half = len(lengths) // 2
        cut = int(lengths[:half].sum())
        first = self._batch(ids[:cut], positions[:cut], lengths[:half])
        return torch.cat([first, self._batch(ids[cut:], positions[cut:], lengths[half:])])

    def _shrink(self, lengths: Integers, error: RuntimeError) -> None:
        """Halve the budget below a batch that did not fit.

        Raises:
            ConfigError: It was one text.
        """
        if len(lengths) == 1:
            raise ConfigError(
                f"encoder {self.name!r}: expected room for a text of {lengths[0]} tokens, found "
                f"{device_memory(self._device)}. Use device='cpu', or give the GPU to this process alone."
            ) from error
        self._max_tokens = max(1, min(self._max_tokens, len(lengths) * int(lengths[0])) // 2)
        log.warning("out_of_memory device=%s batch_tokens=%d", self._device, self._max_tokens)

    def _send(self, array: Integers | np.ndarray) -> torch.Tensor:
        """An array on the device; to a GPU from pinned memory, without waiting."""
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(array))
        return tensor.pin_memory().to(self._device, non_blocking=True) if self._device.type == "cuda" else tensor

    def _checked(self, vectors: torch.Tensor) -> Vectors:
        """Vectors in numpy; this waits for the device."""
        found: Vectors = vectors.cpu().numpy()
        if not np.isfinite(found).all():
            raise ConfigError(
                f"encoder {self.name!r}: expected finite vectors, found overflow with precision "
                f"{self.identity['precision']}. Use precision float32; with it, the weights themselves are not finite."
            )
        return found
