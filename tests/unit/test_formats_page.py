"""docs/formats.md and dynprof/schema.py say the same, column by column, in the same order."""

from __future__ import annotations

import html
import re
from itertools import takewhile
from pathlib import Path

import pyarrow as pa
import pytest

from dynprof import schema

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
DIM = 7  # stands for [dim] on the page; no other size of the schemas is 7
STORED = {
    "corpus/events": schema.EVENTS,
    "corpus/segments/<segment>/revised": schema.REVISED,
    "corpus/users": schema.BIOS,
    "corpus/items": schema.ITEMS,
    "corpus/quarantine": schema.QUARANTINE,
    "embeddings/<fingerprint>/shard-*.arrow": schema.embeddings_schema(DIM),
    "index/<fingerprint>/<corpus>": schema.CATALOGUE,
    "profiles/<snapshot>/profiles": schema.profiles_schema(DIM),
    "profiles/<snapshot>/states": schema.states_schema(DIM),
    "profiles/<snapshot>/changes": schema.changes_schema(DIM),
    "profiles/<snapshot>/activity": schema.activity_schema(DIM),
}
ARROW_NAMES = {"float16": "halffloat", "float32": "float", "float64": "double"}


def table_below(heading: str) -> list[list[str]]:
    """Rows of the first table of a section, its header and rule left off; [] where the section has none."""
    section = re.search(rf"^### {re.escape(heading)}\n(.*?)(?=^##|\Z)", html.unescape(PAGE), re.MULTILINE | re.DOTALL)
    assert section, f"docs/formats.md has no section '### {heading}'"
    lines = section[1][max(section[1].find("\n|"), 0) :].strip().splitlines()
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in takewhile(lambda line: line.startswith("|"), lines)]
    return [[cell.strip().strip("`") for cell in row] for row in rows[2:]]


def written(data_type: pa.DataType) -> str:
    """An Arrow type as the page writes it."""
    if pa.types.is_fixed_size_list(data_type):
        size = "dim" if data_type.list_size == DIM else data_type.list_size
        return f"fixed_size_list<{written(data_type.value_type)}>[{size}]"
    if pa.types.is_list(data_type):
        return f"list<{written(data_type.value_type)}>"
    return str(data_type)


def type_on_the_page(cell: str) -> str:
    """The page may write float32 where Arrow prints float."""
    return re.sub(r"\bfloat(16|32|64)\b", lambda match: ARROW_NAMES[match[0]], cell.removesuffix(", null"))


def stored_sections() -> list[str]:
    """Headings of the page that name a place in the workspace."""
    return [h for h in re.findall(r"^### (.+)$", html.unescape(PAGE), re.MULTILINE) if "/" in h]


@pytest.mark.parametrize("heading", stored_sections())
def test_a_stored_table_has_the_columns_that_the_page_says(heading: str) -> None:
    expected = [(field.name, written(field.type)) for field in STORED[heading]]
    assert [(row[0], type_on_the_page(row[1])) for row in table_below(heading)] == expected


@pytest.mark.parametrize("heading", stored_sections())
def test_a_column_that_the_schema_requires_is_not_null_on_the_page(heading: str) -> None:
    null_on_the_page = {row[0] for row in table_below(heading) if row[1].endswith(", null")}
    assert not null_on_the_page & {field.name for field in STORED[heading] if not field.nullable}


def test_every_row_has_a_name_a_type_and_room_for_a_meaning() -> None:
    for heading in stored_sections():
        for row in table_below(heading):
            assert len(row) == 3, f"{heading}: {row} has not three cells"


def test_the_page_has_a_section_for_every_stored_table() -> None:
    assert set(STORED) - set(stored_sections()) == set()


def test_what_users_bring_as_events_is_what_readers_hand_on() -> None:
    assert {row[0] for row in table_below("Events")} == set(schema.RAW_EVENTS.names)


@pytest.mark.parametrize(("table", "raw"), [("users", schema.RAW_USERS), ("items", schema.RAW_ITEMS)])
def test_what_users_bring_as_bios_and_items_is_what_readers_hand_on(table: str, raw: pa.Schema) -> None:
    rows = table_below("Users (bios) and items (texts)")
    assert [row[1] for row in rows if row[0] == table] == raw.names
