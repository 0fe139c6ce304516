"""The ranks of all test events in three pipelines: no process ever holds the vectors of all texts.

A task a user bucket poses the questions, since all that concerns a user lies in the user's bucket; a task a shard
counts, for all questions, the candidates that its vectors put above and beside the target; the counts are added. The
shards are those of the base's embeddings and of every segment's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from dynprof.embedded import CorpusVectors
from dynprof.evaluation import Ranks, cut_rounds, rank_baselines, settle_ranks
from dynprof.evaluation.loading import Plan, Question
from dynprof.evaluation.ranking import Posed
from dynprof.evaluation.shard_counts import split_texts
from jobs.command import ray_session
from jobs.evaluate_tasks import Round, count_part, pose_part, posed_from, ranks_from, sum_part
from jobs.stages import parts_of

__all__ = ["rank_tests"]

LOG = logging.getLogger("dynprof.evaluate")


def rank_tests(corpus: CorpusVectors, question: Question, plan: Plan) -> Ranks:
    """The ranks of at least one test event under all methods, decays first; whatever the order of the tasks.

    Args:
        corpus: Where the vectors lie, of the corpus that the plan was made of.
        question: What is asked.
        plan: The tests.
    """
    dim = int(corpus.manifest["dim"])
    with ray_session():
        # A shard's texts are sent to its task alone.
        texts = [ray.put(t) for t in split_texts(corpus, plan.names.text_hashes)]
        shared = {"workspace_uri": corpus.workspace.uri, "texts": texts}
        mean = _mean_before_window(plan, dim, shared)
        ours = []
        for rows in cut_rounds(len(plan.tests), len(question.decays), dim):
            posed = _pose(corpus, question, plan, rows, mean)
            catalogue = plan.tests.catalogue[rows]
            ours.append(settle_ranks(posed, catalogue, _count(posed, catalogue, shared)))
            LOG.info("ranked=%d of=%d", rows.stop, len(plan.tests))
    theirs = rank_baselines(plan.log, plan.tests)
    above, tied = (np.vstack([getattr(r, side) for r in ours]) for side in ("above", "tied"))
    return Ranks(np.hstack([above, theirs.above]), np.hstack([tied, theirs.tied]))


def _mean_before_window(plan: Plan, dim: int, shared: dict[str, Any]) -> npt.NDArray[np.float32]:
    """(dim,) mean of the texts that appeared before the window: nothing of it leaks in. Zeros where there are none."""
    total = np.zeros(dim)
    for table in _run(sum_part, range(len(shared["texts"])), {**shared, "n_early": plan.n_early}):
        total += np.asarray(table["sum"].combine_chunks().flatten()).reshape(-1, dim).sum(axis=0)
    return np.asarray(total / max(plan.n_early, 1), np.float32)


def _pose(corpus: CorpusVectors, question: Question, plan: Plan, rows: slice, mean: npt.NDArray[np.float32]) -> Posed:
    starts = plan.names.bucket_starts
    tests = plan.tests.take(rows)
    buckets = np.searchsorted(starts, tests.positions, side="right") - 1
    part = Round(tests, buckets, starts, mean)
    arguments = {"corpus": corpus, "question": question, "part": [ray.put(part)]}
    return posed_from(pa.concat_tables(_run(pose_part, np.unique(buckets).tolist(), arguments)))


def _count(posed: Posed, catalogue: npt.NDArray[np.int64], shared: dict[str, Any]) -> Ranks:
    arguments = {**shared, "queries": [ray.put(posed.queries)], "catalogue": catalogue}
    found = Ranks.zeros(posed.queries.scores.shape)
    for table in _run(count_part, range(len(shared["texts"])), arguments):
        found += ranks_from(table)
    return found


def _run(task: Callable[..., pa.Table], parts: Sequence[int], arguments: dict[str, Any]) -> Iterator[pa.Table]:
    """One table a part, as they come."""
    done = parts_of(parts).map_batches(task, batch_size=1, batch_format="numpy", fn_kwargs=arguments)
    yield from done.iter_batches(batch_size=None, batch_format="pyarrow")
