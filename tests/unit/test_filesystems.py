"""Addresses to file systems without a single request, and advice for what storage says."""

from __future__ import annotations

import pyarrow.fs as pafs
import pytest

from dynprof.errors import ConfigError
from dynprof.filesystems import resolve_filesystem, stores_objects, what_to_do


@pytest.fixture(autouse=True)
def no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_MAX_ATTEMPTS"):
        monkeypatch.delenv(name, raising=False)


def test_options_of_an_address_are_no_part_of_the_path() -> None:
    filesystem, path = resolve_filesystem("s3://bucket/a%20b/ws/?region=eu-west-3")
    assert (filesystem.region, path) == ("eu-west-3", "bucket/a b/ws")
    assert stores_objects(filesystem)
    assert not stores_objects(pafs.LocalFileSystem())


def test_one_address_has_one_pool_of_connections() -> None:
    a, b, c = (resolve_filesystem(f"s3://b/{k}?region={r}")[0] for k, r in (("x", "r1"), ("y", "r1"), ("x", "r2")))
    assert a is b
    assert a is not c


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
def test_an_endpoint_of_the_environment_counts_and_one_in_the_address_counts_more(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    from_environment = resolve_filesystem("s3://bucket/ws")[0]
    assert from_environment is not resolve_filesystem("s3://bucket/ws?endpoint_override=127.0.0.1:8")[0]
    assert resolve_filesystem("s3://bucket/ws?endpoint_override=http://127.0.0.1:9")[0] is from_environment


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("s3://key:secret@bucket/ws", "no credentials"),
        ("s3://bucket/ws?nonesuch=1", "nonesuch; known ones are region"),
        ("s3:///ws", "no bucket"),
        ("s3://bucket?anonymous=1", "neither true nor false"),
    ],
)
def test_an_address_that_means_nothing_is_refused_and_shows_no_secret(uri: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        resolve_filesystem(uri)
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5"])
def test_a_patience_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", given)
    with pytest.raises(ConfigError, match="AWS_MAX_ATTEMPTS"):
        resolve_filesystem(f"s3://bucket/ws?region=r{given}")


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("AWS Error SLOW_DOWN during PutObject operation", "same command again"),
        ("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 6", "same command again"),
        ("AWS Error UNKNOWN (HTTP status 503) during HeadObject operation", "same command again"),
        ("AWS Error ACCESS_DENIED during PutObject operation", "AWS_ACCESS_KEY_ID"),
        ("AWS Error NO_SUCH_BUCKET during PutObject operation", "Make the bucket"),
        ("AWS Error UNKNOWN (HTTP status 301) during PutObject operation", "region"),
    ],
)
def test_what_storage_says_comes_with_what_to_do(said: str, advice: str) -> None:
    assert advice in str(what_to_do(OSError(said)))


def test_an_error_of_a_disk_is_not_taken_for_one_of_storage() -> None:
    assert what_to_do(OSError(28, "No space left on device")) is None
