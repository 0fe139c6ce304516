"""Settings for all tiers, made before Ray or an encoder is imported, and the order of the tiers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # the coming default; unset, Ray warns about it
os.environ |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "tests")  # nobody's money is spent
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # or tokenizers warn after a fork

# The same examples everywhere: a failure on one machine is a failure on all. No deadline: shared cores are noisy.
settings.register_profile("dynprof", derandomize=True, deadline=None, database=None)
settings.load_profile("dynprof")

TIERS = ("unit", "integration", "e2e")
TESTS = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, except those that Ray 2.60 raises about its own defaults."""
    config.addinivalue_line("filterwarnings", r"ignore::DeprecationWarning:ray\..*")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what fails fastest first. The sort is stable: order within a tier stays."""
    items.sort(key=lambda item: TIERS.index(item.path.relative_to(TESTS).parts[0]))
