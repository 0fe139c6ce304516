"""Candidates measured in turn, so that a slow minute of the machine hits all of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["in_turn"]


def in_turn(
    runs: Mapping[str, Callable[[], Any]], rounds: int, *, before_each: Callable[[], None] = lambda: None
) -> dict[str, list[float]]:
    """Wall seconds of each candidate in each round; progress goes to stderr.

    Args:
        runs: Name to candidate, run in this order.
        rounds: How often. >= 5 for a number that is quoted.
        before_each: Run before each candidate, not timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, function in runs.items():
            before_each()
            start = time.perf_counter()
            function()
            seconds[name].append(round(time.perf_counter() - start, 3))
            print(f"round={number} {name}={seconds[name][-1]}s", file=sys.stderr, flush=True)
    return seconds
