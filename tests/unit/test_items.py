"""The catalogue: the same from files and from tables; what comes in live is there at once, what is removed is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_world import AS_OF_US, DAY_US, World, make_world

from dynprof.encoders import load_encoder
from dynprof.errors import WorkspaceError
from dynprof.index.approximate import APPROXIMATE
from dynprof.item_files import INDEX, item_files, open_items, save_items
from dynprof.item_rows import ItemRows
from dynprof.items import ItemCatalogue
from dynprof.keys import hash_words, text_hashes
from dynprof.lineage import present_corpus
from dynprof.recommend import METRICS, Metric, question, recommend
from dynprof.text import prepare_texts
from jobs import index as index_job

TEXTS = ["a comet nobody has seen", "bread without flour", "orbit 3", "everyone: the derby"]  # the last two are there


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("items"))


@pytest.fixture
def catalogue(world: World) -> ItemCatalogue:
    return ItemCatalogue.load(world.workspace, world.spec.fingerprint)


def items_of(texts: list[str], at_us: list[int], authors: list[str]) -> pa.Table:
    return pa.table(
        {
            "item_id": [f"live-{i}" for i in range(len(texts))],
            "text": texts,
            "language": ["en" if i % 2 else None for i in range(len(texts))],
            "author_id": authors,
            "created_at": pa.array(at_us, pa.int64()).cast(pa.timestamp("us", tz="UTC")),
            "text_hash": text_hashes(prepare_texts(pa.array(texts))),
        }
    )


def vectors_of(texts: list[str]) -> npt.NDArray[np.float32]:
    return load_encoder("hashing:64").encode(texts)


def test_the_job_writes_what_the_catalogue_opens_and_again_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    copy = make_world(tmp_path_factory.mktemp("index-job"))
    read = ItemCatalogue.load(copy.workspace, copy.spec.fingerprint)
    done = index_job.main(["--workspace", copy.workspace.path(), "--approximate-from", "10"])
    assert done["approximate"] == "cells" and done["rows_out"] == len(read) and not done["done_before"]
    assert index_job.main(["--workspace", copy.workspace.path()])["done_before"]
    opened = ItemCatalogue.load(copy.workspace, copy.spec.fingerprint)
    assert opened.base.approximate is not None and isinstance(opened.vectors.base, np.memmap | np.ndarray)
    assert opened.table.to_pylist() == read.table.to_pylist()
    np.testing.assert_array_equal(opened.vectors, read.vectors)
    profile = read.unit_vectors(np.array([3]))[0]
    for metric in METRICS:
        mine = recommend(opened, profile, k=9, as_of_us=AS_OF_US, metric=metric)
        assert mine.rows.tolist() == recommend(read, profile, k=9, as_of_us=AS_OF_US, metric=metric).rows.tolist()


def test_an_index_of_another_kind_than_asked_for_is_written_anew(tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = make_world(tmp_path_factory.mktemp("index-kinds"))

    def index(*flags: str) -> tuple[str | None, bool]:
        done = index_job.main(["--workspace", copy.workspace.path(), *flags])
        opened = ItemCatalogue.load(copy.workspace, copy.spec.fingerprint).base.approximate
        assert type(opened) is (APPROXIMATE[done["approximate"]] if done["approximate"] else type(None))
        return done["approximate"], done["done_before"]

    assert index() == (None, False)
    assert index("--approximate", "graph") == (None, True)  # of so few items all are compared
    assert index("--approximate", "graph", "--approximate-from", "10") == ("graph", False)
    assert index() == index("--approximate-from", "10") == ("graph", True)
    assert index("--approximate", "cells", "--approximate-from", "10") == ("cells", False)
    assert index("--approximate-from", "100000") == (None, False)
    assert index("--approximate-from", "10") == ("cells", False)


@settings(max_examples=10)
@given(n=st.integers(0, 30), kind=st.sampled_from([None, *APPROXIMATE]), seed=st.integers(0, 99))
def test_saved_and_opened_again_is_the_identity(world: World, n: int, kind: str | None, seed: int) -> None:
    whole = ItemRows.read(
        world.workspace, world.spec.fingerprint, present_corpus(world.workspace), approximate=kind, approximate_from=0
    )
    save_items(whole, world.workspace, "some-encoder", f"corpus-{n}-{seed}")
    opened = open_items(world.workspace, "some-encoder", f"corpus-{n}-{seed}")
    assert opened is not None and opened.table.equals(whole.table)
    for name in ("created_us", "vectors", "sorted_words", "sorted_rows"):
        np.testing.assert_array_equal(getattr(opened, name), getattr(whole, name))
    assert type(opened.approximate) is type(whole.approximate) is (APPROXIMATE[kind] if kind else type(None))
    if opened.approximate is not None and whole.approximate is not None:
        unit = whole.vectors[3].astype(np.float64)
        assert opened.approximate.nearest(unit, 9).tolist() == whole.approximate.nearest(unit, 9).tolist()
    assert opened.codes is not None and whole.codes is not None
    np.testing.assert_array_equal(opened.codes.values, whole.codes.values)
    world.workspace.remove(INDEX, "some-encoder")


def test_an_unfinished_index_is_not_opened(world: World) -> None:
    whole = ItemRows.read(world.workspace, world.spec.fingerprint, present_corpus(world.workspace))
    save_items(whole, world.workspace, "another", "corpus")
    world.workspace.remove(INDEX, "another", "corpus", "manifest.json")
    assert open_items(world.workspace, "another", "corpus") is None


def test_an_index_from_before_there_were_cells_is_not_opened_and_cells_of_other_rows_are_an_error(
    world: World,
) -> None:
    view, workspace = present_corpus(world.workspace), world.workspace
    whole = ItemRows.read(workspace, world.spec.fingerprint, view, approximate="cells", approximate_from=0)
    manifest = dict(save_items(whole, workspace, "older", "corpus"))
    workspace.write_manifest(manifest | {"n_items": len(whole) + 1}, *item_files("older", "corpus"))
    with pytest.raises(
        WorkspaceError, match=rf"older.*expected cells of {len(whole) + 1} rows, found {len(whole)}. Run"
    ):
        open_items(workspace, "older", "corpus")
    del manifest["approximate"]
    workspace.write_manifest(manifest, *item_files("older", "corpus"))
    assert open_items(workspace, "older", "corpus") is None
    workspace.remove(INDEX, "older")


@pytest.mark.parametrize("metric", METRICS)
def test_an_added_item_is_recommended_at_once_and_a_removed_one_no_more(
    catalogue: ItemCatalogue, metric: Metric
) -> None:
    vectors, n = vectors_of(TEXTS), len(catalogue)
    rows = catalogue.add(items_of(TEXTS, [AS_OF_US] * 4, ["ann", "bob", "ann", "ann"]), vectors)
    assert rows[:2].tolist() == [n, n + 1] and (rows[2:] < n).all() and len(catalogue) == n + 2
    found = recommend(catalogue, vectors[0], k=1, as_of_us=AS_OF_US + 1, metric=metric)
    assert catalogue.take(found.rows).to_pylist()[0]["text"] == TEXTS[0]
    assert n not in recommend(catalogue, vectors[0], k=n, as_of_us=AS_OF_US, metric=metric).rows
    catalogue.remove(catalogue.rows_by_author("ann"))
    left = recommend(catalogue, vectors[0], k=2 * n, as_of_us=AS_OF_US + 1, metric=metric).rows
    assert n not in left and n + 1 in left


def test_an_item_that_turns_out_to_be_earlier_takes_the_place_of_the_later_one(catalogue: ItemCatalogue) -> None:
    words = hash_words(text_hashes(prepare_texts(pa.array(["orbit 3"]))))
    old = catalogue.rows_of(words)
    created = catalogue.take(old)["created_at"][0].as_py()
    assert created > datetime(2024, 1, 1, tzinfo=UTC)
    before = int(created.timestamp() * 1e6) - DAY_US
    new = catalogue.add(items_of(["orbit 3"], [before], ["ann"]), vectors_of(["orbit 3"]))
    assert new.tolist() == [len(catalogue) - 1]
    everything = recommend(catalogue, np.zeros(64), k=10_000, as_of_us=AS_OF_US + DAY_US, metric="cosine").rows
    assert new[0] in everything and old[0] not in everything
    again = catalogue.add(items_of(["orbit 3"], [before + 1], ["bob"]), vectors_of(["orbit 3"]))
    assert again.tolist() == new.tolist()
    assert catalogue.take(new)["created_at"][0].as_py() == created - timedelta(days=1)


def test_a_text_that_was_removed_can_come_back_by_another_author(catalogue: ItemCatalogue) -> None:
    one = catalogue.add(items_of(TEXTS[:1], [AS_OF_US], ["ann"]), vectors_of(TEXTS[:1]))
    catalogue.remove(one)
    two = catalogue.add(items_of(TEXTS[:1], [AS_OF_US + 1], ["bob"]), vectors_of(TEXTS[:1]))
    assert two[0] > one[0]
    assert catalogue.take(two).to_pylist()[0]["author_id"] == "bob"


def test_filters_are_what_the_table_says_added_items_too(catalogue: ItemCatalogue) -> None:
    authors = ["ann", "a", "ann", "a"]
    catalogue.add(items_of(TEXTS, [AS_OF_US, AS_OF_US + 5, 0, 0], authors), vectors_of(TEXTS))
    everything = catalogue.take(np.arange(len(catalogue)))
    assert catalogue.allowed() is None
    for author in ("ann", "a", "nobody"):
        by_hand = pc.fill_null(pc.equal(everything["author_id"], author), False).to_pylist()
        mask = catalogue.allowed(author_id=author)
        assert mask is not None and mask.tolist() == by_hand
        assert catalogue.rows_by_author(author).tolist() == np.flatnonzero(mask).tolist()
    mask = catalogue.allowed(language="en", since_us=AS_OF_US - 30 * DAY_US)
    since = pc.greater_equal(everything["created_at"].cast(pa.int64()), AS_OF_US - 30 * DAY_US)
    english = pc.fill_null(pc.equal(everything["language"], "en"), False)
    assert mask is not None and mask.tolist() == pc.and_(since, english).to_pylist()
    found = recommend(catalogue, np.ones(64), k=3, as_of_us=AS_OF_US + 9, allowed=mask).rows
    assert len(found) == min(3, int(mask.sum())) and mask[found].all()


def test_several_questions_at_once_are_answered_as_one_by_one(catalogue: ItemCatalogue) -> None:
    profiles = np.random.default_rng(0).standard_normal((5, 64))
    asked = [question(p, k=4, as_of_us=AS_OF_US) for p in profiles]
    for profile, ranking in zip(profiles, catalogue.index.search(asked), strict=True):
        alone = recommend(catalogue, profile, k=4, as_of_us=AS_OF_US)
        assert alone.rows.tolist() == ranking.rows.tolist() and alone.scores.tolist() == ranking.scores.tolist()
