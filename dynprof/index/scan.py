"""The k best of many rows, exactly: newest blocks first, by bounds, until no older row can be among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dynprof.index.block import Block, Queries
from dynprof.index.question import Candidates, Question

__all__ = ["NO_CAP", "scan"]

NO_CAP = 1.0
"""No cosine is larger."""

_FEW = 16
"""Rows of which fewer than one in so many may be returned are compared one by one, not as a block."""


def scan(
    blocks: Sequence[Block],
    questions: Sequence[Question],
    queries: Queries,
    found: Sequence[Candidates],
    deleted: npt.NDArray[np.bool_],
    caps: Sequence[float],
) -> None:
    """Add to each question's candidates all rows of the blocks that can be among its best.

    A block is left out for a question when its newest row, at the cosine `cap`, stays below a score that k rows are
    known to reach. So time decides where it can: with a metric that has none, every block is looked at.

    Args:
        blocks: In any order.
        questions: m of them; their products share one pass over a block.
        queries: Of their profiles, in the same order.
        found: Candidates of each, which may know a score already.
        deleted: (n_rows,) rows that nobody gets.
        caps: The largest cosine that a row which nobody looked at can have, a question; `NO_CAP` where that is unknown.
    """
    active = list(range(len(questions)))
    for block in sorted((b for b in blocks if len(b)), key=lambda b: b.newest_us, reverse=True):
        here = [i for i in active if _may_hold(block, questions[i], float(queries.norms[i]), caps[i], found[i])]
        # The next blocks are older, so what falls out stays out; but for a bonus, which may be anywhere.
        active = [i for i in active if i in here or questions[i].bonus is not None]
        if not active:
            return
        gone, wanted = deleted[block.first : block.first + len(block)], []
        for i in here:
            may = questions[i].may_of_run(block.first, block.created_us) & ~gone
            if int(np.count_nonzero(may)) * _FEW < len(block):
                _add_one_by_one(block, np.flatnonzero(may), questions[i], queries, i, found[i])
            else:
                wanted.append((i, may))
        if wanted:
            _add_block(block, wanted, questions, queries, found)


def _may_hold(block: Block, question: Question, norm: float, cap: float, found: Candidates) -> bool:
    run = slice(block.first, block.first + len(block))
    return question.most(run, block.newest_us, norm, cap) >= found.least


def _add_one_by_one(
    block: Block, local: npt.NDArray[np.int64], question: Question, queries: Queries, i: int, found: Candidates
) -> None:
    if not len(local):
        return
    rows, created_us = local + block.first, block.created_us[local]
    weights = question.time_weights(created_us)
    scores = question.scores(rows, block.exact(local, queries.units[i]), float(queries.norms[i]), weights)
    found.add(rows, created_us, scores, scores)


def _add_block(
    block: Block,
    wanted: Sequence[tuple[int, npt.NDArray[np.bool_]]],
    questions: Sequence[Question],
    queries: Queries,
    found: Sequence[Candidates],
) -> None:
    run = slice(block.first, block.first + len(block))
    cosines, slack = block.bounds(queries)
    for i, may in wanted:
        question, norm = questions[i], float(queries.norms[i])
        weights = question.time_weights(block.created_us)
        high = question.scores(run, np.minimum(cosines[i] + slack[i], 1), norm, weights)
        near = np.flatnonzero(may & (high >= found[i].least))
        low_cosines = np.maximum(cosines[i][near] - slack[i][near], -1)
        low = question.scores(near + block.first, low_cosines, norm, None if weights is None else weights[near])
        found[i].add(near + block.first, block.created_us[near], low, high[near])
