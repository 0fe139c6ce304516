"""The files of the page are kept in memory, and nothing else that is asked for."""

from __future__ import annotations

import gc
from functools import _lru_cache_wrapper
from importlib import resources

from serve.page_files import page_file

NAMES = [file.name for file in resources.files("serve").joinpath("page").iterdir() if file.is_file()]


def n_kept() -> int:
    """Entries of all caches of this process."""
    return sum(kept.cache_info().currsize for kept in gc.get_objects() if type(kept) is _lru_cache_wrapper)


def test_names_of_no_file_fill_no_memory() -> None:
    assert page_file("nothing.js") is None  # lists the folder
    before = n_kept()
    assert [page_file(f"nothing-{i}.js") for i in range(100)] == [None] * 100
    assert n_kept() - before < 100


def test_a_file_is_read_and_compressed_once() -> None:
    assert NAMES
    for name in NAMES:
        first = page_file(name)
        assert first is not None and first.body
        assert page_file(name) is first
