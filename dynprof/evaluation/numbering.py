"""Distinct texts numbered by first appearance, whatever the order in which they were read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["number_texts"]


def number_texts(
    words: npt.NDArray[np.uint64], seen_us: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Number texts by the earliest time any of their rows names; ties by hash.

    Args:
        words: (k, 2) text hashes as `dynprof.keys.hash_words` gives them; may repeat.
        seen_us: (k,) microseconds.

    Returns:
        (k,) number of each row's text; (n, 2) hash and (n,) first time of each distinct text, by number.
    """
    if not len(words):
        return np.zeros(0, np.int32), words, seen_us
    order, new = _group(words)
    starts = np.flatnonzero(new)
    first_us = np.minimum.reduceat(seen_us[order], starts)
    by_time = np.argsort(first_us, kind="stable")  # the groups are in the order of their hashes: so are ties
    number = np.empty(len(starts), np.int32)
    number[by_time] = np.arange(len(starts), dtype=np.int32)
    numbers = np.empty(len(words), np.int32)
    numbers[order] = np.repeat(number, np.diff(starts, append=len(words)))
    return numbers, words[order[starts[by_time]]], first_us[by_time]


def _group(words: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """An order that brings equal hashes together, and whether a hash is the first of its kind in it."""
    order = np.argsort(words[:, 0])
    same = [(column := words[order, i])[1:] == column[:-1] for i in (0, 1)]
    if (same[0] & ~same[1]).any():  # 64 equal bits of two texts hardly ever happen, and a sort by 128 is slow
        order = np.lexsort((words[:, 1], words[:, 0]))
        same = [(column := words[order, i])[1:] == column[:-1] for i in (0, 1)]
    return order, np.concatenate([[True], ~(same[0] & same[1])])
