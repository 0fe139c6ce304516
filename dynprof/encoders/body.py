"""From token ids to unit vectors: the transformer in its precision, then pooling and what follows in float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dynprof.encoders.batching import Integers, runs_of
from dynprof.encoders.checkpoint import TransformerFiles, load_around, load_model, precision_of
from dynprof.encoders.jina import is_jina, load_jina
from dynprof.encoders.layers import Batch
from dynprof.encoders.stack import Stack, let_go, take_apart

if TYPE_CHECKING:
    import torch

__all__ = ["Body"]


class Body:
    """A model on a device.

    Args:
        files: The model.
        device: Where it computes.

    Attributes:
        tokenizer: Of Hugging Face.
    """

    def __init__(self, files: TransformerFiles, device: torch.device) -> None:
        self._architecture = files.architecture
        self._device = device
        if is_jina(files.folder) and not files.trust_remote_code:
            self._stack: Stack | None = load_jina(files.folder, precision_of(files), device)
            self.tokenizer, self._rest = load_around(files, device)
        else:
            self._model = load_model(files, device)
            self._stack = take_apart(self._model[0].model)
            if self._stack is not None:
                let_go(self._model[0].model)
            self.tokenizer, self._rest = self._model.tokenizer, list(self._model)[1:]
        # Means are taken run by run, without the padded copy that the library's pooling reads.
        self._mean = files.architecture.modules[1] == "Pooling" and files.architecture.pooling == ("mean",)

    def __call__(self, ids: torch.Tensor, positions: torch.Tensor, lengths: Integers) -> torch.Tensor:
        """Unit vectors of b texts, (b, dim) float32.

        Args:
            ids: (n,) int64 tokens of the texts end to end, on the device.
            positions: (n,) int64, their places in the texts.
            lengths: (b,) > 0, falling.
        """
        import torch

        if self._stack is None:
            features = self._padded_model(ids, lengths)
            rest = self._rest
        else:
            batch = Batch(runs_of(lengths), self._ends(lengths))
            hidden = self._stack(ids, positions, batch)
            features, rest = self._pooled(hidden, batch) if self._mean else (self._padded(hidden, lengths), self._rest)
        for module in rest:
            features = module(features)
        return torch.nn.functional.normalize(features["sentence_embedding"][:, : self._architecture.dim], dim=1)

    def _ends(self, lengths: Integers) -> torch.Tensor | None:
        """See `Batch.ends`."""
        import torch

        if self._device.type != "cuda":
            return None
        ends = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
        return ends.pin_memory().to(self._device, non_blocking=True)

    def _pooled(self, hidden: torch.Tensor, batch: Batch) -> tuple[dict[str, Any], list[Any]]:
        """Means over the tokens of each text, summed in float32, and the modules after pooling."""
        import torch

        means = [
            hidden[run.start : run.stop].view(run.n_texts, run.length, -1).mean(dim=1, dtype=torch.float32)
            for run in batch.runs
        ]
        return {"sentence_embedding": torch.cat(means)}, self._rest[1:]

    def _padded(self, hidden: torch.Tensor, lengths: Integers) -> dict[str, Any]:
        """Token vectors (b, longest, dim) in float32 and their mask, as the library's pooling reads them."""
        mask = self._mask(lengths)
        padded = hidden.new_zeros((*mask.shape, hidden.shape[1]), dtype=_float32())
        padded.masked_scatter_(mask[..., None], hidden.float())
        return {"token_embeddings": padded, "attention_mask": mask.long()}

    def _padded_model(self, ids: torch.Tensor, lengths: Integers) -> dict[str, Any]:
        """The same from a transformer that runs as its library wrote it."""
        import torch

        mask = self._mask(lengths)
        # A tokenizer without padding: the mask hides any id.
        padded = ids.new_full(mask.shape, int(self.tokenizer.pad_token_id or 0)).masked_scatter_(mask, ids)
        features: dict[str, Any] = self._model[0]({"input_ids": padded, "attention_mask": mask.long()})
        floating = {k: v for k, v in features.items() if isinstance(v, torch.Tensor) and v.is_floating_point()}
        return {**features, **{k: v.float() for k, v in floating.items()}}

    def _mask(self, lengths: Integers) -> torch.Tensor:
        """(b, longest) true for a token."""
        import torch

        column = torch.arange(int(lengths.max()), device=self._device)
        counts = torch.from_numpy(lengths)
        return column < counts.to(self._device, non_blocking=True)[:, None]


def _float32() -> torch.dtype:
    import torch

    return torch.float32
