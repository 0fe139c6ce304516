"""Encoders against `SentenceTransformer.encode` in all its settings, on the same texts, in turn.

The limit is the matrix product: a token of MiniLM costs 21.2 MFLOP (2 x the weights of its six layers; attention's own
products left out), and the ceiling is what the machine does in bare products of its widest layer in the same round, the
better one of torch's and of oneDNN's with weights laid out beforehand.

    python -m benchmarks.bench_encoders --events posts.parquet --texts 1500 --rounds 5
    python -m benchmarks.bench_encoders --events posts.parquet --accuracy 10000
    python -m benchmarks.bench_encoders --events posts.parquet --static 20000 --rounds 5

Every round has texts of its own, so nothing is remembered from the one before. Without --events a generated world is
used. Prints one JSON line; progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.machine import machine
from benchmarks.posts import distinct_posts
from benchmarks.rounds import in_turn
from dynprof.encoders import Encoder, load_encoder
from dynprof.encoders.weights import find_model

FLOP_PER_TOKEN = 2 * 6 * (4 * 384 * 384 + 2 * 384 * 1536)
PRODUCT_SHAPE = (2048, 384, 1536)
PRODUCTS = 300

Encode = Callable[[list[str]], Any]


def library(precision: str, batch_size: int, device: str) -> partial[Any]:
    """`SentenceTransformer.encode` of MiniLM in one of its settings."""
    import torch
    from sentence_transformers import SentenceTransformer

    dtype = {"dtype": getattr(torch, precision)}
    model = SentenceTransformer(str(find_model("minilm").path), device=device, model_kwargs=dtype)
    return partial(model.encode, batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)


def products(device: str, precision: str, *, packed: bool = False) -> None:
    """`PRODUCTS` products of the shape of MiniLM's widest layer."""
    import torch

    from dynprof.encoders.layers import Affine

    n, k, m = PRODUCT_SHAPE
    options: dict[str, Any] = {"dtype": getattr(torch, precision), "device": device}
    x, weight = torch.randn(n, k, **options), torch.randn(m, k, **options)
    multiply: Callable[[Any], Any] = Affine(weight, torch.zeros(m, **options)) if packed else weight.T.__rmatmul__
    with torch.inference_mode():
        for _ in range(PRODUCTS):
            y = multiply(x)
        y.sum().item()  # waits for a GPU


def count_tokens(encoder: Any, texts: list[str]) -> int:
    """Tokens of texts, special ones included."""
    return int(encoder._tokenise(texts).lengths.sum())


def speed(args: argparse.Namespace) -> dict[str, Any]:
    """Texts a second of ours and of every setting of the library, and the share of the ceiling."""
    import torch

    threads = os.cpu_count() or 1
    torch.set_num_threads(threads)
    ours = load_encoder("minilm", device="cpu", threads=threads)
    precision = ours.identity["precision"]
    encoders: dict[str, Encode] = {"ours": ours.encode, "library_float32_32": library("float32", 32, "cpu")}
    shared = library(precision, 32, "cpu")
    for size in (32, 64, 128, 256):
        encoders[f"library_{precision}_{size}"] = partial(shared, batch_size=size)
    seconds: dict[str, list[float]] = {}
    n_tokens = []
    for number, texts in enumerate(chunks(args.events, args.texts, args.rounds)):
        print(f"round={number}", file=sys.stderr)
        runs: dict[str, Callable[[], Any]] = {name: partial(encode, texts) for name, encode in encoders.items()}
        runs["products"] = partial(products, "cpu", precision)
        runs["products_packed"] = partial(products, "cpu", precision, packed=True)
        for name, found in in_turn(runs, 1).items():
            seconds.setdefault(name, []).extend(found)
        n_tokens.append(count_tokens(ours, texts))
    return {"precision": precision, **report(seconds, args.texts, n_tokens)}


