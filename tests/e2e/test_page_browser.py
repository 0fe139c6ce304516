"""The page in a real browser: every view, the slider, live events, erasure, and texts that are never interpreted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from live_world import embed_and_build, write_base
from serving_world import HEAVY, World, make_world

from dynprof.umap_places import Placing, save_places
from dynprof.workspace import Workspace
from e2e.page_server import chromium, serving
from serve.access import parse_tokens

REPO = Path(__file__).parents[2]
PICTURES = REPO / "build" / "page"
SLOW_MS = 20_000
TOKEN = "a-token-for-the-page-to-use"  # noqa: S105
ATTACK = '"><img src=x onerror="window.hacked=1"><b>bold</b>/../&amp;%3Cscript%3E😀'
VIEWS = ("", "user", "user/heavy", "map", "evaluation", "monitoring")
SAID_WHERE_NOTHING_IS = {
    "user": "Nobody is in this snapshot",
    "map": "There are no users",
    "evaluation": "jobs.evaluate",
    "monitoring": "jobs.monitor",
}
PHONE = {"width": 390, "height": 844}

SOMETHING_IS_DRAWN = """() => {
    const [drawn, copy] = [document.querySelector('canvas'), document.createElement('canvas')];
    [copy.width, copy.height] = [drawn.width, drawn.height];
    const pen = copy.getContext('2d');
    pen.drawImage(drawn, 0, 0);
    return pen.getImageData(0, 0, copy.width, copy.height).data.some((value) => value > 0);
}"""
NAMELESS = """() => [...document.querySelectorAll('button, a, input, select, textarea')]
    .filter((one) => one.offsetParent && !one.ariaHidden)
    .filter((one) => !(one.textContent.trim() || one.ariaLabel || one.title || one.labels?.length))
    .map((one) => one.outerHTML)"""

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def world(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> World:  # noqa: ARG001 - skips before it is made
    made = make_world(tmp_path_factory.mktemp("browser"))
    write_reports(Path(made.workspace.path("reports")))
    return made


@pytest.fixture(scope="module")
def site(world: World) -> Iterator[str]:
    with serving(world.workspace) as url:
        yield url


@pytest.fixture
def visit(browser: Any, site: str) -> Iterator[Open]:
    """Opens a view; at the end the browser must have complained of nothing and asked no other host."""
    complaints: list[str] = []
    contexts = []

    def open_at(path: str = "", *, at: str = site, allowed: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1360, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.extend(bad_news(message, allowed)))
        page.on("request", lambda r: r.url.startswith((at, "blob:", "data:")) or complaints.append(r.url))
        page.goto(f"{at}/#/{path}")
        page.wait_for_selector("main :is(h1, [role=alert]), dialog[open]")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert complaints == []


def bad_news(message: Any, allowed: str) -> list[str]:
    """What the console says of an error; nothing where that was expected."""
    expected = message.type != "error" or (allowed and allowed in message.text)
    return [] if expected else [message.text]


def write_reports(folder: Path) -> None:
    """As the jobs write them: an evaluation with its results, a monitoring report with tables and an alarm."""
    for name in ("study", "monitor-now"):
        (folder / name).mkdir(parents=True)
    head = "window,slice,slice_value,method,family,kind,half_life_s,similarity,metric,n_tests,n_users,value,low,high"
    rows = [
        f"test,all,all,<b>exponential</b> {days}d,profiles,exponential,{days * 86400},cosine,{metric},90,12,"
        f"{0.1 + days / 100 + (metric == 'mrr@10') / 10},{0.05 + days / 100},{0.2 + days / 100}"
        for days in (1, 7, 30)
        for metric in ("ndcg@10", "mrr@10")
    ]
    (folder / "study" / "results.csv").write_text("\n".join([head, *rows]), encoding="utf-8")
    (folder / "study" / "report.json").write_text(json.dumps({"notes": ["Three <i>windows</i>."]}), encoding="utf-8")
    table = [f"{a / 10},{schedule},{9 - a}" for a in range(1, 6) for schedule in ("hour", "day")]
    text = "\n".join(["alpha,schedule,interactions", *table])
    (folder / "monitor-now" / "maturity.csv").write_text(text, encoding="utf-8")
    alarm = {"measure": "auc", "value": 0.7, "limit": 0.6}
    (folder / "monitor-now" / "report.json").write_text(json.dumps({"alarms": [alarm]}), encoding="utf-8")


def picture(page: Any, name: str) -> None:
    """Kept for whoever wants to look; the page must be looked at, not only tested."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def user_at(user_id: str) -> str:
    return f"user/{quote(user_id, safe='')}"


