"""One bucket: real time is what the evaluation asks, nothing after the time counts, engagement is counted by pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dynprof.decay import Decay
from dynprof.drift.bucket import open_bucket
from dynprof.drift.bucket_pass import BUCKET_TABLES, Asked, bucket_tables
from dynprof.drift.choice import choose
from dynprof.drift.cost import ask_stale
from dynprof.drift.engagement import engaged_pairs, lift
from dynprof.drift.spec import MonitorSpec, Span
from dynprof.drift.topic_posts import best_posts, topic_posts
from dynprof.embedded import CorpusVectors, open_vectors
from dynprof.errors import WorkspaceError
from dynprof.evaluation.ranking import pose_tests
from dynprof.lineage import present_corpus
from dynprof.workspace import Workspace

from .evaluation_data import DAY_US, events_table, random_rows, write_workspace

ROWS = random_rows(4, n=500, n_users=8, n_texts=40)
MEAN = np.full(8, 0.1, np.float32)


def spec(as_of_us: int = 5 * DAY_US, **given: object) -> MonitorSpec:
    decays = (Decay("exponential", "1d"), Decay("gaussian", "2d"))
    span = Span("earlier", max(as_of_us - DAY_US, 0), as_of_us, decays[0])
    more = {"min_interactions": 5, "topics": 3, "replays": 5, "span": span, **given}
    return MonitorSpec("s", "c0", "f0", as_of_us, {}, 0.2, decays, **more)  # type: ignore[arg-type]


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusVectors:
    workspace = write_workspace(str(tmp_path), events_table(ROWS), {"u1": "bio", "idle": "other"}, n_buckets=1)
    return open_vectors(workspace, "f0", present_corpus(workspace))


def asked(corpus: CorpusVectors, question: MonitorSpec) -> Asked:
    choice = choose(corpus.workspace, present_corpus(corpus.workspace), question)
    hashes, ids = choice.names.text_hashes, choice.names.user_ids
    centres = np.eye(8, dtype=np.float32)[:3]
    users, items = ids.take(pa.array(choice.users)), hashes.take(pa.array(choice.items))
    return Asked(question, users, items, centres, MEAN, -MEAN, choice.tests, choice.buckets, choice.bucket_starts)


def test_served_in_real_time_the_cost_is_what_the_evaluation_measures(corpus: CorpusVectors) -> None:
    question = asked(corpus, spec())
    bucket = open_bucket(corpus, 0, {}, 5 * DAY_US, MEAN)
    tests = question.tests
    ours = ask_stale(bucket, tests, question.spec)
    theirs = pose_tests(
        bucket.log, bucket.vectors, tests, question.spec.decays[:1], prior=bucket.priors[tests.users], prior_weight=0.2
    )
    assert len(tests) > 20
    np.testing.assert_allclose(ours.profiles[:, 0], theirs.queries.profiles[:, 0], atol=2e-6)
    np.testing.assert_allclose(ours.cosines[:, 0], theirs.queries.cosines[:, 0], atol=2e-6)
    assert not np.array_equal(ours.profiles[:, 0], ours.profiles[:, 2])


def test_events_at_or_after_the_time_change_no_table(corpus: CorpusVectors, tmp_path: Path) -> None:
    early = events_table([r for r in ROWS if r[2] < 3 * DAY_US])
    workspace = write_workspace(str(tmp_path / "early"), early, {"u1": "bio", "idle": "other"}, n_buckets=1)
    other = open_vectors(workspace, "f0", present_corpus(workspace))
    question = spec(3 * DAY_US)
    found = [
        dict(bucket_tables(open_bucket(c, 0, {}, 3 * DAY_US, MEAN), asked(c, question), 0)) for c in (corpus, other)
    ]
    assert list(found[0]) == list(BUCKET_TABLES)
    for name in BUCKET_TABLES:
        assert str(found[0][name].to_pydict()) == str(found[1][name].to_pydict()), name  # NaN equals NaN here
    assert found[0]["users"]["replays"].null_count < len(found[0]["users"])
    assert all(len(found[0][name]) for name in ("interactions", "entities", "users", "topics", "crowd", "tests"))


def test_a_bio_is_the_prior_of_its_user_and_the_mean_that_of_others(corpus: CorpusVectors) -> None:
    bucket = open_bucket(corpus, 0, {}, 5 * DAY_US, MEAN)
    ids = bucket.user_ids.to_pylist()
    others = [i for i, name in enumerate(ids) if name != "u1"]
    assert np.array_equal(bucket.priors[others], np.repeat(MEAN[None], len(others), axis=0))
    assert np.linalg.norm(bucket.priors[ids.index("u1")]) == pytest.approx(1, abs=1e-3)
    assert "idle" not in ids  # without an event nobody is watched


def test_nothing_before_the_time_is_a_clear_error(corpus: CorpusVectors) -> None:
    with pytest.raises(WorkspaceError, match="nothing to monitor"):
        asked(corpus, spec(0))


def test_shown_pairs_are_counted_once_and_taken_up_only_afterwards(tmp_path: Path) -> None:
    rows = [
        ("a", "u", 10, "t1", "impression"), ("b", "u", 11, "t1", "impression"), ("c", "u", 12, "t1", "like"),
        ("d", "u", 13, "t2", "like"), ("e", "u", 14, "t2", "impression"),
        ("f", "u", 15, "t3", "impression"), ("g", "v", 16, "t3", "like"), ("h", "u", 17, "t4", "like"),
    ]  # fmt: skip
    events = events_table([r[:4] for r in rows])
    place = events.schema.get_field_index("event_type")
    events = events.set_column(place, events.schema.field(place), pa.array([r[4] for r in rows]))
    workspace: Workspace = write_workspace(str(tmp_path), events, {}, n_buckets=1)
    bucket = open_bucket(open_vectors(workspace, "f0", present_corpus(workspace)), 0, {}, DAY_US, MEAN)
    # t1 was shown, then liked. t2 was liked before it was shown: a pair shown without success, and none of the others,
    # of which t4 is the only one, and was liked. So one in three shown, and one in one not shown.
    pairs = engaged_pairs(bucket, spec())
    assert pairs.to_pylist() == [{"shown": 3, "shown_taken": 1, "other_taken": 1}]
    found = lift(pairs, bucket.log.n_items)
    assert found is not None and found.shown_rate == pytest.approx(1 / 3) and found.other_rate == 1
    assert len(engaged_pairs(bucket, spec(shown=("view",)))) == 0


def test_the_posts_of_a_topic_are_of_its_window_and_closest_to_its_centre(corpus: CorpusVectors) -> None:
    bucket = open_bucket(corpus, 0, {}, 5 * DAY_US, MEAN)
    centres = np.eye(8, dtype=np.float32)[:3]
    starts = [pa.scalar(d * DAY_US, pa.timestamp("us", "UTC")).as_py() for d in (1, 2)]
    found = best_posts(topic_posts(bucket, [(0, starts[0]), (2, starts[1])], centres, DAY_US))
    assert {(r["id"], r["start"]) for r in found.to_pylist()} == {("0", starts[0]), ("2", starts[1])}
    assert len(found) == 10
    for row in found.to_pylist():
        assert 0 <= (row["timestamp"] - row["start"]).total_seconds() < 86_400
    by_window = [[r["contribution"] for r in found.to_pylist() if r["id"] == i] for i in ("0", "2")]
    assert all(parts == sorted(parts, reverse=True) for parts in by_window)
    assert len(topic_posts(bucket, [], centres, DAY_US)) == 0
