"""`python -m jobs.index`: the items of a snapshot as files that servers map into memory, with cells above a size.

And the traces that a ranker reads, where one was trained for such a snapshot.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
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


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the index of a snapshot's items, unless it is there; returns the summary.

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
    if before is None:
        workspace.remove(*folder)  # what a killed run left behind
        with watch.stage("read"):
            items = ItemRows.read(
                workspace,
                fingerprint,
                store.corpus,
                approximate=flags.approximate,
                approximate_from=flags.approximate_from,
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
        "--approximate", default="cells", choices=APPROXIMATE, help="cells (k-means), or usearch's graph, slow to build"
    )
    made.add_argument(
        "--approximate-from", default=APPROXIMATE_FROM, type=int, metavar="N", help="items from which on to build it"
    )
    made.add_argument("--force", action="store_true", help="write it again")
    return made


if __name__ == "__main__":
    command.run(main, sys.argv[1:])
