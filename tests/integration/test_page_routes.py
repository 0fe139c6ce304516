"""The page's files and the routes that only it needs, asked over HTTP without a cluster."""

from __future__ import annotations

import gzip
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from fastapi.testclient import TestClient
from serving_world import AS_OF_US, BIO_ONLY, HEAVY, ODD_IDS, SILENT, World, make_world

from dynprof.decay import Decay
from dynprof.live.open_log import open_log
from integration.asking import Asking, error_of
from serve.access import parse_tokens
from serve.api import make_api
from serve.engine import Engine
from serve.follower import Follower
from serve.live_service import live_service
from serve.metrics import Metrics
from serve.page_files import page_file

PAGE = Path(__file__).parents[2] / "serve" / "page"
NAMES = sorted(path.name for path in PAGE.iterdir() if path.is_file())
MONITORED = '{"alarms": ["auc"], "population": [{"measure": "auc", "value": 0.7, "limit": 0.6, "alarm": true}]}'
TOKEN = "a-token-for-reading-only"  # noqa: S105


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[TestClient]:
    """Served with a log, so that what is posted and erased can be seen."""
    log = open_log(world.workspace.path("live"))

    def load(name: str) -> Engine:
        return Engine.open(world.workspace, name, neighbor_cache_bytes=1 << 24, log=log)

    follower = Follower(load("latest"), load, world.workspace, Metrics())
    yield TestClient(make_api(follower, live_service(log, follower)))
    assert follower.engine is not None
    follower.engine.close()
    log.close()


@pytest.fixture(scope="module")
def ask(client: TestClient) -> Asking:
    return Asking(client)


def sheet_of(client: TestClient, kind: str) -> dict[str, Any]:
    """The header, and the arrays by name."""
    body = client.get(f"/v1/map/{kind}").content
    length = struct.unpack("<I", body[:4])[0]
    header: dict[str, Any] = json.loads(body[4 : 4 + length])
    for part in header["arrays"]:
        header[part["name"]] = np.frombuffer(body, f"<{part['type']}", header["n"], 4 + length + part["offset"])
    return header


def test_the_page_is_at_the_root_and_forbids_other_hosts_and_scripts_within_it(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]* src=)|<style| style=| on\w+=", answer.text) == []
    named = re.findall(r'(?:src|href|content)="(page/[^"]+)"', answer.text)
    assert named and all(client.get(f"/{name}").status_code == 200 for name in named)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_the_page_names_no_other_host_and_makes_no_markup_out_of_text(name: str) -> None:
    text = (PAGE / name).read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|DOMParser", text)
    assert len(text.splitlines()) <= 300


