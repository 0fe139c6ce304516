"""Three nodes and a head without work, workspace and input in object storage: the result of one node."""

from __future__ import annotations

from pathlib import Path

import pyarrow.fs as pafs
import pytest
from finished_run import assert_same, flags, make_world, start, summary_of
from object_store import object_store

from benchmarks.faults import tables_of
from benchmarks.raylets import Raylets
from dynprof.workspace import Workspace
from jobs import pipeline

N_NODES = 3


@pytest.mark.usefixtures("ray_session")
def test_three_nodes_and_object_storage_give_the_result_of_one_node_and_a_local_disk(tmp_path: Path) -> None:
    make_world(tmp_path / "world")
    log = tmp_path / "log"
    local = pipeline.main(flags(str(tmp_path / "world"), str(tmp_path / "local")))
    with object_store() as store:
        # Credentials come from each node, so that a request tells who sent it; the address comes from the driver.
        secrets = {n: v for n, v in store.environment.items() if n in ("AWS_SECRET_ACCESS_KEY",)}
        with Raylets([{"AWS_ACCESS_KEY_ID": f"node-{i}", **secrets} for i in range(N_NODES)]) as cluster:
            there = Workspace(store.address("ws"))
            pafs.copy_files(str(tmp_path / "world"), "dynprof/world", destination_filesystem=there.filesystem)
            driver = {**store.environment, "RAY_ADDRESS": cluster.address}
            summary = summary_of(start(flags("s3://dynprof/world", "s3://dynprof/ws"), driver, log), log)
        for name in ("snapshot", "report", "fingerprint", "rows_out", "distinct_texts", "encoded_now", "methods"):
            assert summary[name] == local[name], name
        assert_same(tables_of(there, summary["snapshot"]), tables_of(Workspace(tmp_path / "local"), local["snapshot"]))
        wrote = {r.who for r in store.written(r"^ws/.*(parquet|arrow)$")} - {"driver"}
        assert wrote == {f"node-{i}" for i in range(N_NODES)}
        assert {r.who for r in store.written(r"manifest\.json$")} == {"driver"}
