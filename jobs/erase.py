"""Files without erased users and events, byte for byte: `python -m jobs.erase`. See `docs/operations.md`.

Every file that has something of them is written again, then the latest snapshot is built anew and the older ones go.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import ray

from dynprof.corpus import CORPUS
from dynprof.embeddings import EMBEDDINGS
from dynprof.erasure import Removed
from dynprof.erasure_plan import BASE, ErasurePlan, make_plan, read_plan, write_plan
from dynprof.errors import ConfigError, SnapshotNotFoundError
from dynprof.lineage import SEGMENTS, present_corpus
from dynprof.live.log import EventLog
from dynprof.live.tombstones import Tombstones
from dynprof.snapshot import SNAPSHOTS, latest_snapshot, read_spec
from dynprof.workspace import Workspace
from jobs.absorb import add_live_flag, live_log
from jobs.build import as_options, build
from jobs.command import Stopwatch, hold_ray, parser, ray_session, run, start_logging
from jobs.erase_tasks import Part, find_removed, find_uses, rewrite_quarantine, rewrite_tables, rewrite_vectors

__all__ = ["drop_old_snapshots", "erase", "erase_from_log"]

LOG = logging.getLogger("dynprof.erase")

REPORTS = "reports"


Each = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], list[Any]]
"""Calls a function with each of some arguments, in any order or at once."""


def on_ray(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Each call as a task."""
    with ray_session():
        task = ray.remote(function)
        found: list[Any] = ray.get([task.remote(*those) for those in arguments])
    return found


def erase(workspace: Workspace, tombstones: Tombstones, *, rebuild: bool = True, each: Each = on_ray) -> dict[str, Any]:
    """Take what was erased out of every file of the workspace; nothing happens when there is nothing of it.

    All tables, vectors, snapshots and reports; the log of live events does its own. Killed at any moment, the next call
    goes on. Snapshots are read as before until the new one is there.

    Args:
        workspace: Where.
        tombstones: Who and what was erased.
        rebuild: Build the latest snapshot anew; else the caller does, and then calls `drop_old_snapshots`.
        each: How the files are gone through.

    Returns:
        `erased_events` and `erased_users` of the corpus, `snapshot` (None without one) and `done_before`.

    Raises:
        WorkspaceError: No finished corpus.
    """
    plan, is_new = read_plan(workspace), False
    if plan is None:
        if workspace.require_manifest(CORPUS, made_by="ingest").get("erased") == tombstones.digest or not tombstones:
            return {"erased_events": 0, "erased_users": 0, "snapshot": None, "done_before": True}
        plan, is_new = _plan(workspace, tombstones, each), True
        write_plan(workspace, plan)
    LOG.info("events=%d users=%d texts=%d", plan.n_events, plan.n_users, len(plan.dropped_texts))
    _rewrite(workspace, tombstones, plan, each)
    snapshot = None
    if rebuild and plan.snapshot is not None:
        snapshot = _build_again(workspace, plan.snapshot)
    if rebuild:
        drop_old_snapshots(workspace)
    found = {"erased_events": plan.n_events, "erased_users": plan.n_users, "snapshot": snapshot, "done_before": False}
    if not is_new and rebuild:  # of what was erased since that plan was made
        more = erase(workspace, tombstones, each=each)
        return {name: more[name] + found[name] if name.startswith("erased") else found[name] for name in found}
    return found


def drop_old_snapshots(workspace: Workspace) -> None:
    """End an erasure: remove the snapshots that were built before it, and its plan."""
    if read_plan(workspace) is None:
        return
    present = present_corpus(workspace)
    for name in workspace.folders(SNAPSHOTS):
        manifest = workspace.read_manifest(SNAPSHOTS, name)
        if manifest is None or manifest["corpus_id"] not in present.ids:
            workspace.remove(SNAPSHOTS, name)
    write_plan(workspace, None)


