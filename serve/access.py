"""Who may ask for what: tokens with scopes, and the routes' side of it."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dynprof.errors import ConfigError
from serve.errors import AccessError

__all__ = ["OPEN", "SCOPES", "Access", "Caller", "Scope", "Token", "is_loopback", "may", "needs", "parse_tokens"]

Scope = Literal["read", "write", "admin", "vectors"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""read: answers without vectors. vectors: these too, since texts can be recovered from them. write: events, erasure.
admin: the snapshot, and all that is kept of a user. None of them implies another."""

_LEAST_LENGTH = 16
_HASHED = re.compile(r"sha256:([0-9a-fA-F]{64})")


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: Of the token; None without one.
        scopes: What the caller may do.
    """

    name: str | None
    scopes: frozenset[Scope]


@dataclass(frozen=True)
class Token:
    """One that is accepted. The token itself is not kept.

    Attributes:
        name: For logs and for the rate limit.
        digest: SHA-256 of it.
        scopes: What it is for.
    """

    name: str
    digest: bytes
    scopes: frozenset[Scope]


@dataclass(frozen=True)
class Access:
    """All tokens that are accepted; without any everybody may do everything, on the loopback address only."""

    tokens: tuple[Token, ...] = ()

    def caller(self, authorization: str | None) -> Caller:
        """Who sent this header; without scopes where no token fits.

        Every token is compared, and each in constant time, so that the time taken says nothing about any.
        """
        if not self.tokens:
            return Caller(None, frozenset(SCOPES))
        kind, _, sent = (authorization or "").partition(" ")
        digest = hashlib.sha256(sent.strip().encode("utf-8", "surrogateescape")).digest()
        fitting = [token for token in self.tokens if hmac.compare_digest(token.digest, digest)]
        if kind.lower() != "bearer" or not fitting:
            return Caller(None, frozenset())
        return Caller(fitting[0].name, fitting[0].scopes)


OPEN = Access()
"""No token is asked for."""


def parse_tokens(text: str, *, source: str) -> Access:
    """Tokens, one a line: `name scope,scope token`. Empty lines and lines that begin with # are skipped.

    Args:
        text: The token may be written as `sha256:` and 64 hex digits of its hash.
        source: Where the text is from, for errors; the errors show no token.

    Raises:
        ConfigError: A line of another form, an unknown scope, a short token, or a name or token twice.
    """
    lines = [(n, line.split()) for n, line in enumerate(re.split(r"[\n;]", text), 1)]
    tokens = [_parse(parts, f"{source}, line {n}") for n, parts in lines if parts and not parts[0].startswith("#")]
    for what, values in (("names", [t.name for t in tokens]), ("tokens", [t.digest for t in tokens])):
        if len(set(values)) < len(values):
            raise ConfigError(f"{source}: expected distinct {what}, found one twice.")
    return Access(tuple(tokens))


def _parse(parts: list[str], where: str) -> Token:
    if len(parts) != 3:
        raise ConfigError(f"{where}: expected `name scope,scope token`, found {len(parts)} words.")
    name, scopes, token = parts
    unknown = [scope for scope in scopes.split(",") if scope not in SCOPES]
    if unknown:
        raise ConfigError(f"{where}: expected scopes among {', '.join(SCOPES)}, found {', '.join(unknown)!r}.")
    if hashed := _HASHED.fullmatch(token):
        digest = bytes.fromhex(hashed[1])
    elif len(token) >= _LEAST_LENGTH and not token.startswith("sha256:"):
        digest = hashlib.sha256(token.encode()).digest()
    else:
        raise ConfigError(
            f"{where}: expected a token of at least {_LEAST_LENGTH} characters or its hash as sha256:<64 hex digits>, "
            f"found {len(token)} characters. `openssl rand -hex 32` makes one."
        )
    return Token(name, digest, frozenset(s for s in SCOPES if s in scopes.split(",")))


def is_loopback(host: str) -> bool:
    """True for an address that only this machine reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_BEARER = HTTPBearer(auto_error=False, description="Only where the server has tokens.")


def may(request: Request, scope: Scope) -> None:
    """Return where the caller may do this.

    Raises:
        AccessError: 401 without a known token, 403 with one of other scopes.
    """
    caller: Caller = request.scope["caller"]
    if scope in caller.scopes:
        return
    if caller.name is None:
        raise AccessError(401, "Expected `Authorization: Bearer TOKEN` with a token that this server knows.")
    raise AccessError(403, f"Expected a token with the scope {scope!r}, found one of {caller.name!r} without it.")


def needs(scope: Scope) -> Any:
    """What a route depends on so that only callers with this scope get to it."""

    async def allowed(
        request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None
    ) -> None:
        may(request, scope)

    return Depends(allowed)
