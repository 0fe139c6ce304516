"""X API v2 pages and Bluesky Jetstream lines: recognised, unfolded, and what is no event counted as ignored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynprof.readers import plan_splits
from dynprof.readers.jetstream import unfold_jetstream
from dynprof.readers.x_api import unfold_x_api

from .reading import read_all, reasons, write_lines

AT = "2020-01-01T00:00:00.000Z"
PAGE = {
    "data": [
        {"id": "1", "author_id": "10", "created_at": AT, "text": "own", "lang": "en"},
        {
            "id": "2",
            "author_id": "10",
            "created_at": AT,
            "text": "RT @b: cut o…",
            "referenced_tweets": [{"type": "retweeted", "id": "90"}],
        },
        {
            "id": "3",
            "author_id": "11",
            "created_at": AT,
            "text": "look",
            "referenced_tweets": [{"type": "quoted", "id": "91"}],
        },
        {
            "id": "4",
            "author_id": "11",
            "created_at": AT,
            "text": "yes",
            "referenced_tweets": [{"type": "replied_to", "id": "1"}],
        },
        {
            "id": "5",
            "author_id": "11",
            "created_at": AT,
            "text": "RT @c: gone…",
            "referenced_tweets": [{"type": "retweeted", "id": "99"}],
        },
        {"id": "6", "author_id": "12", "created_at": AT, "text": "short…", "note_tweet": {"text": "short no longer"}},
        {"id": "7", "created_at": AT, "text": "nobody's"},
    ],
    "includes": {
        "tweets": [{"id": "90", "author_id": "12", "created_at": AT, "text": "cut off no longer", "lang": "de"}],
        "users": [{"id": "10", "username": "a", "description": "I am a"}, {"id": "11", "username": "b"}],
    },
    "meta": {"result_count": 7},
}
DID = "did:plc:abc"
TIME_US = 1_725_911_162_329_308 - 365 * 86_400 * 1_000_000


def commit(collection: str, record: dict, *, operation: str = "create", rkey: str = "3k") -> dict:
    body = {"rev": "r", "operation": operation, "collection": collection, "rkey": rkey, "record": record, "cid": "c"}
    return {"did": DID, "time_us": TIME_US, "kind": "commit", "commit": body}


SUBJECT = {"subject": {"cid": "c", "uri": "at://did:plc:z/app.bsky.feed.post/9"}, "createdAt": "1999-01-01T00:00:00Z"}
QUOTE = {"text": "q", "embed": {"$type": "app.bsky.embed.recordWithMedia"}, "langs": ["pt", "en"]}
MESSAGES = [
    commit("app.bsky.feed.post", {"text": "hi", "langs": ["en"], "createdAt": "2031-01-01T00:00:00Z"}, rkey="1"),
    commit("app.bsky.feed.post", {"text": "re", "reply": {"parent": {"uri": "x"}}}, rkey="2"),
    commit("app.bsky.feed.post", QUOTE, rkey="3"),
    commit("app.bsky.feed.post", {"text": "pic", "embed": {"$type": "app.bsky.embed.images"}}, rkey="4"),
    commit("app.bsky.feed.like", SUBJECT, rkey="5"),
    commit("app.bsky.feed.repost", SUBJECT, rkey="6"),
    commit("app.bsky.actor.profile", {"description": "my bio"}, operation="update", rkey="self"),
    commit("app.bsky.graph.follow", {"subject": "did:plc:z"}),
    {
        "did": DID,
        "time_us": TIME_US,
        "kind": "commit",
        "commit": {"operation": "delete", "collection": "app.bsky.feed.like", "rkey": "5"},
    },
    {"did": DID, "time_us": TIME_US, "kind": "identity", "identity": {"did": DID}},
    {"did": DID, "time_us": TIME_US, "kind": "account", "account": {"active": True}},
    commit("app.bsky.feed.like", {"subject": None}, rkey="7"),
]


@pytest.mark.parametrize("layout", ["one line", "indented", "lines", "array"])
def test_a_page_gives_its_posts_in_any_layout(tmp_path, layout):
    texts = {
        "one line": json.dumps(PAGE),
        "indented": json.dumps(PAGE, indent=2),
        "lines": json.dumps(PAGE) + "\n" + json.dumps(PAGE) + "\n",
        "array": json.dumps([PAGE, PAGE]),
    }
    (tmp_path / "x.json").write_text(texts[layout])
    assert {split.format for split in plan_splits([str(tmp_path)])} == {"x-api-v2"}
    read = read_all(tmp_path / "x.json")
    rows = [
        tuple(row[k] for k in ("event_id", "user_id", "event_type", "item_id", "text")) for row in read.rows.to_pylist()
    ]
    n_pages = 2 if layout in ("lines", "array") else 1
    assert rows == n_pages * [
        ("1", "10", "post", "1", "own"),
        ("2", "10", "retweet", "90", "cut off no longer"),
        ("3", "11", "quote", "3", "look"),
        ("4", "11", "reply", "4", "yes"),
        ("5", "11", "retweet", "99", "RT @c: gone…"),
        ("6", "12", "post", "6", "short no longer"),
    ]
    assert reasons(read) == [(page, "user_id_missing") for page in range(n_pages)]
    assert json.loads(read.quarantine["raw"][0].as_py()) == PAGE["data"][-1]


def test_a_page_gives_bios_and_items_too(tmp_path):
    path = write_lines(tmp_path / "x.jsonl", [PAGE])
    assert read_all(path, table="users").rows.to_pylist() == [
        {"user_id": "10", "bio": "I am a"},
        {"user_id": "11", "bio": None},
    ]
    items = read_all(path, table="items").rows
    assert items["item_id"].to_pylist() == ["1", "3", "4", "6", "7", "90"]
    assert items["text"].to_pylist()[-1] == "cut off no longer"


def test_streams_empty_pages_and_look_ups_of_users_are_pages_too(tmp_path):
    stream = write_lines(tmp_path / "s.jsonl", [{"data": PAGE["data"][0], "matching_rules": []}])
    assert read_all(stream).rows["event_id"].to_pylist() == ["1"]
    empty = read_all(write_lines(tmp_path / "e.jsonl", [{"meta": {"result_count": 0}}, PAGE]))
    assert (empty.n_read, empty.n_ignored) == (8, 1)
    looked_up = write_lines(tmp_path / "u.jsonl", [{"data": [{"id": "1", "username": "a", "description": "d"}]}])
    assert read_all(looked_up, table="users").rows.to_pylist() == [{"user_id": "1", "bio": "d"}]


def test_jetstream_messages_become_events_at_the_time_of_the_relay(tmp_path):
    read = read_all(write_lines(tmp_path / "j.jsonl", MESSAGES))
    post = f"at://{DID}/app.bsky.feed.post"
    rows = [
        tuple(row[k] for k in ("event_id", "event_type", "item_id", "text", "language"))
        for row in read.rows.to_pylist()
    ]
    assert rows == [
        (f"{post}/1", "post", f"{post}/1", "hi", "en"),
        (f"{post}/2", "reply", f"{post}/2", "re", None),
        (f"{post}/3", "quote", f"{post}/3", "q", "pt"),
        (f"{post}/4", "post", f"{post}/4", "pic", None),
        (f"at://{DID}/app.bsky.feed.like/5", "like", SUBJECT["subject"]["uri"], None, None),
        (f"at://{DID}/app.bsky.feed.repost/6", "retweet", SUBJECT["subject"]["uri"], None, None),
    ]
    assert set(read.rows["timestamp"].to_pylist()) == {
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=TIME_US)
    }
    assert set(read.rows["user_id"].to_pylist()) == {DID}
    assert (read.n_read, read.n_ignored) == (len(MESSAGES), 5)
    assert reasons(read) == [(11, "text_and_item_missing")]


def test_jetstream_gives_bios_from_profiles_and_items_from_posts(tmp_path):
    path = write_lines(tmp_path / "j.jsonl", MESSAGES)
    users = read_all(path, table="users")
    assert users.rows.to_pylist() == [{"user_id": DID, "bio": "my bio"}]
    assert users.n_ignored == len(MESSAGES) - 1
    assert read_all(path, table="items").rows["text"].to_pylist() == ["hi", "re", "q", "pic"]


def test_a_record_among_jetstream_lines_that_is_no_message_is_refused(tmp_path):
    read = read_all(write_lines(tmp_path / "j.jsonl", [MESSAGES[0], {"foo": 1}, b"{"]))
    assert reasons(read) == [(1, "user_id_missing"), (2, "not_json")]


def test_the_format_can_be_forced(tmp_path):
    path = write_lines(tmp_path / "j.jsonl", [{"foo": 1}, *MESSAGES])
    assert plan_splits([str(path)])[0].format == "jsonl"
    assert len(read_all(path, format="jetstream").rows) == 6


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "type", "text", "uri"]), inner, max_size=3)
    ),
    max_leaves=5,
)
messages = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("data", "includes", "did", "time_us"), anything),
        "kind": st.just("commit") | anything,
        "commit": st.fixed_dictionaries(
            {"operation": st.just("create") | anything},
            optional={"collection": st.just("app.bsky.feed.post") | anything, "record": anything, "rkey": anything},
        ),
    },
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages, st.sampled_from(["events", "users", "items"]))
def test_no_shape_of_a_record_is_a_surprise(tmp_path, message, table):
    for unfold in (unfold_x_api, unfold_jetstream):
        assert all(isinstance(row, dict) for row, _ in unfold(message, table))
    path = write_lines(tmp_path / "m.jsonl", [message])
    for format_ in ("x-api-v2", "jetstream"):
        assert read_all(path, table=table, format=format_).n_read >= 1
