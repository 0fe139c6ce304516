"""A trained ranker on disk: `models/<name>/`, complete or absent, and what its numbers mean."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.bank import Bank
from dynprof.errors import FingerprintError, WorkspaceError
from dynprof.filesystems import open_input
from dynprof.ranker.features import FEATURES_VERSION, feature_names
from dynprof.ranker.scorer import Scorer
from dynprof.workspace import Workspace

__all__ = ["MODELS", "RankerMeaning", "RankerModel", "latest_model", "load_model", "model_name", "save_model", "unfit"]

MODELS = "models"
"""Folder of the workspace."""

_WEIGHTS = "weights.npz"


@dataclass(frozen=True)
class RankerMeaning:
    """What must be the same where a ranker was fitted and where it scores.

    Attributes:
        fingerprint: Of the encoder.
        bank: Half-lives of the profiles.
        type_weights: Weight of an event by its type.
        features: `FEATURES_VERSION` it was fitted with.
    """

    fingerprint: str
    bank: Bank
    type_weights: Mapping[str, float]
    features: str = FEATURES_VERSION

    def to_json(self) -> dict[str, Any]:
        """JSON-able; `from_json` inverts it."""
        return {
            "fingerprint": self.fingerprint,
            "bank_half_lives_s": list(self.bank.half_lives_s),
            "type_weights": dict(sorted(self.type_weights.items())),
            "features_version": self.features,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RankerMeaning:
        """From a manifest; other keys are ignored."""
        bank = Bank(tuple(stored["bank_half_lives_s"]))
        return cls(stored["fingerprint"], bank, stored["type_weights"], stored["features_version"])


@dataclass(frozen=True)
class RankerModel:
    """A model that was loaded.

    Attributes:
        name: Of its folder.
        meaning: What its features mean.
        scorer: The network.
        manifest: All that is written of it.
    """

    name: str
    meaning: RankerMeaning
    scorer: Scorer
    manifest: Mapping[str, Any]


def model_name(meaning: RankerMeaning, corpus_id: str, training: Mapping[str, Any]) -> str:
    """The same training on the same corpus has the same name.

    Args:
        meaning: Of the model.
        corpus_id: What it is trained on.
        training: JSON-able: all that changes a weight.
    """
    said = json.dumps([meaning.to_json(), corpus_id, training], sort_keys=True)
    return f"ranker-{meaning.fingerprint[:8]}-{hashlib.blake2b(said.encode(), digest_size=4).hexdigest()}"


def save_model(
    workspace: Workspace,
    name: str,
    meaning: RankerMeaning,
    weights: Mapping[str, npt.NDArray[np.floating]],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the weights, then the manifest; returns it.

    Args:
        workspace: Where.
        name: Of the model.
        meaning: Of its features.
        weights: The network's, by name, as of `Fitting.best_weights`.
        about: JSON-able: corpus, snapshot, windows, learning curve.
    """
    packed = io.BytesIO()
    np.savez(packed, **dict(weights))  # type: ignore[arg-type]
    with workspace.create(MODELS, name, _WEIGHTS) as sink:
        sink.write(packed.getvalue())
    manifest = {
        **about,
        **meaning.to_json(),
        "features": feature_names(meaning.bank),
        "hidden": int(weights["1.bias"].shape[0]),
        "versions": {name: version(name) for name in ("dynprof", "numpy", "torch")},
        "created_at": datetime.now(UTC).isoformat(),
    }
    workspace.write_manifest(manifest, MODELS, name)
    return manifest


def load_model(workspace: Workspace, name: str) -> RankerModel:
    """Read a finished model.

    Raises:
        WorkspaceError: There is none of that name.
        FingerprintError: It was fitted on features of another version.
    """
    manifest = workspace.require_manifest(MODELS, name, made_by="train")
    meaning = RankerMeaning.from_json(manifest)
    if meaning.features != FEATURES_VERSION or manifest["features"] != feature_names(meaning.bank):
        raise FingerprintError(
            f"{workspace.path(MODELS, name)}: expected features {FEATURES_VERSION}, found {meaning.features}. "
            "Run `python -m jobs.train` again: other numbers would be scored than were learned from."
        )
    with open_input(workspace.filesystem, workspace.path(MODELS, name, _WEIGHTS)) as source:
        arrays = np.load(io.BytesIO(source.read()), allow_pickle=False)
        return RankerModel(name, meaning, Scorer({key: arrays[key] for key in arrays.files}), manifest)


def latest_model(workspace: Workspace, meaning: RankerMeaning) -> RankerModel:
    """The finished model for a meaning; of several the one trained last.

    Raises:
        WorkspaceError: There is no model at all.
        FingerprintError: There are models, but none for this meaning.
    """
    manifests = {name: m for name in workspace.folders(MODELS) if (m := workspace.read_manifest(MODELS, name))}
    where = workspace.path(MODELS)
    if not manifests:
        raise WorkspaceError(f"{where}: expected a trained ranker, found none. Run `python -m jobs.train` first.")
    fitting = [(m["created_at"], name) for name, m in manifests.items() if not unfit(m, meaning)]
    if not fitting:
        newest = max(manifests, key=lambda name: manifests[name]["created_at"])
        raise FingerprintError(
            f"{where}: expected a ranker for this snapshot, found {len(manifests)}, the newest {newest} with "
            f"{unfit(manifests[newest], meaning)}. Run `python -m jobs.train` for the snapshot."
        )
    return load_model(workspace, max(fitting)[1])


def unfit(manifest: Mapping[str, Any], meaning: RankerMeaning) -> str:
    """Why a model cannot score for a meaning, in words; empty where it can."""
    own = RankerMeaning.from_json(manifest)
    if own.fingerprint != meaning.fingerprint:
        return f"another encoder ({own.fingerprint}, not {meaning.fingerprint})"
    if own.bank != meaning.bank:
        return "another bank of half-lives"
    if own.features != meaning.features:
        return f"features of another version ({own.features}, not {meaning.features})"
    if dict(own.type_weights) != dict(meaning.type_weights):
        return "other weights of event types"
    return ""
