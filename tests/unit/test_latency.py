"""Quantiles out of a histogram: within the bucket that holds them, never falling, 0 of nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.latency import quantile, route_latencies
from serve.metrics import Metrics

ENDS = [0.01, 0.1, 1.0, math.inf]


@settings(max_examples=30)
@given(st.lists(st.floats(0.0001, 5), min_size=1, max_size=200))
def test_a_quantile_lies_in_the_bucket_of_the_value_itself(values: list[float]) -> None:
    cumulative = [sum(value <= end for value in values) for end in ENDS]
    found = [quantile(ENDS, cumulative, q) for q in (0.1, 0.5, 0.9, 0.99)]
    assert found == sorted(found)
    for q, estimate in zip((0.1, 0.5, 0.9, 0.99), found, strict=True):
        exact = sorted(values)[max(0, math.ceil(q * len(values)) - 1)]
        bucket = next(i for i, end in enumerate(ENDS) if exact <= end)
        low = ENDS[bucket - 1] if bucket else 0.0
        assert low <= estimate <= (ENDS[bucket] if ENDS[bucket] < math.inf else low)


def test_nothing_has_no_latency() -> None:
    assert quantile(ENDS, [0, 0, 0, 0], 0.5) == 0
    assert route_latencies(Metrics().request_samples()) == []


def test_requests_are_counted_by_route_and_failures_among_them() -> None:
    metrics = Metrics()
    for status in ("200", "200", "500"):
        metrics._seconds.labels("", "GET", "/v1/users", status).observe(0.03)
    metrics._seconds.labels("", "GET", "none", "404").observe(9)
    (only,) = route_latencies(metrics.request_samples())
    assert (only.method, only.route, only.n_requests, only.n_failed) == ("GET", "/v1/users", 3, 1)
    assert only.p50_s == pytest.approx(0.035, abs=0.016)
