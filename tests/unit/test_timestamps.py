"""Times: every value is read by itself, and what cannot be read says why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.schema import TIMESTAMP
from dynprof.timestamps import TIMESTAMP_PROBLEMS, parse_timestamps

NOW = datetime(2024, 6, 1, tzinfo=UTC).timestamp()
T = datetime(2018, 10, 10, 20, 19, 24, tzinfo=UTC)
FIXED = settings(max_examples=150)

times = st.datetimes(datetime(2000, 1, 1), datetime(2024, 5, 31))
spelled = st.one_of(
    times.map(lambda t: t.isoformat()),
    times.map(lambda t: t.isoformat(sep=" ", timespec="milliseconds") + "Z"),
    times.map(lambda t: t.isoformat(timespec="minutes") + "+0530"),
    times.map(lambda t: t.strftime("%a %b %d %H:%M:%S +0000 %Y")),
    times.map(lambda t: t.strftime("%a, %d %b %Y %H:%M:%S -0700")),
    times.map(lambda t: t.strftime("%Y-%m-%d %H:%M:%S UTC")),
    times.map(lambda t: t.date().isoformat()),
    st.integers(-(10**19), 10**19).map(str),
    st.floats().map(str),
    st.from_regex(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?", fullmatch=True
    ),
    st.text(max_size=30).filter(lambda s: "\x00" not in s),
    st.none(),
)


def read(column: pa.Array, now: float = NOW) -> list[object]:
    """Value or reason of each element."""
    parsed = parse_timestamps(column, now=now)
    assert parsed.values.type == TIMESTAMP
    assert (parsed.values.is_null().to_numpy(zero_copy_only=False) == (parsed.problems >= 0)).all()
    pairs = zip(parsed.values.to_pylist(), parsed.problems.tolist(), strict=True)
    return [value if problem < 0 else TIMESTAMP_PROBLEMS[problem] for value, problem in pairs]


def micros(when: datetime) -> int:
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@FIXED
@given(st.lists(spelled, max_size=12), st.randoms(use_true_random=False), st.integers(0, 12))
def test_no_value_changes_how_another_is_read(values, random, cut):
    together = read(pa.array(values, pa.string()))
    alone = [read(pa.array([v], pa.string()))[0] for v in values]
    order = random.sample(range(len(values)), len(values))
    parts = [[values[i] for i in order[:cut]], [values[i] for i in order[cut:]]]
    permuted = [read(pa.array(p, pa.string())) for p in parts]
    assert together == alone
    assert [together[i] for i in order] == permuted[0] + permuted[1]


@FIXED
@given(times)
def test_a_time_that_is_written_and_read_again_is_the_same(when):
    aware = when.replace(tzinfo=UTC)
    spellings = [when.isoformat(), aware.isoformat(), when.isoformat(sep=" ") + "Z", str(micros(aware))]
    assert read(pa.array(spellings)) == [aware] * 4
    again = read(pa.array(read(pa.array(spellings)), TIMESTAMP).cast(pa.string()))
    assert again == [aware] * 4


@FIXED
@given(times, st.sampled_from(["s", "ms", "us", "ns"]))
def test_numbers_of_any_unit_name_the_same_time(when, unit):
    aware = when.replace(tzinfo=UTC, microsecond=0)
    number = micros(aware) * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit] // 10**6
    columns = [
        pa.array([number], pa.int64()),
        pa.array([number], pa.uint64()),
        pa.array([str(number)]),
        pa.array([number]).cast(pa.timestamp(unit)),
        pa.array([number]).cast(pa.timestamp(unit, "Asia/Tokyo")),
    ]
    if number < 2**53:
        columns.append(pa.array([float(number)]))
    assert [read(column) for column in columns] == [[aware]] * len(columns)


@pytest.mark.parametrize(
    "text",
    [
        "2018-10-10T20:19:24Z",
        "2018-10-10 20:19:24",
        "2018-10-10T22:19:24+02:00",
        "2018-10-10T22:19:24+0200",
        "2018-10-10T22:19:24+02",
        "2018-10-10 20:19:24 UTC",
        "2018-10-10 20:19:24 +0000",
        "20181010T201924Z",
        "  2018-10-10T20:19:24Z\n",
        "Wed Oct 10 20:19:24 +0000 2018",
        "Wed, 10 Oct 2018 20:19:24 GMT",
        "10 Oct 2018 22:19:24 +0200",
        "1539202764",
        "1539202764.0",
        "1.539202764e9",
    ],
)
def test_common_spellings_of_one_time_are_equal(text):
    assert read(pa.array([text])) == [T]
    assert read(pa.array([text], pa.string_view())) == [T]
    assert read(pa.array([text]).dictionary_encode()) == [T]


@pytest.mark.parametrize(
    ("text", "micro"),
    [("2018-10-10T20:19:24.5Z", 500_000), ("2018-10-10 20:19:24.123456789", 123_456), ("1539202764.25", 250_000)],
)
def test_fractions_are_kept_to_the_microsecond(text, micro):
    assert read(pa.array([text])) == [T.replace(microsecond=micro)]


@pytest.mark.parametrize(
    "text",
    ["yesterday", "10/2/2018", "2018-02-30", "2018-13-01 00:00", "1e400", "9" * 30, "T", "2018-10-10x20:19", "nan"],
)
def test_garbage_is_unreadable_and_does_no_harm_to_its_neighbours(text):
    assert read(pa.array([text, "2018-10-10T20:19:24Z"])) == ["timestamp_unreadable", T]


def test_dates_are_midnight_utc():
    midnight = T.replace(hour=0, minute=0, second=0)
    dates = pa.array([T.date(), None])
    assert read(dates) == read(dates.cast(pa.date64())) == [midnight, "timestamp_missing"]


def test_missing_values_of_every_kind_are_missing():
    assert read(pa.array([None, "", "  "], pa.string())) == ["timestamp_missing"] * 3
    assert read(pa.array([None, float("nan")], pa.float64())) == ["timestamp_missing"] * 2
    assert read(pa.nulls(2)) == ["timestamp_missing"] * 2
    assert read(pa.array([], pa.string())) == []


def test_types_that_are_no_time_are_unreadable():
    assert read(pa.array([True])) == ["timestamp_unreadable"]
    assert read(pa.array([[1]])) == ["timestamp_unreadable"]
    assert read(pa.array([float("inf"), -1e300])) == ["timestamp_unreadable"] * 2
    assert read(pa.array([2**63], pa.uint64())) == ["timestamp_unreadable"]
    assert read(pa.array([2**62], pa.timestamp("s"))) == ["timestamp_unreadable"]


def test_the_year_2000_is_the_border_of_too_old():
    assert read(pa.array(["1999-12-31T23:59:59.999999Z", "2000-01-01T00:00:00Z", "0", "-5"])) == [
        "timestamp_too_old",
        datetime(2000, 1, 1, tzinfo=UTC),
        "timestamp_too_old",
        "timestamp_too_old",
    ]


def test_five_minutes_ahead_counts_as_now_and_more_is_the_future():
    now = datetime.fromtimestamp(NOW, UTC)
    ahead = pa.array([NOW - 1, NOW, NOW + 300, NOW + 301])
    assert read(ahead) == [now - timedelta(seconds=1), now, now, "timestamp_in_future"]


def test_a_column_in_chunks_is_one_column():
    chunked = pa.chunked_array([["2018-10-10T20:19:24Z"], ["x"], []], pa.string())
    assert read(chunked) == [T, "timestamp_unreadable"]
    assert np.array_equal(parse_timestamps(chunked, now=NOW).problems, [-1, 1])
