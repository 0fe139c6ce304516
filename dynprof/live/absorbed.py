"""Up to which change of a log a corpus has taken it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynprof.live.log import EventLog

__all__ = ["absorbed_number", "log_id"]


def log_id(log: EventLog) -> str:
    """Tells this log from another one, such as one that was begun anew in the same place: 32 hex digits."""
    return log.keyed("dynprof: which log is this?").hex()


def absorbed_number(corpus: Mapping[str, Any], log: EventLog) -> int:
    """The last change that is in a corpus; 0 where it knows nothing of this log.

    Args:
        corpus: Manifest of a `CorpusView`.
        log: The log.
    """
    return int(corpus.get("absorbed", {}).get(log_id(log), 0))
