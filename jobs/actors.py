"""How many encoding actors a cluster gets, and what each of them asks for."""

from __future__ import annotations

import numpy as np
import ray
from ray.data import ActorPoolStrategy

__all__ = ["actor_plan", "n_processors"]

_MOST_ACTORS_PER_NODE = 8
"""On a processor: each holds the model. Up to here an actor has one thread: two actors never wait for each other, while
two threads of one actor meet after every layer and share one Python."""


def actor_plan(device: str, actors: int) -> tuple[ActorPoolStrategy, dict[str, float], int]:
    """How many actors, what each reserves, and its threads: a GPU each, else a core or a few each.

    `--device cuda` asks for GPUs also where none is up yet, so that an autoscaler starts them. An actor never asks for
    more cores than the smallest node has: it would wait for ever.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    n_cpus = max(1, int(sum(node["CPU"] for node in nodes)))
    n_gpus = 0 if device == "cpu" else int(sum(node.get("GPU", 0) for node in nodes))
    if n_gpus or device.startswith("cuda"):
        n_actors = actors or max(1, n_gpus)
        return _pool(n_actors), {"num_gpus": 1}, max(1, n_cpus // n_actors)
    smallest = int(min((node["CPU"] for node in nodes), default=1))
    n_actors = actors or max(1, sum(int(min(node["CPU"], _MOST_ACTORS_PER_NODE)) for node in nodes))
    threads = int(np.clip(n_cpus // n_actors, 1, max(1, smallest)))
    # Half a core of each actor's share stays free for the tasks that feed it, which rest while the actors work.
    return _pool(n_actors), {"num_cpus": threads - 0.5}, threads


def n_processors() -> int:
    """Processors of the cluster as it is now, at least 1."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _pool(n_actors: int) -> ActorPoolStrategy:
    return ActorPoolStrategy(min_size=1, max_size=n_actors, max_tasks_in_flight_per_actor=2)
