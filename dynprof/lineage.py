"""A corpus as a base and the segments that updates added: which of them there are, and which a snapshot has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dynprof.corpus import CORPUS
from dynprof.errors import WorkspaceError
from dynprof.workspace import Workspace

__all__ = ["SEGMENTS", "CorpusView", "corpus_of", "present_corpus", "segment_folder"]

SEGMENTS = "segments"

_ADDED = ("n_rows_read", "n_ignored", "n_quarantined", "n_duplicates", "n_events", "n_events_with_text")


@dataclass(frozen=True)
class CorpusView:
    """The corpus as of one id of its lineage.

    Attributes:
        manifest: As of a base corpus: `corpus_id`, `n_buckets`, counts and `last_event_us` of base and segments.
        segments: Names of the segments, oldest first; none for the base alone.
        ids: Corpus ids from the base's to this one's; `ids[i]` is that after i segments.
        renamed: Ids that these had before something was erased, to what they are now.
    """

    manifest: Mapping[str, Any]
    segments: tuple[str, ...]
    ids: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def corpus_id(self) -> str:
        """What this corpus says, as a hash."""
        return self.ids[-1]

    @property
    def n_buckets(self) -> int:
        """Number of user buckets, and of item buckets."""
        return int(self.manifest["n_buckets"])

    def since(self, corpus_id: str) -> tuple[str, ...]:
        """The segments after an id of the lineage."""
        return self.segments[self.ids.index(self.renamed.get(corpus_id, corpus_id)) :]

    def at(self, corpus_id: str) -> int:
        """Number of segments up to an id of the lineage; -1 where it is of another corpus."""
        now = self.renamed.get(corpus_id, corpus_id)
        return self.ids.index(now) if now in self.ids else -1


def segment_folder(name: str) -> str:
    """Folder of a segment's tables, below the root of the workspace."""
    return f"{CORPUS}/{SEGMENTS}/{name}"


def present_corpus(workspace: Workspace) -> CorpusView:
    """The corpus with all its finished segments.

    Raises:
        WorkspaceError: No finished corpus.
    """
    base = workspace.require_manifest(CORPUS, made_by="ingest")
    renamed: dict[str, str] = base.get("renamed", {})
    names, ids, manifest = [], [base["corpus_id"]], base
    for name in workspace.folders(CORPUS, SEGMENTS):
        segment = workspace.read_manifest(segment_folder(name))
        parent = "" if segment is None else segment["parent_corpus_id"]
        if segment is not None and renamed.get(parent, parent) == renamed.get(ids[-1], ids[-1]):
            names.append(name)
            ids.append(segment["corpus_id"])
            manifest = _extended(manifest, segment)
    now = tuple(renamed.get(corpus_id, corpus_id) for corpus_id in ids)
    return CorpusView({**manifest, "corpus_id": now[-1]}, tuple(names), now, renamed)


def corpus_of(workspace: Workspace, corpus_id: str, *, whose: Sequence[str], what: str) -> CorpusView:
    """The corpus as something made of it has seen it.

    Args:
        workspace: Where.
        corpus_id: From the manifest of a snapshot or of embeddings.
        whose: Path of what was made of it, for the error.
        what: What it is, for the error.

    Raises:
        WorkspaceError: The id is not in the lineage of the workspace's corpus.
    """
    present = present_corpus(workspace)
    n_segments = present.at(corpus_id)
    if n_segments < 0:
        raise WorkspaceError(
            f"{workspace.path(*whose)}: expected {what} of the workspace's corpus "
            f"({present.corpus_id}), found one of {corpus_id}. Run `python -m jobs.build`."
        )
    manifest: Mapping[str, Any] = workspace.require_manifest(CORPUS, made_by="ingest")
    for name in present.segments[:n_segments]:
        manifest = _extended(manifest, workspace.require_manifest(segment_folder(name), made_by="update"))
    ids = present.ids[: n_segments + 1]
    return CorpusView({**manifest, "corpus_id": ids[-1]}, present.segments[:n_segments], ids, present.renamed)


def _extended(manifest: Mapping[str, Any], segment: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a corpus with one segment more."""
    firsts = [us for us in (manifest["first_event_us"], segment["first_event_us"]) if us is not None]
    lasts = [us for us in (manifest["last_event_us"], segment["last_event_us"]) if us is not None]
    return {
        **{name: value for name, value in manifest.items() if name != "n_users"},  # nobody counted those again
        **{name: manifest[name] + segment[name] for name in _ADDED},
        "corpus_id": segment["corpus_id"],
        "n_bios": manifest["n_bios"] + segment["n_new_bios"],
        "n_items": manifest["n_items"] + segment["n_new_items"],
        "first_event_us": min(firsts, default=None),
        "last_event_us": max(lasts, default=None),
        "absorbed": {**manifest.get("absorbed", {}), **segment.get("absorbed", {})},
    }
