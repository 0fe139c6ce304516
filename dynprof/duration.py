"""Durations: "90m", "12h", "30d", "2w", "1y" or a timedelta, never a bare number."""

from __future__ import annotations

import re
from datetime import timedelta

from dynprof.errors import ConfigError

__all__ = ["SECONDS_PER_DAY", "Duration", "format_duration", "parse_duration"]

Duration = str | timedelta

SECONDS_PER_DAY = 86_400.0
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0, "y": 365.25 * 86_400.0}
_PATTERN = re.compile(r"\s*((?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*(ms|s|m|h|d|w|y)\s*")


def parse_duration(duration: Duration, *, name: str = "duration") -> float:
    """Seconds of a duration, >= 0.

    Args:
        duration: A number with one of the units ms, s, m (minutes), h, d, w, y (365.25 days), or a timedelta.
        name: What the duration is for, used in the error.

    Raises:
        ConfigError: A bare number, an unknown unit, or a negative duration.
    """
    if isinstance(duration, timedelta):
        seconds = duration.total_seconds()
        if seconds < 0:
            raise ConfigError(f"{name}: expected a duration >= 0, found {duration}.")
        return seconds
    if isinstance(duration, str) and (match := _PATTERN.fullmatch(duration)):
        return float(match[1]) * _UNIT_S[match[2]]
    hint = f" Write the unit: '{duration}d' means days." if str(duration).strip().isdecimal() else ""
    raise ConfigError(
        f"{name}: expected a number with a unit (ms, s, m, h, d, w, y), such as '90m', '12h' or '30d', "
        f"found {duration!r}.{hint}"
    )


def format_duration(seconds: float) -> str:
    """The shortest exact text of a duration, e.g. 2592000.0 -> "30d"; `parse_duration` inverts it."""
    seconds = float(seconds)
    for unit in ("d", "h", "m"):
        if seconds >= _UNIT_S[unit] and seconds % _UNIT_S[unit] == 0:
            return f"{seconds / _UNIT_S[unit]:.0f}{unit}"
    return f"{seconds!r}s" if seconds % 1 else f"{seconds:.0f}s"
