"""Lines of Bluesky's Jetstream: one commit, identity or account message a line."""

from __future__ import annotations

from typing import Any

from dynprof.checks import TableName

__all__ = ["is_jetstream", "unfold_jetstream"]

_POST = "app.bsky.feed.post"
_EVENT_TYPES = {_POST: "post", "app.bsky.feed.repost": "retweet", "app.bsky.feed.like": "like"}
_PROFILE = "app.bsky.actor.profile"
_QUOTES = ("app.bsky.embed.record", "app.bsky.embed.recordWithMedia")


def is_jetstream(record: dict[str, Any]) -> bool:
    """Whether a record is a Jetstream message."""
    return {"did", "time_us", "kind"} <= record.keys()


def unfold_jetstream(message: dict[str, Any], kind: TableName) -> list[tuple[dict[str, Any], Any]]:
    """The row of a message under our names, or none: most messages are of no interest.

    The time is the relay's `time_us`, not the record's `createdAt`: that is the client's claim, which old imports,
    wrong clocks and jokes make useless. The items keep `time_us` too.

    Args:
        message: One message.
        kind: `events`: created posts (replies and quotes among them), reposts and likes; `users`: descriptions of
            created and updated profiles; `items`: created posts. Deletions, other collections, identity and account
            messages give [].
    """
    if message.get("kind", "commit") != "commit":
        return []
    commit = _object(message.get("commit"))
    row = {"events": _event, "users": _user, "items": _item}[kind](message, commit, _object(commit.get("record")))
    return [] if row is None else [(row, message)]


def _event(message: dict[str, Any], commit: dict[str, Any], record: dict[str, Any]) -> dict[str, Any] | None:
    collection = commit.get("collection")
    if commit.get("operation", "create") != "create" or collection not in (None, *_EVENT_TYPES):
        return None
    is_post = collection == _POST
    uri = _uri(message, commit)
    return {
        "event_id": uri,
        "user_id": message.get("did"),
        "timestamp": message.get("time_us"),
        "event_type": _post_type(record) if is_post else _EVENT_TYPES.get(str(collection)),
        "item_id": uri if is_post else _object(record.get("subject")).get("uri"),
        "text": record.get("text") if is_post else None,
        "language": _first(record.get("langs")),
    }


def _item(message: dict[str, Any], commit: dict[str, Any], record: dict[str, Any]) -> dict[str, Any] | None:
    if commit.get("operation") != "create" or commit.get("collection") != _POST:
        return None
    return {
        "item_id": _uri(message, commit),
        "text": record.get("text"),
        "created_at": message.get("time_us"),
        "author_id": message.get("did"),
        "language": _first(record.get("langs")),
    }


def _user(message: dict[str, Any], commit: dict[str, Any], record: dict[str, Any]) -> dict[str, Any] | None:
    if commit.get("operation") not in ("create", "update") or commit.get("collection") != _PROFILE:
        return None
    return {"user_id": message.get("did"), "bio": record.get("description")}


def _post_type(record: dict[str, Any]) -> str:
    if record.get("reply"):
        return "reply"
    embed = str(_object(record.get("embed")).get("$type", "")).partition("#")[0]
    return "quote" if embed in _QUOTES else "post"


def _uri(message: dict[str, Any], commit: dict[str, Any]) -> str | None:
    """The record's AT URI; None where a part of it is missing."""
    parts = (message.get("did"), commit.get("collection"), commit.get("rkey"))
    return f"at://{'/'.join(str(p) for p in parts)}" if all(parts) else None


def _first(values: Any) -> Any:
    return values[0] if isinstance(values, list) and values else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
