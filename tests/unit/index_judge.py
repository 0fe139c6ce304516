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
    queries = Queries(np.asarray(question.profile)[None])
    excluded = set() if question.excluded is None else set(question.excluded.tolist())
    scored = []
    for row in range(len(vectors)):
        allowed = question.allowed is None or (row < len(question.allowed) and bool(question.allowed[row]))
        if created_us[row] >= question.as_of_us or not allowed or row in excluded or row in removed:
            continue
        cosine = float(exact_cosines(vectors[row : row + 1], queries.units[0])[0])
        weight = question.time_weights(created_us[row : row + 1])
        score = float(question.scores(np.array([cosine]), float(queries.norms[0]), weight)[0])
        scored.append((-score, -int(created_us[row]), -row))
    best = sorted(scored)[: question.k]
    return [-row for _, _, row in best], [-score for score, _, _ in best]
