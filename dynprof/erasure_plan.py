"""What an erasure is going to do, written down before it does it: a killed one goes on from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dynprof.corpus import CORPUS
from dynprof.embedded import CorpusVectors, segment_fingerprint
from dynprof.embeddings import EMBEDDINGS
from dynprof.erasure import Removed
from dynprof.filesystems import open_input
from dynprof.lineage import CorpusView, segment_folder
from dynprof.live.corpus_texts import CorpusTexts
from dynprof.live.tombstones import Tombstones
from dynprof.workspace import Workspace

__all__ = ["BASE", "ErasurePlan", "make_plan", "read_plan", "write_plan"]

BASE = ""
"""Stands for the base corpus where a segment is named."""

_PLAN = "erasing.json"


@dataclass(frozen=True)
class ErasurePlan:
    """Every step of it can be done again.

    Attributes:
        digest: Of the tombstones, `Tombstones.digest`.
        snapshot: The latest one: what the new one means is taken from it. None where there was none.
        dropped_items: Ids of items that go.
        item_counts: Events of items that stay and have fewer.
        dropped_texts: Hashes of texts whose vectors go, in hex.
        manifests: New values for the manifests of folders, the base corpus' last: with it the erasure is done.
        n_events: Events that go.
        n_users: Users that go.
    """

    digest: str
    snapshot: str | None
    dropped_items: list[str]
    item_counts: dict[str, int]
    dropped_texts: list[str]
    manifests: list[tuple[str, dict[str, Any]]]
    n_events: int
    n_users: int


def read_plan(workspace: Workspace) -> ErasurePlan | None:
    """The plan of an erasure that has not ended; None where there is none."""
    if not workspace.exists(_PLAN):
        return None
    with open_input(workspace.filesystem, workspace.path(_PLAN)) as source:
        stored = json.loads(source.read())
    return ErasurePlan(**{**stored, "manifests": [(folder, new) for folder, new in stored["manifests"]]})


def write_plan(workspace: Workspace, plan: ErasurePlan | None) -> None:
    """Write a plan down; None takes it away."""
    if plan is None:
        workspace.remove(_PLAN)
        return
    with workspace.create(_PLAN) as sink:
        sink.write(json.dumps(asdict(plan)).encode())


def make_plan(
    workspace: Workspace,
    view: CorpusView,
    tombstones: Tombstones,
    removed: Mapping[str, Removed],
    *,
    snapshot: str | None,
    item_counts: Mapping[str, int],
    file_items: Iterable[str],
    used_texts: Iterable[bytes],
    n_users: int,
) -> ErasurePlan:
    """What follows from what is to be removed.

    Args:
        workspace: Where.
        view: The present corpus.
        tombstones: Who and what is erased.
        removed: By part of the corpus, `BASE` or a segment.
        snapshot: The latest one.
        item_counts: Events that are left of the items of removed events.
        file_items: Those of these items that a file of items described, and not an erased author.
        used_texts: Those texts of removed events and bios that somebody else has too.
        n_users: Users that go.
    """
    items = set().union(*(part.items for part in removed.values()))
    texts: set[bytes] = set().union(*(part.texts.keys() | part.bio_texts for part in removed.values()))
    now = {corpus_id: _next_id(corpus_id, tombstones.digest) for corpus_id in view.ids}
    renamed = {before: now.get(after, after) for before, after in view.renamed.items()} | now
    base = workspace.require_manifest(CORPUS, made_by="ingest")
    dropped = items - set(item_counts) - set(file_items)
    manifests = [(segment_folder(s), _counts(workspace, segment_folder(s), removed[s], "new_")) for s in view.segments]
    manifests += _vector_manifests(workspace, view, removed)
    manifests.append((CORPUS, {**_counts(workspace, CORPUS, removed[BASE], ""), "renamed": renamed}))
    manifests[-1][1].update(erased=tombstones.digest, n_items=base["n_items"] - len(dropped))
    return ErasurePlan(
        tombstones.digest,
        snapshot,
        sorted(dropped),
        dict(item_counts),
        sorted(text.hex() for text in texts - set(used_texts)),
        manifests,
        sum(part.n_events for part in removed.values()),
        n_users,
    )


def _next_id(corpus_id: str, digest: str) -> str:
    return hashlib.blake2b(f"{corpus_id} without {digest}".encode(), digest_size=8).hexdigest()


def _counts(workspace: Workspace, folder: str, removed: Removed, prefix: str) -> dict[str, Any]:
    """Counts of a part of the corpus, less what is removed. `prefix`: how those of bios are named there."""
    before = workspace.require_manifest(folder, made_by="update")
    less = {"n_events": removed.n_events, "n_events_with_text": removed.n_with_text, "n_users": removed.n_users}
    less[f"n_{prefix}bios"] = len(removed.bio_users)
    return {name: max(0, before[name] - n) for name, n in less.items() if name in before}


def _vector_manifests(
    workspace: Workspace, view: CorpusView, removed: Mapping[str, Removed]
) -> list[tuple[str, dict[str, Any]]]:
    """New sums and means of the vectors of every finished encoder."""
    out: list[tuple[str, dict[str, Any]]] = []
    for fingerprint in workspace.folders(EMBEDDINGS):
        base = workspace.read_manifest(EMBEDDINGS, fingerprint)
        if base is None or view.at(base["corpus_id"]) < 0:
            continue
        folders = {s: segment_fingerprint(fingerprint, s) for s in view.segments}
        segments = {s: m for s, f in folders.items() if (m := workspace.read_manifest(EMBEDDINGS, f)) is not None}
        parts = tuple((folders[s], int(m["n_shards"])) for s, m in segments.items())
        texts = CorpusTexts(CorpusVectors(workspace, fingerprint, base, view.segments, parts))
        covered = [BASE, *view.segments[: view.at(base["corpus_id"])]]
        n_before = _n_events_with_text(workspace, covered)
        n_after = n_before - sum(removed[part].n_with_text for part in covered)
        total = np.asarray(base["mean_vector"]) * n_before
        total -= sum(_sum_of(texts, removed[part], len(total)) for part in covered)
        mean = (total / n_after if n_after > 0 else 0 * total).tolist()
        out.append((f"{EMBEDDINGS}/{fingerprint}", {"mean_vector": mean}))
        for segment, manifest in segments.items():
            left = np.asarray(manifest["vector_sum"]) - _sum_of(texts, removed[segment], len(total))
            out.append((f"{EMBEDDINGS}/{folders[segment]}", {"vector_sum": left.tolist()}))
    return out


def _n_events_with_text(workspace: Workspace, parts: Sequence[str]) -> int:
    folders = [CORPUS if part == BASE else segment_folder(part) for part in parts]
    return sum(workspace.require_manifest(folder, made_by="ingest")["n_events_with_text"] for folder in folders)


def _sum_of(texts: CorpusTexts, removed: Removed, dim: int) -> Any:
    total, found = np.zeros(dim), texts.find(list(removed.texts))
    for text, vector in found.items():
        total += removed.texts[text] * vector.astype(np.float64)
    return total
