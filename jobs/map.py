"""`python -m jobs.map`: users and items of a snapshot arranged by UMAP, as an option of the page's map."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from dynprof.atlas import evenly
from dynprof.errors import ConfigError
from dynprof.items import ItemCatalogue
from dynprof.neighbors import NeighborIndex
from dynprof.sheets import Points, item_points, user_points
from dynprof.store import LATEST, SnapshotStore
from dynprof.umap_places import LEAST_POINTS, MAPS, Placing, SheetKind, place_by_umap, save_places
from dynprof.workspace import Workspace
from jobs import command

__all__ = ["main"]

_MOST_POINTS = 20_000
_KINDS: tuple[SheetKind, ...] = ("users", "items")


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Arrange what is asked for, unless that was done; returns the summary.

    Raises:
        ConfigError: A flag makes no sense, umap-learn is not installed, or there are fewer than ten points.
        SnapshotNotFoundError: No finished snapshot of that name.
    """
    flags = _parser().parse_args(argv)
    command.start_logging(flags.log_level)
    if flags.most < LEAST_POINTS or flags.neighbors < 2:
        raise ConfigError(
            f"--most, --neighbors: expected at least {LEAST_POINTS} points and 2 neighbours, "
            f"found {flags.most} and {flags.neighbors}."
        )
    watch, store = command.Stopwatch(), SnapshotStore(Workspace(flags.workspace), flags.snapshot)
    placing = Placing(flags.neighbors, flags.min_dist, flags.seed)
    rows, skipped = {}, []
    for kind in _KINDS if flags.kind == "both" else (flags.kind,):
        before = None if flags.force else store.workspace.read_manifest(MAPS, store.name, kind)
        if before is not None:
            rows[kind] = int(before["n"])
            skipped.append(kind)
            continue
        with watch.stage(kind):
            points = _points(store, kind)
            chosen = evenly(len(points.numbers), flags.most)
            places = place_by_umap(points.vectors[chosen], placing)
            save_places(store.workspace, store.name, kind, points.numbers[chosen], places, placing)
            rows[kind] = len(chosen)
    return {
        "job": "map",
        "workspace": flags.workspace,
        "snapshot": store.name,
        "points": rows,
        "done_before": skipped,
        "seconds": watch.seconds,
    }


def _points(store: SnapshotStore, kind: SheetKind) -> Points:
    if kind == "users":
        return user_points(store, NeighborIndex(store, cache_bytes=0))
    return item_points(store, ItemCatalogue.load(store.workspace, store.spec.fingerprint, store.corpus))


def _parser() -> Any:
    made = command.parser("map", "Arrange users and items of a snapshot by UMAP; the page's map then offers it.")
    made.add_argument("--workspace", required=True, metavar="DIR", help="folder, local or on object storage")
    made.add_argument("--snapshot", default=LATEST, metavar="NAME", help="whose users and items")
    made.add_argument("--kind", default="both", choices=("both", *_KINDS), help="what to arrange")
    made.add_argument("--neighbors", default=15, type=int, metavar="N", help="points that count as near")
    made.add_argument("--min-dist", default=0.1, type=float, metavar="D", help="how close points may come")
    made.add_argument("--seed", default=0, type=int, metavar="N", help="the same one gives the same map")
    made.add_argument("--most", default=_MOST_POINTS, type=int, metavar="N", help="points of each kind, evenly chosen")
    made.add_argument("--force", action="store_true", help="arrange them again")
    return made


if __name__ == "__main__":
    command.run(main, sys.argv[1:])