def _plan(workspace: Workspace, tombstones: Tombstones, each: Each) -> ErasurePlan:
    view, uri = present_corpus(workspace), workspace.uri
    parts: list[Part] = [*((BASE, b) for b in range(view.n_buckets)), *((s, None) for s in view.segments)]
    removed = {part: Removed() for part in (BASE, *view.segments)}
    for part, found in zip(parts, each(find_removed, [(uri, part, tombstones) for part in parts]), strict=True):
        removed[part[0]].add(found)
    items = sorted(set().union(*(part.items for part in removed.values())))
    texts = sorted(set().union(*(part.texts.keys() | part.bio_texts for part in removed.values())))
    uses = each(find_uses, [(uri, part, tombstones, items, texts) for part in parts])
    counts: dict[str, int] = {}
    for left, _, _ in uses:
        for item, n in left.items():
            counts[item] = counts.get(item, 0) + n
    return make_plan(
        workspace,
        view,
        tombstones,
        removed,
        snapshot=_latest_or_none(workspace),
        item_counts=counts,
        file_items=set().union(*(of_file for _, _, of_file in uses)),
        used_texts=set().union(*(used for _, used, _ in uses)),
        n_users=len(set().union(*(part.users for part in removed.values()))),
    )


def _rewrite(workspace: Workspace, tombstones: Tombstones, plan: ErasurePlan, each: Each) -> None:
    """All files but snapshots; the manifest of the corpus last."""
    view, uri = present_corpus(workspace), workspace.uri
    for name in workspace.folders(CORPUS, SEGMENTS):
        if name not in view.segments:  # of a killed update
            workspace.remove(CORPUS, SEGMENTS, name)
    folders: list[Part] = [(BASE, None), *((s, None) for s in view.segments)]
    parts: list[Part] = [*((BASE, b) for b in range(view.n_buckets)), *folders[1:]]
    vectors = [(folder, f) for folder in _vector_folders(workspace) for f in _arrow_files(workspace, folder)]
    each(rewrite_tables, [(uri, part, tombstones, plan) for part in parts])
    each(rewrite_quarantine, [(uri, part, tombstones) for part in folders])
    each(rewrite_vectors, [(uri, folder, file, plan) for folder, file in vectors])
    for name in workspace.folders(REPORTS):
        workspace.remove(REPORTS, name)
    for folder, new in plan.manifests:
        before = workspace.require_manifest(folder, made_by="update")
        workspace.write_manifest({**before, **new}, folder)


def _vector_folders(workspace: Workspace) -> list[str]:
    """Folders below `embeddings/` with files of vectors, finished or not. Half-written files in them are removed."""
    folders = []
    for fingerprint in workspace.folders(EMBEDDINGS):
        of_segments = workspace.folders(EMBEDDINGS, fingerprint, SEGMENTS)
        folders += [fingerprint, *(f"{fingerprint}/{SEGMENTS}/{name}" for name in of_segments)]
    for folder in folders:
        workspace.sweep(EMBEDDINGS, folder)
    return folders


def _arrow_files(workspace: Workspace, folder: str) -> list[str]:
    return workspace.files(EMBEDDINGS, folder, suffix=".arrow")


def _build_again(workspace: Workspace, before: str) -> str:
    if workspace.read_manifest(SNAPSHOTS, before) is None:  # removed by a call that was killed after it had built
        return latest_snapshot(workspace)
    spec, _ = read_spec(workspace, before)
    return str(build(workspace, as_options(spec))["snapshot"])


def _latest_or_none(workspace: Workspace) -> str | None:
    try:
        return latest_snapshot(workspace)
    except SnapshotNotFoundError:
        return None


def erase_from_log(workspace: Workspace, log: EventLog | None, *, rebuild: bool = True) -> dict[str, Any]:
    """`erase` what a log says; nothing without a log."""
    if log is None:
        return {"erased_events": 0, "erased_users": 0, "snapshot": None, "done_before": True}
    return erase(workspace, Tombstones.of(log), rebuild=rebuild)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, erase, summarise."""
    made = parser("erase", "Write every file of a workspace without the users and events that were erased.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    add_live_flag(made)
    args = made.parse_args(argv)
    start_logging(args.log_level)
    watch, workspace = Stopwatch(), Workspace(args.workspace)
    with hold_ray(), live_log(workspace, args.live) as log:
        if log is None:
            raise ConfigError(
                f"--live: expected a log of live events, which knows who was erased, found none in {workspace.uri}. "
                "Name it."
            )
        with watch.stage("erase"):
            found = erase_from_log(workspace, log)
    return {"job": "erase", **found, "workspace": args.workspace, "seconds": watch.seconds}


if __name__ == "__main__":
    run(main)
