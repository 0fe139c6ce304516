"""Places and lists of all test events under all profiles: no process ever holds the vectors of all texts.

A task a user bucket poses the questions, since all that concerns a user lies in the user's bucket; a task for some
shards judges, for all questions, the candidates that they have vectors of; what they found is added up. The shards are
those of the base's embeddings and of every segment's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from dynprof.embedded import CorpusVectors
from dynprof.evaluation.contestant import Factory, Placed
from dynprof.evaluation.judging import Judged
from dynprof.evaluation.loading import Material, Plan, Question
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.ranking import Posed, cut_rounds, settle_ranks
from dynprof.evaluation.seen import SeenItems
from dynprof.evaluation.shard_counts import gather_shards, split_texts
from jobs.evaluate_tasks import (
    Round,
    diversity_part,
    fit_contestant,
    judge_part,
    judged_from,
    place_block,
    pose_part,
    posed_from,
    sum_part,
)
from jobs.stages import tables_of, tables_of_texts

__all__ = ["Arena"]

LOG = logging.getLogger("dynprof.evaluate")

_TESTS_A_BLOCK = 256
_FIT, _PLACE = (ray.remote(num_cpus=1)(task) for task in (fit_contestant, place_block))


class Arena:
    """Where methods meet the test events of one corpus. Needs a Ray session, for as long as it lives.

    Args:
        corpus: Where the vectors lie, of the corpus that the material is of.
        question: What is asked.
        material: The log.
    """

    def __init__(self, corpus: CorpusVectors, question: Question, material: Material) -> None:
        self._corpus, self._question, self._material = corpus, question, material
        # A part's texts are sent to its task alone.
        shards = split_texts(corpus, material.names.text_hashes, material.log.first_us)
        self._texts = [ray.put(part) for part in gather_shards(shards)]
        self._log: ray.ObjectRef | None = None

    def place_profiles(self, plan: Plan, list_size: int) -> tuple[Placed, npt.NDArray[np.float64]]:
        """Of the tests of a window, n > 0, under m weighings x c clocks.

        Returns:
            (n, m x c) as of `Queries`, and (n,) drift.
        """
        mean = self._mean_before(plan)
        dim, question, log = int(self._corpus.manifest["dim"]), self._question, self._material.log
        placed, drift = [], []
        for rows in cut_rounds(len(plan.tests), len(question.decays), dim):
            tests = plan.tests.take(rows)
            posed = self._pose(replace(plan, tests=tests), mean)
            found = self._judge(posed, tests, list_size)
            placed.append(settle_ranks(log, tests, posed.queries.silent, question.clocks, found))
            drift.append(posed.drift)
            LOG.info("window=%s ranked=%d of=%d", plan.name, rows.stop, len(plan.tests))
        return Placed.below(placed), np.concatenate(drift)

    def place_contestant(self, factory: Factory, settings: Mapping[str, Any], plan: Plan, list_size: int) -> Placed:
        """Of the tests of a window, n > 0: fitted before it by one task, asked by several.

        Raises:
            ConfigError: The method cannot be had.
        """
        if self._log is None:
            self._log = ray.put(self._material.log)
        fitted = _FIT.remote(factory, self._log, plan.window.start_us, settings)
        n_blocks = max(1, len(plan.tests) // _TESTS_A_BLOCK)
        bounds = np.linspace(0, len(plan.tests), n_blocks + 1).astype(int)
        shared = {"workspace_uri": self._corpus.workspace.uri, "texts": self._texts, "list_size": list_size}
        blocks = [plan.tests.take(slice(a, b)) for a, b in pairwise(bounds.tolist())]
        return Placed.below(ray.get([_PLACE.remote(fitted, self._log, block, **shared) for block in blocks]))

    def diversity(self, lists: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """(n, m) diversity of (n, m, k) lists; a task a method has the vectors of what it lists."""
        found = np.full(lists.shape[:2], np.nan)
        asked = []
        for method in range(lists.shape[1]):
            mine = lists[:, method]
            distinct, rows = np.unique(mine[mine >= 0], return_inverse=True)
            placed = np.full(mine.shape, -1)
            placed[mine >= 0] = rows
            asked.append(ray.put((self._material.names.text_hashes.take(pa.array(distinct)), placed)))
        for table in tables_of(diversity_part, range(lists.shape[1]), {"corpus": self._corpus, "lists": asked}):
            found[table["row"].to_numpy(), table["part"].to_numpy()] = table["value"].to_numpy()
        return found

    def _mean_before(self, plan: Plan) -> npt.NDArray[np.float32]:
        """(dim,) mean of the texts that appeared before the window: nothing of it leaks in. Zeros without one."""
        dim = int(self._corpus.manifest["dim"])
        shared = {"workspace_uri": self._corpus.workspace.uri, "n_early": plan.n_early}
        total = np.zeros(dim)
        for table in tables_of_texts(sum_part, self._texts, shared):
            total += np.asarray(table["sum"].combine_chunks().flatten()).reshape(-1, dim).sum(axis=0)
        return np.asarray(total / max(plan.n_early, 1), np.float32)

    def _pose(self, plan: Plan, mean: npt.NDArray[np.float32]) -> Posed:
        starts, tests = self._material.names.bucket_starts, plan.tests
        buckets = np.searchsorted(starts, tests.positions, side="right") - 1
        asked = Round(tests, buckets, starts, mean, self._material.log.first_us[tests.targets])
        arguments = {"corpus": self._corpus, "question": self._question, "part": [ray.put(asked)]}
        tables = list(tables_of(pose_part, np.unique(buckets).tolist(), arguments))
        return posed_from(pa.concat_tables(tables), asked, self._question.clocks)

    def _judge(self, posed: Posed, tests: TestEvents, list_size: int) -> Judged:
        seen = SeenItems.of(self._material.log, tests)
        arguments = {
            "workspace_uri": self._corpus.workspace.uri,
            "queries": [ray.put((posed.queries, seen))],
            "catalogue": tests.catalogue,
            "list_size": list_size,
        }
        found = Judged.nothing((len(tests), posed.queries.n_columns), list_size)
        for table in tables_of_texts(judge_part, self._texts, arguments):
            found += judged_from(table, list_size)
        return found
