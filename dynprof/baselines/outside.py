"""Sequence models of another environment: what they are given, and their answers, as Parquet files in a folder.

Given: the events before the window, and for each test event the time and what the user had before. Never a target. Back
come a vector of each item they know and one of each test event, whose product is the score.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dynprof.baselines.contract import Baseline
from dynprof.errors import WorkspaceError
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.vectors import matrix_of

__all__ = ["OUTSIDE", "OutsideModel", "write_questions"]

OUTSIDE = ("SASRec", "HSTU")
"""Names of the models, and of the folders of their answers."""

_SEQUENCES, _QUESTIONS = "sequences.parquet", "questions.parquet"


def write_questions(folder: Path, fit: EventLog, log: EventLog, tests: TestEvents, *, longest: int) -> None:
    """Write `sequences.parquet` (user, event_us, item) and `questions.parquet` (question, event_us, items, times_us).

    Rows of sequences are by user and time, of positive weight only. A question is a test event, by its position in the
    log, with the last `longest` positive events of its user strictly before it, oldest first.

    Args:
        folder: Made where it is not there.
        fit: What the models may learn from: the log before the window.
        log: The log that the tests are of.
        tests: (n,) test events.
        longest: Most events of a question.
    """
    folder.mkdir(parents=True, exist_ok=True)
    good = fit.weights > 0
    columns = {"user": fit.users[good], "event_us": fit.event_us[good], "item": fit.items[good]}
    pq.write_table(pa.table(columns), folder / _SEQUENCES)
    positions = [_last_positive(log, tests, row, longest) for row in range(len(tests))]
    offsets = pa.array(np.cumsum([0, *map(len, positions)]), pa.int32())
    flat = np.concatenate([np.zeros(0, np.int64), *positions])
    questions = {
        "question": tests.positions,
        "event_us": tests.event_us,
        "items": pa.ListArray.from_arrays(offsets, pa.array(log.items[flat])),
        "times_us": pa.ListArray.from_arrays(offsets, pa.array(log.event_us[flat])),
    }
    pq.write_table(pa.table(questions), folder / _QUESTIONS)


def _last_positive(log: EventLog, tests: TestEvents, row: int, longest: int) -> npt.NDArray[np.int64]:
    history = np.arange(tests.history_start[row], tests.history_stop[row])
    return history[log.weights[history] > 0][-longest:]


class OutsideModel(Baseline):
    """Answers of a model to the questions of a folder.

    Score: product of the two vectors, less the least of the known items where that is negative. So items that the model
    does not know score 0 and stand below or beside all others. A test without an answer (the model knows no item of its
    user) scores every item 0.

    Attributes:
        facts: What the model says of itself: versions, parameters, training.
    """

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__()
        self.name, self._folder = name, folder
        facts = folder / name / "model.json"
        if not facts.exists():
            raise WorkspaceError(
                f"{folder / name}: expected the finished answers of {name}, found no model.json. "
                f"Run `make rectools`, then extras/rectools_models.py --model {name} --exchange {folder}."
            )
        self.facts: dict[str, Any] = json.loads(facts.read_text(encoding="utf-8"))
        items = pq.read_table(folder / name / "items.parquet")
        self._items, self._vectors_of_items = items["item"].to_numpy(), _matrix(items["vector"])
        answers = pq.read_table(folder / name / "answers.parquet")
        self._answers = dict(zip(answers["question"].to_pylist(), _matrix(answers["vector"]), strict=True))
        questions = pq.read_table(folder / _QUESTIONS, columns=["question", "event_us"])
        self._asked = dict(zip(questions["question"].to_pylist(), questions["event_us"].to_pylist(), strict=True))

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """As `Baseline.scores`.

        Raises:
            WorkspaceError: A test that was not among the questions.
        """
        for position, event_us, catalogue in zip(tests.positions, tests.event_us, tests.catalogue, strict=True):
            if self._asked.get(int(position)) != event_us:
                raise WorkspaceError(
                    f"{self._folder / _QUESTIONS}: expected the test event at position {position} among the questions, "
                    "found none at its time. The questions are of other tests: write them again and let it answer."
                )
            scores = np.zeros(max(int(catalogue), int(self._items.max(initial=-1)) + 1), np.float32)
            answer = self._answers.get(int(position))
            if answer is not None:
                known = self._vectors_of_items @ answer
                scores[self._items] = known - known.min(initial=0.0)
            yield scores[:catalogue]


def _matrix(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    """(n, dim) of a column of fixed-size lists."""
    return np.asarray(matrix_of(column), np.float32)
