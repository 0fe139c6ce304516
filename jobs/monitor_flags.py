"""The flags of `jobs.monitor`, and the question that they and the workspace make."""

from __future__ import annotations

import argparse
from typing import Any

from dynprof.decay import Decay
from dynprof.drift.alarms import parse_thresholds
from dynprof.drift.spec import DEFAULT_ALPHAS, MonitorSpec, Span
from dynprof.errors import ConfigError, FingerprintError
from dynprof.snapshot import SNAPSHOTS, SnapshotSpec, latest_snapshot, parse_decays, read_spec
from dynprof.workspace import Workspace
from jobs.command import parser

__all__ = ["make_parser", "spec_from"]

_NUMBERS = {
    "users": "largest sample of users",
    "items": "largest sample of items",
    "min-interactions": "of an item to be looked at, and of a user to count in maturity",
    "history": "windows of an entity before one can be sudden",
    "topics": "topics to look for sudden events in; 0: none",
    "replays": "A/A replays behind the limits",
    "max-tests": "test events behind the cost of batch updates; 0: no cost",
    "seed": "of every sample",
}


def make_parser() -> argparse.ArgumentParser:
    """All flags."""
    made = parser("monitor", "Watch profiles evolve; exit code 1 when the population moved further than usual.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    made.add_argument("--snapshot", help="what is watched; default: the latest")
    made.add_argument("--against", help="an earlier one of the same encoder and weights; default: the one before")
    made.add_argument("--decays", default="", help="comma-separated kinds; default: the snapshot's first, and static")
    made.add_argument("--half-life", default="", help="of them; default: the snapshot's")
    made.add_argument("--alphas", default=",".join(map(str, DEFAULT_ALPHAS)), help="distances that count as mature")
    made.add_argument("--short", default="7d", help="half-life of the recent side of the drift")
    made.add_argument("--long", default="365d", help="half-life of the lasting side")
    made.add_argument("--window", default="1d", help="length of a window of sudden events")
    made.add_argument("--sudden-z", type=float, default=6.0, help="above it a window is a sudden turn")
    made.add_argument("--share-z", type=float, default=4.0, help="above it a topic's share of the posts is sudden")
    made.add_argument("--threshold", action="append", default=[], metavar="MEASURE=LIMIT", help="a limit of your own")
    made.add_argument("--page", action="store_true", help="also reports/<name>.html, and its plots as PNG and CSV")
    made.add_argument("--shown", default="impression,shown,view", help="event types that say what was shown")
    made.add_argument("--test-share", type=float, default=0.2, help="the cost is measured on the last such share")
    defaults = MonitorSpec.__dataclass_fields__
    for flag, what in _NUMBERS.items():
        made.add_argument(f"--{flag}", type=int, default=defaults[flag.replace("-", "_")].default, help=what)
    return made


def spec_from(args: argparse.Namespace, workspace: Workspace) -> tuple[MonitorSpec, list[str]]:
    """The question, and what is known to be absent from its answer.

    Raises:
        SnapshotNotFoundError: No finished snapshot (of that name).
        FingerprintError: The two snapshots are of different encoders.
        ConfigError: A flag that means nothing, or profiles of the two snapshots mean different things.
    """
    name = args.snapshot or latest_snapshot(workspace)
    snapshot, manifest = read_spec(workspace, name)
    decays = _decays(args, snapshot)
    span, notes = _span(workspace, args.against, name, snapshot, manifest, decays[0])
    spec = MonitorSpec(
        snapshot=name,
        corpus_id=manifest["corpus_id"],
        fingerprint=snapshot.fingerprint,
        as_of_us=snapshot.as_of_us,
        type_weights=snapshot.type_weights,
        prior_weight=snapshot.prior_weight,
        decays=decays,
        span=span,
        alphas=_alphas(args.alphas),
        short=args.short,
        long=args.long,
        window=args.window,
        sudden_z=args.sudden_z,
        share_z=args.share_z,
        thresholds=parse_thresholds(args.threshold),
        shown=tuple(t.strip() for t in args.shown.split(",") if t.strip()),
        test_share=args.test_share,
        **{flag.replace("-", "_"): getattr(args, flag.replace("-", "_")) for flag in _NUMBERS},
    )
    return spec, notes


def _alone(name: str) -> str:
    return (
        f"No population drift: {name} is the only finished snapshot of its encoder and meaning up to its time. "
        "Build an earlier one with `python -m jobs.build --as-of TIME`, or name one with --against."
    )


def _decays(args: argparse.Namespace, snapshot: SnapshotSpec) -> tuple[Decay, ...]:
    moving = [d for d in snapshot.decays if d.half_life is not None]
    half_life = args.half_life or (str(moving[0].half_life) if moving else "30d")
    if args.decays:
        return parse_decays(args.decays, half_life)
    first = moving[0].with_half_life(half_life) if moving else Decay("exponential", half_life)
    return first, Decay("static")


def _alphas(text: str) -> tuple[float, ...]:
    try:
        return tuple(sorted({float(a) for a in text.split(",")}))
    except ValueError:
        raise ConfigError(f"--alphas: expected numbers such as 0.05,0.1, found {text!r}.") from None


def _span(
    workspace: Workspace,
    against: str | None,
    name: str,
    snapshot: SnapshotSpec,
    manifest: dict[str, Any],
    decay: Decay,
) -> tuple[Span | None, list[str]]:
    """The comparison asked for, or with the snapshot before, None where there is none; and what to say of it."""
    notes: list[str] = []
    if against is None:
        against, notes = _before(workspace, name, snapshot, manifest)
        if against is None:
            return None, [*notes, _alone(name)]
    other, _ = read_spec(workspace, against)
    if other.fingerprint != snapshot.fingerprint:
        raise FingerprintError(
            f"--against {against}: expected a snapshot of encoder {snapshot.fingerprint}, as {name} is, found one of "
            f"{other.fingerprint}. Profiles of two encoders cannot be compared; build both with one."
        )
    if differ := _differences(snapshot, other):
        raise ConfigError(
            f"--against {against}: expected profiles that mean what those of {name} do, found {differ}. A comparison "
            "would take this for drift; build one that is alike with `python -m jobs.build --as-of TIME`."
        )
    if other.as_of_us >= snapshot.as_of_us:
        raise ConfigError(
            f"--against {against}: expected a snapshot of a time before {name}'s, found {other.to_json()['as_of']} "
            f"and {snapshot.to_json()['as_of']}. Swap them, or build one with `python -m jobs.build --as-of TIME`."
        )
    return Span(against, other.as_of_us, snapshot.as_of_us, decay), notes


def _before(
    workspace: Workspace, name: str, snapshot: SnapshotSpec, manifest: dict[str, Any]
) -> tuple[str | None, list[str]]:
    """The finished snapshot to compare with, None where there is none, and a note of the one that was passed over.

    It is of the same encoder, its profiles mean the same, and its time is the latest before; of several, one of the
    same corpus.
    """
    found = []
    for folder in workspace.folders(SNAPSHOTS):
        other = workspace.read_manifest(SNAPSHOTS, folder)
        if folder == name or other is None or other["fingerprint"] != snapshot.fingerprint:
            continue
        if other["as_of_us"] < snapshot.as_of_us:
            found.append((other["as_of_us"], other["corpus_id"] == manifest["corpus_id"], other["created_at"], folder))
    notes: list[str] = []
    for *_, folder in sorted(found, reverse=True):
        differ = _differences(snapshot, read_spec(workspace, folder)[0])
        if not differ:
            return folder, notes
        notes = notes or [_passed_over(name, folder, differ)]
    return None, notes


def _passed_over(name: str, folder: str, differ: str) -> str:
    return (
        f"Not compared with {folder}, the finished snapshot before {name}: its profiles mean something else, "
        f"{differ}. A comparison would take this for drift."
    )


def _differences(ours: SnapshotSpec, theirs: SnapshotSpec) -> str:
    """In what their profiles mean other things than ours; empty where they mean the same."""
    pairs = zip(_meaning(ours).items(), _meaning(theirs).values(), strict=True)
    return ", ".join(f"{what} {b} instead of {a}" for (what, a), b in pairs if a != b)


def _meaning(spec: SnapshotSpec) -> dict[str, object]:
    """What makes a profile beside encoder, time and decay: any decay is read from any snapshot."""
    return {
        "dim": spec.dim,
        "event weights other than 1": {t: w for t, w in sorted(spec.type_weights.items()) if w != 1},
        "prior weight": spec.prior_weight,
        "half-lives of the states": spec.bank.half_lives_s,
    }
