"""What all answers say alike: times, decays, and the fields that they share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dynprof.decay import Decay
from serve.defaults import Defaults
from serve.engine import Engine
from serve.schemas import DecayAnswer
from serve.snapshot_schemas import DefaultsAnswer
from serve.subject import Subject

__all__ = ["about_snapshot", "about_user", "datetime_of", "decay_answer", "defaults_answer"]


def about_snapshot(engine: Engine) -> dict[str, Any]:
    """The fields of `SnapshotNamed`."""
    return {"snapshot": engine.store.name, "encoder": engine.encoder}


def about_user(engine: Engine, who: Subject) -> dict[str, Any]:
    """The fields of `UserAnswer`."""
    return {
        **about_snapshot(engine),
        "user_id": who.user_id,
        "as_of": datetime_of(who.as_of_us),
        "decay": decay_answer(who.decay),
        "basis": who.read.basis,
    }


def decay_answer(decay: Decay) -> DecayAnswer:
    """A decay with its defaults filled in."""
    half_life = None if decay.half_life is None else str(decay.half_life)
    return DecayAnswer(kind=decay.kind, half_life=half_life, offset=str(decay.offset), floor=decay.floor)


def defaults_answer(defaults: Defaults) -> DefaultsAnswer:
    """What completes a question, and where that comes from."""
    return DefaultsAnswer(
        source="choice" if defaults.is_chosen else "built in",
        decay=decay_answer(defaults.decay),
        metric=defaults.metric,
        item_half_life=defaults.item_half_life,
        learned=None if defaults.learned is None else defaults.learned.terms(),
        note=defaults.note,
    )


def datetime_of(at_us: int) -> datetime:
    """A time from microseconds since 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
