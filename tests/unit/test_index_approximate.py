"""Cells and graph find most of the best, what they find is compared exactly, and no filter leaves fewer than k."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.decay import Decay
from dynprof.errors import WorkspaceError
from dynprof.index.approximate import Approximate
from dynprof.index.cells import Cells
from dynprof.index.codes import encode
from dynprof.index.graph import Graph
from dynprof.index.item_index import ItemIndex
from dynprof.index.question import Question
from dynprof.scoring import METRICS, Metric

from .index_judge import brute_force

N, DIM, DAY_US, NOW_US = 3000, 32, 86_400_000_000, 20_000 * 86_400_000_000


def topical_vectors(rng: np.random.Generator, n: int) -> npt.NDArray[np.float16]:
    """Texts of forty topics, as far apart within one as encoders put them."""
    topics = np.random.default_rng(5).standard_normal((40, DIM))
    return (topics[rng.integers(0, 40, n)] + 0.8 * rng.standard_normal((n, DIM))).astype(np.float16)


VECTORS = topical_vectors(np.random.default_rng(0), N)
CREATED_US = np.sort(NOW_US - np.random.default_rng(1).integers(0, 300, N) * DAY_US)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return Graph.build(encode(VECTORS), threads=1)


@pytest.fixture(scope="module")
def cells() -> Cells:
    return Cells.build(encode(VECTORS))


@pytest.fixture(scope="module", params=["cells", "graph"])
def approximate(request: pytest.FixtureRequest) -> Iterator[Approximate]:
    """Cells of which as few are read as the data is small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynprof.index.cells.LEAST_READ", N // 10)
        yield request.getfixturevalue(request.param)


