"""From a posted history to events with vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.coercion import event_type_name
from dynprof.decay import Decay
from dynprof.history import History
from dynprof.keys import hash_words, text_hashes
from dynprof.snapshot import parse_time_us
from dynprof.sources import KnownTexts
from dynprof.text import prepare_texts
from serve import subject
from serve.bodies import HistoryEvent
from serve.engine import Engine
from serve.subject import Subject

__all__ = ["visitor"]


def visitor(
    engine: Engine, history: Sequence[HistoryEvent], bio: str | None, decay: Decay, as_of_us: int | None
) -> Subject:
    """Somebody whom no snapshot knows.

    Args:
        engine: Whose snapshot says what event types weigh, and has vectors of known texts and items.
        history: Events in any order; those without a vector (an unknown item, a text of nothing but links) count for
            nothing.
        bio: Of the visitor.
        decay: f.
        as_of_us: Microseconds since 1970; None: just after the last event, and not before the snapshot's time.

    Raises:
        EncoderUnavailableError: A text is new and there is nothing to encode it with.
    """
    given = [None if e.timestamp is None else parse_time_us(e.timestamp) for e in history]
    if as_of_us is None:
        as_of_us = max([engine.users.as_of_us, *(at + 1 for at in given if at is not None)])
    known = _known(engine, history)
    at_us = np.array([as_of_us - 1 if at is None else at for at in given], np.int64)
    type_weights = engine.store.spec.type_weights
    weights = [e.weight * type_weights.get(event_type_name(e.event_type), 1.0) for e in history]
    mine = np.flatnonzero(known.found)
    mine = mine[np.argsort(at_us[mine], kind="stable")]
    events = History(
        at_us[mine],
        np.array(weights, np.float64)[mine],
        np.arange(len(mine)),
        known.vectors[mine],
        _table(history, mine),
    )
    seen = known.words[mine[at_us[mine] < as_of_us]]
    return subject.posted(engine.users, events, seen, _bio(engine, bio), decay, as_of_us)


def _known(engine: Engine, history: Sequence[HistoryEvent]) -> KnownTexts:
    """Vectors of all events: of an item by its id, else of the text, which is encoded only if nobody did before."""
    n, dim = len(history), engine.store.spec.dim
    words, found, vectors = np.zeros((n, 2), np.uint64), np.zeros(n, np.bool_), np.zeros((n, dim), np.float32)
    by_id = [i for i, e in enumerate(history) if e.text is None]
    by_text = [i for i, e in enumerate(history) if e.text is not None]
    items = engine.items.find_items([str(history[i].item_id) for i in by_id])
    words[by_id], found[by_id], vectors[by_id] = items.words, items.found, items.vectors
    texts = _texts(engine, [str(history[i].text) for i in by_text])
    words[by_text], found[by_text], vectors[by_text] = texts.words, texts.found, texts.vectors
    return KnownTexts(words, found, vectors)


def _texts(engine: Engine, texts: list[str]) -> KnownTexts:
    """Texts with their vectors; not found where preparation leaves nothing of them."""
    prepared = prepare_texts(pa.array(texts, pa.string()))
    hashes = text_hashes(prepared)
    says = np.asarray(pc.is_valid(hashes))
    words = np.zeros((len(texts), 2), np.uint64)
    words[says] = hash_words(hashes.drop_null())
    known = engine.items.find_texts(words)
    new = np.flatnonzero(says & ~known.found)
    vectors = known.vectors
    if len(new):
        vectors[new] = engine.text_encoder.encode(prepared.take(pa.array(new)).to_pylist())
    return KnownTexts(words, says, vectors)


def _bio(engine: Engine, bio: str | None) -> npt.NDArray[np.float32] | None:
    """Its vector; None without one, also where preparation leaves nothing."""
    if bio is None:
        return None
    known = _texts(engine, [bio])
    return known.vectors[0] if known.found[0] else None


def _table(history: Sequence[HistoryEvent], rows: npt.NDArray[np.int64]) -> pa.Table:
    chosen = [history[i] for i in rows.tolist()]
    columns = {
        "event_id": [None for _ in chosen],
        "item_id": [e.item_id for e in chosen],
        "event_type": [event_type_name(e.event_type) for e in chosen],
        "text": [e.text for e in chosen],
    }
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
