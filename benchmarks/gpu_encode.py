"""Encoding on a GPU in one call: ours, the library, tokenising alone, bare products, accuracy.

    python -m benchmarks.gpu_encode --events posts.parquet --texts 100000 --rounds 5

Runs on a CPU too (--device cpu, few texts), so that a test can hold it together. The limit is the matrix product as in
`bench_encoders`; beside it stands tokenising, which has to keep up on the host. Prints one JSON line; progress goes to
stderr.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.bench_encoders import FLOP_PER_TOKEN, PRODUCT_SHAPE, PRODUCTS, chunks, count_tokens, library, products
from benchmarks.machine import machine
from benchmarks.rounds import in_turn
from dynprof.encoders import load_encoder
from dynprof.encoders.precision import resolve_device

LIBRARY_TEXTS = 5_000


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Rates, ratios round by round, cosines to the library's float32."""
    device = str(resolve_device(args.device))
    ours: Any = load_encoder("minilm", device=device)
    precision = ours.identity["precision"]
    default, tuned = library("float32", 32, device), library(precision, args.library_batch, device)
    for warm in (ours.encode, default, tuned):
        warm(["a text that is encoded before anything is measured"] * 64)
    seconds: dict[str, list[float]] = {}
    n_tokens, cosines = [], []
    for texts in chunks(args.events, args.texts, args.rounds):
        few = texts[:LIBRARY_TEXTS]
        kept: list[Any] = []
        runs: dict[str, Callable[[], Any]] = {
            "ours": partial(ours.encode, texts),
            "tokens": partial(ours._tokenise, texts),
            "library_default": partial(keep, kept, default, few),
            "library_tuned": partial(tuned, few),
            "products": partial(products, device, precision),
        }
        for name, found in in_turn(runs, 1).items():
            seconds.setdefault(name, []).extend(found)
        n_tokens.append(count_tokens(ours, texts))
        cosines.append(np.einsum("nd,nd->n", ours.encode(few), kept[0]))
    return {"device": device, "precision": precision, **report(args, seconds, n_tokens, np.concatenate(cosines))}


def keep(found: list[Any], encode: Callable[[list[str]], Any], texts: list[str]) -> None:
    """Encode, and keep the vectors."""
    found.append(encode(texts))


def report(
    args: argparse.Namespace, seconds: dict[str, list[float]], n_tokens: list[int], cosines: Any
) -> dict[str, Any]:
    """The library's seconds are of fewer texts: all become rates first."""
    n_library = min(LIBRARY_TEXTS, args.texts)
    counts = {"ours": args.texts, "tokens": args.texts, "library_default": n_library, "library_tuned": n_library}
    rates = {name: [n / s for s in seconds[name]] for name, n in counts.items()}
    n, k, m = PRODUCT_SHAPE
    ceiling = 2 * n * k * m * PRODUCTS / statistics.median(seconds["products"])
    flop_per_s = statistics.median(rates["ours"]) * statistics.mean(n_tokens) / args.texts * FLOP_PER_TOKEN
    return {
        "texts_a_round": args.texts,
        "tokens_per_text": round(statistics.mean(n_tokens) / args.texts, 1),
        "texts_per_s": {name: round(statistics.median(found)) for name, found in rates.items()},
        "over_default": round(
            statistics.median(a / b for a, b in zip(rates["ours"], rates["library_default"], strict=True)), 2
        ),
        "ceiling_gflop_per_s": round(ceiling / 1e9),
        "share_of_ceiling": round(flop_per_s / ceiling, 3),
        "cosine_to_float32": {"mean": round(float(cosines.mean()), 6), "min": round(float(cosines.min()), 6)},
        "seconds": seconds,
    }


def main() -> None:
    """Parse flags, measure, print one JSON line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--events", help="Parquet with a column text")
    made.add_argument("--device", default="auto")
    made.add_argument("--texts", type=int, default=100_000, help="a round")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--library-batch", type=int, default=1_024, help="texts a batch of the tuned library")
    print(json.dumps({"benchmark": "gpu_encode", **measure(made.parse_args()), "machine": machine()}))


if __name__ == "__main__":
    main()
