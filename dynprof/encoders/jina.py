"""jina-embeddings-v2 from its weights alone: BERT with ALiBi in place of positions and a gated feed-forward network.

Its published Python code imports names that transformers 5 no longer has, so it cannot run beside the other encoders.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynprof.encoders.architecture import read_json
from dynprof.encoders.layers import Affine, Bias, Layer, Norm
from dynprof.encoders.stack import Stack
from dynprof.errors import InputFileError

if TYPE_CHECKING:
    import torch

__all__ = ["alibi_slopes", "is_jina", "load_jina"]

ATTENTION = "attention.self."


def is_jina(folder: Path) -> bool:
    """Whether a folder holds this architecture and none of its variants."""
    config = read_json(folder / "config.json")
    return (
        str((config.get("architectures") or [""])[0]).startswith("JinaBert")
        and config.get("position_embedding_type") == "alibi"
        and config.get("feed_forward_type") == "geglu"
    )


def load_jina(folder: Path, dtype: torch.dtype, device: torch.device) -> Stack:
    """The stack of layers of a folder's `model.safetensors`.

    Source: Günther et al., "Jina Embeddings 2" (arXiv 2310.19923), sections 2 and 3; the names of its weights.

    Raises:
        InputFileError: A weight is missing, or one is left over.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    config, path = read_json(folder / "config.json"), folder / "model.safetensors"
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputFileError(f"{path}: expected weights, found: {error}. Copy the model's files again.") from error
    weights = {name.removeprefix("bert."): tensor.to(device, dtype) for name, tensor in found.items()}
    used: set[str] = set()

    def take(name: str) -> torch.Tensor:
        used.add(name)
        if name not in weights:
            raise InputFileError(f"{path}: expected the weight {name}, found none. Copy the model's files again.")
        return weights[name]

    eps, n_heads = float(config.get("layer_norm_eps", 1e-12)), int(config["num_attention_heads"])
    embed = _embeddings(take, eps)
    layers = [_layer(take, f"encoder.layer.{i}.", n_heads, eps) for i in range(int(config["num_hidden_layers"]))]
    left = sorted(name for name in set(weights) - used if name.startswith(("encoder.", "embeddings.")))
    if left:
        raise InputFileError(
            f"{path}: expected the weights of a JinaBert with ALiBi and GEGLU, found {left[0]} too. "
            "It is another variant: use one of jina-embeddings-v2."
        )
    return Stack(embed, layers, _alibi(n_heads, dtype, device))


def _embeddings(take: Callable[[str], torch.Tensor], eps: float) -> Callable[[Any, Any], Any]:
    """Words and the kind of token 0, normalised; positions are not embedded."""
    import torch

    words, kinds = take("embeddings.word_embeddings.weight"), take("embeddings.token_type_embeddings.weight")
    normalise = Norm(take("embeddings.LayerNorm.weight"), take("embeddings.LayerNorm.bias"), eps)

    def embed(ids: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return normalise(torch.nn.functional.embedding(ids, words) + kinds[0])

    return embed


def _layer(take: Callable[[str], torch.Tensor], at: str, n_heads: int, eps: float) -> Layer:
    import torch

    parts = [f"{at}{ATTENTION}{part}." for part in ("query", "key", "value")]
    qkv = [torch.cat([take(part + kind) for part in parts]) for kind in ("weight", "bias")]
    out, norm_1, norm_2 = f"{at}attention.output.dense.", f"{at}attention.output.LayerNorm.", f"{at}mlp.layernorm."
    return Layer(
        qkv=Affine(*qkv),
        out=Affine(take(out + "weight"), take(out + "bias")),
        norm_1=Norm(take(norm_1 + "weight"), take(norm_1 + "bias"), eps),
        up=Affine(take(f"{at}mlp.gated_layers.weight"), None),
        down=Affine(take(f"{at}mlp.wo.weight"), take(f"{at}mlp.wo.bias")),
        norm_2=Norm(take(norm_2 + "weight"), take(norm_2 + "bias"), eps),
        n_heads=n_heads,
        gated=True,
    )


def alibi_slopes(n_heads: int) -> list[float]:
    """Slope of each head: 2^(-8/n), 2^(-16/n), ...; between two powers of 2, every other one of the higher is added.

    Source: Press, Smith and Lewis, "Train Short, Test Long" (arXiv 2108.12409), section 3 and its code.
    """
    power = 2 ** math.floor(math.log2(n_heads))
    slopes = [2.0 ** (-8 * (i + 1) / power) for i in range(power)]
    return slopes + alibi_slopes(2 * power)[0::2][: n_heads - power] if power < n_heads else slopes


def _alibi(n_heads: int, dtype: torch.dtype, device: torch.device) -> Bias:
    """Minus slope times distance, the same in both directions: (heads, length, length)."""
    import torch

    slopes = torch.tensor(alibi_slopes(n_heads), device=device)

    @lru_cache(maxsize=64)
    def bias(length: int) -> torch.Tensor:
        at = torch.arange(length, device=device)
        return (-slopes[:, None, None] * (at[:, None] - at).abs()).to(dtype)

    return bias
