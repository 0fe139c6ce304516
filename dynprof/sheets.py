"""The sheets of a snapshot: everybody's profile, and every item, each with a language, a topic and how active it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.atlas import MOST_POINTS, Codes, Projection, Sheet, Topics, coded, evenly
from dynprof.items import ItemCatalogue
from dynprof.neighbors import NeighborIndex
from dynprof.segments import read_events
from dynprof.store import SnapshotStore
from dynprof.user_directory import UserDirectory
from dynprof.word_labels import Background

__all__ = ["Points", "find_topics", "item_points", "item_sheet", "user_points", "user_sheet"]

_TOPICS_FROM = 20_000
_DAY_US = 86_400_000_000


def find_topics(catalogue: ItemCatalogue, background: Background) -> Topics:
    """Topics of at most 20,000 items, evenly spread over time."""
    rows = evenly(len(catalogue.base), _TOPICS_FROM)
    return Topics.of(catalogue.unit_vectors(rows), catalogue.base.table["text"].take(pa.array(rows)), background)


@dataclass(frozen=True)
class Points:
    """Whom or what a sheet shows.

    Attributes:
        numbers: (n,) user numbers or catalogue rows, rising, at most `MOST_POINTS`.
        vectors: (n, dim) float32.
        n_total: How many there are of which these are shown.
    """

    numbers: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float32]
    n_total: int


def user_points(store: SnapshotStore, index: NeighborIndex) -> Points:
    """Users with events, at the first decay that the snapshot was built with, as of its time."""
    matrix = index.matrix(store.spec.decays[0])
    everybody = np.flatnonzero(matrix.mass > 0)
    numbers = everybody[evenly(len(everybody), MOST_POINTS)]
    return Points(numbers, matrix.vectors[numbers], len(everybody))


def user_sheet(store: SnapshotStore, index: NeighborIndex, directory: UserDirectory, topics: Topics) -> Sheet:
    """Users on their principal components."""
    points = user_points(store, index)
    projection = Projection.fit(points.vectors)
    return Sheet(
        projection,
        points.numbers,
        projection.place(points.vectors),
        directory.n_events[points.numbers].astype(np.float32),
        _languages_of_users(store, directory.ids.take(pa.array(points.numbers))),
        topics.codes(points.vectors),
        points.n_total,
    )


def item_points(store: SnapshotStore, catalogue: ItemCatalogue) -> Points:
    """Items of the snapshot's corpus that appeared before its time and have not been removed since."""
    there = np.arange(catalogue.n_before(store.spec.as_of_us))
    there = there[~catalogue.index.is_removed(there)]
    rows = there[evenly(len(there), MOST_POINTS)]
    return Points(rows, catalogue.unit_vectors(rows), len(there))


def item_sheet(store: SnapshotStore, catalogue: ItemCatalogue, topics: Topics) -> Sheet:
    """Items on their principal components."""
    points = item_points(store, catalogue)
    projection = Projection.fit(points.vectors)
    age_days = (store.spec.as_of_us - catalogue.created_us[points.numbers]) / _DAY_US
    return Sheet(
        projection,
        points.numbers,
        projection.place(points.vectors),
        age_days.astype(np.float32),
        coded(catalogue.base.table["language"].take(pa.array(points.numbers))),
        topics.codes(points.vectors),
        points.n_total,
    )


def _languages_of_users(store: SnapshotStore, ids: pa.Array) -> Codes:
    """The language of most of each user's events; of equally frequent ones the first in the alphabet."""
    parts = [_counts_of_bucket(store, bucket, ids) for bucket in range(store.n_buckets)]
    schema = pa.schema({"user_id": pa.string(), "language": pa.string(), "n": pa.int64()})
    table = pa.concat_tables([schema.empty_table(), *parts])
    table = table.sort_by([("user_id", "ascending"), ("n", "descending"), ("language", "ascending")])
    users = table["user_id"].combine_chunks()
    first = _firsts(users)
    where = pc.index_in(ids, value_set=users.take(pa.array(first)))
    languages = table["language"].combine_chunks().take(pa.array(first)).take(where)
    return coded(languages)


def _counts_of_bucket(store: SnapshotStore, bucket: int, ids: pa.Array) -> pa.Table:
    events = read_events(store.workspace, bucket, ["user_id", "language"], segments=store.corpus.segments)
    known = pc.and_(pc.is_valid(events["language"]), pc.is_in(events["user_id"], value_set=ids))
    counted = events.filter(known).group_by(["user_id", "language"]).aggregate([([], "count_all")])
    return counted.rename_columns(["user_id", "language", "n"])


def _firsts(sorted_values: pa.Array) -> npt.NDArray[np.int64]:
    """Position of the first of each run of equal values."""
    codes = np.asarray(sorted_values.dictionary_encode().indices, np.int64)
    return np.flatnonzero(np.diff(codes, prepend=-1))
