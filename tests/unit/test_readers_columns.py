"""Columns under other names: the mapping, and an error that says what to type."""

from __future__ import annotations

import re
import shlex

import pytest

from dynprof.errors import ConfigError, MissingColumnError
from dynprof.readers import parse_columns
from dynprof.readers.columns import resolve_columns

from .reading import event, read_all, write_lines


def suggestion(found: list[str], columns: dict[str, str] | None = None, kind: str = "events") -> dict[str, str]:
    """What the error says to type."""
    with pytest.raises(MissingColumnError) as caught:
        resolve_columns(found, columns or {}, kind, path="data/x.csv")
    message = str(caught.value)
    assert message.startswith("data/x.csv: expected")
    assert all(name in message for name in found)
    return parse_columns(shlex.split(re.search(r"--columns (.+)$", message)[1])[0])


def test_the_flag_is_read_with_blanks_and_nothing_is_nothing():
    assert parse_columns(" user_id = author ,text=content,") == {"user_id": "author", "text": "content"}
    assert parse_columns(None) == parse_columns("") == {}
    assert parse_columns("text=a=b") == {"text": "a=b"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("user_id", "ours=theirs"),
        ("=a", "ours=theirs"),
        ("text=", "ours=theirs"),
        ("author=user_id", "Our name stands first"),
        ("text=a,text=b", "twice"),
    ],
)
def test_a_flag_that_makes_no_sense_is_an_error_that_says_why(text, words):
    with pytest.raises(ConfigError, match=words):
        parse_columns(text)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["author", "date", "content"], {"user_id": "author", "timestamp": "date", "text": "content"}),
        (["User_ID", "Created At", "Body"], {"user_id": "User_ID", "timestamp": "Created At", "text": "Body"}),
        (
            ["author_id", "created_at", "tweet", "id"],
            {"user_id": "author_id", "timestamp": "created_at", "text": "tweet"},
        ),
        (["user_ids", "timestamp", "text"], {"user_id": "user_ids"}),
        (["x", "timestamp", "text"], {"user_id": "YOUR_COLUMN"}),
    ],
)
def test_missing_columns_come_with_the_flag_to_type(found, expected):
    assert suggestion(found) == expected


def test_the_suggestion_keeps_what_was_already_right():
    assert suggestion(["who", "date", "text"], {"user_id": "who"}) == {"user_id": "who", "timestamp": "date"}


def test_following_the_suggestion_resolves_the_columns():
    found = ["author", "date", "content", "lang"]
    assert resolve_columns(found, suggestion(found), "events", path="x") == {
        "user_id": "author",
        "timestamp": "date",
        "text": "content",
    }


def test_text_or_item_id_is_enough_but_one_must_be_there():
    assert "text" not in resolve_columns(["user_id", "timestamp", "item_id"], {}, "events", path="x")
    assert "item_id" not in resolve_columns(["user_id", "timestamp", "text"], {}, "events", path="x")
    assert suggestion(["user_id", "timestamp", "message"]) == {"text": "message"}


def test_a_mapping_to_a_column_that_is_not_there_is_an_error():
    assert suggestion(["user_id", "timestamp", "text", "lang"], {"language": "langs"}) == {"language": "lang"}


def test_in_users_and_items_a_mapping_for_the_events_gives_way_to_our_names():
    columns = {"user_id": "author", "text": "content"}
    assert resolve_columns(["user_id", "bio"], columns, "users", path="x") == {"user_id": "user_id", "bio": "bio"}
    assert resolve_columns(["author", "bio"], columns, "users", path="x") == {"user_id": "author", "bio": "bio"}
    assert suggestion(["id", "description"], columns, "users") == {"user_id": "YOUR_COLUMN", "bio": "description"}


def test_json_records_can_be_mapped_by_a_path_into_them(tmp_path):
    path = write_lines(tmp_path / "e.jsonl", [event(user_id=None, user={"id": i}) for i in range(3)])
    read = read_all(path, columns={"user_id": "user.id"})
    assert read.rows["user_id"].to_pylist() == ["0", "1", "2"]
    with pytest.raises(MissingColumnError, match=r"user\.uid"):
        read_all(path, columns={"user_id": "user.uid"})
