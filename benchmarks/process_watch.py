"""What a command uses while it runs: memory of the driver, of Ray's workers and of its object store, and disk."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Usage", "run_watched"]

_EVERY_S = 0.25
_MIB = 2**20


@dataclass
class Usage:
    """Peaks of one run, MiB.

    Attributes:
        driver: Anonymous memory of the command itself.
        worker: Of the largest worker of Ray.
        workers_together: Of all workers at one time.
        object_store: Shared memory of this machine, less what was there before.
        spilled: Of the files that Ray spilled to disk; those that came and went between two looks are missed.
        written: What all of the processes handed to the file system (spilling and Ray's logs included).
    """

    driver: float = 0.0
    worker: float = 0.0
    workers_together: float = 0.0
    object_store: float = 0.0
    spilled: float = 0.0
    written: float = 0.0
    _written_by: dict[int, int] = field(default_factory=dict, repr=False)
    _spilled_files: dict[str, int] = field(default_factory=dict, repr=False)

    def look(self, driver: int, shared_before: float) -> None:
        """Take one sample."""
        below = _descendants(driver)
        memory = {pid: _anonymous_mib(pid) for pid in below}
        self.driver = max(self.driver, _anonymous_mib(driver))
        workers = [m for pid, m in memory.items() if _command(pid).startswith("ray::")]
        self.worker = max([self.worker, *workers])
        self.workers_together = max(self.workers_together, sum(workers))
        self.object_store = max(self.object_store, _shared_mib() - shared_before)
        for pid in (driver, *below):
            self._written_by[pid] = max(self._written_by.get(pid, 0), _written(pid))
        self.written = sum(self._written_by.values()) / _MIB
        for file in Path("/tmp/ray").glob("session_*/ray_spilled_objects*/*"):  # noqa: S108 where Ray puts them
            self._spilled_files[str(file)] = max(self._spilled_files.get(str(file), 0), _size(file))
        self.spilled = sum(self._spilled_files.values()) / _MIB

    def to_json(self) -> dict[str, int]:
        """Whole MiB by name."""
        return {k: round(v) for k, v in vars(self).items() if not k.startswith("_")}


def run_watched(command: Sequence[str]) -> tuple[str, Usage]:
    """Run a command to its end: what it wrote to stdout, and what it used.

    Raises:
        CalledProcessError: It failed.
    """
    usage, over, shared_before = Usage(), threading.Event(), _shared_mib()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:

        def watch() -> None:
            while not over.wait(_EVERY_S):
                usage.look(process.pid, shared_before)

        watcher = threading.Thread(target=watch)
        watcher.start()
        said = process.stdout.read() if process.stdout else ""
        process.wait()
        over.set()
        watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command), said)
    return said, usage


def _descendants(pid: int) -> set[int]:
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        text = _text(status)
        if text:
            parents[int(status.parent.name)] = int(text.rpartition(")")[2].split()[1])
    found: set[int] = set()
    front = {pid}
    while front:
        front = {child for child, parent in parents.items() if parent in front} - found
        found |= front
    return found


def _anonymous_mib(pid: int) -> float:
    """Memory that mapped files and the object store are not part of."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", _text(Path(f"/proc/{pid}/status")), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def _written(pid: int) -> int:
    found = re.search(r"^write_bytes: (\d+)", _text(Path(f"/proc/{pid}/io")), re.MULTILINE)
    return int(found[1]) if found else 0


def _command(pid: int) -> str:
    return _text(Path(f"/proc/{pid}/cmdline")).replace("\0", " ")


def _shared_mib() -> float:
    found = re.search(r"^Shmem:\s+(\d+) kB", _text(Path("/proc/meminfo")), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def _text(path: Path) -> str:
    """A file of /proc; empty when its process is gone."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
