"""`jobs.map` and what the page's map makes of it: real UMAP on a small world, asked over HTTP."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from serving_world import World, make_world

from dynprof.errors import ConfigError
from dynprof.umap_places import Placing, place_by_umap
from jobs import map as map_job
from serve.api import make_api
from serve.engine import Engine

pytest.importorskip("umap", reason="umap-learn is not installed: dynprof[umap]")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("map"))


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[TestClient]:
    engine = Engine.open(world.workspace, "latest", neighbor_cache_bytes=1 << 24)
    yield TestClient(make_api(engine))
    engine.close()


def sheet_of(client: TestClient, kind: str, axes: str) -> dict[str, Any]:
    body = client.get(f"/v1/map/{kind}", params={"axes": axes}).content
    length = struct.unpack("<I", body[:4])[0]
    header: dict[str, Any] = json.loads(body[4 : 4 + length])
    for part in header["arrays"]:
        header[part["name"]] = np.frombuffer(body, f"<{part['type']}", header["n"], 4 + length + part["offset"])
    return header


def test_a_map_by_umap_is_offered_once_it_was_made_with_the_same_points(client: TestClient, world: World) -> None:
    missing = client.get("/v1/map/users", params={"axes": "umap"})
    assert missing.status_code == 404 and missing.json()["error"]["code"] == "unknown_map"
    assert "jobs.map" in missing.json()["error"]["message"]
    plain = {kind: sheet_of(client, kind, "components") for kind in ("users", "items")}
    assert all(sheet["offered"] == ["components"] for sheet in plain.values())

    made = map_job.main(["--workspace", str(world.workspace.path()), "--most", "15"])

    assert made["points"] == {"users": 15, "items": 15} and made["done_before"] == []
    for kind, before in plain.items():
        sheet = sheet_of(client, kind, "umap")
        assert sheet["offered"] == ["components", "umap"] and sheet["explained"] == [] and sheet["n"] == 15
        where = np.searchsorted(before["number"], sheet["number"])
        for name in ("number", "activity", "topic", "language"):
            np.testing.assert_array_equal(sheet[name], before[name][where])
        assert np.isfinite(sheet["x"]).all() and np.ptp(sheet["x"]) > 0
        assert sheet["n_total"] == before["n_total"]
    again = map_job.main(["--workspace", str(world.workspace.path()), "--most", "15"])
    assert again["done_before"] == ["users", "items"] and again["points"] == made["points"]


def test_groups_stay_groups_and_a_seed_gives_the_same_map_again() -> None:
    rng, groups = np.random.default_rng(4), np.arange(90) % 3
    vectors = np.eye(3, 24)[groups] + rng.normal(scale=0.05, size=(90, 24))
    places = place_by_umap(vectors, Placing(seed=7))
    np.testing.assert_array_equal(places, place_by_umap(vectors, Placing(seed=7)))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + np.diag(np.full(90, np.inf))
    assert (groups[apart.argmin(1)] == groups).all()


@pytest.mark.parametrize("flags", [["--most", "3"], ["--neighbors", "1"]])
def test_flags_that_make_no_map_are_named(world: World, flags: list[str]) -> None:
    with pytest.raises(ConfigError, match="--most, --neighbors: expected at least 10 points and 2 neighbours"):
        map_job.main(["--workspace", str(world.workspace.path()), *flags])


def test_too_few_points_are_no_map() -> None:
    with pytest.raises(ConfigError, match="expected at least 10 points with a vector, found 4"):
        place_by_umap(np.eye(4), Placing())
