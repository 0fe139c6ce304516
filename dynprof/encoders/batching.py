"""Tokens of many texts end to end, in order of length, and how they are cut into batches without padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["Integers", "Run", "Tokens", "plan_batches", "runs_of"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tokens:
    """Token ids of n texts, end to end.

    Attributes:
        ids: (n_tokens,) int32.
        lengths: (n,) int64 tokens of each text; their sum is n_tokens.
    """

    ids: npt.NDArray[np.int32]
    lengths: Integers

    @classmethod
    def from_lists(cls, id_lists: Sequence[Sequence[int]]) -> Tokens:
        """Tokens of n lists of ids."""
        lengths = np.fromiter(map(len, id_lists), np.int64, len(id_lists))
        ids = np.fromiter(chain.from_iterable(id_lists), np.int32, int(lengths.sum()))
        return cls(ids, lengths)

    @cached_property
    def starts(self) -> Integers:
        """(n,) position in `ids` of each text's first token."""
        return np.cumsum(self.lengths) - self.lengths

    @cached_property
    def positions(self) -> Integers:
        """(n_tokens,) place of each token in its text, from 0."""
        return np.arange(len(self.ids)) - np.repeat(self.starts, self.lengths)

    def take(self, rows: Integers) -> Tokens:
        """Tokens of the texts at `rows`, in that order; a row may come again."""
        lengths = self.lengths[rows]
        shift = self.starts[rows] - (np.cumsum(lengths) - lengths)
        return Tokens(self.ids[np.arange(lengths.sum()) + np.repeat(shift, lengths)], lengths)

    def longest_first(self) -> Integers:
        """Rows that hold a token, longest text first, equal lengths in their order."""
        return np.argsort(-self.lengths, kind="stable")[: np.count_nonzero(self.lengths)]


@dataclass(frozen=True)
class Run:
    """Texts of equal length that follow one another in a batch.

    Attributes:
        start: First token of the first text, in the batch.
        n_texts: How many.
        length: Tokens of each, > 0.
    """

    start: int
    n_texts: int
    length: int

    @property
    def stop(self) -> int:
        """One past the last token."""
        return self.start + self.n_texts * self.length


def runs_of(lengths: Integers) -> list[Run]:
    """Runs of a batch, from the (n,) lengths of its texts in their order, each > 0."""
    cuts = np.flatnonzero(np.diff(lengths)) + 1
    runs, start = [], 0
    for first, last in pairwise([0, *cuts.tolist(), len(lengths)]):
        run = Run(start, last - first, int(lengths[first]))
        runs.append(run)
        start = run.stop
    return runs


def plan_batches(lengths: Integers, max_tokens: int) -> Iterator[slice]:
    """Cut texts into batches of at most `max_tokens`, counted as texts x longest: what the largest layer holds.

    Longest first, so that too large a budget fails at once and not after an hour. A text longer than the budget is a
    batch of its own.

    Args:
        lengths: (n,) tokens of each text, > 0, falling.
        max_tokens: > 0.

    Yields:
        Slices of the texts, in order, each text in exactly one.
    """
    start = 0
    while start < len(lengths):
        stop = min(len(lengths), start + max(1, max_tokens // int(lengths[start])))
        yield slice(start, stop)
        start = stop
