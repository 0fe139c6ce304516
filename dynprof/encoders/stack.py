"""The transformers whose layers are known, taken apart into `Layer`s; every other one runs as its library wrote it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dynprof.encoders.layers import Affine, Batch, Bias, Layer, Norm

if TYPE_CHECKING:
    import torch

__all__ = ["Stack", "affine", "let_go", "norm", "take_apart"]


@dataclass(frozen=True)
class Stack:
    """Token ids to token vectors.

    Attributes:
        embed: (n,) int64 ids and (n,) int64 positions in their texts to (n, dim).
        layers: In order.
        bias: What relative positions add to the scores; None where positions are embedded.
    """

    embed: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    layers: Sequence[Layer]
    bias: Bias = None

    def __call__(self, ids: torch.Tensor, positions: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Vectors of tokens, (n, dim).

        Args:
            ids: (n,) int64, texts end to end.
            positions: (n,) int64, from 0 in each text.
            batch: The texts they belong to.
        """
        x = self.embed(ids, positions)
        for layer in self.layers:
            x = layer(x, batch, self.bias)
        return x


def take_apart(model: Any) -> Stack | None:
    """A Hugging Face model as a stack of the same weights; None if it is of another kind, or of a variant.

    Args:
        model: In its final precision and on its device, for inference.
    """
    from transformers import BertModel, DistilBertModel, MPNetModel, RobertaModel, XLMRobertaModel

    config = model.config
    if getattr(config, "hidden_act", getattr(config, "activation", None)) != "gelu":
        return None
    kind = type(model)
    if kind in (BertModel, RobertaModel, XLMRobertaModel):
        if config.is_decoder or getattr(config, "position_embedding_type", "absolute") != "absolute":
            return None
        # RoBERTa's positions begin after the one of padding.
        first = 0 if kind is BertModel else model.embeddings.padding_idx + 1
        return Stack(_embed(model.embeddings, first, typed=True), [_bert(each) for each in model.encoder.layer])
    if kind is DistilBertModel:
        return Stack(_embed(model.embeddings), [_distilbert(each) for each in model.transformer.layer])
    if kind is MPNetModel:
        embed = _embed(model.embeddings, model.embeddings.padding_idx + 1)
        return Stack(embed, [_mpnet(each) for each in model.encoder.layer], _mpnet_bias(model.encoder))
    return None


def let_go(model: Any) -> None:
    """Drop the layers of a model that was taken apart: a stack has its own copy of their weights."""
    for part in model.children():
        if layers := getattr(part, "layer", None):
            del layers[:]


def affine(*parts: Any) -> Affine:
    """One product in place of several: their outputs side by side."""
    import torch

    biases = [part.bias for part in parts if part.bias is not None]
    return Affine(torch.cat([part.weight for part in parts]), torch.cat(biases) if biases else None)


def norm(part: Any) -> Norm:
    """A `LayerNorm` of torch."""
    return Norm(part.weight, part.bias, part.eps)


def _embed(embeddings: Any, first: int = 0, *, typed: bool = False) -> Callable[[Any, Any], Any]:
    """The model's own embeddings, all texts as one row.

    Args:
        embeddings: Module of words and positions.
        first: Position of a text's first token.
        typed: It also embeds the kind of a token, which is 0.
    """

    def embed(ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        kinds = {"token_type_ids": ids.new_zeros(1, len(ids))} if typed else {}
        vectors: torch.Tensor = embeddings(input_ids=ids[None], position_ids=positions[None] + first, **kinds)
        return vectors[0]

    return embed


def _bert(layer: Any) -> Layer:
    inner, out = layer.attention.self, layer.attention.output
    return Layer(
        qkv=affine(inner.query, inner.key, inner.value),
        out=affine(out.dense),
        norm_1=norm(out.LayerNorm),
        up=affine(layer.intermediate.dense),
        down=affine(layer.output.dense),
        norm_2=norm(layer.output.LayerNorm),
        n_heads=inner.num_attention_heads,
    )


def _distilbert(layer: Any) -> Layer:
    inner = layer.attention
    return Layer(
        qkv=affine(inner.q_lin, inner.k_lin, inner.v_lin),
        out=affine(inner.out_lin),
        norm_1=norm(layer.sa_layer_norm),
        up=affine(layer.ffn.lin1),
        down=affine(layer.ffn.lin2),
        norm_2=norm(layer.output_layer_norm),
        n_heads=inner.n_heads,
    )


def _mpnet(layer: Any) -> Layer:
    inner = layer.attention.attn
    return Layer(
        qkv=affine(inner.q, inner.k, inner.v),
        out=affine(inner.o),
        norm_1=norm(layer.attention.LayerNorm),
        up=affine(layer.intermediate.dense),
        down=affine(layer.output.dense),
        norm_2=norm(layer.output.LayerNorm),
        n_heads=inner.num_attention_heads,
    )


def _mpnet_bias(encoder: Any) -> Bias:
    """Relative positions of MPNet, shared by its layers."""

    @lru_cache(maxsize=64)
    def bias(length: int) -> torch.Tensor:
        table = encoder.relative_attention_bias.weight
        values: torch.Tensor = encoder.compute_position_bias(table.new_empty(1, length))
        return values[0]

    return bias
