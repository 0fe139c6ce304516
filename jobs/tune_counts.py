"""The sums and counts that tuning asks for, as Ray Data pipelines: a task a user bucket, a task some embedding
shards.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from dynprof.bank import Bank
from dynprof.embedded import CorpusVectors
from dynprof.evaluation.protocol import TestEvents, Window
from dynprof.evaluation.retrieval import Ranks
from dynprof.evaluation.shard_counts import gather_shards, split_texts
from dynprof.tuning.bank_sums import BankSums
from dynprof.tuning.duel import Asked, Duels
from dynprof.tuning.grid import Similarity
from dynprof.tuning.rounds import LIMIT, rank_grid
from dynprof.tuning.sealed import SealedLog
from dynprof.tuning.search import Count
from jobs.evaluate_tasks import sum_part
from jobs.stages import tables_of, tables_of_texts
from jobs.tune_tasks import SumOrder, duel_part, ranks_of, sum_tests_part, sums_from

__all__ = ["TuningCounts"]

LOG = logging.getLogger("dynprof.tune")


class TuningCounts:
    """Asks the workers. Within a Ray session.

    Args:
        corpus: Where the vectors lie.
        sealed: All that may be known.
    """

    def __init__(self, corpus: CorpusVectors, sealed: SealedLog) -> None:
        self._corpus, self._sealed = corpus, sealed
        shards = split_texts(corpus, sealed.names.text_hashes, sealed.log.first_us)
        self._texts = [ray.put(part) for part in gather_shards(shards)]
        self._shared = {"workspace_uri": corpus.workspace.uri}

    def mean_before(self, window: Window) -> npt.NDArray[np.float32]:
        """(dim,) mean of the texts that appeared before a window. Zeros where there are none."""
        dim, n_early = int(self._corpus.manifest["dim"]), self._sealed.n_early(window)
        total = np.zeros(dim)
        for table in tables_of_texts(sum_part, self._texts, {**self._shared, "n_early": n_early}):
            total += np.asarray(table["sum"].combine_chunks().flatten()).reshape(-1, dim).sum(axis=0)
        return np.asarray(total / max(n_early, 1), np.float32)

    def sums(
        self,
        tests: TestEvents,
        mean: npt.NDArray[np.float32],
        type_weights: Mapping[str, float],
        bank: Bank,
    ) -> BankSums:
        """The bank sums of test events, in their order.

        Args:
            tests: (n,) of the sealed log, n > 0.
            mean: (dim,) prior of users without a bio.
            type_weights: Weight of an event by its type.
            bank: Half-lives.
        """
        starts = self._sealed.names.bucket_starts
        buckets = np.searchsorted(starts, tests.positions, side="right") - 1
        order = SumOrder(tests, buckets, starts, mean, dict(type_weights), self._sealed.stop_us, bank)
        arguments = {"corpus": self._corpus, "order": [ray.put(order)]}
        return sums_from(pa.concat_tables(tables_of(sum_tests_part, np.unique(buckets).tolist(), arguments)))

    def counter(self, tests: TestEvents) -> Count:
        """Ranks the targets of some test events."""

        def count(
            sums: BankSums,
            coefficients: npt.NDArray[np.float64],
            prior_weights: npt.NDArray[np.float64],
            similarities: Sequence[Similarity],
        ) -> Ranks:
            half_lives_s = np.array([s.half_life_s or np.inf for s in similarities])
            asked = Asked.of(self._sealed.log, tests, half_lives_s)
            LOG.info("tests=%d points=%d", len(sums), len(coefficients) * len(similarities))
            return rank_grid(sums, coefficients, prior_weights, asked, self._count_parts, len(self._texts))

        return count

    def _count_parts(self, duels: Duels, asked: Asked, parts: range) -> Iterator[Ranks]:
        arguments = {
            **self._shared,
            "duels": [ray.put(duels)],
            "asked": [ray.put(asked)],
            "limit": LIMIT,
        }
        return map(ranks_of, tables_of_texts(duel_part, self._texts[parts.start : parts.stop], arguments))
