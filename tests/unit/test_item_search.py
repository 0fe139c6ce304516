"""Item search: filters never cost results, ids find their texts, and popularity knows nothing of the future."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_world import AS_OF_US, DAY_US, HEAVY, START_US, World, make_world

from dynprof.decay import Decay
from dynprof.item_search import CatalogueItems
from dynprof.items import ItemCatalogue
from dynprof.keys import hash_words
from dynprof.popularity import POPULARITY_DECAY, Popularity
from dynprof.recommend import METRICS, Metric, score
from dynprof.sources import ItemFilter, ItemQuery
from dynprof.store import SnapshotStore

ITEM_DECAY = Decay("exponential", "5d")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("search"))


@pytest.fixture(scope="module")
def items(world: World) -> CatalogueItems:
    store = SnapshotStore(world.workspace)
    return CatalogueItems(store, ItemCatalogue.load(world.workspace, world.spec.fingerprint, store.corpus))


def by_hand(items: CatalogueItems, query: ItemQuery) -> dict[str, float]:
    """The score of every item that may be returned, each computed alone."""
    c, f = items.catalogue, query.filter
    excluded = {tuple(w) for w in query.excluded.tolist()}
    words = np.empty((len(c), 2), np.uint64)
    words[c.base.sorted_rows] = c.base.sorted_words
    found = {}
    for row, item in enumerate(c.table.to_pylist()):
        at_us = int(c.created_us[row])
        out = at_us >= query.as_of_us or (f.since_us is not None and at_us < f.since_us)
        out |= f.language not in (None, item["language"]) or f.author not in (None, item["author_id"])
        if not out and tuple(words[row].tolist()) not in excluded:
            weight = query.item_decay.weights([(query.as_of_us - at_us) / 1e6])
            value = weight
            if query.vector is not None:
                value = score(query.vector, c.unit_vectors(np.array([row])), metric=query.metric, time_weights=weight)
            found[item["item_id"]] = float(value[0])
    return found


@given(
    metric=st.sampled_from([*METRICS, None]),
    k=st.sampled_from([1, 7, 500]),
    language=st.sampled_from([None, "en", "xx"]),
    author=st.sampled_from([None, "a", HEAVY, "nobody"]),
    since_day=st.sampled_from([None, 0, 60, 400]),
    as_of_day=st.sampled_from([1, 90, 150, 400]),
    exclude=st.booleans(),
)
@settings(max_examples=40)
def test_the_k_best_that_a_filter_lets_through_come_back(
    items: CatalogueItems,
    metric: Metric | None,
    k: int,
    language: str | None,
    author: str | None,
    since_day: int | None,
    as_of_day: int,
    exclude: bool,
) -> None:
    c = items.catalogue
    since_us = None if since_day is None else START_US + since_day * DAY_US
    query = ItemQuery(
        None if metric is None else c.unit_vectors(np.array([3, 10])).sum(axis=0),
        k,
        START_US + as_of_day * DAY_US,
        metric=metric or "cosine",
        item_decay=ITEM_DECAY,
        filter=ItemFilter(language, author, since_us),
        excluded=c.base.sorted_words[::2] if exclude else np.empty((0, 2), np.uint64),
    )
    found, expected = items.search(query), by_hand(items, query)
    best = sorted(expected.values(), reverse=True)[:k]
    np.testing.assert_allclose(found.scores, best, atol=1e-6)
    ids = found.table["item_id"].to_pylist()
    np.testing.assert_allclose([expected[i] for i in ids], best, atol=1e-6)
    assert len(set(ids)) == len(found.vectors) == len(found.created_us) == len(best)
    assert found.popularity is None


def test_a_filter_that_leaves_most_and_one_that_leaves_few_score_alike(items: CatalogueItems) -> None:
    vector = items.catalogue.unit_vectors(np.array([5]))[0]
    everything = items.search(ItemQuery(vector, 10**6, AS_OF_US, metric="cosine"))
    scores = dict(zip(everything.table["item_id"].to_pylist(), everything.scores.tolist(), strict=True))
    for asked in (ItemFilter(language="en"), ItemFilter(author="a")):
        found = items.search(ItemQuery(vector, 10**6, AS_OF_US, metric="cosine", filter=asked))
        assert len(found.scores)
        for item_id, value in zip(found.table["item_id"].to_pylist(), found.scores.tolist(), strict=True):
            assert value == pytest.approx(scores[item_id], abs=1e-6)


def test_items_are_found_by_id_also_where_an_earlier_one_has_their_text(world: World, items: CatalogueItems) -> None:
    known = items.find_items(["heavy-0", "nonesuch", "heavy-20", "cold", "shared"])
    assert known.found.tolist() == [True, False, True, False, True]
    assert known.words[0].tolist() == known.words[2].tolist() != [0, 0]  # "orbit 0" twice
    heavy = world.events.filter(pc.equal(world.events["event_id"], "heavy-0"))
    assert known.words[0].tolist() == hash_words(heavy["text_hash"])[0].tolist()
    assert np.linalg.norm(known.vectors, axis=1).round(5).tolist() == [1, 0, 1, 0, 1]
    assert len(items.find_items([]).found) == 0


def popularity_by_hand(
    world: World, items: CatalogueItems, as_of_us: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    counts = np.zeros(len(items))
    has_text = world.events.filter(pc.is_valid(world.events["text_hash"]))
    rows, found = items.catalogue.find_rows(hash_words(has_text["text_hash"]))
    assert found.all()
    at_us = np.asarray(has_text["timestamp"].cast("int64"))
    mine = (at_us < as_of_us) & (at_us < AS_OF_US) & (at_us >= as_of_us - 30 * DAY_US)
    np.add.at(counts, rows[mine], POPULARITY_DECAY.weights((as_of_us - at_us[mine]) / 1e6))
    return counts / counts.max()


@pytest.mark.parametrize("days", [-29.5, -3, 0, 2])
def test_popularity_counts_what_happened_before_the_time_and_before_the_snapshot(
    world: World, items: CatalogueItems, days: float
) -> None:
    as_of_us = AS_OF_US + int(days * DAY_US)
    store = SnapshotStore(world.workspace)
    known = Popularity(world.workspace, store.corpus, items.catalogue, AS_OF_US).at(as_of_us)
    assert known is not None
    np.testing.assert_allclose(known, popularity_by_hand(world, items, as_of_us), atol=1e-6)


def test_nothing_is_said_of_times_before_what_is_known_or_long_after_the_last_event(items: CatalogueItems) -> None:
    assert not items.has_popularity(AS_OF_US - 31 * DAY_US)
    assert items.has_popularity(AS_OF_US)
    assert not items.has_popularity(AS_OF_US + 400 * DAY_US)


def test_popularity_shares_the_score_as_asked(items: CatalogueItems) -> None:
    vector = items.catalogue.unit_vectors(np.array([5]))[0]
    asked = {"metric": "cosine", "k": 10**6, "as_of_us": AS_OF_US}
    plain, blended = (items.search(ItemQuery(vector, popularity=p, **asked)) for p in (0.0, 0.25))  # type: ignore[arg-type]
    alone = dict(zip(plain.table["item_id"].to_pylist(), plain.scores.tolist(), strict=True))
    assert blended.popularity is not None and blended.popularity.max() == 1
    for item_id, value, popular in zip(
        blended.table["item_id"].to_pylist(), blended.scores.tolist(), blended.popularity.tolist(), strict=True
    ):
        assert value == pytest.approx(0.75 * alone[item_id] + 0.25 * popular, abs=1e-6)
