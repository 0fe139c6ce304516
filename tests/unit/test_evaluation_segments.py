from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.embedded import open_vectors
from dynprof.errors import FingerprintError, WorkspaceError
from dynprof.evaluation.loading import load_plan
from dynprof.evaluation.shard_counts import split_texts
from dynprof.lineage import present_corpus
from dynprof.workspace import Workspace

from .evaluation_data import Row, events_table, random_rows, rank_workspace, write_workspace
from .segment_data import add_segment, complete_manifests
from .test_evaluation_loading import BIOS, QUESTION, ROWS


def write_parts(folder: Path | str, parts: list[list[Row]], *, n_shards: int = 2, n_distinct: int = 1 << 128):
    """The first part as a base, the others as segments; bios and the texts of some base events come with the last."""
    late = {"u1": BIOS["u1"], "novice": BIOS["novice"]}
    early = {**BIOS, "u1": "what it was before"}
    del early["novice"]
    first = [(*row[:3], "another text") if n % 9 == 0 else row for n, row in enumerate(parts[0])]
    revised = [(row, "another text") for n, row in enumerate(parts[0]) if n % 9 == 0]
    cut = {"n_buckets": 3, "n_shards": n_shards, "n_distinct": n_distinct}
    workspace = write_workspace(str(folder), events_table(first), early, **cut)
    complete_manifests(workspace)
    for number, rows in enumerate(parts[1:], 1):
        last = {"revised": revised, "bios": late} if number == len(parts) - 1 else {}
        add_segment(workspace, rows, n_shards=number, n_distinct=n_distinct, **last)
    return workspace


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_parts=st.integers(2, 4),
    n_shards=st.integers(1, 3),
    n_distinct=st.sampled_from([5, 1 << 128]),
    max_events=st.sampled_from([0, 20]),
    include_seen=st.booleans(),
    local=st.booleans(),
)
def test_a_corpus_with_segments_is_ranked_as_one_that_came_at_once(
    seed, n_parts, n_shards, n_distinct, max_events, include_seen, local
) -> None:
    rows = [*random_rows(seed, n=90), *ROWS[-2:], ("none", "u1", 7, None)]
    part = np.random.default_rng(seed).integers(0, n_parts, len(rows))
    parts = [[row for row, p in zip(rows, part, strict=True) if p == number] for number in range(n_parts)]
    question = replace(QUESTION, include_seen=include_seen, max_events=max_events)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root = Path(folder)
        cut = {"n_buckets": 3, "n_shards": n_shards, "n_distinct": n_distinct}
        whole = write_workspace(str(root / "whole"), events_table(rows), BIOS, **cut)
        updated = write_parts(root / "updated", parts, n_shards=n_shards, n_distinct=n_distinct)
        patch.setattr(Workspace, "is_local", local)
        a, b = (load_plan(workspace, question) for workspace in (updated, whole))
        mine, theirs = rank_workspace(updated, question, a), rank_workspace(whole, question, b)
    assert a.facts() == b.facts()
    assert a.names.text_hashes == b.names.text_hashes
    for name in ("users", "event_us", "items", "novel"):
        np.testing.assert_array_equal(getattr(a.log, name), getattr(b.log, name))
    np.testing.assert_array_equal(a.tests.positions, b.tests.positions)
    np.testing.assert_array_equal(mine.above, theirs.above)
    np.testing.assert_array_equal(mine.tied, theirs.tied)


def test_every_text_is_counted_in_one_shard_of_one_part(tmp_path: Path) -> None:
    again = [(f"again {row[0]}", *row[1:]) for row in ROWS[:40]]
    workspace = write_parts(tmp_path, [ROWS, again, again])
    plan = load_plan(workspace, QUESTION)
    parts = list(
        split_texts(open_vectors(workspace, "f0", present_corpus(workspace)), plan.names.text_hashes, plan.log.first_us)
    )
    assert sorted(n for p in parts for n in p.items.tolist()) == list(range(plan.log.n_items))
    assert len({p.folder for p in parts}) > 1
    assert all(p.hashes == plan.names.text_hashes.take(p.items) for p in parts)


def test_a_segment_without_vectors_or_without_one_of_them_names_the_job(tmp_path: Path) -> None:
    workspace = write_parts(tmp_path, [ROWS, [("new", "u1", 10**12, "never seen")]])
    plan = load_plan(workspace, QUESTION)
    folder = ("embeddings", "f0", "segments", "00001-s")
    reader = workspace.open_ipc(*folder, "shard-00000.arrow")
    workspace.write_ipc([reader.get_batch(0).slice(0, 0)], reader.schema, *folder, "shard-00000.arrow")
    with pytest.raises(WorkspaceError, match=r"embeddings/f0.*expected vectors of.*jobs\.encode"):
        rank_workspace(workspace, QUESTION, plan)
    workspace.remove(*folder, "manifest.json")
    with pytest.raises(FingerprintError, match=r"jobs\.update"):
        rank_workspace(workspace, QUESTION, plan)
