"""Taking erased users and events out of the files of a workspace: what `jobs.erase`, `build` and `update` share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import ray

from dynprof.corpus import CORPUS
from dynprof.embeddings import EMBEDDINGS
from dynprof.erasure import Removed
from dynprof.erasure_plan import BASE, ErasurePlan, make_plan, read_plan, write_plan
from dynprof.errors import SnapshotNotFoundError
from dynprof.lineage import SEGMENTS, present_corpus
from dynprof.live.log import EventLog
from dynprof.live.tombstones import Tombstones
from dynprof.snapshot import SNAPSHOTS, latest_snapshot
from dynprof.workspace import Workspace
from jobs.command import ray_session
from jobs.erase_tasks import Part, find_removed, find_uses, rewrite_quarantine, rewrite_tables, rewrite_vectors

__all__ = ["drop_old_snapshots", "erase", "erase_what_log_says"]

LOG = logging.getLogger("dynprof.erase")

_DERIVED = ("reports", "index", "traces", "models", "maps")
"""Folders that are made of the corpus, some with its row numbers, and go as a whole: their jobs make them anew."""


Each = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], list[Any]]
"""Calls a function with each of some arguments, in any order or at once."""


def on_ray(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Each call as a task."""
    with ray_session():
        task = ray.remote(function)
        found: list[Any] = ray.get([task.remote(*those) for those in arguments])
    return found


def erase(workspace: Workspace, tombstones: Tombstones, *, each: Each = on_ray) -> dict[str, Any]:
    """Take what was erased out of every file but those of snapshots; nothing happens when there is nothing of it.

    Tables, vectors and reports; the log of live events does its own. Snapshots are read as before, until the caller has
    built one of the corpus that is left and calls `drop_old_snapshots`. Killed at any moment, the next call goes on.

    Args:
        workspace: Where.
        tombstones: Who and what was erased.
        each: How the files are gone through.

    Returns:
        `erased_events` and `erased_users` of the corpus, `snapshot`, the latest one (None without one), `done_before`.

    Raises:
        WorkspaceError: No finished corpus.
    """
    plan = read_plan(workspace)
    if plan is None:
        if workspace.require_manifest(CORPUS, made_by="ingest").get("erased") == tombstones.digest or not tombstones:
            return {"erased_events": 0, "erased_users": 0, "snapshot": None, "done_before": True}
        plan = _plan(workspace, tombstones, each)
        write_plan(workspace, plan)
    LOG.info("events=%d users=%d texts=%d", plan.n_events, plan.n_users, len(plan.dropped_texts))
    _rewrite(workspace, tombstones, plan, each)
    counts = {"erased_events": plan.n_events, "erased_users": plan.n_users}
    return {**counts, "snapshot": plan.snapshot, "done_before": False}


def erase_what_log_says(workspace: Workspace, log: EventLog | None) -> dict[str, Any]:
    """`erase` with the tombstones of a log; nothing without a log."""
    if log is None:
        return {"erased_events": 0, "erased_users": 0, "snapshot": None, "done_before": True}
    return erase(workspace, Tombstones.of(log))


def drop_old_snapshots(workspace: Workspace) -> None:
    """End an erasure: remove the snapshots that were built before it, and its plan. Only after `erase` and a build."""
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
    for folder in _DERIVED:
        workspace.remove(folder)
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


def _latest_or_none(workspace: Workspace) -> str | None:
    try:
        return latest_snapshot(workspace)
    except SnapshotNotFoundError:
        return None
