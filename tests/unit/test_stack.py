"""Transformers taken apart give what their library gives, for every kind that is taken apart."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    MPNetConfig,
    MPNetModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from dynprof.encoders import layers, load_encoder
from dynprof.encoders.batching import Tokens, runs_of
from dynprof.encoders.jina import alibi_slopes
from dynprof.encoders.layers import Batch
from dynprof.encoders.stack import take_apart
from dynprof.errors import InputFileError

from .tiny_model import TEXTS, build_tiny_tokenizer

SHAPE = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}
KINDS = {
    "bert": lambda: BertModel(BertConfig(**SHAPE, max_position_embeddings=80)),
    "roberta": lambda: RobertaModel(RobertaConfig(**SHAPE, max_position_embeddings=80)),
    "xlm-roberta": lambda: XLMRobertaModel(XLMRobertaConfig(**SHAPE, max_position_embeddings=80)),
    "mpnet": lambda: MPNetModel(MPNetConfig(**SHAPE, max_position_embeddings=80)),
    "distilbert": lambda: DistilBertModel(
        DistilBertConfig(vocab_size=60, dim=32, hidden_dim=64, n_heads=4, n_layers=2, max_position_embeddings=80)
    ),
}
LENGTHS = [40, 40, 17, 17, 17, 5, 1]


def run(model: torch.nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Token vectors of texts of several lengths: of the library one text at a time, and of the stack all at once."""
    generator = torch.Generator().manual_seed(1)
    texts = [torch.randint(5, 60, (length,), generator=generator) for length in LENGTHS]
    tokens = Tokens.from_lists([text.tolist() for text in texts])
    with torch.inference_mode():
        expected = torch.cat([model(input_ids=text[None]).last_hidden_state[0] for text in texts])
        stack = take_apart(model)
        assert stack is not None
        ids, positions = torch.from_numpy(tokens.ids).long(), torch.from_numpy(tokens.positions)
        return stack(ids, positions, Batch(runs_of(tokens.lengths))), expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("longest_plain", [0, 256], ids=["fused attention", "plain attention"])
def test_a_stack_gives_what_its_library_gives(kind, longest_plain, monkeypatch) -> None:
    monkeypatch.setattr(layers, "LONGEST_PLAIN_CPU", longest_plain)
    torch.manual_seed(0)
    found, expected = run(KINDS[kind]().eval())
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_in_bfloat16_with_the_fused_operators_it_stays_close(kind) -> None:
    torch.manual_seed(0)
    model = KINDS[kind]().eval()
    _, expected = run(model)
    found, _ = run(model.to(torch.bfloat16))
    assert torch.cosine_similarity(found.float(), expected, dim=1).min() > 0.999


def test_variants_run_as_their_library_wrote_them() -> None:
    assert take_apart(BertModel(BertConfig(**SHAPE, hidden_act="relu"))) is None
    assert take_apart(BertModel(BertConfig(**SHAPE, is_decoder=True))) is None


def build_jina(folder: Path) -> dict[str, torch.Tensor]:
    """A model of the architecture of jina-embeddings-v2, random, of a few kilobytes; its weights."""
    n_words = build_tiny_tokenizer(folder)
    config = {"architectures": ["JinaBertForMaskedLM"], "model_type": "bert", "hidden_size": 24, "vocab_size": n_words}
    config |= {"num_attention_heads": 6, "num_hidden_layers": 2, "intermediate_size": 40, "layer_norm_eps": 1e-12}
    config |= {"position_embedding_type": "alibi", "feed_forward_type": "geglu", "max_position_embeddings": 64}
    config |= {"auto_map": {"AutoModel": "jinaai/jina-bert-implementation--modeling_bert.JinaBertModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    generator = torch.Generator().manual_seed(3)
    shapes = {"embeddings.word_embeddings.weight": (n_words, 24), "embeddings.token_type_embeddings.weight": (2, 24)}
    norms = ["embeddings.LayerNorm"]
    for at in ("encoder.layer.0.", "encoder.layer.1."):
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{at}{name}.weight": (24, 24), f"{at}{name}.bias": (24,)}
        shapes |= {f"{at}mlp.gated_layers.weight": (80, 24), f"{at}mlp.wo.weight": (24, 40), f"{at}mlp.wo.bias": (24,)}
        norms += [f"{at}attention.output.LayerNorm", f"{at}mlp.layernorm"]
    weights = {name: torch.randn(shape, generator=generator) * 0.3 for name, shape in shapes.items()}
    for name in norms:
        weights |= {f"{name}.weight": torch.rand(24, generator=generator) + 0.5, f"{name}.bias": torch.zeros(24)}
    return weights


def jina_reference(weights: dict[str, torch.Tensor], ids: list[int]) -> torch.Tensor:
    """The architecture of arXiv 2310.19923 written down a second time, for one text, without anything shared."""
    w, f, n = weights, torch.nn.functional, len(ids)

    def dense(name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", torch.zeros(1))

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        return f.layer_norm(x, (24,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-12)

    words = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
    x = norm("embeddings.LayerNorm", words)
    slopes = [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]  # six heads: four of four, two of eight
    for at in ("encoder.layer.0.", "encoder.layer.1."):
        q, k, v = (dense(f"{at}attention.self.{part}", x).view(n, 6, 4) for part in ("query", "key", "value"))
        mixed = []
        for head, slope in enumerate(slopes):
            far = torch.tensor([[abs(i - j) for j in range(n)] for i in range(n)], dtype=torch.float32)
            scores = q[:, head] @ k[:, head].T / math.sqrt(4) - slope * far
            mixed.append(torch.softmax(scores, dim=1) @ v[:, head])
        x = norm(f"{at}attention.output.LayerNorm", dense(f"{at}attention.output.dense", torch.cat(mixed, dim=1)) + x)
        gate, value = dense(f"{at}mlp.gated_layers", x).split(40, dim=1)
        x = norm(f"{at}mlp.layernorm", dense(f"{at}mlp.wo", f.gelu(gate) * value) + x)
    return f.normalize(x.mean(dim=0), dim=0)


@pytest.fixture
def jina(tmp_path) -> tuple[Path, dict[str, torch.Tensor]]:
    from safetensors.torch import save_file

    weights = build_jina(tmp_path)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path, weights


def test_a_jina_model_computes_what_its_paper_says_without_its_code(jina) -> None:
    folder, weights = jina
    encoder = load_encoder(str(folder), precision="float32", device="cpu")
    expected = [jina_reference(weights, encoder._body.tokenizer(text)["input_ids"]).numpy() for text in TEXTS]
    assert (encoder.dim, encoder.identity["implementation"]) == (24, "dynprof")
    assert np.abs(encoder.encode(TEXTS) - np.stack(expected)).max() < 1e-5


@pytest.mark.parametrize("change", ["missing", "left over"])
def test_a_jina_variant_is_refused_by_the_weight_that_differs(jina, change) -> None:
    from safetensors.torch import save_file

    folder, weights = jina
    left_over = change == "left over"
    name = f"encoder.layer.1.{'attention.self.layer_norm_q.weight' if left_over else 'mlp.wo.bias'}"
    changed = {k: v for k, v in weights.items() if k != name}
    changed |= {name: torch.ones(24)} if left_over else {}
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputFileError, match=name.replace(".", r"\.")):
        load_encoder(str(folder), device="cpu")


@pytest.mark.parametrize("n_heads", [1, 2, 6, 8, 12])
def test_alibi_slopes_fall_and_are_distinct(n_heads) -> None:
    slopes = alibi_slopes(n_heads)
    assert len(set(slopes)) == n_heads
    assert all(0 < slope < 1 for slope in slopes)
