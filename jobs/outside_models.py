"""Models of another environment in the table: their questions are written, their answers read, a folder a window."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynprof.baselines.outside import OUTSIDE, OutsideModel, write_questions
from dynprof.evaluation.loading import Plan
from dynprof.evaluation.log import EventLog
from jobs.contestants import Entrant

__all__ = ["OutsideModels"]

_LONGEST = 100
"""Most events of a user's past in a question."""


@dataclass(frozen=True)
class _Answered:
    """A factory; what there is to fit was fitted elsewhere, to the log before the window."""

    name: str
    folder: Path

    def __call__(self, fit: EventLog, settings: Mapping[str, Any]) -> OutsideModel:
        del fit, settings
        return OutsideModel(self.name, self.folder)


@dataclass(frozen=True)
class OutsideModels:
    """What lies between an evaluation and the models that cannot run in its environment.

    Attributes:
        folder: On a disk that every machine sees; a folder a window is made in it.
    """

    folder: Path

    def entrants(self, plan: Plan) -> tuple[dict[str, Entrant], list[str]]:
        """The models that have answered for a window, and how to make the others answer."""
        folder = self.folder / plan.name.replace(" ", "-")
        answered = [name for name in OUTSIDE if (folder / name / "model.json").exists()]
        missing = [name for name in OUTSIDE if name not in answered]
        if missing and not answered:
            write_questions(folder, plan.log.before(plan.window.start_us), plan.log, plan.tests, longest=_LONGEST)
        advice = [
            f"`{name}` has no numbers in window {plan.name}: its questions are in {folder}. Run `make rectools`, then "
            f"`.venv-rectools/bin/python extras/rectools_models.py --exchange {folder} --model {name}`, and this again."
            for name in missing
        ]
        return {name: Entrant(_Answered(name, folder), "behaviour") for name in answered}, advice

    def answers(self) -> dict[str, str]:
        """A hash of what each model says of itself, by its place in the folder: other answers, another report."""
        files = sorted(self.folder.glob("*/*/model.json"))
        return {
            str(f.parent.relative_to(self.folder)): hashlib.blake2b(f.read_bytes(), digest_size=8).hexdigest()
            for f in files
        }
