"""What models of another environment are given and what their answers become, without the models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dynprof.baselines.outside import OutsideModel, write_questions
from dynprof.errors import WorkspaceError

from .baseline_data import World, world


def answered(folder: Path, one: World, known: list[int], without: int) -> tuple[np.ndarray, np.ndarray]:
    """Questions and drawn answers of a model that knows some items and leaves out one question; both matrices."""
    write_questions(folder, one.fit, one.log, one.tests, longest=5)
    draw = np.random.default_rng(0)
    items, tests = (draw.normal(size=(n, 4)).astype(np.float32) for n in (len(known), len(one.tests)))
    (folder / "HSTU").mkdir()
    kept = np.arange(len(one.tests)) != without
    for name, ids, matrix in (
        ("item", np.array(known, np.int64), items),
        ("question", one.tests.positions[kept], tests[kept]),
    ):
        lists = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), 4)
        file = "items" if name == "item" else "answers"
        pq.write_table(pa.table({name: ids, "vector": lists}), folder / "HSTU" / f"{file}.parquet")
    (folder / "HSTU" / "model.json").write_text(json.dumps({"epochs": 3}))
    return items, tests


def test_a_question_holds_the_last_liked_items_strictly_before_it_and_no_target(tmp_path: Path) -> None:
    one = world(1)
    write_questions(tmp_path, one.fit, one.log, one.tests, longest=5)
    questions = pq.read_table(tmp_path / "questions.parquet").to_pylist()
    assert [q["question"] for q in questions] == one.tests.positions.tolist()
    for row, question in enumerate(questions):
        liked = [p for p in one.past(row) if one.log.weights[p] > 0][-5:]
        assert question == {
            "question": one.tests.positions[row],
            "event_us": one.tests.event_us[row],
            "items": one.log.items[liked].tolist(),
            "times_us": one.log.event_us[liked].tolist(),
        }
        assert max(question["times_us"], default=-1) < question["event_us"]


def test_sequences_are_the_liked_events_of_the_fit(tmp_path: Path) -> None:
    one = world(2)
    write_questions(tmp_path, one.fit, one.log, one.tests, longest=5)
    rows = pq.read_table(tmp_path / "sequences.parquet").to_pylist()
    fit = one.fit
    expected = zip(fit.users, fit.event_us, fit.items, fit.weights, strict=True)
    assert [tuple(row.values()) for row in rows] == [(u, t, i) for u, t, i, w in expected if w > 0]


def test_a_score_is_the_product_and_what_the_model_does_not_know_stands_below(tmp_path: Path) -> None:
    one = world(3)
    known = list(range(0, one.fit.n_items, 2))
    items, tests = answered(tmp_path, one, known, without=1)
    made = OutsideModel("HSTU", tmp_path)
    assert (made.name, made.facts) == ("HSTU", {"epochs": 3})
    for row, scores in enumerate(made.watch(one.log).scores(one.tests)):
        assert len(scores) == one.tests.catalogue[row]
        products = items @ tests[row] if row != 1 else np.zeros(len(known))
        np.testing.assert_allclose(scores[known], products - min(0, products.min()), atol=1e-6)
        unknown = np.setdiff1d(np.arange(len(scores)), known)
        assert not scores[unknown].any()
        assert (scores >= 0).all()


def test_answers_that_are_unfinished_or_to_other_questions_are_refused(tmp_path: Path) -> None:
    one = world(4)
    answered(tmp_path, one, [0, 1], without=0)
    other = world(5)
    with pytest.raises(WorkspaceError, match="write them again"):
        list(OutsideModel("HSTU", tmp_path).watch(other.log).scores(other.tests))
    (tmp_path / "HSTU" / "model.json").unlink()
    with pytest.raises(WorkspaceError, match="make rectools"):
        OutsideModel("HSTU", tmp_path)


def test_a_model_that_knows_nothing_scores_nothing(tmp_path: Path) -> None:
    one = world(6)
    answered(tmp_path, one, [], without=0)
    assert all(not scores.any() for scores in OutsideModel("HSTU", tmp_path).watch(one.log).scores(one.tests))
