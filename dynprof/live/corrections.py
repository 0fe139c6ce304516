"""Users of the corpus whose snapshot is no longer right: an event of theirs was erased, or is about another text now.

A sum cannot be taken apart, so their states are made anew from the corpus' events; few users, one row group each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.history import SHOWN, History
from dynprof.live.corpus_lookup import CorpusLookup
from dynprof.live.corpus_texts import CorpusTexts
from dynprof.snapshot import SnapshotSpec
from dynprof.state import ProfileStates

__all__ = ["Correction", "correct_user"]


@dataclass(frozen=True)
class Correction:
    """What stands for a user's state in the snapshot.

    Attributes:
        states: Of one user, from the events of the corpus that are left, with the texts that they have now.
        history: The events behind them.
        is_known: Whether the corpus has anything of the user: an event, or a bio.
        vector_sum: (dim,) float64 by how much the sum of the vectors of all events grew.
        n_vectors: By how many their number grew.
    """

    states: ProfileStates
    history: History
    is_known: bool
    vector_sum: npt.NDArray[np.float64]
    n_vectors: int


def correct_user(
    user_id: str,
    corpus: CorpusLookup,
    texts: CorpusTexts,
    spec: SnapshotSpec,
    *,
    is_gone: Callable[[str], bool],
    retold: Mapping[str, bytes | None],
    live_vector: Callable[[bytes | None], npt.NDArray[np.float16] | None],
) -> Correction:
    """Make a user's state anew.

    Args:
        user_id: Whose.
        corpus: The corpus of the snapshot.
        texts: Its vectors.
        spec: What profiles mean.
        is_gone: Whether an event, by its id, was erased.
        retold: Items that have another text than in the corpus, with its hash.
        live_vector: Vector of a text that the corpus may not have.
    """
    events = corpus.events_of(user_id)
    before: list[bytes | None] = events["text_hash"].to_pylist()
    left = np.array([not is_gone(event_id) for event_id in events["event_id"].to_pylist()], np.bool_)
    items = events["item_id"].to_pylist()
    now = [retold.get(item, text) if stays else None for item, text, stays in zip(items, before, left, strict=True)]
    vectors = texts.find([text for text in {*before, *now} if text is not None])
    for text in set(now):
        live = live_vector(text)
        if text is not None and live is not None:
            vectors.setdefault(text, live)
    counted = np.array([i for i, text in enumerate(now) if text in vectors], np.int64)
    matrix = _stack([vectors[now[i]] for i in counted.tolist()], spec.dim)
    old = _stack([vectors[text] for text in before if text is not None], spec.dim)
    at_us = np.asarray(events["timestamp"].cast(pa.int64()))[counted]
    types = [spec.type_weights.get(name, 1.0) for name in events["event_type"].take(pa.array(counted)).to_pylist()]
    weights = (np.asarray(events["weight"], np.float64)[counted] * np.array(types)).astype(np.float32)
    users = np.zeros(len(counted), np.int64)
    shown = events.take(pa.array(counted)).select(SHOWN)
    return Correction(
        ProfileStates.from_events(users, at_us, weights, matrix, 1, bank=spec.bank),
        History(at_us, weights.astype(np.float64), np.arange(len(counted)), matrix, shown),
        bool(left.any()) or corpus.has_bio(user_id),
        matrix.sum(0, dtype=np.float64) - old.sum(0, dtype=np.float64),
        len(matrix) - len(old),
    )


def _stack(vectors: list[npt.NDArray[np.float16]], dim: int) -> npt.NDArray[np.float16]:
    return np.stack(vectors) if vectors else np.zeros((0, dim), np.float16)
