"""Batches of equal length: tokens of many texts, how to cut them by padded size, and the padded matrices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import numpy.typing as npt

__all__ = ["Tokens", "pad_batch", "plan_batches"]

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


def plan_batches(lengths: Integers, max_tokens: int) -> Iterator[Integers]:
    """Cut texts into batches whose padded size (rows x longest row) is at most `max_tokens`.

    Longest first, so that too large a budget fails at once and not after an hour. Within a batch lengths differ
    little: real posts lose a few per cent to padding. A text longer than the budget is a batch of its own.

    Args:
        lengths: (n,) tokens of each text, >= 0. Texts without a token are in no batch.
        max_tokens: > 0.

    Yields:
        Positions of the texts of a batch, longest first; each position with a token exactly once.
    """
    order = np.argsort(-lengths, kind="stable")
    order = order[: np.count_nonzero(lengths)]
    start = 0
    while start < len(order):
        stop = start + max(1, max_tokens // int(lengths[order[start]]))
        yield order[start:stop]
        start = stop


def pad_batch(tokens: Tokens, rows: Integers, pad_id: int) -> tuple[Integers, Integers]:
    """Matrices of one batch, padded on the right to its longest text.

    Args:
        tokens: Of all texts of the window.
        rows: (b,) positions of the batch's texts.
        pad_id: Token id of padding.

    Returns:
        Token ids (b, longest) int64 and attention mask (b, longest) int64, 1 for a token and 0 for padding.
    """
    lengths = tokens.lengths[rows]
    column = np.arange(lengths.max(initial=0))
    mask = column < lengths[:, None]
    ids = np.full(mask.shape, pad_id, np.int64)
    ids[mask] = tokens.ids[(tokens.starts[rows, None] + column)[mask]]
    return ids, mask.astype(np.int64)
