"""How many encoding actors a cluster gets, and what each of them asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
import ray

__all__ = ["actor_plan", "n_processors"]

_MOST_ACTORS_PER_NODE = 8
"""On a processor: each holds the model. Up to here an actor has one thread: two actors never wait for each other, while
two threads of one actor meet after every layer and share one Python."""


def actor_plan(device: str, actors: int, n_shards: int) -> tuple[int, dict[str, Any], int]:
    """How many actors, at most one a shard, what each reserves, and its threads: a GPU each, else a core or a few each.

    `--device cuda` asks for GPUs also where none is up yet, so that an autoscaler starts them. An actor never asks for
    more cores than the smallest node has: it would wait for ever.
    """
    alive = [node for node in ray.nodes() if node["Alive"]]
    nodes = [node["Resources"] for node in alive if node["Resources"].get("CPU")]
    n_cpus = max(1, int(sum(node["CPU"] for node in nodes)))
    n_gpus = 0 if device == "cpu" else int(sum(node.get("GPU", 0) for node in nodes))
    with_gpu = n_gpus > 0 or device.startswith("cuda")
    by_itself = n_gpus if with_gpu else sum(int(min(node["CPU"], _MOST_ACTORS_PER_NODE)) for node in nodes)
    n_actors = max(1, min(actors or by_itself, n_shards))
    if with_gpu:
        return n_actors, {"num_gpus": 1}, max(1, n_cpus // n_actors)
    smallest = int(min((node["CPU"] for node in nodes), default=1))
    threads = int(np.clip(n_cpus // n_actors, 1, max(1, smallest)))
    # Half of what the actors use stays free for the tasks that feed them, which rest while the actors work: were less
    # than a core left on every node, both would wait for ever.
    if smallest > 1:
        return n_actors, {"num_cpus": threads / 2}, threads
    # Zero fits a head without work too, which must stay free of it.
    without_work = [node["NodeID"] for node in alive if not node["Resources"].get("CPU")]
    elsewhere = {"label_selector": {"ray.io/node-id": f"!in({','.join(without_work)})"}} if without_work else {}
    return n_actors, {"num_cpus": 0, **elsewhere}, threads


def n_processors() -> int:
    """Processors of the cluster as it is now, at least 1."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
