"""The threads of a served log: every text gets its vector, and what is erased waits for no encoder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from event_log_in_memory import MemoryLog
from live_world import DAY_US, START_US, embed_and_build, live, row, write_base

from dynprof.embeddings import EMBEDDINGS
from dynprof.item_search import CatalogueItems
from dynprof.items import ItemCatalogue
from dynprof.live import encoding
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace
from serve.live_engine import LiveSources
from serve.text_encoder import EncoderUnavailableError, TextEncoder

N_COLD = 300
LIMIT_S = 60.0


class Hindered(TextEncoder):
    """The snapshot's encoder, which waits until it may go on, and may fail."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        super().__init__(manifest)
        self.may_go_on, self.begun = threading.Event(), threading.Event()
        self.may_go_on.set()
        self.is_broken, self.n_calls = False, 0

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.n_calls += 1
        self.begun.set()
        self.may_go_on.wait()
        if self.is_broken:
            raise EncoderUnavailableError("no model here")
        return super().encode(texts)


class Served:
    """A snapshot with items that nobody liked, a log, and the two threads over them."""

    def __init__(self, folder: Path) -> None:
        workspace = Workspace(folder)
        cold = [{"item_id": f"cold-{i}", "text": f"cold number {i}", "created_at": START_US} for i in range(N_COLD)]
        write_base(workspace, [row("e", "ann", START_US, "goal keeper")], items=cold)
        embed_and_build(workspace)
        self.store, self.log = SnapshotStore(workspace), MemoryLog()
        fingerprint = self.store.spec.fingerprint
        self._catalogue = ItemCatalogue.load(workspace, fingerprint, self.store.corpus)
        manifest = workspace.require_manifest(EMBEDDINGS, fingerprint, made_by="encode")
        self.encoder = Hindered({**manifest, "fingerprint": fingerprint})
        self._sources: list[LiveSources] = []

    def start(self) -> LiveSources:
        items = CatalogueItems(self.store, self._catalogue)
        self._sources.append(LiveSources(self.store, items, self.encoder, self.log))
        return self._sources[-1]

    def close(self) -> None:
        self.encoder.may_go_on.set()
        for sources in self._sources:
            sources.close()

    def like(self, user_id: str, *items: int) -> None:
        likes = [row(f"{user_id}-{i}", user_id, START_US + DAY_US, None, f"cold-{i}") for i in items]
        assert {outcome.status for outcome in self.log.append([live(like) for like in likes])} == {"accepted"}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.close()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end


def test_more_items_than_a_batch_all_get_a_vector_though_nothing_else_comes(served: Served) -> None:
    served.like("ben", *range(N_COLD))
    sources = served.start()
    until(lambda: len(sources.users.history("ben")) == N_COLD)
    until(lambda: bool(sources.items.find_items([f"cold-{i}" for i in range(N_COLD)]).found.all()))


def test_what_is_erased_while_items_are_encoded_is_gone_at_once(served: Served) -> None:
    sources = served.start()
    until(lambda: served.encoder.n_calls == 1)  # it has been warmed up
    served.encoder.begun.clear()
    served.encoder.may_go_on.clear()
    served.like("ben", 0)
    sources.wake()
    assert served.encoder.begun.wait(LIMIT_S)
    served.log.erase_user("ann")
    sources.wake()
    until(lambda: sources.users.is_erased("ann"))
    served.encoder.may_go_on.set()
    until(lambda: len(sources.users.history("ben")) == 1)


def test_an_encoder_that_fails_is_left_alone_for_a_while_and_the_log_is_followed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_RETRY_S", 10 * LIMIT_S)
    served.encoder.is_broken = True
    sources = served.start()
    served.like("ben", 0)
    until(lambda: served.encoder.n_calls == 2)  # to be warmed up, and for the item
    for i in range(1, 20):
        served.like("ben", i)
        sources.wake()
        until(lambda: sources.users.overlay.number == served.log.last_number())
    served.log.erase_user("ann")
    until(lambda: sources.users.is_erased("ann"))
    assert served.encoder.n_calls == 2
