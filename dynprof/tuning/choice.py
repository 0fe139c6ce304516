"""What was chosen for a corpus: `choice.json` of the workspace, which serving takes as its default."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynprof.decay import Decay
from dynprof.errors import ConfigError, WorkspaceError
from dynprof.filesystems import open_input
from dynprof.learned_decay import LEARNED, LearnedDecay
from dynprof.scoring import Metric, check_metric
from dynprof.tuning.grid import Similarity
from dynprof.workspace import FORMAT_VERSION, Workspace

__all__ = ["CHOICE", "Choice", "decay_from_json", "decay_to_json", "read_choice", "write_choice"]

CHOICE = "choice.json"


@dataclass(frozen=True)
class Choice:
    """How profiles of one corpus by one encoder are best read, and how that was found out.

    Attributes:
        fingerprint: Of the encoder.
        encoder: Its name.
        corpus_id: Of the corpus that it was chosen on.
        decay: Of a profile.
        metric: `cosine` or `cosine_time`.
        item_half_life: Of `cosine_time`; None for `cosine`.
        prior_weight: kappa; a matter of the build, like the next one.
        type_weights: Weight of an event by its type.
        learned: The best learned decay that can be served, chosen or not; None where none was fitted.
        evidence: The window, its counts, the scores, and what else was tried, as JSON types.
    """

    fingerprint: str
    encoder: str
    corpus_id: str
    decay: Decay
    metric: Metric
    item_half_life: str | None
    prior_weight: float
    type_weights: Mapping[str, float]
    learned: LearnedDecay | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_metric(self.metric)
        Similarity(self.metric, self.item_half_life)

    def to_json(self) -> dict[str, Any]:
        """JSON-able; `from_json` inverts it."""
        return {
            "fingerprint": self.fingerprint,
            "encoder": self.encoder,
            "corpus_id": self.corpus_id,
            "decay": decay_to_json(self.decay),
            "metric": self.metric,
            "item_half_life": self.item_half_life,
            "prior_weight": self.prior_weight,
            "type_weights": dict(sorted(self.type_weights.items())),
            "learned": None if self.learned is None else self.learned.to_json(),
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Choice:
        """What `to_json` gave.

        Raises:
            ConfigError: A value that means nothing.
            KeyError: A key is missing.
        """
        learned = stored["learned"]
        return cls(
            fingerprint=str(stored["fingerprint"]),
            encoder=str(stored["encoder"]),
            corpus_id=str(stored["corpus_id"]),
            decay=decay_from_json(stored["decay"]),
            metric=stored["metric"],
            item_half_life=stored["item_half_life"],
            prior_weight=float(stored["prior_weight"]),
            type_weights={str(k): float(v) for k, v in stored["type_weights"].items()},
            learned=None if learned is None else LearnedDecay.from_json(learned),
            evidence=stored["evidence"],
        )


def decay_to_json(decay: Decay) -> dict[str, Any]:
    """A decay as JSON types; `decay_from_json` inverts it."""
    if isinstance(decay, LearnedDecay):
        return {"kind": LEARNED, **decay.to_json()}
    return {name: getattr(decay, name) for name in ("kind", "half_life", "offset", "floor", "power")}


def decay_from_json(stored: Mapping[str, Any]) -> Decay:
    """What `decay_to_json` gave.

    Raises:
        ConfigError: It is no decay.
    """
    if stored.get("kind") == LEARNED:
        return LearnedDecay.from_json(stored)
    try:
        return Decay(**stored)
    except TypeError as error:
        raise ConfigError(
            f"decay: expected kind, half_life, offset, floor and power, found {dict(stored)!r}."
        ) from error


def write_choice(workspace: Workspace, choice: Choice) -> None:
    """Replace the workspace's choice, whole. The same choice is the same bytes."""
    document = {"format_version": FORMAT_VERSION, **choice.to_json()}
    text = json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"
    with workspace.create(CHOICE) as sink:
        sink.write(text.encode())


def read_choice(workspace: Workspace) -> Choice | None:
    """The workspace's choice; None where nothing was chosen.

    Raises:
        WorkspaceError: The file is no choice, or of another format version.
    """
    if not workspace.exists(CHOICE):
        return None
    path = workspace.path(CHOICE)
    with open_input(workspace.filesystem, path) as source:
        raw = source.read()
    try:
        stored = json.loads(raw)
        if stored["format_version"] != FORMAT_VERSION:
            raise ConfigError(f"expected format version {FORMAT_VERSION}, found {stored['format_version']!r}")
        return Choice.from_json(stored)
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # a ConfigError is a ValueError
        raise WorkspaceError(
            f"{path}: expected what `python -m jobs.evaluate --tune` writes, found otherwise: {error}. Remove the "
            "file, or tune again."
        ) from error
