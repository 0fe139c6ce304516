"""A served workspace in which who follows whom decides what a user takes to next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from serving_world import AS_OF_US, World, event, make_world

MINUTE_US = 60_000_000
N_GROUPS, N_MEMBERS = 3, 5
TOPIC_OF_GROUP = ("goal striker league", "oven flour salt", "rocket comet probe")
LANGUAGES = ("en", "de", "en")


def following_rows(n_items: int = 300, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Items five minutes apart, each of one group; most members of the group repost it within the hour."""
    rng = np.random.default_rng(seed)
    start_us = AS_OF_US - (n_items + 24) * 5 * MINUTE_US
    for item in range(n_items):
        group = int(rng.integers(N_GROUPS))
        members = [m for m in range(N_MEMBERS) if rng.random() < 0.85]
        waits = np.sort(rng.choice(np.arange(1, 60), len(members), replace=False))
        for member, wait in zip(members, waits.tolist(), strict=True):
            text = f"{TOPIC_OF_GROUP[group]} number {item}"
            at_us = start_us + (item * 5 + wait) * MINUTE_US
            row = event(f"user-{group}-{member}", f"{item}-{member}", text, at_us, item_id=f"item-{item}")
            yield {**row, "language": LANGUAGES[group]}


def make_following_world(root: Path, n_items: int = 300) -> World:
    """Corpus, embeddings and one snapshot of it."""
    return make_world(root, following_rows(n_items))
