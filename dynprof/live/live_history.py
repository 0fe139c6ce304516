"""Live events of one user, as a history that can be explained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from dynprof.history import SHOWN, History
from dynprof.live.corpus_lookup import CorpusLookup
from dynprof.live.deltas import Counted

__all__ = ["history_of"]


def history_of(found: Counted, texts: Sequence[str | None], corpus: CorpusLookup) -> History:
    """The events of one user, oldest first.

    Args:
        found: (n,) events.
        texts: (n,) text of each one's item; None where the corpus has it.
        corpus: To ask for those.
    """
    missing = [event.item_id for event, text in zip(found.events, texts, strict=True) if text is None]
    told = corpus.item_texts(missing) if missing else {}
    rows = [
        (event.event_id, event.item_id, event.event_type, told.get(event.item_id) if text is None else text)
        for event, text in zip(found.events, texts, strict=True)
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(SHOWN)
    shown = pa.table({name: pa.array(values, pa.string()) for name, values in zip(SHOWN, columns, strict=True)})
    order = np.argsort(found.at_us, kind="stable")
    return History(found.at_us[order], found.weights[order], order, found.vectors, shown.take(pa.array(order)))
