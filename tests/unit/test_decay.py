"""Laws of the decay functions and of durations."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynprof.decay import DECAY_KINDS, PROFILE_KINDS, Decay
from dynprof.duration import format_duration, parse_duration
from dynprof.errors import ConfigError

DYNAMIC_KINDS = [k for k in DECAY_KINDS if k != "static"]
DAY = 86_400.0

half_lives_s = st.floats(60, 20 * 365 * DAY)
ages_s = st.floats(0, 20 * 365 * DAY)


@pytest.mark.parametrize("kind", DYNAMIC_KINDS)
@given(half_life_s=half_lives_s)
def test_every_kind_is_one_at_age_zero_and_one_half_at_its_half_life(kind, half_life_s):
    decay = Decay(kind, format_duration(half_life_s))
    np.testing.assert_allclose(decay.weights([0.0, half_life_s]), [1.0, 0.5], rtol=1e-12)


@pytest.mark.parametrize("kind", DECAY_KINDS)
@given(a=ages_s, b=ages_s, half_life_s=half_lives_s, floor=st.floats(0, 1), offset_s=st.floats(0, 1e8))
def test_weights_never_rise_with_age_and_stay_between_floor_and_one(kind, a, b, half_life_s, floor, offset_s):
    decay = Decay(kind, format_duration(half_life_s), offset=format_duration(offset_s), floor=floor)
    younger, older = decay.weights([min(a, b), max(a, b)])
    least = 1.0 if kind == "static" else floor
    assert 1.0 >= younger >= older >= least


@pytest.mark.parametrize("kind", DYNAMIC_KINDS)
def test_no_decay_before_the_offset_and_one_half_a_half_life_after_it(kind):
    decay = Decay(kind, "7d", offset="2d")
    np.testing.assert_allclose(decay.weights(np.array([0, 1, 2, 9]) * DAY), [1, 1, 1, 0.5], rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "at_three_half_lives"),
    [
        ("exponential", 1 / 8),
        ("inverse_linear", 1 / 4),
        ("inverse_sqrt", 1 / np.sqrt(10)),
        ("hyperbolic", (1 + 3 * (np.sqrt(2) - 1)) ** -2),
        ("logarithmic", 1 / (1 + np.log(1 + 3 * (np.e - 1)))),
        ("gaussian", 1 / 512),
        ("linear", 0.0),
        ("static", 1.0),
    ],
)
def test_each_formula_has_its_published_value_at_three_half_lives(kind, at_three_half_lives):
    assert Decay(kind, "10d").weights(30 * DAY) == pytest.approx(at_three_half_lives, rel=1e-12)


def test_hyperbolic_with_power_one_is_inverse_linear():
    ages = np.geomspace(1, 1e9, 50)
    np.testing.assert_allclose(
        Decay("hyperbolic", "3d", power=1).weights(ages), Decay("inverse_linear", "3d").weights(ages), rtol=1e-12
    )


@pytest.mark.parametrize("kind", ["exp", "gauss", "linear"])
@given(scale=st.floats(1, 1e7), offset=st.floats(0, 1e7), decay=st.floats(0.01, 0.99), distance=st.floats(0, 5e7))
def test_from_scale_gives_the_numbers_of_elasticsearch(kind, scale, offset, decay, distance):
    # The formulas of the function score query's documentation, written out.
    x = max(0.0, distance - offset)
    expected = {
        "exp": np.exp(np.log(decay) / scale * x),
        "gauss": np.exp(-(x**2) / (2 * (-(scale**2) / (2 * np.log(decay))))),
        "linear": max((scale / (1 - decay) - x) / (scale / (1 - decay)), 0.0),
    }[kind]
    found = Decay.from_scale(kind, scale, offset=offset, decay=decay).weights(distance)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_from_scale_takes_durations_too():
    assert Decay.from_scale("gauss", "10d", offset="1d", decay=0.5) == Decay("gaussian", "10d", offset="1d")


def test_equal_durations_make_equal_decays():
    same = {Decay("exponential", "1d"), Decay("exponential", "24h"), Decay("exponential", timedelta(days=1))}
    assert len(same) == 1
    assert Decay("static", "1d") == Decay("static", "9y")


def test_static_is_the_control_and_linear_no_profile_kind():
    assert Decay("static").half_life_s is None
    assert "static" in PROFILE_KINDS
    assert "linear" not in PROFILE_KINDS


def test_a_negative_age_counts_as_now():
    assert Decay("exponential", "1d").weights(-5.0) == 1.0


@given(st.floats(1e-3, 1e10))
def test_formatting_a_duration_and_parsing_it_is_the_identity(seconds):
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("12h", 43200), ("30d", 2592000), ("2w", 1209600), ("1y", 31557600), ("0s", 0)]
)
def test_durations_are_read_with_their_unit(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("bad", [30, 30.0, "30", "d", "-3d", "3 fortnights", "", None, timedelta(days=-1), "nand"])
def test_a_duration_without_a_unit_or_below_zero_is_refused_by_name(bad):
    with pytest.raises(ConfigError, match="half_life"):
        Decay("exponential", bad)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"kind": "exponentail"}, "kind"),
        ({"kind": "gaussian", "half_life": "0d"}, "half_life"),
        ({"kind": "gaussian", "floor": 1.5}, "floor"),
        ({"kind": "gaussian", "floor": float("nan")}, "floor"),
        ({"kind": "hyperbolic", "power": 0}, "power"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(arguments, named):
    with pytest.raises(ConfigError, match=named):
        Decay(**arguments)


@pytest.mark.parametrize("arguments", [("exp", 0), ("exp", -1.0), ("sigmoid", 1.0), ("gauss", 5.0, -1)])
def test_from_scale_refuses_what_means_nothing(arguments):
    with pytest.raises(ConfigError):
        Decay.from_scale(*arguments)
