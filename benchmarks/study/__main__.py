"""The study: `python -m benchmarks.study --reposts DIR --posts DIR --work DIR` measures what is missing, then writes.

The workspaces are those of `jobs.pipeline --encoder minilm` on `ira_retweets` and `ira_posts`. They get reports and no
other change. A stage that stands in `--work` is not run again; `--stages` runs some, `--write-only` none.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.machine import machine
from benchmarks.study.page import TABLES, write_study
from benchmarks.study.stages import HALF_LIVES, Stage, category_table, run_stage, tomorrow_table
from dynprof.evaluation.storage import read_results
from dynprof.workspace import Workspace
from jobs import evaluate

ENCODERS = {"encoder-static": "static", "encoder-hashing": "hashing", "encoder-mpnet": "mpnet"}


def main() -> None:
    """Parse flags, measure, write."""
    args = _flags()
    folder = Path(args.work)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [] if args.write_only else args.stages.split(",") if args.stages else list(TABLES)
    for name, measure in _stages(args).items():
        if name in wanted:
            try:
                run_stage(Stage(name, measure), folder)
            except (OSError, ValueError, LookupError) as error:  # the rest of the study does not hang on it
                print(f"stage={name} not measured: {error}", file=sys.stderr, flush=True)
    tables = {n: pq.read_table(folder / f"{n}.parquet") for n in TABLES if (folder / f"{n}.parquet").exists()}
    missing = write_study(tables, Path(args.page), _how(args))
    told = {"benchmark": "study", "page": args.page, "measured": list(tables), "missing": missing}
    print(json.dumps({**told, "machine": machine()}))


def _flags() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--reposts", required=True, help="workspace of ira_retweets")
    made.add_argument("--posts", required=True, help="workspace of ira_posts")
    made.add_argument("--reposts-file", default="../shared/data/ira_retweets.parquet", help="for account categories")
    made.add_argument("--posts-file", default="../shared/data/ira_posts.parquet", help="for account categories")
    made.add_argument("--work", required=True, help="folder of the measurements")
    made.add_argument("--page", default="docs/study.md")
    made.add_argument("--stages", help=f"some of {','.join(TABLES)}; default: all")
    made.add_argument("--write-only", action="store_true", help="measure nothing")
    made.add_argument("--max-events", type=int, default=2_000, help="tests of a window of jobs.evaluate")
    made.add_argument("--baselines", default="all", help="of jobs.evaluate")
    made.add_argument("--tomorrow-tests", type=int, default=1_000, help="tests of a window of 'tomorrow'")
    return made.parse_args()


def _stages(args: argparse.Namespace) -> dict[str, Callable[[], pa.Table]]:
    found: dict[str, Callable[[], pa.Table]] = {
        "next-repost": lambda: _evaluated(args.reposts, "study-next-repost", "minilm", args.max_events, args.baselines),
        "tomorrow": lambda: tomorrow_table(args.posts, args.tomorrow_tests, "minilm"),
        "category-reposts": lambda: category_table(args.reposts, args.reposts_file, "minilm"),
        "category-posts": lambda: category_table(args.posts, args.posts_file, "minilm"),
    }
    for stage, encoder in ENCODERS.items():
        found[stage] = partial(_evaluated, args.reposts, f"study-{encoder}", encoder, args.max_events, "none")
    return found


def _evaluated(workspace: str, name: str, encoder: str, max_events: int, baselines: str) -> pa.Table:
    """What `jobs.evaluate` says: three windows, slices, all similarities with baselines, cosine alone without."""
    similarities = "cosine" if baselines == "none" else "cosine_time,cosine,basic"
    flags = ["--workspace", workspace, "--encoder", encoder, "--half-life", ",".join(HALF_LIVES), "--report", name]
    flags += ["--max-events", str(max_events), "--similarities", similarities, "--baselines", baselines]
    evaluate.main(flags)
    return read_results(Workspace(workspace), name)


def _how(args: argparse.Namespace) -> list[str]:
    found = machine()
    return [
        "What the claims of *Dynamic user profile embeddings* (arXiv 2407.07925) are worth on two collections of real",
        "posts (how it is asked: [evaluation](evaluation.md); the accounts are coordinated: not everybody's users).",
        "Written by `python -m benchmarks.study`: every number, plot and verdict is its own. Negative results stay.",
        "",
        f"Machine: {found['cpu']}, {found['cores']} cores, Python {found['python']}. `jobs.evaluate` samples up to "
        f"{args.max_events} tests a window (baselines: {args.baselines}), 'tomorrow' {args.tomorrow_tests}. "
        f"Half-lives: {', '.join(HALF_LIVES)}.",
        "Of each decay the half-life shown in a comparison is the one that the validation window picks.",
    ]


if __name__ == "__main__":
    main()
