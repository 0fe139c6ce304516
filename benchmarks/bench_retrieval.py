"""The same retrieval by ours and by others, in turn in one process: the ten nearest items of a profile, by cosine.

The physical limit of an exact answer is reading every vector once: n x dim x 2 bytes of fp16, x 1 of int8, at what the
memory delivers to one core (`read` in the output: a sum over the fp16 bytes). Vectors are made (`topical_vectors`), not
encoded: topics of Zipf sizes, 24 directions in each, noise. One thread each.

    python -m benchmarks.bench_retrieval                                # 100,000 x 384, exact
    python -m benchmarks.bench_retrieval --items 1000000 --approximate cells
    python -m benchmarks.bench_retrieval --items 1000000 --approximate graph      # minutes to build

`pip install 'dynprof[bench]'` brings FAISS and LanceDB; what is not installed is left out and named. Prints one JSON
line: recall of the true ten (by numpy in float64), milliseconds a question (p50, p99 over all rounds), bytes held.
`ours_time` is the default metric, with items of a year and a half-life of two days; it has no counterpart elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # before numpy reads them

import numpy as np
import numpy.typing as npt
import torch
from usearch.index import Index

from benchmarks.machine import machine
from benchmarks.topical_vectors import topical_profiles, topical_vectors
from dynprof.decay import Decay
from dynprof.index import cells
from dynprof.index.approximate import APPROXIMATE
from dynprof.index.codes import encode
from dynprof.index.item_index import ItemIndex
from dynprof.recommend import Metric, question

K, TOGETHER = 10, 32
DAY_US, NOW_US = 86_400_000_000, 20_000 * 86_400_000_000

Search = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.int64]]
"""(m, dim) profiles of norm 1 to (m, K) rows."""

Built = tuple[Search, int]
"""And the bytes that it holds."""


def main() -> None:
    """Build every candidate, ask all of them in turn, print the line."""
    flags = _flags()
    cells.SHARE_READ = flags.share
    torch.set_num_threads(1)
    vectors, profiles = topical_vectors(flags.items, flags.dim), topical_profiles(flags.queries, flags.dim)
    profiles /= np.linalg.norm(profiles, axis=1, keepdims=True)
    truth, missing, built = _truth(vectors, profiles), [], {}
    for name, make in _candidates(vectors, flags).items():
        start = time.perf_counter()
        try:
            search, size = make()
        except ImportError as error:
            missing.append(str(error))
            continue
        built[name] = (search, size, round(time.perf_counter() - start, 2))
        _say(f"built {name} {built[name][2]} s")
    times: dict[str, list[float]] = {name: [] for name in built}
    found: dict[str, list[npt.NDArray[np.int64]]] = {}
    for _ in range(flags.rounds):
        for name, (search, _, _) in built.items():
            times[name], found[name] = times[name] + (asked := _ask(name, search, profiles))[0], asked[1]
            _say(f"{name} {np.median(asked[0]) * 1e3:.2f} ms")
    results = {
        name: {
            "p50_ms": round(float(np.percentile(times[name], 50)) * 1e3, 3),
            "p99_ms": round(float(np.percentile(times[name], 99)) * 1e3, 3),
            "recall": None if name.startswith("ours_time") else _recall(np.concatenate(found[name]), truth),
            "bytes": size,
            "bytes_over_fp16": round(size / vectors.nbytes, 2),
            "build_s": build_s,
        }
        for name, (_, size, build_s) in built.items()
    }
    about = {"items": flags.items, "dim": flags.dim, "queries": flags.queries, "rounds": flags.rounds, "k": K}
    about |= {"approximate": flags.approximate, "asked": flags.asked, "share": flags.share}
    line = {"benchmark": "retrieval", **about, "read_ms": _read_ms(vectors), "missing": missing, "results": results}
    print(json.dumps({**line, "machine": machine()}))


def _candidates(vectors: npt.NDArray[np.float16], flags: argparse.Namespace) -> dict[str, Callable[[], Built]]:
    """Name to a maker. `_together`: so many questions at once."""
    index = cache(partial(_index, vectors, flags.approximate, flags.asked))  # three ways to ask, one index
    makers: dict[str, Callable[[], Built]] = {
        "ours": lambda: _ours(*index(), "cosine"),
        "ours_time": lambda: _ours(*index(), "cosine_time"),
        f"ours_{TOGETHER}_together": lambda: _ours(*index(), "cosine"),
        "numpy": partial(_numpy, vectors),
        "faiss_flat": partial(_faiss, vectors),
        "lancedb_flat": partial(_lancedb, vectors),
        "usearch_f16": partial(_usearch, vectors),
    }
    # A flat search over a million vectors takes a second each in the slowest of them: nobody's alternative here.
    without = {"numpy", "lancedb_flat"} if flags.approximate else set()
    wanted = flags.only.split(",") if flags.only else [name for name in makers if name not in without]
    return {name: makers[name] for name in wanted}


def _index(vectors: npt.NDArray[np.float16], approximate: str | None, n_asked: int | None) -> tuple[ItemIndex, int]:
    """Ours, and the bytes it holds."""
    created_us = NOW_US - np.linspace(365, 0, len(vectors)).astype(np.float64) * DAY_US
    codes = encode(vectors)
    made = APPROXIMATE[approximate].build(codes) if approximate else None
    kept = codes if made is None else codes.part(len(codes) - len(codes) // 4, len(codes))
    index = ItemIndex(vectors, created_us.astype(np.int64), kept, made, n_asked=n_asked)
    return index, vectors.nbytes + kept.values.nbytes + 8 * len(kept) + (made.size_bytes if made else 0)


def _ours(index: ItemIndex, size: int, metric: Metric) -> Built:
    decay = Decay("exponential", "2d")

    def search(profiles: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        asked = [question(p, k=K, as_of_us=NOW_US + 1, metric=metric, item_decay=decay) for p in profiles]
        return np.stack([ranking.rows for ranking in index.search(asked)])

    return search, size


def _numpy(vectors: npt.NDArray[np.float16]) -> Built:
    rows = vectors.astype(np.float32)

    def search(profiles: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        scores = profiles @ rows.T
        best = np.argpartition(scores, -K)[:, -K:]
        return np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1)), 1)

    return search, rows.nbytes


def _faiss(vectors: npt.NDArray[np.float16]) -> Built:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors.astype(np.float32))
    return lambda profiles: np.asarray(index.search(profiles, K)[1]), 4 * vectors.size


def _usearch(vectors: npt.NDArray[np.float16]) -> Built:
    """With its own defaults, over fp16: what one has without us."""
    index = Index(ndim=vectors.shape[1], metric="cos", dtype="f16")
    index.add(np.arange(len(vectors), dtype=np.uint64), vectors, threads=0)

    def search(profiles: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        asked = profiles.astype(np.float16)
        found = [index.search(one, K, threads=1).keys for one in asked]
        return np.asarray(found).astype(np.int64)

    return search, int(index.memory_usage)


def _lancedb(vectors: npt.NDArray[np.float16]) -> Built:
    import lancedb
    import pyarrow as pa

    folder = tempfile.mkdtemp(prefix="bench-lance-")
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float32).reshape(-1)), vectors.shape[1])
    table = lancedb.connect(folder).create_table("items", pa.table({"id": np.arange(len(vectors)), "vector": column}))

    def one(profile: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        answer = table.search(profile).distance_type("dot").limit(K).select(["id"]).to_arrow()
        return np.asarray(answer["id"], np.int64)

    return lambda profiles: np.stack([one(p) for p in profiles]), 4 * vectors.size


def _ask(
    name: str, search: Search, profiles: npt.NDArray[np.float32]
) -> tuple[list[float], list[npt.NDArray[np.int64]]]:
    """Seconds a question and rows; several together are timed as one and divided."""
    step, seconds, rows = TOGETHER if "together" in name else 1, [], []
    for first in range(0, len(profiles), step):
        start = time.perf_counter()
        rows.append(search(profiles[first : first + step]))
        seconds.append((time.perf_counter() - start) / len(rows[-1]))
    return seconds, rows


def _truth(vectors: npt.NDArray[np.float16], profiles: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """(m, K) rows by comparing everything in float64, block by block."""
    best_scores = np.full((len(profiles), K), -np.inf)
    best = np.zeros((len(profiles), K), np.int64)
    for first in range(0, len(vectors), 8192):
        rows = vectors[first : first + 8192].astype(np.float64)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        scores = np.concatenate([best_scores, profiles.astype(np.float64) @ rows.T], 1)
        numbers = np.concatenate([best, np.broadcast_to(np.arange(len(rows)) + first, (len(best), len(rows)))], 1)
        chosen = np.argpartition(scores, -K)[:, -K:]
        best_scores, best = np.take_along_axis(scores, chosen, 1), np.take_along_axis(numbers, chosen, 1)
    return best


def _recall(found: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]) -> float:
    hits = [len(np.intersect1d(f, t)) for f, t in zip(found, truth, strict=True)]
    return round(float(np.sum(hits)) / truth.size, 4)


def _read_ms(vectors: npt.NDArray[np.float16]) -> float:
    words, seconds = vectors.view(np.uint64), []
    for _ in range(5):
        start = time.perf_counter()
        words.sum()
        seconds.append(time.perf_counter() - start)
    return round(min(seconds) * 1e3, 2)


def _say(text: str) -> None:
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _flags() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--items", type=int, default=100_000)
    made.add_argument("--dim", type=int, default=384)
    made.add_argument("--queries", type=int, default=200)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--approximate", choices=APPROXIMATE, help="such an index, against usearch and FAISS flat alone")
    made.add_argument("--share", type=float, default=cells.SHARE_READ, help="of all rows, that cells read")
    made.add_argument(
        "--only", default="", help="of the candidates, by name, with commas: a graph takes minutes to build"
    )
    made.add_argument("--asked", type=int, help="rows asked of it (default: its own number): recall against time")
    return made.parse_args()


if __name__ == "__main__":
    main()
