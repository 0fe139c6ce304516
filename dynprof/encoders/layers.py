"""One layer of a BERT-like transformer over tokens of many texts end to end: nothing is padded, nothing is masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from dynprof.encoders.batching import Run

if TYPE_CHECKING:
    import torch

__all__ = ["Affine", "Batch", "Bias", "Layer", "Norm", "attend"]

Bias: TypeAlias = "Callable[[int], torch.Tensor] | None"
"""From a length to what is added to the scores: (heads, queries, keys)."""

# Up to this length plain products beat torch's fused attention on a CPU (twice as fast at 16 to 128 tokens in
# bfloat16); beyond it their scores (heads x length per token) would outgrow the caches.
LONGEST_PLAIN_CPU = 256
BFLOAT16_LANES = 32


@dataclass(frozen=True)
class Batch:
    """How the tokens of a batch belong to texts.

    Attributes:
        runs: That cover the tokens.
        ends: (n_texts + 1,) int32 on the device: 0 and the end of each text. None where nothing reads it (CPU).
    """

    runs: Sequence[Run]
    ends: torch.Tensor | None = None


class Affine:
    """x W^T + b. On a CPU in bfloat16 the weights are laid out once as oneDNN wants them, and what follows is fused.

    Source: the operators that `torch.compile` emits for frozen weights (torch/_inductor/mkldnn_lowerings.py).

    Args:
        weight: (n_out, n_in).
        bias: (n_out,) or None.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        import torch

        self._weight, self._bias = weight.contiguous(), bias
        self._packed = None
        if _onednn_has(weight):
            self._packed = torch.ops.mkldnn._reorder_linear_weight(self._weight, None)
            self._weight = torch.empty(0)  # one copy in memory

    def __call__(self, x: torch.Tensor, *, gelu: bool = False) -> torch.Tensor:
        """(n, n_in) to (n, n_out), through the exact GELU if asked for."""
        import torch

        if self._packed is not None:
            after, approximation = ("gelu", "none") if gelu else ("none", "")
            packed: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self._packed, self._bias, after, [], approximation
            )
            return packed
        y = torch.nn.functional.linear(x, self._weight, self._bias)
        return torch.nn.functional.gelu(y) if gelu else y


def _onednn_has(weight: torch.Tensor) -> bool:
    """Whether the fused operators of oneDNN are there and take this weight."""
    import torch

    wanted = weight.device.type == "cpu" and weight.dtype == torch.bfloat16 and torch._C._has_mkldnn
    return bool(
        wanted
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


@dataclass(frozen=True)
class Norm:
    """Layer normalisation.

    Attributes:
        weight: (dim,).
        bias: (dim,).
        eps: Added to the variance.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    eps: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(n, dim) to (n, dim)."""
        import torch

        return torch.nn.functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True)
class Layer:
    """Attention and feed-forward network, each added to its input and normalised (post-LN, as in BERT).

    Attributes:
        qkv: Queries, keys and values, one product: (n, dim) to (n, 3 dim).
        out: After attention.
        norm_1: After the first sum.
        up: To the inner width; twice that if `gated`.
        down: Back.
        norm_2: After the second sum.
        n_heads: Of attention.
        gated: The first half of `up`, through GELU, times the second half.
    """

    qkv: Affine
    out: Affine
    norm_1: Norm
    up: Affine
    down: Affine
    norm_2: Norm
    n_heads: int
    gated: bool = False

    def __call__(self, x: torch.Tensor, batch: Batch, bias: Bias = None) -> torch.Tensor:
        """Tokens (n, dim) of a batch to (n, dim)."""
        x = self.norm_1(self.out(attend(self.qkv(x), batch, self.n_heads, bias)).add_(x))
        return self.norm_2(self.down(self._inner(x)).add_(x))

    def _inner(self, x: torch.Tensor) -> torch.Tensor:
        import torch

        if not self.gated:
            return self.up(x, gelu=True)
        gate, value = self.up(x).chunk(2, dim=-1)
        return torch.nn.functional.gelu(gate).mul_(value)


def attend(qkv: torch.Tensor, batch: Batch, n_heads: int, bias: Bias = None) -> torch.Tensor:
    """Attention of each text to itself.

    Args:
        qkv: (n, 3 dim) queries, keys and values of every token, side by side.
        batch: The texts of the n tokens.
        n_heads: Divides dim.
        bias: Of relative positions.

    Returns:
        (n, dim).
    """
    import torch

    dim = qkv.shape[1] // 3
    if batch.ends is not None and bias is None and qkv.dtype != torch.float32:
        return _varlen(qkv.view(-1, 3, n_heads, dim // n_heads), batch, batch.ends).reshape(-1, dim)
    out = torch.empty((len(qkv), dim), dtype=qkv.dtype, device=qkv.device)
    for run in batch.runs:
        shape = (run.n_texts, run.length, 3, n_heads, dim // n_heads)
        heads = qkv[run.start : run.stop].view(shape).permute(2, 0, 3, 1, 4)  # 3, texts, heads, length, width
        added = None if bias is None else bias(run.length)
        plain = qkv.device.type == "cpu" and run.length <= LONGEST_PLAIN_CPU
        mixed = _plain(heads, added) if plain else _fused(heads, added)
        out[run.start : run.stop].view(run.n_texts, run.length, n_heads, -1).copy_(mixed.transpose(1, 2))
    return out


def _varlen(qkv: torch.Tensor, batch: Batch, ends: torch.Tensor) -> torch.Tensor:
    """(n, 3, heads, width) to (n, heads, width) in one call, however the lengths differ; CUDA, half precision."""
    import torch
    from torch.nn.attention.varlen import varlen_attn

    longest = max(run.length for run in batch.runs)
    mixed = varlen_attn(qkv[:, 0], qkv[:, 1], qkv[:, 2], ends, ends, longest, longest)
    return mixed if isinstance(mixed, torch.Tensor) else mixed[0]


def _plain(heads: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """(3, texts, heads, length, width) to (texts, heads, length, width), in two products and a softmax.

    Scores lie with keys down and queries across: torch's softmax down a column is vectorised over the columns, along a
    row of 30 it is up to eight times slower.
    """
    import torch

    q, k, v = heads.contiguous().flatten(1, 2)
    scores = torch.bmm(k, q.transpose(1, 2)).mul_(q.shape[-1] ** -0.5)
    if bias is not None:
        scores.view(-1, *bias.shape).add_(bias.transpose(1, 2))
    # Fewer columns than a vector register holds bfloat16 numbers: float32 fits twice as early.
    narrow = heads.shape[3] < BFLOAT16_LANES
    weights = torch.softmax(scores.float() if narrow else scores, dim=1).to(q.dtype)
    return torch.bmm(weights.transpose(1, 2), v).view(heads.shape[1:])


def _fused(heads: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """The same by torch's own attention, which never writes the scores to memory."""
    import torch

    q, k, v = heads
    added = None if bias is None else bias.to(q.dtype)[None]
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=added)