def report(seconds: dict[str, list[float]], n_texts: int, n_tokens: list[int]) -> dict[str, Any]:
    """Medians of rates, and of ratios round by round."""
    ours = seconds["ours"]
    settings = [name for name in seconds if name.startswith("library")]
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    best = min(settings, key=medians.__getitem__)
    n, k, m = PRODUCT_SHAPE
    flop = 2 * n * k * m * PRODUCTS
    ceilings = [flop / min(pair) for pair in zip(seconds["products"], seconds["products_packed"], strict=True)]
    shares = [t * FLOP_PER_TOKEN / s / c for t, s, c in zip(n_tokens, ours, ceilings, strict=True)]

    def over(name: str) -> dict[str, float]:
        ratios = [theirs / own for theirs, own in zip(seconds[name], ours, strict=True)]
        return {
            "median": round(statistics.median(ratios), 2),
            "min": round(min(ratios), 2),
            "max": round(max(ratios), 2),
        }

    return {
        "texts_a_round": n_texts,
        "tokens_per_text": round(statistics.mean(n_tokens) / n_texts, 1),
        "texts_per_s": {name: round(n_texts / medians[name]) for name in ["ours", *settings]},
        "best_of_library": best,
        "over_best": over(best),
        "over_default": over("library_float32_32"),
        "ceiling_gflop_per_s": round(statistics.median(ceilings) / 1e9),
        "share_of_ceiling": round(statistics.median(shares), 2),
        "seconds": seconds,
    }


def chunks(events: str | None, n_texts: int, rounds: int) -> list[list[str]]:
    """Texts of each round, no text twice."""
    texts = distinct_posts(events, n_texts * rounds)
    return [texts[i * n_texts : (i + 1) * n_texts] for i in range(rounds)]


def accuracy(args: argparse.Namespace) -> dict[str, Any]:
    """Cosines of our default to our float32, and of our float32 to the library's on the first 200 texts."""
    texts = distinct_posts(args.events, args.accuracy)
    threads = os.cpu_count() or 1
    exact = load_encoder("minilm", precision="float32", device="cpu", threads=threads)
    fast = load_encoder("minilm", device="cpu", threads=threads)
    vectors = exact.encode(texts)
    cosines = np.einsum("nd,nd->n", fast.encode(texts), vectors)
    few = texts[:200]
    checked = np.einsum("nd,nd->n", vectors[: len(few)], library("float32", 32, "cpu")(few))
    return {
        "texts": len(texts),
        "precision": fast.identity["precision"],
        "cosine_to_float32": {"mean": round(float(cosines.mean()), 6), "min": round(float(cosines.min()), 6)},
        "float32_to_library_min": round(float(checked.min()), 6),
    }


def static(args: argparse.Namespace) -> dict[str, Any]:
    """The static encoder and tokenising on one core, and what distilling costs."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DYNPROF_MODELS"] = folder
        start = time.perf_counter()
        encoder = load_encoder("static", device="cpu", threads=os.cpu_count())
        distilling = time.perf_counter() - start
        # A new one a round, so that every round begins without a word.
        load: Callable[[], Encoder] = partial(load_encoder, "static", device="cpu", threads=1)
        pa.set_cpu_count(1)
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(find_model("minilm").path / "tokenizer.json"))
        tokenizer.no_padding()
        seconds: dict[str, list[float]] = {}
        for texts in chunks(args.events, args.static, args.rounds):
            fresh = load()
            runs: dict[str, Callable[[], Any]] = {
                "first_time": partial(fresh.encode, texts),
                "words_known": partial(fresh.encode, texts),
                "library_tokens": partial(list_tokens, tokenizer, texts),
            }
            for name, found in in_turn(runs, 1).items():
                seconds.setdefault(name, []).extend(found)
    rates = {name: round(args.static / statistics.median(found)) for name, found in seconds.items()}
    return {
        "texts_a_round": args.static,
        "cores": 1,
        "dim": encoder.dim,
        "texts_per_s": rates,
        "distilling_s": round(distilling, 1),
        "seconds": seconds,
    }


def list_tokens(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Token ids by the library's fastest call."""
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]


def main() -> None:
    """Parse flags, measure, print one JSON line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--events", help="Parquet with a column text")
    made.add_argument("--texts", type=int, default=1_500, help="a round")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--accuracy", type=int, help="measure cosines over so many texts, not speed")
    made.add_argument("--static", type=int, help="measure the static encoder on so many texts a round")
    args = made.parse_args()
    mode = accuracy if args.accuracy else static if args.static else speed
    print(json.dumps({"benchmark": f"encoders_{mode.__name__}", **mode(args), "machine": machine()}))


if __name__ == "__main__":
    main()
