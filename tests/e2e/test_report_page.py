"""A report in a real browser: every plot is drawn, light and dark, wide and narrow, and no request leaves the page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dynprof.reporting import render_page
from dynprof.reporting.evaluation_page import evaluation_page
from tests.unit.report_data import DOCUMENT, whole_table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WATCH = """<script>
const blocked = [], failed = [];
addEventListener("securitypolicyviolation", (e) => blocked.push(e.violatedDirective + " " + e.blockedURI));
addEventListener("error", (e) => failed.push(String(e.message)));
</script>"""
TELL = """<script>
const plots = [...document.querySelectorAll(".plot")];
document.title = JSON.stringify({
  blocked, failed,
  requests: performance.getEntriesByType("resource").map((e) => e.name),
  plots: plots.length,
  drawn: plots.filter((p) => p.querySelector("svg.main-svg")).length,
  wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  injected: document.querySelectorAll("main img, main b").length,
  paper: getComputedStyle(document.body).backgroundColor,
});
</script>"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page that tells what happened to it."""
    document = render_page(evaluation_page("study", whole_table(), DOCUMENT))
    path = tmp_path_factory.mktemp("report") / "study.html"
    told = document.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{WATCH}', 1)
    path.write_text(told.replace("</body>", f"{TELL}</body>"), encoding="utf-8")
    return path


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)")
@pytest.mark.parametrize(
    ("width", "scheme", "paper"), [(1280, 1, "rgb(246, 247, 249)"), (500, 0, "rgb(15, 18, 22)")], ids=["light", "dark"]
)
def test_every_plot_is_drawn_and_no_request_leaves_the_page(watched: Path, width: int, scheme: int, paper: str) -> None:
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={watched.parent / str(width)}",
        f"--window-size={width},900", f"--blink-settings=preferredColorScheme={scheme}", "--virtual-time-budget=10000",
        "--dump-dom", watched.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(\{.*?\})</title>", done.stdout, re.DOTALL)
    assert title, done.stdout[-2_000:]
    said = json.loads(title[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    assert said["failed"] == []
    assert said["blocked"] == []
    assert said["requests"] == []
    assert said["plots"] == said["drawn"] > 10
    assert said["wider"] <= 0
    assert said["injected"] == 0
    assert said["paper"] == paper
