"""Where the application can be reached from: a public address without tokens is refused."""

from __future__ import annotations

import ray
from ray.serve.config import HTTPOptions
from ray.serve.context import _get_global_client

from dynprof.errors import ConfigError
from serve.access import Access, is_loopback
from serve.config import TOKENS

__all__ = ["check_binding", "listening_host"]


def listening_host() -> str | None:
    """The address that Serve's HTTP proxies listen on; None where there is no HTTP.

    Of the Serve that runs, if one does; else of the one that `serve run` is about to start, which has Serve's defaults.
    Ray has no public call for the first.
    """
    if ray.is_initialized():
        client = _get_global_client(raise_if_no_controller_running=False)
        return None if client is None else client.http_config.host
    host: str | None = HTTPOptions().host
    return host


def check_binding(access: Access, host: str | None) -> None:
    """Let everything pass that is behind tokens or on the loopback address.

    Raises:
        ConfigError: Everybody could ask from everywhere.
    """
    if access.tokens or host is None or is_loopback(host):
        return
    raise ConfigError(
        f"http_options.host: expected a loopback address, since no tokens are configured, found {host}. Profiles are "
        f"personal data: name a file of tokens (tokens_file=FILE) or set {TOKENS}, see docs/serving.md, or listen on "
        "127.0.0.1."
    )
