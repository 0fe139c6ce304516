"""The Ray that the tier shares is the one that its conftest promises."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def test_the_shared_ray_has_two_cpus_and_a_small_object_store(ray_session: Any) -> None:
    resources = ray_session.cluster_resources()
    assert resources["CPU"] == 2
    assert resources["object_store_memory"] <= 1 << 30


def test_arrow_blocks_pass_through_a_task_unchanged(ray_session: Any) -> None:
    def double(block: pa.Table) -> pa.Table:
        return block.set_column(0, "x", pc.multiply(block["x"], 2))

    vectors = pa.FixedSizeListArray.from_arrays(pa.array(range(12), pa.float16()), 4)
    table = pa.table({"x": pa.array([1, 2, 3]), "vector": vectors})
    rows = ray_session.data.from_arrow(table).map_batches(double, batch_format="pyarrow", batch_size=None)
    result = pa.concat_tables(pa.table(block) for block in ray_session.get(rows.to_arrow_refs()))
    assert result["x"].to_pylist() == [2, 4, 6]
    assert result["vector"].combine_chunks().equals(vectors)
