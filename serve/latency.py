"""From the histogram of request times to quantiles a person can read."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.samples import Sample

from serve.overview_schemas import RouteLatency

__all__ = ["quantile", "route_latencies"]

_QUANTILES = (0.5, 0.95, 0.99)
_SERVER_ERROR = 500


def route_latencies(samples: Iterable[Sample]) -> list[RouteLatency]:
    """One entry a method and route, most asked first; requests of no route are left out.

    Args:
        samples: Of the histogram `dynprof_request_seconds`, all statuses.
    """
    buckets: dict[tuple[str, str], dict[float, float]] = defaultdict(lambda: defaultdict(float))
    failed: dict[tuple[str, str], float] = defaultdict(float)
    for sample in samples:
        if not sample.name.endswith("_bucket") or sample.labels["route"] == "none":
            continue
        key, end = (sample.labels["method"], sample.labels["route"]), float(sample.labels["le"])
        buckets[key][end] += sample.value
        if end == math.inf and int(sample.labels["status"]) >= _SERVER_ERROR:
            failed[key] += sample.value
    found = [_latency(key, counts, failed[key]) for key, counts in buckets.items()]
    return sorted(found, key=lambda latency: (-latency.n_requests, latency.route, latency.method))


def quantile(ends: Sequence[float], cumulative: Sequence[float], q: float) -> float:
    """Interpolated within the bucket that it falls in; the lower end of the last, open one. 0 where there is nothing.

    Args:
        ends: Upper ends of the buckets, rising, the last one infinite.
        cumulative: How many values are at most each end.
        q: In [0, 1].
    """
    wanted = q * cumulative[-1]
    low, below = 0.0, 0.0
    for end, count in zip(ends, cumulative, strict=True):
        if count >= wanted and count > below:
            return low if end == math.inf else low + (end - low) * max(0.0, wanted - below) / (count - below)
        low, below = end, count
    return 0.0


def _latency(key: tuple[str, str], counts: Mapping[float, float], n_failed: float) -> RouteLatency:
    ends = sorted(counts)
    p50, p95, p99 = (quantile(ends, [counts[end] for end in ends], q) for q in _QUANTILES)
    method, route = key
    n = int(counts[math.inf])
    return RouteLatency(
        method=method, route=route, n_requests=n, n_failed=int(n_failed), p50_s=p50, p95_s=p95, p99_s=p99
    )
