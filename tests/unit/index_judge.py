"""The judge of the index: every row compared one by one, everything sorted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynprof.index.block import Queries, exact_cosines
from dynprof.index.question import Question


def brute_force(
    vectors: npt.NDArray[np.float16],
    created_us: npt.NDArray[np.int64],
    question: Question,
    removed: set[int] = frozenset(),  # type: ignore[assignment]
) -> tuple[list[int], list[float]]:
    """Rows and scores of the k best, from the definition."""
    unit, norm = Queries(np.asarray(question.profile)[None]).units[0], float(np.linalg.norm(question.profile))
    weights = question.time_weights(created_us)
    scores = question.scores(np.arange(len(vectors)), exact_cosines(vectors, unit), norm, weights)
    excluded = set() if question.excluded is None else set(question.excluded.tolist())
    may = [
        row
        for row in np.flatnonzero(created_us < question.as_of_us).tolist()
        if (question.allowed is None or (row < len(question.allowed) and question.allowed[row]))
        and row not in excluded
        and row not in removed
    ]
    best = sorted(may, key=lambda row: (-scores[row], -created_us[row], -row))[: question.k]
    return best, [float(scores[row]) for row in best]
