"""How large, how long, how dear: the tables of docs/operations.md, `python -m benchmarks.sizing`.

Every assumption of `benchmarks/estimate.py` is a flag: put in your own prices and rates.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import fields

from benchmarks.estimate import SCALES, Assumptions, Size

__all__ = ["cost_table", "limits_table", "main", "size_table"]


def _bytes(value: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value < 1e3 * size else f"{value / size:,.0f} {unit}"
    return f"{value / 1e3:.3g} kB"


def _count(value: float) -> str:
    for unit, size in ((" B", 1e9), (" M", 1e6)):
        if value >= size:
            return f"{float(f'{value / size:.3g}'):,g}{unit}"
    return f"{value:,.0f}"


def _hours(value: float) -> str:
    return f"{value:,.1f} h" if value >= 1 else f"{value * 60:.1f} min"


def _usd(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


Row = tuple[str, str, Callable[[Size], str]]

_SIZES: tuple[Row, ...] = (
    ("users", "events / 200", lambda s: _count(s.users)),
    ("distinct texts", "events x (1 - 0.12)", lambda s: _count(s.texts)),
    ("corpus, at most", "(events + texts) x 218", lambda s: _bytes(s.corpus_bytes)),
    ("embeddings, at most", "events x (2 x dim + 16)", lambda s: _bytes(s.embeddings_bytes)),
    ("states", "users x (0.59 x K x (4 x dim + 16) + 2.6 x (2 x dim + 12))", lambda s: _bytes(s.states_bytes)),
    ("profiles", "users x decays x (2 x dim + 40)", lambda s: _bytes(s.profiles_bytes)),
    ("workspace, one snapshot", "sum", lambda s: _bytes(s.workspace_bytes)),
)
_COSTS: tuple[Row, ...] = (
    ("CPU workers x processors", "chosen", lambda s: f"{s.scale.cpu_nodes} x {s.given.cpu_node_vcpus:.0f}"),
    ("GPUs", "chosen", lambda s: f"{s.scale.gpus}"),
    ("ingest", "events / 10,397 / processors", lambda s: _hours(s.ingest_h)),
    ("encode", "texts x 0.74 GFLOP / (121 TFLOP/s x 0.25) / GPUs", lambda s: _hours(s.encode_h)),
    ("build, computing", "events / 71,000 / processors", lambda s: _hours(s.build_h)),
    (
        "build, waiting for object storage",
        "reads, below, x 0.1 s / 16 at once / processors",
        lambda s: _hours(s.build_wait_h),
    ),
    ("driver, waiting for object storage", "(2 x shards + buckets) x 0.1 s", lambda s: _hours(s.driver_wait_h)),
    ("from start to end", "sum, and twice 0.4 h for nodes to start", lambda s: _hours(s.total_h)),
    ("CPU workers, USD", "nodes x (ingest + build + 0.4 h) x 0.33", lambda s: _usd(s.cpu_usd)),
    ("GPU workers, USD", "nodes x (encode + 0.4 h) x 0.45", lambda s: _usd(s.gpu_usd)),
    ("one run with the head, USD", "sum, and hours x 0.21", lambda s: _usd(s.run_usd)),
    ("a month of storage, USD", "GB x 0.023", lambda s: _usd(s.month_usd)),
    ("encode without a GPU, processor hours", "texts / 212", lambda s: _count(s.encode_vcpu_h)),
    ("the same, USD", "hours / 16 x 0.33", lambda s: _usd(s.encode_without_gpu_usd)),
)
_LIMITS: tuple[Row, ...] = (
    ("user buckets", "events x 218 / 16 MiB, 8 to 1,024", lambda s: _count(s.buckets)),
    ("text shards", "events / 8,192, at most 2,048", lambda s: _count(s.shards)),
    (
        "reads of the build",
        "buckets x shards x (1 + passes of 16,384 users or 1,048,576 events)",
        lambda s: _count(s.reads),
    ),
    ("memory, ingest task", "3 x events / buckets x 218", lambda s: _bytes(s.ingest_task_bytes)),
    ("memory, encoding actor", "texts / shards x (141 + 6 x dim)", lambda s: _bytes(s.encode_task_bytes)),
    ("memory, build task", "1 GiB + events / buckets x 110", lambda s: _bytes(s.build_task_bytes)),
    ("memory, driver of `evaluate`", "events x 140", lambda s: _bytes(s.evaluate_bytes)),
    ("memory, replica of the server", "texts x (4 x dim + 125)", lambda s: _bytes(s.replica_bytes)),
)


def _table(rows: Sequence[Row], given: Assumptions, what: str) -> str:
    sizes = [Size(scale, given) for scale in SCALES]
    lines = [f"| {what} | formula | " + " | ".join(s.scale.name for s in sizes) + " |", "| --- | --- |" + " --- |" * 3]
    lines += [f"| {name} | {formula} | " + " | ".join(text(s) for s in sizes) + " |" for name, formula, text in rows]
    return "\n".join(lines)


def size_table(given: Assumptions) -> str:
    """Bytes at rest, as Markdown."""
    return _table(_SIZES, given, "what")


def cost_table(given: Assumptions) -> str:
    """Hours and dollars, as Markdown."""
    return _table(_COSTS, given, "time and money")


def limits_table(given: Assumptions) -> str:
    """What has to fit into one task or process, as Markdown."""
    return _table(_LIMITS, given, "what one part has to hold")


def main(argv: Sequence[str] | None = None) -> None:
    """Print the three tables for the assumptions of the flags; the formulas show the defaults."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    for known in fields(Assumptions):
        made.add_argument(
            f"--{known.name.replace('_', '-')}", type=float, default=known.default, help=known.metadata["help"]
        )
    given = Assumptions(**vars(made.parse_args(argv)))
    print("\n\n".join([size_table(given), cost_table(given), limits_table(given)]))


if __name__ == "__main__":
    main()
