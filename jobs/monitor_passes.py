"""The passes of `jobs.monitor` over buckets, items and shards: each part is a file, and what is there is not redone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray

from dynprof.drift.bucket_pass import BUCKET_TABLES, Asked
from dynprof.drift.choice import Choice
from dynprof.drift.lists import LIST_LENGTH, LIST_METRICS, Listed, Reader, join_lists
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.storage import PARTS, find_parts, iter_parts, part_name, read_parts
from dynprof.drift.tables import matrix_from
from dynprof.drift.topic_posts import Window, best_posts
from dynprof.embedded import CorpusVectors
from dynprof.evaluation.ranking import Posed, settle_ranks
from dynprof.evaluation.retrieval import Queries, Ranks
from dynprof.evaluation.shard_counts import split_texts
from dynprof.evaluation.storage import REPORTS
from jobs.monitor_tasks import bucket_part, items_part, posts_part, shard_part
from jobs.stages import collect, parts_of

__all__ = ["Passes"]

LOG = logging.getLogger("dynprof.monitor")

_ITEMS_A_PART = 64


@dataclass(frozen=True)
class Passes:
    """One report under way.

    Attributes:
        corpus: Where events and vectors lie.
        n_buckets: Of the corpus.
        asked: What every bucket is asked.
        choice: What is looked at.
    """

    corpus: CorpusVectors
    n_buckets: int
    asked: Asked
    choice: Choice

    @property
    def spec(self) -> MonitorSpec:
        """The question."""
        return self.asked.spec

    def read(self, table: str) -> pa.Table:
        """All parts of a table."""
        return read_parts(self.corpus.workspace, self.spec.name, table)

    def find(self, table: str) -> pa.Table | None:
        """The same; None where there is no part."""
        return find_parts(self.corpus.workspace, self.spec.name, table)

    def each_part(self, table: str, columns: list[str] | None) -> Iterator[pa.Table]:
        """Some columns, or all, of one part after the other."""
        return iter_parts(self.corpus.workspace, self.spec.name, table, columns)

    def run(self) -> None:
        """Buckets, then items, then shards."""
        asked = [ray.put(self.asked)]
        given = {"corpus": self.corpus, "asked": asked, "report": self.spec.name}
        self._each(bucket_part, range(self.n_buckets), BUCKET_TABLES[-1], given)
        self._items()
        self._shards()

    def topic_posts(self, windows: Sequence[Window]) -> pa.Table | None:
        """The posts behind sudden windows of topics; None for no window."""
        if not windows:
            return None
        refs = {"asked": [ray.put(self.asked)], "windows": [ray.put(list(windows))]}
        given = {"corpus": self.corpus, "report": self.spec.name, **refs}
        self._each(posts_part, range(self.n_buckets), "topic_posts", given)
        return best_posts(self.read("topic_posts"))

    def ranks(self) -> Ranks:
        """(n, schedules) of the tests."""
        posed, counts = self._posed(), self.read("counts")
        counted = Ranks.zeros(posed.queries.scores.shape)
        for start in range(0, len(counts), max(len(posed.queries), 1)):
            part = counts.slice(start, len(posed.queries))
            counted += Ranks(matrix_from(part["above"]), matrix_from(part["tied"]))
        LOG.info("ranked=%d", len(posed.queries))
        return settle_ranks(posed, self.choice.tests.catalogue, counted)

    def lists(self) -> Listed:
        """The lists of the sampled users, in the order of the table `users`."""
        table, n = self.read("lists"), len(self.read("users"))
        shape = (-1, n, len(LIST_METRICS), LIST_LENGTH)
        items, scores = (matrix_from(table[name]).reshape(shape) for name in ("items", "scores"))
        return join_lists([Listed(np.asarray(i, np.int64), s) for i, s in zip(items, scores, strict=True)])

    def _items(self) -> None:
        n_parts = -(-len(self.choice.items) // _ITEMS_A_PART)
        names = [ray.put(item_names(self.choice))]
        given = {"workspace_uri": self.corpus.workspace.uri, "report": self.spec.name, "spec": self.spec}
        self._each(items_part, range(n_parts), "item_entities", {**given, "names": names, "n_parts": n_parts})

    def _shards(self) -> None:
        texts = [ray.put(t) for t in split_texts(self.corpus, self.choice.names.text_hashes)]
        posed, tests = self._posed(), self.choice.tests
        given = {
            "workspace_uri": self.corpus.workspace.uri,
            "report": self.spec.name,
            "texts": texts,
            "queries": [ray.put(posed.queries)],
            "catalogue": tests.catalogue,
            "reader": [ray.put(self._reader())],
        }
        self._each(shard_part, range(len(texts)), "counts", given)

    def _posed(self) -> Posed:
        table = self.read("tests")
        order = np.argsort(table["row"].to_numpy())
        scores = matrix_from(table["scores"])[order]
        dim = len(self.asked.mean)
        profiles = matrix_from(table["profiles"])[order].reshape(*scores.shape, dim)
        excluded = Ranks(matrix_from(table["above"])[order], matrix_from(table["tied"])[order])
        return Posed(Queries(profiles, scores), excluded, table["n_excluded"].to_numpy()[order])

    def _reader(self) -> Reader:
        """Whom the lists are for, in the order of the table `users`."""
        users = self.read("users")
        log, names = self.choice.log, self.choice.names
        number = np.asarray(pc.index_in(users["user_id"].combine_chunks(), value_set=names.user_ids))
        by_user = np.argsort(log.users, kind="stable")
        first, stop = (np.searchsorted(log.users[by_user], number, side) for side in ("left", "right"))
        seen = [np.unique(log.items[by_user[a:b]]) for a, b in zip(first, stop, strict=True)]
        starts = np.cumsum([0, *map(len, seen)])
        profiles = np.asarray(matrix_from(users["profile"]), np.float32)
        items = np.concatenate([np.empty(0, np.int32), *seen]).astype(np.int32)
        return Reader(profiles, items, starts, log.first_us, self.spec.as_of_us)

    def _each(self, task: Callable[..., Any], parts: Sequence[int], last: str, given: Mapping[str, Any]) -> None:
        """Run a task for every part whose last file is not there."""
        done = set(self.corpus.workspace.files(REPORTS, self.spec.name, PARTS))
        todo = [p for p in parts if part_name(last, p) not in done]
        LOG.info("parts=%s of=%d todo=%d", last, len(parts), len(todo))
        if todo:
            collect(parts_of(todo).map_batches(task, batch_size=1, batch_format="numpy", fn_kwargs=dict(given)))


def item_names(choice: Choice) -> pa.StringArray:
    """What the sampled items are called: the hashes of their texts, in hexadecimal."""
    hashes = choice.names.text_hashes.take(pa.array(choice.items))
    return pa.array([h.hex() for h in hashes.to_pylist()], pa.string())
