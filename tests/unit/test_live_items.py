"""What can be recommended beside live events and erasures is what a rebuild would have, and never more."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_world import DAY_US, START_US, Row, live, row

from dynprof.item_search import CatalogueItems
from dynprof.items import ItemCatalogue
from dynprof.live.items import LiveItems
from dynprof.live.store import LiveStore
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace
from tests.unit.test_live_overlay import ITEMS, USERS, World, rebuilt, rows_of_world


def catalogue_of(workspace: Workspace) -> ItemCatalogue:
    store = SnapshotStore(workspace)
    return ItemCatalogue.load(workspace, store.spec.fingerprint, store.corpus)


def items_of(world: World) -> tuple[CatalogueItems, LiveItems]:
    items = CatalogueItems(SnapshotStore(world.workspace), catalogue_of(world.workspace))
    return items, LiveItems(items, world.served.overlay)


def shown(catalogue: ItemCatalogue) -> dict[str, str | None]:
    """Author by text of all that can be answered."""
    rows = np.flatnonzero(~catalogue.index.is_removed(np.arange(len(catalogue))))
    return {r["text"]: r["author_id"] for r in catalogue.take(rows).to_pylist()}


@settings(max_examples=15, deadline=None)
@given(rows_of_world, rows_of_world, st.randoms(use_true_random=False), st.booleans())
def test_nothing_is_shown_that_a_rebuild_without_the_erased_would_not_have(
    base: list[Row], later: list[Row], chance: Any, late: bool
) -> None:
    with TemporaryDirectory() as folder:
        base = [row("first", "u0", START_US, "goal keeper"), *base]
        later = [r for r in later if r["event_id"] not in {r["event_id"] for r in base}]
        everything = [*base, *later]
        gone = {r["event_id"] for r in chance.sample(everything, len(everything) // 3)} - {"first"}
        lost = chance.choice([*USERS[1:], None])
        world = World.make(Path(folder) / "served", base)
        items, served = items_of(world)
        steps: list[Any] = [*(("add", r) for r in later), *(("erase", e) for e in gone), ("lose", lost)]
        chance.shuffle(steps)
        for what, which in steps:
            if what == "add":
                world.log.append([live(which)])
            elif what == "erase":
                world.log.erase_event(which)
            elif which is not None:
                world.log.erase_user(which)
            if chance.random() < 0.3:
                world.encode()
                served.refresh()
        if late:  # a replica that starts now knows the same
            world = World(world.workspace, world.log, LiveStore(SnapshotStore(world.workspace), world.log))
            items, served = items_of(world)
        world.encode()
        served.refresh()
        gone |= {r["event_id"] for r in everything if r["user_id"] == lost}
        whole = rebuilt(Path(folder) / "rebuilt", base, [r for r in later if r["event_id"] not in gone], gone)
        mine, theirs = shown(items.catalogue), shown(catalogue_of(whole))
        of_the_file = {item["text"] for item in ITEMS}
        assert mine.keys() <= theirs.keys() | of_the_file
        assert lost is None or lost not in mine.values()


@pytest.fixture
def world(tmp_path: Path) -> World:
    at = START_US + 40 * DAY_US
    rows = [row("e1", "u0", at, "goal keeper"), row("e2", "u2", at, "salt and dough"), row("l", "u3", at, None, "e2")]
    return World.make(tmp_path / "ws", [*rows, row("again", "u3", at, "goal keeper"), row("e3", "u2", at, "orbit")])


def test_an_erased_post_that_nobody_else_touched_is_shown_no_more(world: World) -> None:
    items, served = items_of(world)
    for event_id, left in [("e3", {"goal keeper", "salt and dough"}), ("e1", {"goal keeper", "salt and dough"})]:
        world.log.erase_event(event_id)
        world.encode()
        served.refresh()
        assert set(shown(items.catalogue)) == left, "goal keeper was said again, and e2 is liked"
    assert not items.find_items(["e3"]).found.any()
    world.log.erase_event("again")
    world.encode()
    served.refresh()
    assert set(shown(items.catalogue)) == {"salt and dough"}
    world.log.append([live(row("new", "u1", START_US + 90 * DAY_US, "orbit"))])
    world.encode()
    served.refresh()
    assert shown(items.catalogue) == {"salt and dough": "u2", "orbit": "u1"}


def test_an_erased_author_is_named_by_no_live_item_either(world: World) -> None:
    items, served = items_of(world)
    at = START_US + 90 * DAY_US
    world.log.append([live(row("p1", "ann", at, "derby day")), live(row("r1", "bob", at + 1, "derby day", "p1"))])
    world.encode()
    served.refresh()
    assert shown(items.catalogue)["derby day"] == "ann"
    world.log.erase_user("ann")
    world.encode()
    served.refresh()
    assert shown(items.catalogue)["derby day"] is None
    assert "ann" not in pc.unique(items.catalogue.take(np.arange(len(items)))["author_id"]).to_pylist()