def text_of(page: Any, selector: str) -> str:
    return str(page.inner_text(selector))


def settle(page: Any) -> None:
    page.wait_for_load_state("networkidle")


def test_the_overview_says_what_is_served_and_what_is_wrong(visit: Open, world: World) -> None:
    page = visit()
    assert str(len(world.user_ids)) in text_of(page, ".facts")
    assert "auc" in text_of(page, "#alarms") and world.snapshot in text_of(page, "#meaning")
    settle(page)
    picture(page, "overview-light")


def test_a_user_is_found_from_the_keyboard_alone(visit: Open) -> None:
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type("HEA")
    page.wait_for_selector("[role=option][aria-selected=true]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#decay")
    assert text_of(page, "h1") == HEAVY and "60 events" in text_of(page, ".head")


def test_the_slider_redraws_everything_with_one_request_a_time(visit: Open) -> None:
    page = visit(user_at(HEAVY))
    page.wait_for_selector("#timeline path.line")
    settle(page)
    asked: list[str] = []
    page.on("request", lambda request: "/v1/" in request.url and asked.append(request.url))
    before = {part: text_of(page, part) for part in ("#decay", "#interests", "#recommendations", "#neighbors")}
    curve, moved = (page.get_attribute(path, "d") for path in ("#decay path.curve", "#timeline path.line"))
    page.focus("#half-life")
    for _ in range(3):
        page.keyboard.press("PageDown")
    page.wait_for_function("() => location.hash.includes('half_life=') && !location.hash.includes('half_life=30d')")
    half_life = page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('half_life')")
    page.wait_for_selector(f'.control[data-shown="exponential {half_life}"]')
    page.wait_for_function("d => document.querySelector('#timeline path.line').getAttribute('d') !== d", arg=moved)
    assert asked and all(("/view?" in url) or ("/timeline?" in url) for url in asked)
    assert sum("/view?" in url for url in asked) <= 3 and any("/timeline?" in url for url in asked)
    assert page.get_attribute("#decay path.curve", "d") != curve
    assert [part for part, text in before.items() if text_of(page, part) == text] == []
    assert f"half_life={half_life}" in next(url for url in reversed(asked) if "/view?" in url)
    assert "days" in page.get_attribute("#half-life", "aria-valuetext") and "redrawn in" in text_of(page, "#took")
    picture(page, "user-light")


def test_the_decay_menu_changes_the_curve_and_static_has_no_half_life(visit: Open) -> None:
    page = visit(user_at(HEAVY) + "?kind=gaussian&half_life=7d")
    assert page.input_value("#kind") == "gaussian" and "7 d" in text_of(page, ".now")
    page.select_option("#kind", "static")
    page.wait_for_function("() => document.querySelector('#half-life').disabled && location.hash.includes('static')")
    assert "∞" in text_of(page, ".now")


def test_without_a_post_the_recommendations_are_others_and_it_can_be_taken_back(visit: Open) -> None:
    page = visit(user_at("a"))
    page.click("#recommendations summary >> nth=0")
    page.check("#recommendations .reasons input >> nth=0")
    page.wait_for_selector(".left-out:visible")
    assert "1 post had not been" in text_of(page, ".left-out")
    page.wait_for_selector("#posts li.gone")
    picture(page, "without")
    page.click(".left-out button")
    page.wait_for_selector(".left-out", state="hidden")
    assert page.query_selector("#posts li.gone") is None