@pytest.fixture
def index(approximate: Approximate, monkeypatch: pytest.MonkeyPatch) -> ItemIndex:
    """With blocks and numbers of asked rows as small as the data."""
    monkeypatch.setattr("dynprof.index.block.BLOCK_ROWS", 200)
    monkeypatch.setattr("dynprof.index.item_index._MOST_ASKED", 400)
    return ItemIndex(VECTORS, CREATED_US, encode(VECTORS[-N // 4 :]), approximate, n_asked=64)


def ask(seed: int, metric: Metric, **more: object) -> Question:
    profile = topical_vectors(np.random.default_rng(seed), 1)[0].astype(np.float64)
    arguments = {"k": 10, "as_of_us": NOW_US + 1, "item_decay": Decay("exponential", "30d"), **more}
    return Question(profile, metric=metric, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", METRICS)
def test_at_least_98_of_100_are_found(index: ItemIndex, metric: Metric) -> None:
    asked = [ask(seed, metric) for seed in range(20)]
    found = index.search(asked)
    judged = [brute_force(VECTORS, CREATED_US, question)[0] for question in asked]
    hits = sum(len(set(f.rows.tolist()) & set(j)) for f, j in zip(found, judged, strict=True))
    assert hits >= 0.98 * 200


def test_the_approximate_index_is_what_answers_where_it_can(index: ItemIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynprof.index.block.Block.bounds", lambda *_: pytest.fail("all rows were compared"))
    assert len(index.search([ask(1, "cosine")])[0].rows) == 10


@settings(max_examples=30)
@given(data=st.data(), seed=st.integers(0, 999), metric=st.sampled_from(METRICS), k=st.sampled_from([1, 10, 60]))
def test_scores_are_exact_and_k_rows_come_back_where_k_may(
    approximate: Approximate, data: st.DataObject, seed: int, metric: Metric, k: int
) -> None:
    rng = np.random.default_rng(seed)
    index = ItemIndex(VECTORS, CREATED_US, encode(VECTORS[-N // 4 :]), approximate, n_asked=64)
    share = data.draw(st.sampled_from([0.0, 0.001, 0.02, 0.5]))
    question = ask(
        seed,
        metric,
        k=k,
        as_of_us=NOW_US - DAY_US * data.draw(st.sampled_from([-1, 100, 299])),
        allowed=data.draw(st.sampled_from([None, rng.random(N) < share])),
        excluded=data.draw(st.sampled_from([None, rng.integers(0, N, 40)])),
    )
    gone = rng.integers(0, N, 300)
    index.remove(gone)
    may = question.as_of_us > CREATED_US
    may[gone] = False
    if question.allowed is not None:
        may &= question.allowed
    if question.excluded is not None:
        may[question.excluded] = False
    found = index.search([question])[0]
    assert len(found.rows) == min(k, int(may.sum())) and may[found.rows].all()
    assert len(set(found.rows.tolist())) == len(found.rows)
    only = np.zeros(N, np.bool_)
    only[found.rows] = True
    rows, scores = brute_force(VECTORS, CREATED_US, ask(seed, metric, k=k, as_of_us=question.as_of_us, allowed=only))
    assert found.rows.tolist() == rows and found.scores.tolist() == scores


def test_what_is_added_is_found_beside_it_and_what_is_removed_is_not(index: ItemIndex) -> None:
    question = ask(3, "cosine")
    best = index.search([question])[0].rows
    index.remove(best)
    assert not set(index.search([question])[0].rows.tolist()) & set(best.tolist())
    new = index.add(np.asarray(question.profile, np.float16)[None], np.array([NOW_US]))
    assert index.search([question])[0].rows[0] == new[0] == N


def test_a_graph_is_the_same_from_a_file_mapped_or_not(graph: Graph, tmp_path: Path) -> None:
    file = tmp_path / "graph.usearch"
    file.write_bytes(graph.to_bytes())
    unit = VECTORS[7].astype(np.float64)
    expected = graph.nearest(unit, 20).tolist()
    assert Graph.open(file, N).nearest(unit, 20).tolist() == expected
    assert Graph.open(file.read_bytes(), N).nearest(unit, 20).tolist() == expected
    assert expected[0] == 7 and len(graph) == N and graph.size_bytes < N * (2 * DIM + 300)


def test_a_graph_of_other_rows_and_a_broken_one_are_errors_that_say_what_to_do(graph: Graph, tmp_path: Path) -> None:
    file = tmp_path / "graph.usearch"
    file.write_bytes(graph.to_bytes())
    with pytest.raises(WorkspaceError, match=r"graph.usearch: expected a graph of 7 rows, found 3000. Remove"):
        Graph.open(file, 7)
    file.write_bytes(b"no graph" * 40)
    with pytest.raises(WorkspaceError, match=r"expected a graph of 3000 rows, found .*python -m jobs.index"):
        Graph.open(file, N)


def test_every_row_is_in_one_cell_with_its_own_code(cells: Cells) -> None:
    codes = encode(VECTORS)
    assert np.sort(cells.rows).tolist() == list(range(N)) and cells.starts[0] == 0 and cells.starts[-1] == N
    np.testing.assert_array_equal(cells.values, codes.values[cells.rows])
    np.testing.assert_array_equal(cells.scales, codes.scales[cells.rows])
    assert len(cells.centres) == 109 and cells.size_bytes < N * (DIM + 8) + 110 * (4 * DIM + 8)


def test_a_row_lies_in_the_cell_whose_centre_is_nearest(cells: Cells) -> None:
    unit = VECTORS.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    near = unit[cells.rows] @ cells.centres.T.astype(np.float64)
    own = near[np.arange(N), np.repeat(np.arange(len(cells.centres)), np.diff(cells.starts))]
    assert (own > near.max(axis=1) - 0.02).all()  # bfloat16 has eight bits


def test_all_cells_read_is_the_search_by_codes(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynprof.index.cells.LEAST_READ", N)
    unit = VECTORS[11].astype(np.float64) / np.linalg.norm(VECTORS[11].astype(np.float64))
    codes, asked = encode(VECTORS), np.rint(unit / np.abs(unit).max() * 127)
    cosines = (codes.values.astype(np.int64) @ asked.astype(np.int64)) * codes.scales
    found = cells.nearest(unit, 40)
    assert len(set(found.tolist())) == 40 and cosines[found].min() >= np.sort(cosines)[-40] * (1 - 1e-6)
    assert sorted(cells.nearest(unit, 2 * N).tolist()) == list(range(N))


@pytest.mark.parametrize("vectors", [np.zeros((5, 8)), np.ones((7, 8)), np.eye(1, 8), np.eye(8)[[0, 0, 0, 3]]])
def test_rows_without_a_direction_or_all_alike_have_cells_too(vectors: npt.NDArray[np.float64]) -> None:
    cells = Cells.build(encode(vectors.astype(np.float16)))
    assert sorted(cells.nearest(np.eye(8)[0], 100).tolist()) == list(range(len(vectors)))
    assert np.isfinite(cells.centres).all()


def test_equal_rows_and_seeds_give_equal_cells(cells: Cells) -> None:
    again = Cells.build(encode(VECTORS))
    np.testing.assert_array_equal(again.rows, cells.rows)
    np.testing.assert_array_equal(again.centres, cells.centres)
