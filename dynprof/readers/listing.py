"""From the patterns on a command line to files: single files, folders and globs, local or on object storage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

import pyarrow.fs as pafs

from dynprof.errors import InputFileError
from dynprof.filesystems import resolve_filesystem
from dynprof.readers.streams import naming, suffix_of

__all__ = ["SUFFIXES", "SourceFile", "list_files"]

SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}
"""What the name of a file promises; `.gz`, `.bz2` and `.zst` may follow those of text."""


@dataclass(frozen=True, order=True)
class SourceFile:
    """A file of the input: absolute local path or URI, and its size as it lies there."""

    path: str
    size_bytes: int


@dataclass(frozen=True)
class _Place:
    """Where a pattern points: a fixed folder or file, and the wildcards below it ("" for none)."""

    filesystem: pafs.FileSystem
    fixed: str
    wildcards: str
    uri_of: Callable[[str], str]


def list_files(patterns: Sequence[str], *, any_suffix: bool = False) -> list[SourceFile]:
    """Files that the patterns name, each once, sorted by path.

    A folder stands for all files below it whose suffix is known and whose path has no part that begins with "." or
    "_"; a glob (`*`, `?`, `[abc]`, and `**` for any folders) for exactly what it matches, hidden files excepted. In a
    URI, `?` begins the options of the file system and is no wildcard.

    Args:
        patterns: At least one local path or URI.
        any_suffix: Take all visible files of a folder, because their format is given.

    Raises:
        InputFileError: A pattern matches nothing, or holds credentials.
    """
    found: set[SourceFile] = set()
    for pattern in patterns:
        with naming(pattern, "files to read"):
            matched = _match(_place(pattern), any_suffix=any_suffix)
        if not matched:
            raise InputFileError(
                f"{pattern}: expected at least one {'' if any_suffix else 'Parquet, CSV or JSON '}file, found none. "
                "Check the path; quote a glob so that the shell leaves it alone."
            )
        found.update(matched)
    return sorted(found)


def _place(pattern: str) -> _Place:
    if "://" not in pattern or pattern.startswith("file://"):
        filesystem, path = resolve_filesystem(pattern)
        literal = filesystem.get_file_info(path).type != pafs.FileType.NotFound
        fixed, wildcards = (path, "") if literal else _divide(path)
        return _Place(filesystem, fixed, wildcards, str)
    scheme, _, rest = pattern.partition("://")
    path, mark, options = rest.partition("?")
    if "@" in path.partition("/")[0]:  # it would end up in the quarantine and in every log
        raise InputFileError(
            f"{scheme}://...: expected no credentials in the address, found some. "
            "Give them as the provider's environment variables or its profile file."
        )
    fixed, wildcards = _divide(path)
    filesystem, inner = resolve_filesystem(f"{scheme}://{fixed}{mark}{options}")
    return _Place(filesystem, inner, unquote(wildcards), lambda p: f"{scheme}://{quote(p)}{mark}{options}")


def _divide(path: str) -> tuple[str, str]:
    """Split before the first segment that holds a wildcard."""
    segments = path.split("/")
    first = next((i for i, s in enumerate(segments) if re.search(r"[*?\[]", s)), len(segments))
    return "/".join(segments[:first]) or "/", "/".join(segments[first:])


def _match(place: _Place, *, any_suffix: bool) -> list[SourceFile]:
    info = place.filesystem.get_file_info(place.fixed)
    if info.type == pafs.FileType.File and not place.wildcards:
        return [SourceFile(place.uri_of(info.path), int(info.size))]
    if info.type != pafs.FileType.Directory:
        return []
    deep = not place.wildcards or "/" in place.wildcards or "**" in place.wildcards
    below = place.filesystem.get_file_info(pafs.FileSelector(info.path, recursive=deep))
    wanted = _in_folder(any_suffix=any_suffix) if not place.wildcards else _glob(place.wildcards)
    prefix = len(info.path.rstrip("/")) + 1
    return _files((i for i in below if wanted(i.path[prefix:])), place)


def _files(infos: Iterable[pafs.FileInfo], place: _Place) -> list[SourceFile]:
    return [SourceFile(place.uri_of(i.path), int(i.size)) for i in infos if i.type == pafs.FileType.File]


def _in_folder(*, any_suffix: bool) -> Callable[[str], bool]:
    def wanted(relative: str) -> bool:
        visible = not any(segment.startswith((".", "_")) for segment in relative.split("/"))
        return visible and (any_suffix or suffix_of(relative) in SUFFIXES)

    return wanted


def _glob(wildcards: str) -> Callable[[str], bool]:
    pattern = re.compile(_regex(wildcards))

    def wanted(relative: str) -> bool:
        return not re.search(r"(^|/)\.", relative) and pattern.fullmatch(relative) is not None

    return wanted


def _regex(wildcards: str) -> str:
    """A glob as a regular expression over the path below its fixed part."""
    return "".join(_piece(part) for part in re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", wildcards))


def _piece(part: str) -> str:
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if part in pieces:
        return pieces[part]
    if part.startswith("[") and part.endswith("]"):
        return f"[^{part[2:]}" if part.startswith("[!") else part
    return re.escape(part)