def test_a_live_event_turns_the_profile_while_one_looks(visit: Open) -> None:
    page = visit(user_at("user-1"))
    page.fill("#post-text", "rocket orbit lander comet probe")
    page.click("#post button.main")
    page.wait_for_selector("#post .notice.good:has-text('the profile had turned by')")
    assert "rocket orbit lander comet probe" in text_of(page, "#posts li >> nth=0")


def test_what_is_kept_is_saved_as_a_file_and_then_erased(visit: Open) -> None:
    page = visit(user_at("user-2"), allowed="404")
    with page.expect_download() as saving:
        page.click("text=Export")
    assert json.loads(Path(saving.value.path()).read_text(encoding="utf-8"))["user_id"] == "user-2"
    page.click("text=Erase…")
    assert page.is_disabled("dialog button.bad")
    picture(page, "erase")
    page.fill("#erase-id", "user-2")
    page.click("dialog button.bad")
    page.wait_for_selector(".notice.good:has-text('is erased')")
    page.reload()
    page.wait_for_selector("[role=alert]:has-text('user-2')")
    page.fill("#find", "user-2")
    page.wait_for_selector("text=Nobody with that id")


@pytest.mark.parametrize("user_id", ["a/b", 'q"uote', "Ünï 😀", "<b>", "né\nw", "100%", "a%2Fb", "a?b#c", ATTACK])
def test_an_id_is_shown_as_it_is_and_never_interpreted(visit: Open, site: str, user_id: str) -> None:
    page = visit(allowed="404")
    if user_id == ATTACK:
        event = {"user_id": ATTACK, "timestamp": "2024-03-01T00:00:00Z", "text": f"{ATTACK} goal", "language": "<i>x"}
        assert page.request.post(f"{site}/v1/events", data=[event]).status == 202
    page.goto(f"{site}/#/{user_at(user_id)}")
    page.wait_for_selector("#decay" if user_id != ATTACK else "main h1, [role=alert]")
    page.wait_for_function("id => document.querySelector('h1 bdi')?.textContent === id", arg=user_id)
    page.fill("#find", user_id.split("\n")[0][:6])
    page.wait_for_selector("[role=option]")
    assert user_id in page.eval_on_selector_all("[role=option] bdi", "all => all.map(one => one.textContent)")
    settle(page)
    assert page.evaluate("window.hacked === undefined && document.images.length === 1")
    if user_id == ATTACK:
        assert f"{ATTACK} goal" in page.text_content("#posts")
        picture(page, "markup")


