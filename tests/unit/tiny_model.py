"""A sentence-transformers model of a few kilobytes with random weights, and ways to damage it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

WORDS = ["the", "a", "cat", "dog", "sat", "on", "mat", "ran", "far", "and", "we", "read", "posts", "every", "day"]
TEXTS = ["the cat sat on the mat", "a dog ran far", "we read posts every day and ran", "unknown words", "mat"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def build_tiny_model(folder: Path) -> None:
    """Write `bare/`, a DistilBERT alone, and `whole/`, the same with a projection, made like distiluse."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
    from transformers import DistilBertConfig, DistilBertModel

    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=build_tiny_tokenizer(folder / "bare"),
        dim=16,
        hidden_dim=32,
        n_layers=2,
        n_heads=2,
        max_position_embeddings=24,
    )
    DistilBertModel(config).save_pretrained(folder / "bare")
    parts = [Transformer(str(folder / "bare"), max_seq_length=12), Pooling(16), Dense(16, 8)]  # with Tanh
    SentenceTransformer(modules=parts, device="cpu").save(str(folder / "whole"))


def build_tiny_tokenizer(folder: Path) -> int:
    """Write a WordPiece tokenizer of a few words; the size of its vocabulary."""
    from transformers import BertTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    BertTokenizerFast(vocab={word: i for i, word in enumerate(vocabulary)}).save_pretrained(folder)
    return len(vocabulary)


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_weight(path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(path)
    first = sorted(tensors)[0]
    tensors[first] = tensors[first] + np.float32(0.01)
    save_file(tensors, path, metadata={"format": "pt"})
