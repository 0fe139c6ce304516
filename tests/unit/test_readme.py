"""The README's example runs, and says what it is there to say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def test_the_example_of_the_readme_shows_that_a_short_memory_forgets(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["7d", "1y"]
    week, year = (float(line[-1]) for line in lines)
    assert week + 0.1 < year  # the stars were long ago
    assert all("0.0" in line[2] for line in lines)  # three events are kept as events: no error
