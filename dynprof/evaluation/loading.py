"""From a workspace to a contest: the corpus as numbers, its vectors, the test events and their priors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.decay import Decay
from dynprof.embedded import CorpusVectors, open_vectors
from dynprof.evaluation.histories import mean_vector
from dynprof.evaluation.log import EVENT_COLUMNS, EventLog, EventNames, index_events
from dynprof.evaluation.protocol import TestEvents, Window, choose_tests, eligible_events, last_window
from dynprof.evaluation.ranking import Contest
from dynprof.evaluation.report import Facts
from dynprof.lineage import CorpusView, present_corpus
from dynprof.segments import read_bios, read_events
from dynprof.workspace import Workspace

__all__ = ["Question", "load_contest"]


@dataclass(frozen=True)
class Question:
    """What is asked of a corpus. Everything that changes a rank, and nothing else.

    Attributes:
        fingerprint: Of the encoder.
        decays: Those compared.
        type_weights: Weight of an event by its type; types not named count 1.
        prior_weight: kappa, in units of event weight, >= 0.
        test_share: The test window is the last such share of the events, in (0, 1).
        max_events: Largest sample of test events; 0 for all.
        include_seen: Whether texts that the user had before stay candidates.
        seed: Of the sample.
    """

    fingerprint: str
    decays: tuple[Decay, ...]
    type_weights: Mapping[str, float]
    prior_weight: float
    test_share: float
    max_events: int
    include_seen: bool
    seed: int


def load_contest(workspace: Workspace, question: Question) -> tuple[Contest, Facts]:
    """Read the corpus and the vectors of all its texts, and choose the test events.

    The prior of a user without a bio is the mean of the texts that appeared before the test window: nothing of the
    window leaks in. Bios carry no time; they are taken as known.

    Raises:
        WorkspaceError: No finished corpus or embeddings, or a text without a vector.
        ConfigError: A share or sample size out of range.
    """
    view = present_corpus(workspace)
    vectors_of = open_vectors(workspace, question.fingerprint, view)
    tables = [read_events(workspace, b, EVENT_COLUMNS, segments=view.segments) for b in range(view.n_buckets)]
    log, names = index_events(pa.concat_tables(tables), question.type_weights)
    window = last_window(log, question.test_share)
    eligible = eligible_events(log, window, include_seen=question.include_seen)
    tests = choose_tests(
        log,
        names.event_ids,
        eligible,
        max_events=question.max_events,
        seed=question.seed,
        include_seen=question.include_seen,
    )
    vectors = vectors_of.load(names.text_hashes)
    mean = mean_vector(vectors[: np.searchsorted(log.first_us, window.start_us)])
    priors, prior_rows = _priors(vectors_of, view, names, tests, mean)
    contest = Contest(log, vectors, tests, priors, prior_rows, question.prior_weight, question.decays)
    return contest, _facts(log, window, len(eligible), tests)


def _priors(
    vectors_of: CorpusVectors, view: CorpusView, names: EventNames, tests: TestEvents, mean: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Row 0 is the population's mean, then a row for each tested user with a bio; and the row of each test event."""
    tested = np.unique(tests.users)
    columns = ["user_id", "text_hash"]
    tables = [read_bios(vectors_of.workspace, b, columns, segments=view.segments) for b in range(view.n_buckets)]
    bios = pa.concat_tables(tables)
    bios = bios.filter(pc.is_valid(bios["text_hash"]))
    found = pc.index_in(names.user_ids.take(pa.array(tested)), value_set=bios["user_id"].combine_chunks())
    with_bio = tested[np.asarray(pc.is_valid(found))]
    hashes = bios["text_hash"].combine_chunks().take(found.drop_null())
    vectors = vectors_of.load(hashes).astype(np.float32)
    row = np.zeros(len(names.user_ids), np.int32)
    row[with_bio] = np.arange(1, len(with_bio) + 1)
    return np.vstack([mean[None, :], vectors]), row[tests.users]


def _facts(log: EventLog, window: Window, n_eligible: int, tests: TestEvents) -> Facts:
    inside = (log.event_us >= window.start_us) & (log.event_us < window.stop_us)
    return Facts(
        window_start_us=window.start_us,
        window_stop_us=window.stop_us,
        n_corpus=len(log),
        n_items=log.n_items,
        n_window=int(np.count_nonzero(inside)),
        n_eligible=n_eligible,
        n_tested=len(tests),
        n_users=len(np.unique(tests.users)),
        n_without_history=int(np.count_nonzero(tests.n_history == 0)),
        median_candidates=float(np.median(tests.catalogue)) if len(tests) else None,
    )
