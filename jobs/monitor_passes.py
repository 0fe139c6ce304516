"""The passes of `jobs.monitor` over buckets, items and shards: each part is a file, and what is there is not redone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import ray

from dynprof.drift.bucket_pass import BUCKET_TABLES, Asked
from dynprof.drift.choice import Choice
from dynprof.drift.lists import LIST_LENGTH, ask_readers, readers_of
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.storage import PARTS, find_parts, iter_parts, part_name, read_parts
from dynprof.drift.tables import matrix_from
from dynprof.drift.topic_posts import Window, best_posts
from dynprof.embedded import CorpusVectors
from dynprof.evaluation.judging import Judged
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.ranking import settle_ranks
from dynprof.evaluation.retrieval import Queries, Ranks
from dynprof.evaluation.seen import SeenItems
from dynprof.evaluation.shard_counts import gather_shards, split_texts
from dynprof.evaluation.storage import REPORTS
from jobs.evaluate_tasks import judged_from
from jobs.monitor_tasks import Inquiry, bucket_part, items_part, posts_part, shard_part
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
        """(n, schedules) of the tests, n > 0."""
        queries, tests = self._stale(), self.choice.tests
        found = self._judged("counts", (len(tests), queries.n_columns), 0)
        LOG.info("ranked=%d", len(tests))
        return settle_ranks(self.choice.log, tests, queries.silent, queries.clocks, found).ranks

    def lists(self) -> npt.NDArray[np.int32]:
        """(n, metrics, `LIST_LENGTH`) items for the sampled users, in the order of the table `users`."""
        readers, queries = self._readers()
        found = self._judged("lists", (len(readers), queries.n_columns), LIST_LENGTH)
        return settle_ranks(self.choice.log, readers, queries.silent, queries.clocks, found).lists

    def _judged(self, table: str, shape: tuple[int, int], list_size: int) -> Judged:
        """What all shards together gave."""
        found = Judged.nothing(shape, list_size)
        for part in self.each_part(table, None):
            found += judged_from(part, list_size)
        return found

    def _items(self) -> None:
        n_parts = -(-len(self.choice.items) // _ITEMS_A_PART)
        names = [ray.put(item_names(self.choice))]
        given = {"workspace_uri": self.corpus.workspace.uri, "report": self.spec.name, "spec": self.spec}
        self._each(items_part, range(n_parts), "item_entities", {**given, "names": names, "n_parts": n_parts})

    def _shards(self) -> None:
        log, tests = self.choice.log, self.choice.tests
        hashes = self.choice.names.text_hashes.slice(0, log.n_items)  # later texts are no candidates
        texts = [ray.put(t) for t in gather_shards(split_texts(self.corpus, hashes, log.first_us))]
        readers, served = self._readers()
        asked = [Inquiry("lists", self._put(served, readers), readers.catalogue, LIST_LENGTH)]
        if len(tests):
            asked.append(Inquiry("counts", self._put(self._stale(), tests), tests.catalogue, 0))
        given = {"workspace_uri": self.corpus.workspace.uri, "report": self.spec.name, "texts": texts, "asked": asked}
        self._each(shard_part, range(len(texts)), asked[-1].table, given)

    def _put(self, queries: Queries, tests: TestEvents) -> ray.ObjectRef:
        return ray.put((queries, SeenItems.of(self.choice.log, tests)))

    def _stale(self) -> Queries:
        """The questions of all tests, in their order."""
        table = self.read("tests")
        order = np.argsort(table["row"].to_numpy())
        cosines = matrix_from(table["cosines"])[order]
        profiles = matrix_from(table["profiles"])[order].reshape(*cosines.shape, len(self.asked.mean))
        event_us = self.choice.tests.event_us
        return Queries(profiles, cosines, event_us, np.zeros_like(event_us))

    def _readers(self) -> tuple[TestEvents, Queries]:
        """Whom the lists are for, in the order of the table `users`, and what they ask."""
        users, log = self.read("users").select(["user_id", "profile"]), self.choice.log
        number = pc.index_in(users["user_id"].combine_chunks(), value_set=self.choice.names.user_ids)
        readers = readers_of(log, np.asarray(number), self.spec.as_of_us)
        return readers, ask_readers(readers, np.asarray(matrix_from(users["profile"]), np.float32))

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
