"""From a workspace to questions: the log, what the items table says of its items, and their vectors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.embedded import open_vectors
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.loading import read_bucket
from dynprof.evaluation.log import EventLog, EventNames, index_events
from dynprof.lineage import CorpusView
from dynprof.ranker.traces import NO_TAG, Tags
from dynprof.segments import read_items
from dynprof.vector_chunk import VectorChunk, find_hashes
from dynprof.workspace import Workspace

__all__ = ["read_item_vectors", "read_log", "read_tags"]

_TAGS = ["language", "author_id"]


def read_log(workspace: Workspace, view: CorpusView, type_weights: Mapping[str, float]) -> tuple[EventLog, EventNames]:
    """Every event of a corpus that has a text, as numbers, and what the numbers stand for.

    Args:
        workspace: Where.
        view: The corpus.
        type_weights: Weight of an event by its type; types not named count 1.
    """
    buckets = (read_bucket(workspace, b, view.segments) for b in range(view.n_buckets))
    return index_events(buckets, type_weights)


def read_item_vectors(workspace: Workspace, fingerprint: str, view: CorpusView, names: EventNames) -> ItemVectors:
    """Vectors of all items of a log, in memory: 2 bytes a number.

    Raises:
        WorkspaceError: A text has no vector.
    """
    vectors = open_vectors(workspace, fingerprint, view).load(names.text_hashes)
    hashes = pa.chunked_array([names.text_hashes])
    return ItemVectors(VectorChunk(hashes, [vectors]), np.arange(len(vectors)))


def read_tags(workspace: Workspace, view: CorpusView, names: EventNames) -> Tags:
    """Language and author of the items of a log.

    Both are those of the earliest item with the text, `NO_TAG` where that has none: what a later one says was not known
    before it.
    """
    columns = ["item_id", "text_hash", "created_at", *_TAGS]
    tables = [read_items(workspace, b, columns, segments=view.segments) for b in range(view.n_buckets)]
    items = pa.concat_tables(tables).filter(pc.is_valid(pc.field("text_hash")))
    items = items.sort_by([("created_at", "ascending"), ("item_id", "ascending")])
    rows, has = find_hashes(items["text_hash"].combine_chunks(), pa.chunked_array([names.text_hashes], pa.binary(16)))
    found = {}
    for tag in _TAGS:
        numbers = items[tag].combine_chunks().dictionary_encode().indices.fill_null(NO_TAG).to_numpy()
        codes = np.full(len(names.text_hashes), NO_TAG, np.int32)
        codes[rows[has][::-1]] = numbers[has][::-1]  # the earliest is written last
        found[tag] = codes
    return Tags(found["language"], found["author_id"])
