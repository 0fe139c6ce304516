"""Several Ray nodes on one machine, each of which can be killed as a machine dies: at once, with all its processes.

The nodes belong to a process of their own, which starts them and ends them when it ends. So the caller may be connected
to another Ray, and leaves nothing behind however it ends.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

__all__ = ["Raylets", "kill", "processes_below", "wait_until"]

_ROOT = Path(__file__).parents[1]
_OBJECT_STORE_BYTES = 128 << 20
# Ray asks its nodes more often than by default whether they live: these runs wait for the answer again and again.
_HEALTH = {"RAY_health_check_period_ms": "500", "RAY_health_check_timeout_ms": "1000"}
_HEALTH |= {"RAY_health_check_failure_threshold": "3", "RAY_health_check_initial_delay_ms": "2000"}
_RESTING = re.compile(r"^ray::(?:IDLE|DashboardAgent|RuntimeEnvAgent)")


class Raylets:
    """A head without work and nodes of one CPU. A context manager.

    Args:
        nodes: Environment of each node, over that of this process.
    """

    def __init__(self, nodes: Sequence[Mapping[str, str]]) -> None:
        self._host = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.raylets"],
            cwd=_ROOT,
            env={**os.environ, **_HEALTH, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._requests, self._answers = cast("IO[str]", self._host.stdin), cast("IO[str]", self._host.stdout)
        self.address = str(self._ask({})["address"])
        self.nodes: list[int] = []
        for environment in nodes:
            self.add(environment)

    def __enter__(self) -> Raylets:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._requests.close()
        self._answers.close()
        try:
            self._host.wait(60)
        except subprocess.TimeoutExpired:
            self._host.kill()

    def add(self, environment: Mapping[str, str]) -> None:
        """Start one more node and wait until the cluster has it."""
        self.nodes.append(int(self._ask(environment)["pid"]))

    def workers(self, title: str = "") -> list[int]:
        """Process ids of the workers that do something now, by what Ray calls it, such as `ShardEncoder`."""
        below = [pid for node in self.nodes for pid in processes_below(node)]
        titles = {pid: _title(pid) for pid in below}
        busy = [pid for pid, said in titles.items() if said.startswith("ray::") and not _RESTING.search(said)]
        return [pid for pid in busy if title in titles[pid]]

    def kill_node(self, node: int) -> None:
        """End a node as a lost machine does: its scheduler, its object store and all its workers at once."""
        self.nodes.remove(node)
        kill(node, *processes_below(node))

    def _ask(self, request: Mapping[str, str]) -> dict[str, Any]:
        self._requests.write(json.dumps(request) + "\n")
        self._requests.flush()
        answer = self._answers.readline()
        if not answer:
            raise RuntimeError(
                f"raylets: expected a node to start, found that the process ended ({self._host.wait()})."
            )
        answered: dict[str, Any] = json.loads(answer)
        return answered


def kill(*pids: int) -> None:
    """SIGKILL to processes that may be gone already."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def processes_below(pid: int) -> list[int]:
    """All descendants of a process."""
    try:
        own = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _words(task / "children")]
    except FileNotFoundError:
        return []
    return [*own, *(deeper for child in own for deeper in processes_below(child))]


def wait_until(happened: Callable[[], Any], limit_s: float, what: str) -> Any:
    """Ask every few milliseconds until the answer is true, and return it.

    Raises:
        TimeoutError: It never was.
    """
    end = time.monotonic() + limit_s
    while not (answer := happened()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: expected it within {limit_s:.0f} s, found that it did not happen.")
        time.sleep(0.005)
    return answer


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _serve() -> None:
    """Start what standard input asks for: the head first, then a node for every line, until it is closed."""
    from ray.cluster_utils import Cluster

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints; the answers go out alone
    cluster = Cluster(initialize_head=False)
    for line in sys.stdin:
        os.environ.update(json.loads(line))
        first = cluster.head_node is None
        head = {"include_dashboard": False} if first else {}
        node = cluster.add_node(num_cpus=0 if first else 1, object_store_memory=_OBJECT_STORE_BYTES, **head)
        pid = node.all_processes["raylet"][0].process.pid
        answers.write(json.dumps({"address": cluster.address, "pid": pid}) + "\n")
        answers.flush()
    for node in [*cluster.worker_nodes, *filter(None, [cluster.head_node])]:
        cluster.remove_node(node, allow_graceful=False)  # some are dead: nobody answers a farewell


if __name__ == "__main__":
    _serve()
