"""One small local Ray for the whole tier: starting one takes longer than most tests."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

OBJECT_STORE_BYTES = 1 << 30


@pytest.fixture(scope="package")
def ray_session() -> Iterator[Any]:
    """The module `ray`, started with two CPUs; stopped when the tier is done."""
    import ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Ray warns of while it starts is not ours to fix
        ray.init(
            address="local",
            num_cpus=2,
            num_gpus=0,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    quiet_ray_data(ray)
    yield ray
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.shutdown()


def quiet_ray_data(ray: Any) -> None:
    """No progress bars; and logs only when something is wrong."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
