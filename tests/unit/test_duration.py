"""What is wrong with a duration, and what to do about it."""

from __future__ import annotations

import pytest

from dynprof.duration import parse_duration
from dynprof.errors import ConfigError


@pytest.mark.parametrize(("text", "is_hinted"), [("30", True), ("soon", False), ("3x", False), ("", False)])
def test_a_number_without_a_unit_is_told_of_days_and_nothing_else_is(text: str, is_hinted: bool) -> None:
    with pytest.raises(ConfigError, match="expected a number with a unit") as caught:
        parse_duration(text)
    assert ("Write the unit: '30d' means days." in str(caught.value)) == is_hinted