@pytest.mark.parametrize("kind", ["users", "items"])
def test_the_map_is_drawn_and_can_be_read_without_eyes_or_mouse(visit: Open, kind: str) -> None:
    page = visit(f"map?kind={kind}", color_scheme="dark")
    page.wait_for_selector("canvas[data-painter]")
    shown = page.evaluate(SOMETHING_IS_DRAWN)
    assert shown and len(page.query_selector_all(".legend button")) > 1
    page.focus("canvas")
    for key in ("+", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#point ol button >> nth=3")
    page.click("#point ol button >> nth=0")
    page.wait_for_selector("#point >> text=Topic:")
    page.select_option("#colour", "activity")
    page.wait_for_selector(".ramp")
    if kind == "users":
        page.fill("#map-find", "heavy")
        page.wait_for_selector("#path [role=option]")
        page.keyboard.press("Enter")
        page.wait_for_selector("#path >> text=half-life 30d")
    picture(page, f"map-{kind}-dark")


def test_where_umap_was_run_the_map_offers_it_and_draws_no_paths(visit: Open, world: World, tmp_path: Path) -> None:
    copy = Workspace(tmp_path / "arranged")
    shutil.copytree(world.workspace.path(), copy.path())
    numbers = np.arange(12)
    places = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    save_places(copy, world.snapshot, "users", numbers, places, Placing())
    with serving(copy) as url:
        page = visit("map?kind=users", at=url)
        page.click("text=UMAP")
        page.wait_for_selector("main:has-text('axes and distances mean nothing')")
        page.wait_for_selector("canvas[data-painter]")
        assert page.is_hidden("#map-find") and "axes=umap" in page.url
        picture(page, "map-umap")
        page.click("text=Components")
        page.wait_for_selector("#map-find")


def test_the_evaluation_is_drawn_with_its_intervals_and_by_half_life(visit: Open) -> None:
    page = visit("evaluation")
    page.wait_for_selector("#methods .main-svg")
    page.wait_for_selector("#half-lives .main-svg")
    assert "<b>exponential</b> 30d" in page.text_content("#methods .yaxislayer-above")
    assert "Three <i>windows</i>." in text_of(page, "#notes")
    page.select_option("#metric", "mrr@10")
    page.wait_for_selector("#numbers td:has-text('0.5')")
    page.click("#numbers th button >> nth=0")
    assert page.get_attribute("#numbers th >> nth=0", "aria-sort") == "ascending"
    settle(page)
    picture(page, "evaluation-light")


def test_monitoring_is_drawn_from_whatever_tables_there_are(visit: Open) -> None:
    page = visit("monitoring", color_scheme="dark")
    page.wait_for_selector("#table-maturity .main-svg")
    assert "auc" in text_of(page, "#alarms")
    settle(page)
    picture(page, "monitoring-dark")


def test_views_fit_a_phone_in_both_themes_and_everything_has_a_name(visit: Open, site: str) -> None:
    page = visit(viewport=PHONE, color_scheme="dark", has_touch=True)
    for view in VIEWS:
        page.goto(f"{site}/#/{view}")
        page.wait_for_selector(f"nav a[aria-current=page][href='#/{view.split('/')[0]}']")
        page.wait_for_selector("main h1")
        if view in ("evaluation", "monitoring"):
            page.wait_for_selector(".chart .main-svg")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        assert page.evaluate(NAMELESS) == [], view
        picture(page, f"phone-dark-{view.replace('/', '-') or 'overview'}")
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    picture(page, "phone-light")


def test_an_empty_workspace_says_what_to_do(visit: Open, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "empty")
    write_base(workspace, [])
    embed_and_build(workspace)
    with serving(workspace) as url:
        page = visit(at=url)
        assert "jobs.pipeline" in text_of(page, "#active")
        for view, said in SAID_WHERE_NOTHING_IS.items():
            page.goto(f"{url}/#/{view}")
            page.wait_for_selector(f"main:has-text('{said}')")
        picture(page, "empty")


def test_a_server_without_a_snapshot_or_with_a_defect_says_so(visit: Open, world: World, tmp_path: Path) -> None:
    with serving(None) as url:
        page = visit(at=url, allowed="503")
        assert "No snapshot is loaded yet" in text_of(page, "[role=alert]")
    broken = Workspace(tmp_path / "broken")
    shutil.copytree(world.workspace.path(), broken.path())
    with serving(broken) as url:
        page = visit(at=url, allowed="500")
        shutil.rmtree(broken.path("corpus", "events"))
        page.goto(f"{url}/#/user/heavy")
        page.wait_for_selector("[role=alert]:has-text('The server failed to answer; its log says why.')")
        picture(page, "error")
        page.goto(f"{url}/#/user")
        page.wait_for_selector("#who")


def test_a_token_is_asked_for_and_kept_nowhere_but_in_memory(visit: Open, world: World, tmp_path: Path) -> None:
    copy = Workspace(tmp_path / "guarded")
    shutil.copytree(world.workspace.path(), copy.path())
    with serving(copy, parse_tokens(f"reader read {TOKEN}", source="test")) as url:
        page = visit(at=url, allowed="40")
        for token in ("not-the-right-one", TOKEN):
            page.wait_for_selector("dialog[open] #token")
            picture(page, "token")
            page.fill("#token", token)
            page.click("dialog button.main")
        page.wait_for_selector(".facts")
        kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
        assert TOKEN not in page.evaluate(kept)
        page.goto(f"{url}/#/user/heavy")
        page.wait_for_selector("#decay")
        page.click("text=Export")
        page.wait_for_selector("dialog[open]:has-text(\"the scope 'admin'\")")
