"""The index of items: a base that is mapped or loaded, what was added since, what was removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

import numpy as np
import numpy.typing as npt

from dynprof.index.approximate import Approximate
from dynprof.index.block import Queries, blocks_of, exact_cosines
from dynprof.index.codes import Codes
from dynprof.index.growing import GrowingRows
from dynprof.index.question import Candidates, Question, ranked
from dynprof.index.scan import NO_CAP, scan
from dynprof.scoring import Ranking

__all__ = ["ItemIndex"]

IntArray = npt.NDArray[np.int64]
MaskArray = npt.NDArray[np.bool_]

_MOST_ASKED = 4096
"""Beyond it comparing all rows that may be returned is no slower."""
_SPARE = 8
"""Times k, of rows that may be returned."""


class ItemIndex:
    """The best rows for any profile, time, metric and filter. Safe to use from several threads.

    Without an approximate index every answer is exact, to the last bit and for equal scores too: newest first, then the
    row that was added last. With one, `cosine` and `basic` are the exact best of what it finds and of all added rows;
    `cosine_time` looks at all rows that are young enough, and trusts it only for how alike the older ones can be. A
    filter that leaves few rows is answered by comparing those. Either way k rows come back where k may.

    Args:
        vectors: (n, dim) any norm; (memory-mapped) fp16.
        created_us: (n,) rising.
        codes: Of the last rows, or of all; None: of none.
        approximate: Of all n rows, or None.
        n_asked: Rows to ask it for, at least; by default its own number.
    """

    def __init__(
        self,
        vectors: npt.NDArray[np.float16],
        created_us: IntArray,
        codes: Codes | None,
        approximate: Approximate | None = None,
        *,
        n_asked: int | None = None,
    ) -> None:
        self._vectors, self._created_us = vectors, created_us
        self._base = blocks_of(vectors, created_us, codes)
        self._approximate = approximate
        self._n_asked = n_asked or (approximate.least_asked if approximate else 0)
        self._added = GrowingRows(vectors.shape[1], len(vectors))
        self._deleted = np.zeros(len(vectors), np.bool_)
        self._lock = Lock()

    def __len__(self) -> int:
        """Rows that were ever there, removed ones included: the next row's number."""
        return len(self._vectors) + len(self._added)

    def add(self, vectors: npt.NDArray[np.float16], created_us: IntArray) -> IntArray:
        """Add rows; the next question sees them.

        Args:
            vectors: (m, dim) any norm.
            created_us: (m,) in any order.

        Returns:
            (m,) their numbers, above all before.
        """
        with self._lock:
            n_after = len(self) + len(vectors)
            if n_after > len(self._deleted):
                grown = np.zeros(max(n_after, 2 * len(self._deleted)), np.bool_)
                grown[: len(self._deleted)] = self._deleted
                self._deleted = grown  # before the rows: who sees them finds a place for them here
            return self._added.append(vectors, created_us)

    def remove(self, rows: IntArray) -> None:
        """Nobody gets these rows any more, from the next question on."""
        with self._lock:
            self._deleted[rows] = True

    def is_removed(self, rows: IntArray) -> MaskArray:
        """Which of some rows were removed."""
        return self._deleted[rows]

    def take(self, rows: IntArray) -> tuple[npt.NDArray[np.float16], IntArray]:
        """(j, dim) vectors and (j,) times of some rows."""
        n, old = len(self._vectors), rows < len(self._vectors)
        if old.all():
            return self._vectors[rows], self._created_us[rows]
        vectors, created_us = np.empty((len(rows), self._vectors.shape[1]), np.float16), np.empty(len(rows), np.int64)
        vectors[old], created_us[old] = self._vectors[rows[old]], self._created_us[rows[old]]
        vectors[~old], created_us[~old] = self._added.take(rows[rows >= n])
        return vectors, created_us

    def search(self, questions: Sequence[Question]) -> list[Ranking]:
        """The best rows for each question; an answer does not depend on what else is asked."""
        if not questions:
            return []
        added, deleted = self._added.blocks(), self._deleted
        queries = Queries(np.stack([np.asarray(q.profile, np.float64) for q in questions]))
        found, rest, caps = [Candidates(q.k) for q in questions], list(questions), [NO_CAP] * len(questions)
        scan(added, questions, queries, found, deleted, caps)
        for i, question in enumerate(questions):
            if (rows := self._near(question, queries.units[i])) is not None:
                caps[i] = self._add_near(rows, question, queries, i, found[i], deleted)
                known = rows if question.excluded is None else np.concatenate([question.excluded, rows])
                rest[i] = replace(question, excluded=known)
        scan(self._base, rest, queries, found, deleted, caps)
        return [self._ranked(found[i].rows, question, queries, i) for i, question in enumerate(questions)]

    def _near(self, question: Question, unit: npt.NDArray[np.float64]) -> IntArray | None:
        """Rows that the approximate index finds; None where comparing all that may be returned is no slower."""
        if self._approximate is None:
            return None
        n_before = int(np.searchsorted(self._created_us, question.as_of_us, "left"))
        n_may = n_before if question.allowed is None else int(np.count_nonzero(question.allowed[:n_before]))
        if not unit.any() or not n_may:
            return None
        asked = max(self._n_asked, -(-_SPARE * question.k * len(self._approximate) // n_may))
        asked += 0 if question.excluded is None else len(question.excluded)
        return self._approximate.nearest(unit, asked) if asked <= min(_MOST_ASKED, len(self._approximate)) else None

    def _add_near(
        self, rows: IntArray, question: Question, queries: Queries, i: int, found: Candidates, deleted: MaskArray
    ) -> float:
        """Add what was found; the cosine that all other rows of the base have at most, as far as it knows."""
        vectors, created_us = self._vectors[rows], self._created_us[rows]
        cosines = exact_cosines(vectors, queries.units[i])
        may = question.may(rows, created_us) & ~deleted[rows]
        weights = question.time_weights(created_us[may])
        scores = question.scores(rows[may], cosines[may], float(queries.norms[i]), weights)
        found.add(rows[may], created_us[may], scores, scores)
        return float(cosines.min())

    def _ranked(self, rows: IntArray, question: Question, queries: Queries, i: int) -> Ranking:
        vectors, created_us = self.take(rows)
        weights = question.time_weights(created_us)
        scores = question.scores(rows, exact_cosines(vectors, queries.units[i]), float(queries.norms[i]), weights)
        return ranked(rows, created_us, scores, question.k)
