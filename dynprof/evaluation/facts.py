"""What was tested, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from dynprof.profile import MICROSECONDS

__all__ = ["Facts", "iso_time"]


def iso_time(us: int) -> str:
    """2018-01-01T00:00:00Z, cut to seconds."""
    return datetime.fromtimestamp(us // MICROSECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Facts:
    """What was tested. Counts of events, unless said otherwise.

    Attributes:
        window_start_us: First time of the test window.
        window_stop_us: First time after it.
        n_corpus: Events with a text in the corpus.
        n_items: Distinct texts.
        n_window: Events in the window.
        n_eligible: Of these, those that can be predicted.
        n_tested: Of these, those that were: the sample.
        n_users: Users of the tested events.
        n_without_history: Tested events whose user had none before; their profile is the prior alone.
        median_candidates: Median number of candidates of a tested event; None without tested events.
    """

    window_start_us: int
    window_stop_us: int
    n_corpus: int
    n_items: int
    n_window: int
    n_eligible: int
    n_tested: int
    n_users: int
    n_without_history: int
    median_candidates: float | None

    @classmethod
    def joined(cls, parts: Sequence[Facts], users: npt.NDArray[np.integer]) -> Facts:
        """Of windows that follow each other, with the user of each tested event; the median is the last one's."""
        added = {n: sum(getattr(p, n) for p in parts) for n in ("n_window", "n_eligible", "n_tested")}
        return replace(
            parts[-1],
            window_start_us=parts[0].window_start_us,
            n_users=len(np.unique(users)),
            n_without_history=sum(p.n_without_history for p in parts),
            median_candidates=next((p.median_candidates for p in reversed(parts) if p.n_tested), None),
            **added,
        )
