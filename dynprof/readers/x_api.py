"""Pages of the X API v2: `{"data": [...], "includes": {"tweets": [...], "users": [...]}, "meta": {...}}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dynprof.checks import TableName

__all__ = ["is_x_api", "unfold_x_api"]

_REFERENCES = {"retweeted": "retweet", "quoted": "quote", "replied_to": "reply"}
"""Type of a reference to type of the event; of several the first in this order counts."""


def is_x_api(record: dict[str, Any]) -> bool:
    """Whether a record is a page (or one message of a stream) of the X API v2."""
    if isinstance(record.get("meta"), dict) and "result_count" in record["meta"]:
        return True
    posts = _objects(record.get("data"))
    return bool(posts) and "id" in posts[0] and ("text" in posts[0] or "username" in posts[0])


def unfold_x_api(page: dict[str, Any], kind: TableName) -> list[tuple[dict[str, Any], Any]]:
    """Rows of a page under our names, each with the object that it comes from.

    A retweet is about the post it refers to, and has its whole text where the page includes it (its own is cut off).
    Quotes and replies are items of their own.

    Args:
        page: One page. `data` may be a list, or one object as streams and single look-ups have it.
        kind: `events`: the posts in `data`; `users`: descriptions in `includes.users` (and in `data` of a look-up of
            users); `items`: texts of all posts, the included ones too.
    """
    rows = {"events": _events, "users": _users, "items": _items}[kind]
    return list(rows(page))


def _events(page: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    included = {post.get("id"): post for post in _included(page, "tweets") if isinstance(post.get("id"), str | int)}
    for post in _objects(page.get("data")):
        event_type, referred = _reference(post)
        original = included.get(referred) if event_type == "retweet" else None
        yield (
            {
                "event_id": post.get("id"),
                "user_id": post.get("author_id"),
                "timestamp": post.get("created_at"),
                "event_type": event_type,
                "item_id": referred if event_type == "retweet" else post.get("id"),
                "text": _text(original or post),
                "language": post.get("lang"),
            },
            post,
        )


def _items(page: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    for post in [*_objects(page.get("data")), *_included(page, "tweets")]:
        if _reference(post)[0] == "retweet":
            continue  # no item of its own
        yield (
            {
                "item_id": post.get("id"),
                "text": _text(post),
                "created_at": post.get("created_at"),
                "author_id": post.get("author_id"),
                "language": post.get("lang"),
            },
            post,
        )


def _users(page: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    looked_up = [user for user in _objects(page.get("data")) if "username" in user]
    for user in [*looked_up, *_included(page, "users")]:
        yield {"user_id": user.get("id"), "bio": user.get("description")}, user


def _reference(post: dict[str, Any]) -> tuple[str, Any]:
    """Type of the event, and the id of the post that it refers to."""
    found = {str(r.get("type")): r.get("id") for r in _objects(post.get("referenced_tweets"))}
    return next(((ours, found[theirs]) for theirs, ours in _REFERENCES.items() if theirs in found), ("post", None))


def _text(post: dict[str, Any]) -> Any:
    """The long text of a note where there is one; `text` is cut off then."""
    note = post.get("note_tweet")
    return note["text"] if isinstance(note, dict) and note.get("text") else post.get("text")


def _included(page: dict[str, Any], name: str) -> list[dict[str, Any]]:
    includes = page.get("includes")
    return _objects(includes.get(name)) if isinstance(includes, dict) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, or one object as a list."""
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, dict)]
