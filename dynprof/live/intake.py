"""The one door for live events, whether they come over HTTP or from a stream: checked, then durable."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

from dynprof.live.check import check_events
from dynprof.live.log import EventLog, LiveEvent, Outcome

__all__ = ["Known", "take_in"]

Known: TypeAlias = "Callable[[Sequence[LiveEvent]], Collection[int]]"
"""Positions of those events that the corpus has; they may never have been in a log."""


def take_in(log: EventLog, records: Sequence[Any], *, now: float, known: Known | None = None) -> list[Outcome]:
    """Check events and make them durable.

    Args:
        log: Where to.
        records: (n,) as a JSON parser gives them, see `check_events`.
        now: Unix seconds.
        known: Looks events up in the corpus; None where there is none.

    Returns:
        (n,) what became of each, in order. Those accepted are durable.

    Raises:
        LiveLogError: None of them is promised; send them again.
    """
    checked = check_events(records, now=now)
    events = [(i, result) for i, result in enumerate(checked) if isinstance(result, LiveEvent)]
    there = set(known([event for _, event in events])) if known and events else set()
    fresh = [(i, event) for n, (i, event) in enumerate(events) if n not in there]
    outcomes = {i: Outcome(event.event_id, "duplicate") for n, (i, event) in enumerate(events) if n in there}
    appended = log.append([event for _, event in fresh])
    outcomes |= {i: outcome for (i, _), outcome in zip(fresh, appended, strict=True)}
    return [result if isinstance(result, Outcome) else outcomes[i] for i, result in enumerate(checked)]
