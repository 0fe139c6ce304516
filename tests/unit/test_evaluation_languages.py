"""An item speaks the language of its first event."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from dynprof.evaluation.languages import UNKNOWN, languages_of_items
from dynprof.evaluation.loading import load_material

from .evaluation_data import events_table, hash_of, write_workspace
from .test_evaluation_loading import QUESTION

ROWS = [
    ("a", "u", 5, "p"),
    ("b", "v", 3, "p"),
    ("c", "w", 4, "q"),
    ("d", "x", 4, "q"),
    ("e", "y", 9, "r"),
    ("f", "z", 1, None),
]
SPOKEN = ["en", "de", "ru", "fr", None, "xx"]


@pytest.mark.parametrize("n_buckets", [1, 3])
def test_the_first_event_decides_and_of_equal_times_the_first_name(tmp_path: Path, n_buckets: int) -> None:
    table = events_table(ROWS)
    column = table.schema.get_field_index("language")
    table = table.set_column(column, table.schema.field(column), pa.array(SPOKEN, pa.string()))
    workspace = write_workspace(str(tmp_path), table, {}, n_buckets=n_buckets)
    material = load_material(workspace, QUESTION)
    found = languages_of_items(workspace, material.log, material.names)
    by_text = dict(zip(material.names.text_hashes.to_pylist(), found.of_item.tolist(), strict=True))
    named = {text: number if number == UNKNOWN else found.names[number] for text, number in by_text.items()}
    assert named == {hash_of("p"): "de", hash_of("q"): "fr", hash_of("r"): UNKNOWN}
