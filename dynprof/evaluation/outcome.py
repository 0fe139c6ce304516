"""One window with its answers: what every metric of it is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.contestant import Placed
from dynprof.evaluation.facts import Facts
from dynprof.evaluation.methods import Method
from dynprof.evaluation.slices import Traits

__all__ = ["Outcome"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What m methods answered to n test events.

    Attributes:
        name: Of the window.
        facts: Its counts.
        methods: (m,)
        users: (n,) user of each test event.
        placed: (n, m).
        popular: (n,) whether, 0 to 1, the popularity ranking had the target among the first k, by k.
        by_list: (n, m) values of the metrics that need lists, by name.
        n_catalogue: Items that were a candidate of any test event.
        traits: What slices are cut by; None where none are.
    """

    name: str
    facts: Facts
    methods: Sequence[Method]
    users: npt.NDArray[np.integer]
    placed: Placed
    popular: Mapping[int, FloatArray] = field(default_factory=dict)
    by_list: Mapping[str, FloatArray] = field(default_factory=dict)
    n_catalogue: int = 0
    traits: Traits | None = None

    def __len__(self) -> int:
        return len(self.users)

    @classmethod
    def joined(cls, name: str, parts: Sequence[Outcome]) -> Outcome:
        """All windows together, of the methods that all of them have."""
        shared = [m for m in parts[0].methods if all(m in p.methods for p in parts)]
        parts = [p.of(shared) for p in parts]
        last = parts[-1]
        return cls(
            name,
            Facts.joined([p.facts for p in parts], np.concatenate([p.users for p in parts])),
            shared,
            np.concatenate([p.users for p in parts]),
            Placed.below([p.placed for p in parts]),
            {k: np.concatenate([p.popular[k] for p in parts]) for k in last.popular},
            {metric: np.concatenate([p.by_list[metric] for p in parts]) for metric in last.by_list},
            max(p.n_catalogue for p in parts),
            Traits.joined([p.traits for p in parts if p.traits]) if last.traits else None,
        )

    def of(self, methods: Sequence[Method]) -> Outcome:
        """Some of the methods."""
        columns = [list(self.methods).index(m) for m in methods]
        by_list = {metric: values[:, columns] for metric, values in self.by_list.items()}
        return replace(self, methods=list(methods), placed=self.placed.columns(columns), by_list=by_list)

    def take(self, rows: npt.NDArray[np.integer]) -> Outcome:
        """Some of the test events; facts and catalogue stay those of the window."""
        return replace(
            self,
            users=self.users[rows],
            placed=self.placed.rows(rows),
            popular={k: values[rows] for k, values in self.popular.items()},
            by_list={metric: values[rows] for metric, values in self.by_list.items()},
            traits=None,
        )
