"""From an address to an Arrow file system: which one, how patient with it, and what to do when it fails.

The environment is read here and nowhere else: `AWS_ENDPOINT_URL` and the names beside it, on whichever machine the
code runs.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from dynprof.errors import ConfigError

__all__ = ["ADDRESS_VARIABLES", "TRANSIENT", "resolve_filesystem", "stores_objects", "what_to_do"]

ADDRESS_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION")
"""Where the storage is. Every machine of a cluster needs the same; none of them is a secret."""

TRANSIENT = (
    r"AWS Error (?:NETWORK_CONNECTION|INTERNAL_FAILURE|SLOW_DOWN|SERVICE_UNAVAILABLE|THROTTLING|REQUEST_TIMEOUT|NO_SUCH_UPLOAD"
    r"|UNKNOWN \(HTTP status 5\d\d\))"
)
"""Matches what Arrow says when the storage may answer the next time."""

_ATTEMPTS = 10  # waits of 2^n * 50 ms, at most 20 s: one to two minutes until a request is given up
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
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        connect_timeout=_CONNECT_S,
        request_timeout=_SILENCE_S,
        allow_delayed_open=True,  # a small file is one request instead of three
        **options,
    )


def _malformed(text: str, found: str) -> ConfigError:
    return ConfigError(
        f"{text}: expected a path or a URI such as s3://bucket/folder or gs://bucket/folder, found: {found}"
    )
