"""The activity block: an example by hand, and nothing at or after as_of."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.activity import ACTIVITY_FEATURES, activity_table
from dynprof.profile import MICROSECONDS
from dynprof.schema import EVENTS, activity_schema

HOUR_US = 3_600 * MICROSECONDS
DAY_US = 24 * HOUR_US
AS_OF_US = 20_000 * DAY_US  # a midnight

Row = tuple[str, int, str]


def table(rows: list[Row]) -> pa.Table:
    records = [
        {**dict.fromkeys(EVENTS.names), "user_id": user, "timestamp": at_us, "event_type": kind}
        for user, at_us, kind in rows
    ]
    return pa.Table.from_pylist(records, schema=EVENTS)


def block(rows: list[Row], user: str, as_of_us: int = AS_OF_US) -> dict[str, float]:
    found = activity_table(table(rows), as_of_us)
    values = dict(zip(found["user_id"].to_pylist(), found["activity"].to_pylist(), strict=True))[user]
    return dict(zip(ACTIVITY_FEATURES, values, strict=True))


def test_an_activity_worked_out_by_hand():
    rows = [
        ("ann", AS_OF_US - HOUR_US, "post"),  # yesterday, 23 h
        ("ann", AS_OF_US - 2 * HOUR_US, "like"),  # 22 h
        ("ann", AS_OF_US - 3 * DAY_US, "like"),  # three days ago, 0 h
        ("ann", AS_OF_US - 10 * DAY_US + 5 * HOUR_US, "poke"),  # ten days ago, 5 h
        ("bob", AS_OF_US - 300 * DAY_US, "post"),
    ]
    found = block(rows, "ann")
    expected = dict.fromkeys(ACTIVITY_FEATURES, 0.0)
    expected |= {"log1p_count_post": np.log(2), "log1p_count_like": np.log(3), "log1p_count_other": np.log(2)}
    expected |= {f"share_hour_{h:02d}_utc": 0.25 for h in (0, 5, 22, 23)}
    expected |= {"per_day_last_1d": 2.0, "per_day_last_7d": 3 / 7, "per_day_last_30d": 4 / 30}
    expected |= {"per_day_last_365d": 4 / 365, "active_day_share": 3 / 10}
    assert found == pytest.approx(expected, rel=1e-6)
    assert block(rows, "bob")["per_day_last_30d"] == 0


@pytest.mark.parametrize("as_of_us", [AS_OF_US, AS_OF_US - 1, AS_OF_US - HOUR_US])
def test_a_user_active_every_day_has_a_share_of_one_also_at_midnight(as_of_us):
    rows = [("ann", AS_OF_US - d * DAY_US + 9 * HOUR_US, "post") for d in range(1, 8)]
    assert block(rows, "ann", as_of_us)["active_day_share"] == 1


@pytest.mark.parametrize("days", [1, 7, 30, 365])
def test_an_event_exactly_as_old_as_a_window_is_in_it(days):
    name = f"per_day_last_{days}d"
    assert block([("ann", AS_OF_US - days * DAY_US, "post")], "ann")[name] == pytest.approx(1 / days)
    assert block([("ann", AS_OF_US - days * DAY_US - 1, "post")], "ann")[name] == 0


rows = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cyd"]),
        st.integers(-400 * 24, 48).map(lambda hours: AS_OF_US + hours * HOUR_US),
        st.sampled_from(["post", "reply", "retweet", "quote", "like", "own", ""]),
    ),
    max_size=20,
)


@settings(max_examples=60)
@given(rows=rows, random=st.randoms(use_true_random=False))
def test_order_and_events_at_or_after_as_of_change_nothing(rows, random):
    past = [r for r in rows if r[1] < AS_OF_US]
    found = activity_table(table(past), AS_OF_US)
    assert found.schema == activity_schema(len(ACTIVITY_FEATURES))
    assert found["user_id"].to_pylist() == sorted({r[0] for r in past})
    random.shuffle(rows)
    assert activity_table(table(rows), AS_OF_US).equals(found)


@settings(max_examples=60)
@given(rows=rows)
def test_every_number_is_what_its_name_says(rows):
    past = [r for r in rows if r[1] < AS_OF_US]
    for user in {r[0] for r in past}:
        mine = [r for r in past if r[0] == user]
        found = block(rows, user)
        kinds = [r[2] if r[2] in ("post", "reply", "retweet", "quote", "like") else "other" for r in mine]
        for kind in ("post", "reply", "retweet", "quote", "like", "other"):
            assert np.expm1(found[f"log1p_count_{kind}"]) == pytest.approx(kinds.count(kind), abs=1e-5)
        for hour in range(24):
            share = sum(r[1] // HOUR_US % 24 == hour for r in mine) / len(mine)
            assert found[f"share_hour_{hour:02d}_utc"] == pytest.approx(share, abs=1e-6)
        for days in (1, 7, 30, 365):
            n = sum(r[1] >= AS_OF_US - days * DAY_US for r in mine)
            assert found[f"per_day_last_{days}d"] == pytest.approx(n / days, rel=1e-6)
        active = {r[1] // DAY_US for r in mine}
        assert found["active_day_share"] == pytest.approx(len(active) / (20_000 - min(active)), rel=1e-6)


def test_users_do_not_change_each_others_numbers():
    ann = [("ann", AS_OF_US - h * HOUR_US, "post") for h in (1, 30, 500)]
    bob = [("bob", AS_OF_US - h * HOUR_US, "like") for h in (2, 31)]
    assert block(ann + bob, "ann") == block(ann, "ann")


def test_no_events_are_no_rows():
    for nothing in (table([]), table([("ann", AS_OF_US, "post")]), EVENTS.empty_table()):
        assert activity_table(nothing, AS_OF_US).equals(activity_schema(len(ACTIVITY_FEATURES)).empty_table())
