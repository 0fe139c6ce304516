"""What tuning is given: the part of each event type, and wrong answers that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dynprof.embedded import open_vectors
from dynprof.evaluation import Window
from dynprof.evaluation.loading import read_bucket
from dynprof.evaluation.log import index_events
from dynprof.lineage import present_corpus
from dynprof.tuning.sealed import seal
from jobs.tune import _weights_alone
from unit.evaluation_data import events_table, in_order, random_rows, write_workspace


def test_a_types_part_is_of_that_type_alone_also_beside_types_that_are_not_tried(tmp_path: Path) -> None:
    table = in_order(events_table(random_rows(7, n=600)))
    types = ["rare" if i in (3, 300) else "like" if i % 3 else "post" for i in range(len(table))]
    table = table.set_column(table.schema.get_field_index("event_type"), "event_type", [types])
    workspace = write_workspace(str(tmp_path), table, {}, n_buckets=2)
    tables = [read_bucket(workspace, b) for b in range(2)]
    log, names = index_events(tables)
    sealed = seal(log, names, Window(0, int(log.event_us.max()) + 1))
    weights = {"post": 1.0, "like": 0.5}
    parts = _weights_alone(sealed, open_vectors(workspace, "f0", present_corpus(workspace)), weights)
    assert list(parts) == ["like", "post"]
    of_type = np.concatenate([t["event_type"].to_numpy() for t in tables])
    for name, alone in parts.items():
        part, _ = index_events(tables, alone)
        np.testing.assert_array_equal(part.weights, np.where(of_type == name, weights[name], 0.0))
