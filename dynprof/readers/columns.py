"""Whose column is whose: `--columns ours=theirs`, and what to type when one is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from shlex import quote

from dynprof.checks import TableName, raw_schema
from dynprof.errors import ConfigError, MissingColumnError
from dynprof.schema import RAW_EVENTS, RAW_ITEMS, RAW_USERS

__all__ = ["parse_columns", "resolve_columns"]

_NEEDED: dict[TableName, tuple[tuple[str, ...], ...]] = {
    # Of each group one column must be there.
    "events": (("user_id",), ("timestamp",), ("text", "item_id")),
    "users": (("user_id",), ("bio",)),
    "items": (("item_id",), ("text",)),
}
_ID_SYNONYMS = ("tweet_id", "post_id", "status_id", "message_id", "id_str", "id", "uri", "url")
_SYNONYMS = {
    "user_id": ("author_id", "uid", "userid", "user", "author", "account_id", "did", "screen_name", "username"),
    "timestamp": ("created_at", "created", "time", "datetime", "date", "published_at", "posted_at", "ts", "time_us"),
    "text": ("content", "full_text", "body", "message", "tweet", "post", "caption", "title", "description"),
    "item_id": ("article_id", "product_id", *_ID_SYNONYMS),
    "event_id": _ID_SYNONYMS,
    "event_type": ("post_type", "type", "action", "kind", "event"),
    "bio": ("description", "about", "profile", "biography", "summary", "text"),
    "created_at": ("timestamp", "created", "time", "date", "published_at"),
    "author_id": ("user_id", "author", "user", "uid"),
    "language": ("lang", "locale"),
}
_FUZZY_CHARS = 5  # shorter words are all alike: "id" is close to "uid"
_OURS = tuple(dict.fromkeys([*RAW_EVENTS.names, *RAW_USERS.names, *RAW_ITEMS.names]))


def parse_columns(text: str | None) -> dict[str, str]:
    """Read the flag `--columns`: "user_id=author,text=content" is {"user_id": "author", "text": "content"}.

    Raises:
        ConfigError: Not a list of ours=theirs, a name on the left that is not ours, or one that stands there twice.
    """
    pairs: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in (text or "").split(","))):
        ours, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not (ours and equals and theirs):
            raise ConfigError(f"--columns: expected ours=theirs, such as user_id=author,text=content, found {part!r}.")
        if ours not in _OURS:
            raise ConfigError(
                f"--columns: expected one of {', '.join(_OURS)} before the =, found {ours!r}. "
                "Our name stands first, that of your file second."
            )
        if ours in pairs:
            raise ConfigError(f"--columns: expected {ours} once, found it twice ({pairs[ours]} and {theirs}).")
        pairs[ours] = theirs
    return pairs


def resolve_columns(found: Sequence[str], columns: Mapping[str, str], kind: TableName, *, path: str) -> dict[str, str]:
    """Which column of a file is which of ours: ours to theirs, in our order, without those that are absent.

    Args:
        found: Names in the file.
        columns: What `parse_columns` gave. It is written for the events: in users and items a name that is not there
            gives way to our own.
        kind: Which table the file is for.
        path: The file, for the error.

    Raises:
        MissingColumnError: A needed column is absent, or `columns` names one that is not there.
    """
    present = set(found)
    resolved = {}
    unknown = []
    for ours in raw_schema(kind).names:
        theirs = columns.get(ours, ours)
        if theirs not in present and kind != "events":
            theirs = ours
        if theirs in present:
            resolved[ours] = theirs
        elif ours in columns:
            unknown.append(ours)
    missing = [group for group in _NEEDED[kind] if not any(ours in resolved for ours in group)]
    if missing or unknown:
        raise MissingColumnError(_message(found, columns, resolved, missing, unknown, path))
    return resolved


def _message(
    found: Sequence[str],
    columns: Mapping[str, str],
    resolved: Mapping[str, str],
    missing: Sequence[tuple[str, ...]],
    unknown: Sequence[str],
    path: str,
) -> str:
    named = [f"{columns[ours]!r} (named for {ours} by --columns)" for ours in unknown]
    absent = [" or ".join(group) for group in missing if not set(group) & set(unknown)]
    wanted = [*unknown, *(group[0] for group in missing if not set(group) & set(unknown))]
    free = [name for name in found if name not in resolved.values()]
    guesses = {**{o: t for o, t in resolved.items() if o != t}, **_guesses(wanted, free)}
    flag = quote(",".join(f"{ours}={theirs}" for ours, theirs in guesses.items()))
    return (
        f"{path}: expected the column{'s' if len(named) + len(absent) > 1 else ''} {', '.join([*named, *absent])}, "
        f"found: {', '.join(found) or 'none'}. Say which of yours it is: --columns {flag}"
    )


def _guesses(wanted: Sequence[str], free: list[str]) -> dict[str, str]:
    """Our name to the likeliest of the free ones, each given once; a placeholder where none is likely."""
    free = list(free)
    guesses = {}
    for ours in wanted:
        guess = _guess(ours, free)
        guesses[ours] = guess or "YOUR_COLUMN"
        if guess:
            free.remove(guess)
    return guesses


def _guess(ours: str, free: Sequence[str]) -> str | None:
    by_key = {_key(name): name for name in reversed(free)}
    for candidate in (ours, *_SYNONYMS.get(ours, ())):
        if _key(candidate) in by_key:
            return by_key[_key(candidate)]
    for candidate in (ours, *_SYNONYMS.get(ours, ())):
        close = get_close_matches(_key(candidate), by_key, n=1, cutoff=0.75)
        if close and len(candidate) >= _FUZZY_CHARS:
            return by_key[close[0]]
    return None


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
