"""A world whose right answer is known: who changes interest is better served by a profile that forgets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from dynprof.decay import Decay
from dynprof.evaluation import Ranks, Window
from dynprof.evaluation.bootstrap import UserDraws
from dynprof.evaluation.comparison import NO_REFERENCE, compare
from dynprof.evaluation.metrics import metric

from .evaluation_data import DAY_US, Asked, Row, ask, events_table

N_TOPICS = 8
N_USERS = 24
FLIP_DAY = 40
DECAYS = (Decay("static"), Decay("exponential", "5d"))


def world(*, flip: bool) -> pa.Table:
    """Users post about topic u until day 40, about topic u + 4 after it; `source` posted every text before."""
    rows: list[Row] = []
    for topic in range(N_TOPICS):
        rows += [(f"s{topic}-{i}", "source", i, f"{topic}/{i}") for i in range(120)]
    for user in range(N_USERS):
        order = np.random.default_rng(user).permutation(120)
        for day in range(60):
            topic = (user + (4 if flip and day >= FLIP_DAY else 0)) % N_TOPICS
            rows.append((f"u{user}-{day}", f"u{user}", (day + 1) * DAY_US + user, f"{topic}/{order[day]}"))
    return events_table(rows)


def topic_vectors(asked: Asked) -> np.ndarray:
    """A text's vector is its topic's axis and a little of its own."""
    texts = [h.rstrip(b"_").decode() for h in asked.names.text_hashes.to_pylist()]
    noise = np.random.default_rng(0).normal(0, 0.05, (len(texts), 32))
    vectors = np.eye(32)[[int(t.split("/")[0]) for t in texts]] + noise
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def answers(*, flip: bool, first_day: int, last_day: int) -> tuple[Ranks, np.ndarray]:
    asked = ask(world(flip=flip), Window((first_day + 1) * DAY_US, (last_day + 1) * DAY_US), DECAYS)
    priors = np.zeros((len(asked.tests), 32), np.float32)
    asked = replace(asked, vectors=topic_vectors(asked), priors=priors)
    return asked.ranks(), asked.tests.users


@pytest.fixture(scope="module")
def flipped() -> tuple[Ranks, np.ndarray]:
    return answers(flip=True, first_day=46, last_day=60)


def test_after_a_change_of_interest_the_decayed_profile_wins_with_an_interval_above_zero(flipped) -> None:
    ranks, users = flipped
    references = np.array([NO_REFERENCE, 0, 0, 0, 0])  # static, exponential, newest, popular, random
    draws = UserDraws(users, n_draws=1_000)
    for name in ("mrr", "ndcg@10"):
        found = compare(metric(name)(ranks.above, ranks.tied), users, references, draws=draws)
        assert found.difference_low[1] > 0
        assert found.p_holm[1] < 0.05
        assert found.low[1] > found.high[4]


def test_the_target_stands_within_its_topic_for_decay_and_behind_the_old_one_for_static(flipped) -> None:
    ranks, _ = flipped
    # At most 120 texts of the new topic stand above; static puts what is left of the old topic (80 unseen) first.
    assert ranks.above[:, 1].max() < 120
    assert ranks.above[:, 0].min() >= 80


def test_without_a_change_forgetting_gains_nothing() -> None:
    ranks, _ = answers(flip=False, first_day=46, last_day=60)
    assert ranks.above[:, :2].max() < 120


def test_the_decayed_profile_turns_about_one_half_life_after_the_change() -> None:
    """Weight of the new topic passes that of the old when 1 - 2^(-t/h) = 2^(-t/h): t = h, here day 45."""
    early, _ = answers(flip=True, first_day=41, last_day=44)
    late, _ = answers(flip=True, first_day=46, last_day=49)
    assert early.above[:, 1].min() >= 80
    assert late.above[:, 1].max() < 120
