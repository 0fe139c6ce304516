"""What every verb shares: flags, logging, errors to exit codes, one JSON line at the end, a Ray session."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import ray
from ray.data import DataContext

from dynprof import __version__
from dynprof.errors import DynprofError
from dynprof.filesystems import ADDRESS_VARIABLES, TRANSIENT, what_to_do

__all__ = ["Stopwatch", "deliberate", "hold_ray", "parser", "print_summary", "ray_session", "run"]

LOG = logging.getLogger("dynprof")

_ACTOR_STARTS = 3
_PART_RETRIES = 2

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def parser(verb: str, description: str) -> argparse.ArgumentParser:
    """A parser with the flags that every verb has."""
    made = argparse.ArgumentParser(
        prog=f"python -m jobs.{verb}", description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    made.add_argument("--version", action="version", version=f"dynprof {__version__}")
    made.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"], help="to stderr")
    return made


def run(
    main: Callable[[Sequence[str] | None], Mapping[str, Any]],
    argv: Sequence[str] | None = None,
    *,
    exit_code: Callable[[Mapping[str, Any]], int] = lambda _: 0,
) -> NoReturn:
    """Run a verb: its summary is the last line on stdout, a deliberate error is one line on stderr and exit code 2.

    Args:
        main: The verb.
        argv: Flags; None for the process's.
        exit_code: Of a run that came to its end, from its summary.
    """
    try:
        summary = main(argv)
        print_summary(summary)
    except KeyboardInterrupt:
        print("dynprof: interrupted; run the same command again to go on.", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        expected = deliberate(error, DynprofError) or deliberate(error, OSError)
        if expected is None:
            raise
        said = str(expected).partition("\n")[0]  # below it Ray adds advice of its own
        advice = None if isinstance(expected, DynprofError) else what_to_do(expected)
        said = f"{said}. {advice}" if advice else said
        print(f"dynprof: {type(expected).__name__}: {said}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_USAGE)
    sys.exit(exit_code(summary))


def print_summary(summary: Mapping[str, Any]) -> None:
    """One JSON object on one line of stdout."""
    sys.stderr.flush()
    print(json.dumps(summary, ensure_ascii=False), flush=True)  # noqa: T201


def start_logging(level: str) -> None:
    """Logs of dynprof to stderr, `key=value`, the libraries' from WARNING on."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    LOG.setLevel(level)


class Stopwatch:
    """Wall seconds by stage, in the order in which the stages ran."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block and log one INFO line when it ends."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 3)
            LOG.info("stage=%s seconds=%.3f", name, self.seconds[name])


class _Session:
    """Who started Ray and how long it stays; one for the process."""

    started = False
    held = 0


@contextmanager
def ray_session() -> Iterator[None]:
    """A connection to Ray: the cluster that RAY_ADDRESS or the job names, else a local one that ends with the block.

    Where the process is connected already, nothing is started or stopped. Enter it late: a job with nothing to do
    should not start a cluster.
    """
    if not ray.is_initialized():
        # "local": without it Ray would join whatever cluster was last started on this machine.
        local = {} if os.environ.get("RAY_ADDRESS") else {"address": "local", "include_dashboard": False}
        if local and not LOG.isEnabledFor(logging.DEBUG):
            # Every actor pool makes Ray's core print an error that is none (ray#53727); DEBUG shows all it says.
            os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        elsewhere = {} if local else {"runtime_env": {"env_vars": _storage_address()}}
        ray.init(logging_level=logging.ERROR, log_to_driver=LOG.isEnabledFor(logging.DEBUG), **local, **elsewhere)
        _Session.started = True
    _configure_data()
    with hold_ray():
        yield


def _storage_address() -> dict[str, str]:
    """Where object storage is, for workers on other machines. No credentials: the dashboard shows what is sent.

    A submitted job that was given such a variable has sent it already; Ray refuses to be told twice.
    """
    submitted = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")).get("runtime_env") or {}
    told = submitted.get("env_vars") or {}
    return {name: os.environ[name] for name in ADDRESS_VARIABLES if os.environ.get(name) and name not in told}


@contextmanager
def hold_ray() -> Iterator[None]:
    """Within the block a session that ends leaves Ray running, so that the next one need not start it again."""
    _Session.held += 1
    try:
        yield
    finally:
        _Session.held -= 1
        if _Session.started and not _Session.held:
            ray.shutdown()
            _Session.started = False


def _configure_data() -> None:
    """Ray Data's settings for every pipeline; they count from the next dataset on."""
    if not LOG.isEnabledFor(logging.DEBUG):
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # it logs a traceback of every error that it raises
    context = DataContext.get_current()
    context.enable_progress_bars = sys.stderr.isatty()
    context.enable_operator_progress_bars = context.enable_progress_bars
    context.print_on_execution_start = False
    context.shuffle_input_batch_bytes = 64 << 20  # at the default of 1 GiB one task shuffles a whole small corpus
    context.shuffle_compression = "lz4"
    context.max_errored_blocks = 0  # a lost block would be lost data
    context.max_consecutive_actor_init_deaths = _ACTOR_STARTS  # at the default of 0 the first killed start ends the run
    context.retried_map_errors = [TRANSIENT]  # once more from the start of the part, after the storage's own retries
    context.max_map_retries = _PART_RETRIES
    context.raise_original_map_exception = True  # what Ray wraps around it loses an OSError on its way here


def deliberate(error: BaseException | None, kind: type[Exception] = DynprofError) -> Exception | None:
    """The error of a kind behind what Ray wrapped around it; None when there is none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        inner = getattr(error, "cause", None)  # Ray's wrapper is of the kind itself, with a traceback as its text
        if isinstance(error, kind) and not isinstance(inner, kind):
            return error
        error = inner or error.__cause__ or error.__context__
    return None
