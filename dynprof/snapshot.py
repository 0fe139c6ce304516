"""A snapshot: profiles and states of every user as of one time, immutable, complete or absent.

The manifest holds what a profile means, so nobody passes that again; the name is made of it, so the same question
asked twice finds the first answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dynprof.bank import DEFAULT_BANK, Bank
from dynprof.coercion import event_type_name
from dynprof.corpus import CORPUS
from dynprof.decay import PROFILE_KINDS, Decay
from dynprof.duration import Duration
from dynprof.errors import ConfigError, SnapshotNotFoundError
from dynprof.lineage import present_corpus
from dynprof.profile import MICROSECONDS
from dynprof.workspace import Workspace

__all__ = [
    "DEFAULT_PRIOR_WEIGHT",
    "DEFAULT_TYPE_WEIGHTS",
    "SNAPSHOTS",
    "SnapshotSpec",
    "latest_snapshot",
    "parse_decays",
    "parse_time_us",
    "parse_type_weights",
    "read_spec",
]

SNAPSHOTS = "profiles"

DEFAULT_TYPE_WEIGHTS: Mapping[str, float] = {"post": 1.0, "reply": 1.0, "retweet": 1.0, "quote": 1.0, "like": 1.0}
"""Weight of an event by type; a type of your own counts 1 unless a weight is given. Tune them with the evaluation."""

DEFAULT_PRIOR_WEIGHT = 0.1
"""kappa: the prior counts as much as a tenth of one fresh event."""


@dataclass(frozen=True)
class SnapshotSpec:
    """What the profiles of a snapshot mean.

    Attributes:
        fingerprint: Of the encoder whose vectors are summed.
        dim: Length of a vector.
        as_of_us: Microseconds since 1970; events strictly before it count.
        decays: One profile a user each.
        type_weights: Weight of an event by its type; types not named count 1.
        prior_weight: kappa, in units of event weight, >= 0.
        activity: Whether the activity block was built too.
        bank: Half-lives of the states.
    """

    fingerprint: str
    dim: int
    as_of_us: int
    decays: tuple[Decay, ...]
    type_weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_TYPE_WEIGHTS))
    prior_weight: float = DEFAULT_PRIOR_WEIGHT
    activity: bool = False
    bank: Bank = DEFAULT_BANK

    def to_json(self) -> dict[str, Any]:
        """JSON-able; `from_json` inverts it."""
        return {
            "fingerprint": self.fingerprint,
            "dim": self.dim,
            "as_of": format_time_us(self.as_of_us),
            "as_of_us": self.as_of_us,
            "decays": [
                {"kind": d.kind, "half_life": d.half_life, "offset": d.offset, "floor": d.floor, "power": d.power}
                for d in self.decays
            ],
            "type_weights": dict(sorted(self.type_weights.items())),
            "prior_weight": self.prior_weight,
            "activity": self.activity,
            "bank_half_lives_s": list(self.bank.half_lives_s),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> SnapshotSpec:
        """A spec from a manifest; other keys are ignored."""
        return cls(
            fingerprint=stored["fingerprint"],
            dim=stored["dim"],
            as_of_us=stored["as_of_us"],
            decays=tuple(Decay(**d) for d in stored["decays"]),
            type_weights=stored["type_weights"],
            prior_weight=stored["prior_weight"],
            activity=stored["activity"],
            bank=Bank(tuple(stored["bank_half_lives_s"])),
        )

    def name(self, corpus_id: str) -> str:
        """Name of the snapshot: its time, and a hash of all it means."""
        meaning = json.dumps([corpus_id, self.to_json()], sort_keys=True)
        digest = hashlib.blake2b(meaning.encode(), digest_size=4).hexdigest()
        moment = datetime.fromtimestamp(self.as_of_us / MICROSECONDS, UTC)
        return f"{moment:%Y%m%dT%H%M%SZ}-{digest}"


def parse_decays(kinds: str | Iterable[str], half_life: Duration) -> tuple[Decay, ...]:
    """Decays from a comma-separated list of kinds, or `all`.

    Raises:
        ConfigError: An unknown or repeated kind, or none.
    """
    names = [k.strip() for k in kinds.split(",")] if isinstance(kinds, str) else list(kinds)
    if names == ["all"]:
        names = list(PROFILE_KINDS)
    decays = tuple(Decay(name, half_life) for name in names)  # type: ignore[arg-type]
    if not decays or len(set(decays)) < len(decays):
        raise ConfigError(f"decays: expected distinct kinds, found {', '.join(names) or 'none'}.")
    return decays


def parse_type_weights(text: str | None) -> dict[str, float]:
    """`like=0.5,dislike=-1` over the defaults.

    Raises:
        ConfigError: Not `type=number`, or a number that is not finite.
    """
    weights = dict(DEFAULT_TYPE_WEIGHTS)
    for pair in (text or "").split(","):
        if not pair.strip():
            continue
        name, _, value = pair.partition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = float("nan")
        if not name.strip() or not abs(weight) < float("inf"):
            raise ConfigError(f"weights: expected type=number pairs such as 'like=0.5,dislike=-1', found {pair!r}.")
        weights[event_type_name(name)] = weight
    return weights


def parse_time_us(text: str, *, name: str = "as_of") -> int:
    """Microseconds since 1970 of an ISO 8601 time; without a zone it is UTC.

    Raises:
        ConfigError: Not ISO 8601.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: expected a time such as 2018-06-01T00:00:00Z, found {text!r}.") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * MICROSECONDS + since.microseconds


def format_time_us(at_us: int) -> str:
    """ISO 8601 in UTC, to the microsecond."""
    return datetime.fromtimestamp(at_us // MICROSECONDS, UTC).replace(microsecond=at_us % MICROSECONDS).isoformat()


def latest_snapshot(workspace: Workspace) -> str:
    """Name of the finished snapshot with the latest `as_of`; of several, the one built last.

    Of the present corpus, or of what it was before its last updates: a snapshot is served until the next one is there.

    Raises:
        SnapshotNotFoundError: There is none.
    """
    manifests = [(name, workspace.read_manifest(SNAPSHOTS, name)) for name in workspace.folders(SNAPSHOTS)]
    corpus = None if workspace.read_manifest(CORPUS) is None else present_corpus(workspace)
    finished = [
        (m["as_of_us"], m["created_at"], name)
        for name, m in manifests
        if m is not None and (corpus is None or corpus.at(m["corpus_id"]) >= 0)
    ]
    if not finished:
        raise SnapshotNotFoundError(
            f"{workspace.path(SNAPSHOTS)}: expected a finished snapshot, found none of the present corpus. "
            "Run `python -m jobs.build` first."
        )
    return max(finished)[2]


def read_spec(workspace: Workspace, snapshot: str) -> tuple[SnapshotSpec, dict[str, Any]]:
    """What a snapshot's profiles mean, and the whole manifest.

    Raises:
        SnapshotNotFoundError: No finished snapshot of that name.
    """
    manifest = workspace.read_manifest(SNAPSHOTS, snapshot)
    if manifest is None:
        known = ", ".join(n for n in workspace.folders(SNAPSHOTS) if workspace.read_manifest(SNAPSHOTS, n)) or "none"
        raise SnapshotNotFoundError(
            f"{workspace.path(SNAPSHOTS, snapshot)}: expected a finished snapshot, found none. Finished ones: {known}."
        )
    return SnapshotSpec.from_json(manifest), manifest
