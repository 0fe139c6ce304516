"""A page in a workspace: `reports/<name>.html`, and each of its plots as PNG and CSV in `reports/<name>/`."""

from __future__ import annotations

from dynprof.reporting.blocks import Page
from dynprof.reporting.page import render_page
from dynprof.reporting.static import draw
from dynprof.reporting.table import chart_table, render_csv
from dynprof.workspace import Workspace

__all__ = ["REPORTS", "save_page"]

REPORTS = "reports"


def save_page(workspace: Workspace, name: str, page: Page) -> list[str]:
    """Write the page and the files of its plots; the page comes last: where it stands, all of it does.

    Args:
        workspace: Where.
        name: Of the report; a file name without suffix.
        page: What.

    Returns:
        Paths below the workspace, the page's first.

    Raises:
        WorkspaceError: A file cannot be written.
    """
    written = [f"{REPORTS}/{name}.html"]
    _remove_old(workspace, name, {chart.name for chart in page.charts})
    for chart in page.charts:
        contents = {"png": draw(chart), "csv": render_csv(chart_table(chart)).encode()}
        for suffix, content in contents.items():
            file = f"{chart.name}.{suffix}"
            with workspace.create(REPORTS, name, file) as sink:
                sink.write(content)
            written.append(f"{REPORTS}/{name}/{file}")
    with workspace.create(REPORTS, f"{name}.html") as sink:
        sink.write(render_page(page).encode())
    return written


def _remove_old(workspace: Workspace, name: str, kept: set[str]) -> None:
    """Plots of an earlier page of that name that this one does not have."""
    for file in workspace.files(REPORTS, name, suffix=".png"):
        stem = file.removesuffix(".png")
        if stem not in kept:
            for suffix in ("png", "csv"):
                workspace.remove(REPORTS, name, f"{stem}.{suffix}")
