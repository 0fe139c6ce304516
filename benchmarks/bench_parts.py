"""What Ray takes to hand many shards to tasks that do next to nothing: the evaluation's own cost a shard.

Each task is sent the numbers of its part by reference. Three ways: a task a shard with the references of all shards,
as it was once; a task a shard with references in groups (`jobs.stages.tables_of_texts`); a task for some shards, as
the evaluation cuts them (`gather_shards`). The floor is a task a shard without Ray Data.

    python -m benchmarks.bench_parts --shards 512

Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import ray

from benchmarks.machine import machine
from benchmarks.rounds import in_turn
from dynprof.evaluation.shard_counts import ShardTexts, gather_shards
from jobs.command import ray_session
from jobs.stages import tables_of, tables_of_texts

_TEXTS_A_SHARD = 8_192


def touch(batch: dict[str, Any], *, texts: list[ray.ObjectRef]) -> pa.Table:
    """Fetch the part, and answer with the number of its texts."""
    return pa.table({"texts": [sum(len(shard.items) for shard in ray.get(texts[int(batch["part"][0])]))]})


def touch_alone(part: tuple[ShardTexts, ...]) -> pa.Table:
    """The same without Ray Data."""
    return pa.table({"texts": [sum(len(shard.items) for shard in part)]})


_ALONE = ray.remote(num_cpus=1)(touch_alone)


def main() -> None:
    """Parse flags, measure, print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--shards", type=int, default=512)
    made.add_argument("--rounds", type=int, default=5)
    args = made.parse_args()
    items = np.arange(_TEXTS_A_SHARD, dtype=np.int32)
    hashes = pa.array([b"0" * 16], pa.binary(16)).take(pa.array(np.zeros(_TEXTS_A_SHARD, np.int64)))
    shards = [ShardTexts("f", s, items, hashes, items.astype(np.int64)) for s in range(args.shards)]
    with ray_session():
        single, gathered = [ray.put((s,)) for s in shards], [ray.put(part) for part in gather_shards(shards)]
        ways: dict[str, Callable[[], int]] = {
            "a task a shard, all references": lambda: _total(tables_of(touch, range(len(single)), {"texts": single})),
            "a task a shard, references in groups": lambda: _total(tables_of_texts(touch, single, {})),
            "a task for some shards": lambda: _total(tables_of_texts(touch, gathered, {})),
            "a task a shard without Ray Data": lambda: _total(ray.get([_ALONE.remote(r) for r in single])),
        }
        counts = {way() for way in ways.values()}
        if counts != {args.shards * _TEXTS_A_SHARD}:
            raise SystemExit(f"expected {args.shards * _TEXTS_A_SHARD} texts in every way, found {counts}")
        seconds = in_turn(ways, args.rounds)
    found = {name: [round(statistics.median(s), 2), round(min(s), 2), round(max(s), 2)] for name, s in seconds.items()}
    print(json.dumps({"benchmark": "parts", **vars(args), "seconds": found, "machine": machine()}))


def _total(tables: Any) -> int:
    return sum(int(table["texts"].to_numpy().sum()) for table in tables)


if __name__ == "__main__":
    main()
