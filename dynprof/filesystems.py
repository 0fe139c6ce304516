"""From an address to an Arrow file system: which one, how patient with it, and what to do when it fails.

The environment is read here and nowhere else: `AWS_ENDPOINT_URL` and the names beside it, on whichever machine the
code runs.
"""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from dynprof.errors import ConfigError

__all__ = ["ADDRESS_VARIABLES", "TRANSIENT", "open_input", "resolve_filesystem", "stores_objects", "what_to_do"]

ADDRESS_VARIABLES = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_MAX_ATTEMPTS",
)
"""Where the storage is, and how patient to be. Every machine of a cluster needs the same; none is a secret."""

TRANSIENT = (
    r"AWS Error (?:NETWORK_CONNECTION|INTERNAL_FAILURE|SLOW_DOWN|SERVICE_UNAVAILABLE|THROTTLING|REQUEST_TIMEOUT"
    r"|NO_SUCH_UPLOAD|UNKNOWN \(HTTP status 5\d\d\))"
)
"""Matches what Arrow says when the storage may answer the next time."""

_ATTEMPTS = 10
_WAIT_S = 0.025  # doubled with every attempt, as the SDK does: half a minute until a request is given up
_OVERFLOW = "Failed to flush response stream"  # Arrow, when a read of few bytes is answered with an error; not repeated
_CONNECT_S, _SILENCE_S = 5.0, 30.0  # the SDK's 1 and 3 are too short for a busy store
_S3_TEXTS = ("region", "scheme", "endpoint_override", "tls_ca_file_path")
_S3_FLAGS = (
    "allow_bucket_creation",
    "allow_bucket_deletion",
    "anonymous",
    "check_directory_existence_before_creation",
    "force_virtual_addressing",
)
_REFUSED = r"AWS Error (?:ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN_ID|EXPIRED)"


def resolve_filesystem(uri: str | Path) -> tuple[pafs.FileSystem, str]:
    """The file system and the path within it of a local path or a URI (`s3://`, `gs://`, `file://`).

    A request to S3 that fails for a moment is repeated, which Arrow does not do when it reads such a URI by itself.

    Raises:
        ConfigError: The URI's scheme is not known, or the URI is malformed.
    """
    text = str(uri)
    if "://" not in text:
        return pafs.LocalFileSystem(), Path(text).expanduser().absolute().as_posix()
    parts = urlsplit(text)
    if parts.scheme == "s3":
        return _s3(text, parts), unquote(parts.netloc + parts.path).rstrip("/")
    try:
        filesystem, path = pafs.FileSystem.from_uri(text)
    except pa.ArrowInvalid as error:
        raise _malformed(text, str(error)) from error
    return filesystem, path


def open_input(filesystem: pafs.FileSystem, path: str) -> pa.NativeFile:
    """A file for ranged reads; from object storage one whose reads are repeated also where Arrow gives up at once.

    Raises:
        FileNotFoundError: There is none.
    """
    file = filesystem.open_input_file(path)
    return pa.PythonFile(_PatientFile(file), mode="r") if stores_objects(filesystem) else file


class _PatientFile:
    """What `pa.PythonFile` needs of a file; Arrow reads it from one thread at a time."""

    def __init__(self, file: pa.NativeFile) -> None:
        self._file, self._at = file, 0

    @property
    def closed(self) -> bool:
        return bool(self._file.closed)

    def close(self) -> None:
        self._file.close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size()}[whence]
        self._at = start + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        wanted = self._file.size() - self._at if size is None or size < 0 else size
        for attempt in range(attempts := _attempts()):
            try:
                content = bytes(self._file.read_at(wanted, self._at))
                break
            except OSError as error:
                if _OVERFLOW not in str(error) or attempt + 1 == attempts:
                    raise
                time.sleep(_WAIT_S * 2**attempt)
        self._at += len(content)
        return content


def stores_objects(filesystem: pafs.FileSystem) -> bool:
    """True where a file is put whole and folders are only names: S3, Google's and Azure's storage."""
    return filesystem.type_name in ("s3", "gcs", "abfs")


def what_to_do(error: BaseException) -> str | None:
    """A sentence for what object storage said; None for any other error."""
    said = str(error)
    if re.search(TRANSIENT, said):
        return "The storage kept failing: when it is well, run the same command again; finished parts are not redone."
    if re.search(_REFUSED, said):
        return (
            "Check the credentials on the machine that ran this (AWS_ACCESS_KEY_ID, a profile, an instance role) and "
            "the policy of the bucket."
        )
    if "AWS Error NO_SUCH_BUCKET" in said:
        return "Make the bucket first, or correct its name."
    if "AWS Error" in said:
        return "Check the address, its region (?region=...) and AWS_ENDPOINT_URL."
    return None


def _s3(text: str, parts: SplitResult) -> pafs.S3FileSystem:
    if "@" in parts.netloc:  # it would end up in manifests and in every log
        raise ConfigError(
            "s3://...: expected no credentials in the address, found some. Give them as AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY or in a profile."
        )
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(given.keys() - {*_S3_TEXTS, *_S3_FLAGS})
    if unknown or not parts.netloc:
        found = f"the option {', '.join(unknown)}; known ones are {', '.join((*_S3_TEXTS, *_S3_FLAGS))}"
        raise _malformed(text, found if unknown else "no bucket")
    wrong = [name for name in _S3_FLAGS if given.get(name, "true") not in ("true", "false")]
    if wrong:
        raise _malformed(text, f"{wrong[0]}={given[wrong[0]]}, which is neither true nor false")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        given.setdefault("endpoint_override", endpoint)
    elif "endpoint_override" not in given and "region" not in given:
        given["region"] = pafs.resolve_s3_region(parts.netloc)  # Amazon knows; Arrow keeps the answer
    return _s3_filesystem(tuple(sorted(given.items())))


@lru_cache(maxsize=16)  # one pool of connections a process, however many workspaces
def _s3_filesystem(given: tuple[tuple[str, str], ...]) -> pafs.S3FileSystem:
    options = {name: value == "true" if name in _S3_FLAGS else value for name, value in given}
    return pafs.S3FileSystem(
        # Not the "standard" one: its budget of repetitions ran out when many requests failed (docs/log.md).
        retry_strategy=pafs.AwsDefaultS3RetryStrategy(max_attempts=_attempts()),
        connect_timeout=_CONNECT_S,
        request_timeout=_SILENCE_S,
        allow_delayed_open=True,  # a small file is one request instead of three
        **options,
    )


def _attempts() -> int:
    """Of a request, from the SDKs' own variable.

    Raises:
        ConfigError: Not a whole number > 0.
    """
    said = os.environ.get("AWS_MAX_ATTEMPTS") or str(_ATTEMPTS)
    if not said.isdecimal() or int(said) < 1:
        raise ConfigError(f"AWS_MAX_ATTEMPTS: expected a whole number > 0, found {said!r}.")
    return int(said)


def _malformed(text: str, found: str) -> ConfigError:
    return ConfigError(
        f"{text}: expected a path or a URI such as s3://bucket/folder or gs://bucket/folder, found: {found}"
    )