def test_files_are_compressed_and_only_sent_when_they_changed(client: TestClient) -> None:
    first = client.get("/page/main.js", headers={"accept-encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip" and "export function problem" in first.text
    again = client.get("/page/main.js", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304 and again.content == b""
    plain = client.get("/page/main.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.text == first.text


def test_plotly_is_kept_for_a_year_under_a_name_with_its_version(client: TestClient) -> None:
    name = re.search(r'content="page/(plotly-[^"]+)"', client.get("/").text)
    assert name
    answer = client.get(f"/page/{name[1]}", headers={"accept-encoding": "gzip"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert int(answer.headers["content-length"]) < 2_000_000
    found = page_file(name[1])
    assert found is not None and found.packed is not None and gzip.decompress(found.packed) == found.body


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fapi.py", "%2E%2E/api.py", "plotly-0.0.0.min.js", "__init__.py"])
def test_nothing_but_files_of_the_page_is_sent(client: TestClient, name: str) -> None:
    assert error_of(client.get(f"/page/{name}"))["code"] == "not_found"


def test_users_are_found_by_a_part_of_their_id_in_any_case(ask: Asking, world: World) -> None:
    def found(prefix: str) -> list[str]:
        return [user["user_id"] for user in ask.get("/v1/users", prefix=prefix, limit=100)["users"]]

    assert found("USER-")[0].startswith("user-") and len(found("user-")) == 8
    assert found("<b")[0] == "<b>"
    assert {"a/b", "a%2Fb"} <= set(found("b")) and found("b")[0] == BIO_ONLY
    assert set(found("")) == set(world.user_ids)
    assert found("nobody at all") == []
    counts = [user["n_events"] for user in ask.get("/v1/users", limit=100)["users"]]
    assert counts == sorted(counts, reverse=True)
    assert ask.get("/v1/users")["users"][0]["user_id"] == HEAVY


@pytest.mark.parametrize("user_id", [HEAVY, "a", BIO_ONLY, SILENT, "Ünï 😀"])
def test_one_answer_is_what_the_single_routes_say(ask: Asking, user_id: str) -> None:
    asked = {"kind": "hyperbolic", "half_life": "11d"}
    view = ask.user(user_id, "view", explain=True, k=7, **asked)
    assert view["profile"] == ask.user(user_id, "profile", **asked)
    assert view["recommendations"] == ask.user(user_id, "recommendations", explain=True, k=7, **asked)
    assert view["neighbors"] == ask.user(user_id, "neighbors", **asked)["neighbors"]
    assert view["neighbors_among"] is None and view["without"] == []
    ages, weights = view["curve"]["ages_s"], view["curve"]["weights"]
    np.testing.assert_allclose(weights, Decay("hyperbolic", "11d").weights(np.array(ages)))


def test_interests_hold_every_event_and_all_of_the_weight(ask: Asking) -> None:
    for half_life in ("1d", "1y"):
        view = ask.user(HEAVY, "view", half_life=half_life)
        assert sum(group["share"] for group in view["interests"]) == pytest.approx(1)
        assert sum(group["n_events"] for group in view["interests"]) == view["profile"]["n_events"]
    events = ask.user(HEAVY, "events", limit=5000)
    assert {event["group"] for event in events["events"]} == {group["group"] for group in view["interests"]}
    assert ask.user(SILENT, "view")["interests"] == []


def test_without_a_post_everything_is_as_if_it_had_not_been(ask: Asking) -> None:
    for user_id in ("a", HEAVY):
        events = ask.user(user_id, "events")["events"]
        before = ask.user(user_id, "view")
        gone = next(e for e in events if e["weight"] > 0 and e["timestamp"] < before["as_of"])["event_id"]
        after = ask.user(user_id, "view", without=[gone, "no such event"])
        assert after["without"] == [gone] and after["profile"]["error_bound"] == 0
        assert after["profile"]["n_events"] == before["profile"]["n_events"] - 1
        assert after["profile"]["mass"] < before["profile"]["mass"]
    everything = [event["event_id"] for event in ask.user("a", "events")["events"]]
    assert ask.user("a", "view", without=everything)["basis"] == "bio"


def test_events_come_newest_first_and_a_page_at_a_time(ask: Asking) -> None:
    events = ask.user(HEAVY, "events", limit=1000)
    times = [event["timestamp"] for event in events["events"]]
    assert times == sorted(times, reverse=True) and len(times) == events["n_events"]
    rest = ask.user(HEAVY, "events", limit=3, before=times[9])["events"]
    assert rest == events["events"][10:13]


@pytest.mark.parametrize("kind", ["users", "items"])
def test_the_map_holds_everybody_once_with_a_colour_and_a_name(client: TestClient, ask: Asking, kind: str) -> None:
    sheet = sheet_of(client, kind)
    assert sheet["n"] == sheet["n_total"] == len(set(sheet["number"].tolist())) > 20
    assert np.isfinite(sheet["x"]).all() and (sheet["topic"] < len(sheet["topics"])).all()
    assert sheet["languages"] == ["en"] and (sheet["language"] <= 1).all()
    assert 0 < sum(sheet["explained"]) <= 1
    named = [ask.get(f"/v1/map/{kind}/{number}") for number in sheet["number"][:5]]
    assert len({one["user_id" if kind == "users" else "item_id"] for one in named}) == 5
    assert error_of(client.get(f"/v1/map/{kind}/999999"))["code"].startswith("unknown_")


def test_a_path_ends_where_the_user_lies_on_the_map(client: TestClient, ask: Asking) -> None:
    sheet = sheet_of(client, "users")
    numbers = {ask.get(f"/v1/map/users/{n}")["user_id"]: i for i, n in enumerate(sheet["number"].tolist())}
    as_of = np.datetime64(AS_OF_US, "us").astype(str) + "Z"
    for user_id in ("a", HEAVY):
        end = ask.user(user_id, "path", points=5, to=as_of)["points"][-1]
        i = numbers[user_id]
        np.testing.assert_allclose([end["x"], end["y"]], [sheet["x"][i], sheet["y"][i]], atol=2e-3)


def test_the_overview_says_what_is_served_and_how_fast(ask: Asking) -> None:
    overview = ask.get("/v1/overview")
    assert overview["snapshot"] == ask.get("/v1/snapshot")
    assert {"exponential", "static"} <= set(overview["snapshot"]["kinds"])
    assert {"cosine_time", "cosine", "basic"} <= set(overview["snapshot"]["metrics"])
    assert overview["alarms"] == [] and overview["token_needed"] is False
    assert {"/v1/users/{user_id:any_id}/view", "/"} <= {one["route"] for one in overview["latencies"]}
    assert all(one["p50_s"] <= one["p95_s"] <= one["p99_s"] for one in overview["latencies"])


def test_reports_are_listed_newest_first_and_read_as_columns(ask: Asking, client: TestClient, world: World) -> None:
    assert ask.get("/v1/reports")["reports"] == []
    folder = Path(world.workspace.path("reports"))
    for name, text in (("study", '{"notes": ["<b>one</b>"], "best": NaN}'), ("monitor-1", MONITORED)):
        (folder / name).mkdir(parents=True)
        (folder / name / "report.json").write_text(text, encoding="utf-8")
    (folder / "study" / "results.csv").write_text("method,value,low\na,0.5,\nb,nan,0.1\n", encoding="utf-8")
    (folder / "study" / "broken.csv").write_text("a,b\n1\n2,3,4\n", encoding="utf-8")
    listed = {report["name"]: report["kind"] for report in ask.get("/v1/reports")["reports"]}
    assert listed == {"study": "evaluation", "monitor-1": "monitoring"}
    study = ask.get("/v1/reports/study")
    assert study["documents"] == {"report": {"notes": ["<b>one</b>"], "best": None}}
    assert study["tables"]["results"] == {
        "n_rows": 2,
        "columns": {"method": ["a", "b"], "value": [0.5, None], "low": [None, 0.1]},
    }
    assert list(study["unread"]) == ["broken.csv"]
    assert ask.get("/v1/overview")["alarms"] == [{"source": "monitoring", "message": "auc: value 0.7, limit 0.6"}]
    for name in ("nothing", "..", "study%2Freport.json"):
        assert client.get(f"/v1/reports/{name}").status_code == 404


def test_the_files_need_no_token_and_every_answer_does(world: World) -> None:
    engine = Engine.open(world.workspace, neighbor_cache_bytes=1 << 20)
    client = TestClient(make_api(engine, access=parse_tokens(f"reader read {TOKEN}", source="test")))
    assert client.get("/").status_code == client.get("/page/base.css").status_code == 200
    of_user = ("view", "events", "path")
    paths = ["users", "map/users", "map/users/1", "overview", "reports", *(f"users/a/{what}" for what in of_user)]
    for path in paths:
        assert client.get(f"/v1/{path}").status_code == 401
        assert client.get(f"/v1/{path}", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_who_was_erased_is_found_nowhere_and_who_came_is(ask: Asking, client: TestClient) -> None:
    user_id = "user-3"
    post = {"user_id": user_id, "timestamp": AS_OF_US, "item_id": "mine", "event_id": "mine", "text": "live and mine"}
    assert client.post("/v1/events", json={**post, "event_type": "post"}).status_code == 202
    numbers = range(int(sheet_of(client, "items")["number"].max()) + 20)  # and what came live
    mine = [n for n in numbers if client.get(f"/v1/map/items/{n}").json().get("author_id") == user_id]
    numbers = sheet_of(client, "users")["number"].tolist()
    number = next(n for n in numbers if ask.get(f"/v1/map/users/{n}")["user_id"] == user_id)
    assert client.delete(f"/v1/users/{user_id}").status_code == 200
    assert user_id not in [user["user_id"] for user in ask.get("/v1/users", limit=100)["users"]]
    assert number not in sheet_of(client, "users")["number"]
    assert client.get(f"/v1/map/users/{number}").status_code == 404
    assert mine and not set(mine) & set(sheet_of(client, "items")["number"].tolist())
    assert {client.get(f"/v1/map/items/{n}").status_code for n in mine} == {404}
    for what in ("view", "events", "path"):
        assert error_of(client.get(f"/v1/users/{user_id}/{what}"))["code"] == "unknown_user"
    new = "new/<i>😀"
    client.post("/v1/events", json={"user_id": new, "timestamp": AS_OF_US, "item_id": "shared"})
    assert [user["user_id"] for user in ask.get("/v1/users", prefix="NEW/")["users"]] == [new]


def test_an_erased_event_is_in_no_map_and_no_export(ask: Asking, client: TestClient, world: World) -> None:
    said = Counter(world.events["text"].to_pylist())
    gone = next(e for e in world.events.to_pylist() if said[e["text"]] == 1 and e["user_id"].startswith("user-4"))
    export, numbers = f"/v1/users/{gone['user_id']}/export", sheet_of(client, "items")["number"].tolist()
    number = next(n for n in numbers if ask.get(f"/v1/map/items/{n}")["text"] == gone["text"])
    before = {event["event_id"] for event in ask.get(export)["snapshot"]["events"]}
    assert client.delete(f"/v1/events/{gone['event_id']}").status_code == 200
    assert before - {event["event_id"] for event in ask.get(export)["snapshot"]["events"]} == {gone["event_id"]}
    assert number not in sheet_of(client, "items")["number"]
    assert client.get(f"/v1/map/items/{number}").status_code == 404
    assert client.get(f"/v1/items/{gone['event_id']}/similar").status_code == 404


@pytest.mark.parametrize("user_id", [i for i in ODD_IDS if i != "a%2Fb"])
def test_any_id_can_be_looked_at(client: TestClient, user_id: str) -> None:
    for what in ("view", "events", "path"):
        answer = client.get(f"/v1/users/{quote(user_id, safe='')}/{what}")
        assert answer.status_code == 200 and answer.json()["user_id"] == user_id
