"""`python -m jobs.index`: the items of a snapshot as files that servers map into memory, with cells above a size.

And the traces that a ranker reads, where one was trained for such a snapshot.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from dynprof.errors import WorkspaceError
from dynprof.index.approximate import APPROXIMATE
from dynprof.item_files import INDEX, item_files, read_index_manifest, save_items
from dynprof.item_rows import APPROXIMATE_FROM, ItemRows
from dynprof.ranker.model import latest_model
from dynprof.ranker.served import meaning_of
from dynprof.ranker.trace_files import ensure_traces
from dynprof.store import LATEST, SnapshotStore
from dynprof.workspace import Workspace
from jobs import command

__all__ = ["main"]

_KIND = "cells"
"""Of a new index, where nobody says."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the index of a snapshot's items, unless one as asked for is there; returns the summary.

    Raises:
        SnapshotNotFoundError: No finished snapshot of that name.
        WorkspaceError: The corpus or the embeddings are not those of the snapshot, or incomplete.
    """
    flags = _parser().parse_args(argv)
    command.start_logging(flags.log_level)
    watch, workspace = command.Stopwatch(), Workspace(flags.workspace)
    store = SnapshotStore(workspace, flags.snapshot)
    fingerprint, corpus_id = store.spec.fingerprint, store.corpus.corpus_id
    folder = item_files(fingerprint, corpus_id)
    before = None if flags.force else read_index_manifest(workspace, *folder)
    if before is None or not _is_as_asked(before, flags):
        before = None
        workspace.remove(*folder)  # another kind, or what a killed run left behind
        with watch.stage("read"):
            items = ItemRows.read(
                workspace,
                fingerprint,
                store.corpus,
                approximate=flags.approximate or _KIND,
                approximate_from=_least(flags),
            )
        with watch.stage("write"):
            manifest = save_items(items, workspace, fingerprint, corpus_id)
    else:
        manifest = before
    with watch.stage("traces"):
        has_ranker = _write_traces(store)
    return {
        "job": "index",
        "workspace": flags.workspace,
        "snapshot": store.name,
        "folder": "/".join((INDEX, *folder[1:])),
        "rows_out": manifest["n_items"],
        "approximate": manifest["approximate"],
        "has_ranker": has_ranker,
        "done_before": before is not None,
        "seconds": watch.seconds,
    }


def _is_as_asked(manifest: Mapping[str, Any], flags: argparse.Namespace) -> bool:
    """Whether an index is of the kind that the flags ask for with its number of items; any is where they do not say."""
    if flags.approximate is None and flags.approximate_from is None:
        return True
    kind = flags.approximate or manifest["approximate"] or _KIND
    return bool(manifest["approximate"] == (kind if manifest["n_items"] >= max(_least(flags), 1) else None))


def _least(flags: argparse.Namespace) -> int:
    return APPROXIMATE_FROM if flags.approximate_from is None else int(flags.approximate_from)


def _write_traces(store: SnapshotStore) -> bool:
    """What servers need for the ranker, where one was trained for such a snapshot; whether one was."""
    try:
        latest_model(store.workspace, meaning_of(store.spec))
    except WorkspaceError:  # none, or none that fits: a FingerprintError is one
        return False
    ensure_traces(store)
    return True


def _parser() -> Any:
    made = command.parser("index", "Write the items of a snapshot as files that servers map into memory.")
    made.add_argument("--workspace", required=True, metavar="DIR", help="folder, local or on object storage")
    made.add_argument("--snapshot", default=LATEST, metavar="NAME", help="whose corpus and encoder")
    made.add_argument(
        "--approximate",
        choices=APPROXIMATE,
        help=f"cells (k-means), or usearch's graph, slow to build; {_KIND} in a new index",
    )
    made.add_argument(
        "--approximate-from",
        type=int,
        metavar="N",
        help=f"items from which on to build it; {APPROXIMATE_FROM} in a new index",
    )
    made.add_argument("--force", action="store_true", help="write it again, whatever is there")
    return made


if __name__ == "__main__":
    command.run(main, sys.argv[1:])
