"""Tokens: what a line of the file means, who is let in, and which addresses are only this machine's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.errors import ConfigError
from serve.access import OPEN, SCOPES, Access, is_loopback, parse_tokens
from serve.binding import check_binding
from serve.config import TOKENS, read_access
from serve.gate import Limits, RateLimit

READER, WRITER = "a-token-for-reading", "another-one-for-writing"
HASHED = hashlib.sha256(WRITER.encode()).hexdigest()
FILE = f"""
# who may do what
reader  read,vectors  {READER}
writer  write         sha256:{HASHED}
"""


def test_without_tokens_everybody_may_do_everything() -> None:
    assert OPEN.caller(None).scopes == OPEN.caller("Bearer whatever").scopes == set(SCOPES)


def test_a_token_gives_its_scopes_and_nothing_else_gives_any() -> None:
    access = parse_tokens(FILE, source="tokens")
    assert access.caller(f"Bearer {READER}").scopes == {"read", "vectors"}
    assert access.caller(f"bearer {WRITER}").name == "writer"
    for header in (None, "", "Bearer", "Bearer ", f"Basic {READER}", READER, f"Bearer {READER}x", f"Bearer {HASHED}"):
        caller = access.caller(header)
        assert (caller.name, caller.scopes) == (None, frozenset())


@given(sent=st.text())
@settings(max_examples=50)
def test_whatever_is_sent_is_compared_and_refused(sent: str) -> None:
    assert parse_tokens(FILE, source="tokens").caller(f"Bearer {sent}").scopes == frozenset()


def test_a_token_is_not_kept() -> None:
    assert READER not in repr(parse_tokens(FILE, source="tokens"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"reader {READER}", "line 1: expected `name scope,scope token`, found 2 words"),
        (f"\nreader read,fly {READER}", "line 2: expected scopes among read, write, admin, vectors, found 'fly'"),
        ("reader read short", "line 1: expected a token of at least 16 characters"),
        ("reader read sha256:abcdefabcdef", "line 1: expected a token of at least 16 characters"),
        (f"a read {READER}\na write {WRITER}", "expected distinct names"),
        (f"a read {READER};b write {READER}", "expected distinct tokens"),
    ],
)
def test_a_line_that_is_no_token_is_an_error_that_does_not_show_it(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        parse_tokens(text, source="tokens")
    assert READER not in str(raised.value)


def test_tokens_come_from_the_file_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKENS, raising=False)
    assert read_access(None) is OPEN
    file = tmp_path / "tokens"
    file.write_text(f"reader read {READER}\n")
    monkeypatch.setenv(TOKENS, f"writer write {WRITER}")
    assert [t.name for t in read_access(str(file)).tokens] == ["reader", "writer"]
    with pytest.raises(ConfigError, match="tokens_file: expected a readable text file"):
        read_access(str(tmp_path / "gone"))
    monkeypatch.delenv(TOKENS)
    file.write_text("# nobody yet\n")
    with pytest.raises(ConfigError, match="expected at least one token, found none"):
        read_access(str(file))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("localhost", True)]
    + [(h, False) for h in ("0.0.0.0", "::", "10.0.0.3", "example.org", "localhost.example.org", "")],  # noqa: S104
)
def test_a_public_address_without_tokens_is_refused(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback
    check_binding(parse_tokens(FILE, source="tokens"), host)
    if loopback:
        check_binding(OPEN, host)
    else:
        with pytest.raises(ConfigError, match="expected a loopback address, since no tokens are configured"):
            check_binding(Access(), host)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_who_asks_too_often_waits_until_the_rate_lets_them_and_others_do_not() -> None:
    clock = Clock()
    limit = RateLimit(Limits(requests_per_s=2, burst=3), clock=clock)
    assert [limit.wait_s("a") for _ in range(3)] == [0, 0, 0]
    assert limit.wait_s("a") == limit.wait_s("a") == 0.5  # being refused costs nothing
    assert limit.wait_s("b") == 0
    clock.now += 0.5
    assert [limit.wait_s("a") > 0 for _ in range(2)] == [False, True]
    clock.now += 1000
    assert [limit.wait_s("a") > 0 for _ in range(4)] == [False, False, False, True]


@given(gaps=st.lists(st.floats(0, 2), max_size=60))
@settings(max_examples=50)
def test_no_window_lets_through_more_than_burst_and_rate(gaps: list[float]) -> None:
    clock, passed = Clock(), []
    limit = RateLimit(Limits(requests_per_s=3, burst=4), clock=clock)
    for gap in gaps:
        clock.now += gap
        if limit.wait_s("a") == 0:
            passed.append(clock.now)
    for i, first in enumerate(passed):
        for n, last in enumerate(passed[i:], 1):
            assert n <= 4 + 3 * (last - first) + 1e-6


def test_without_a_rate_nobody_waits() -> None:
    limit = RateLimit(Limits())
    assert {limit.wait_s("a") for _ in range(1000)} == {0.0}
