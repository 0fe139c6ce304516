"""An evaluation as a page: from the results table and `report.json` to sections."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dynprof import __version__
from dynprof.errors import WorkspaceError
from dynprof.filesystems import open_input
from dynprof.reporting.asked import asked_section, is_leaky
from dynprof.reporting.blocks import Page
from dynprof.reporting.evaluation_choice import choice_section
from dynprof.reporting.evaluation_decays import decays_section
from dynprof.reporting.evaluation_methods import beyond_section, headline, methods_section, windows_section
from dynprof.reporting.evaluation_slices import slices_section
from dynprof.reporting.files import REPORTS, save_page
from dynprof.reporting.results import Results
from dynprof.workspace import Workspace

__all__ = ["evaluation_page", "read_evaluation", "write_evaluation"]

_TABLE, _DOCUMENT = "results.parquet", "report.json"


def evaluation_page(name: str, table: pa.Table, document: Mapping[str, Any]) -> Page:
    """The page of one report.

    Args:
        name: Of the report.
        table: Of the schema `dynprof.evaluation.results.RESULTS`; may be empty.
        document: `report.json`.
    """
    results = Results(table)
    choice = document.get("choice")
    leaky = "Leaky (leave-one-out): " if is_leaky(document) else ""
    sections = [
        asked_section(document),
        methods_section(results),
        decays_section(results),
        windows_section(results),
        slices_section(results),
        beyond_section(results),
        choice_section(choice),
    ]
    parameters = document.get("parameters", {})
    made_of = ", ".join(
        f"{k.replace('_', ' ')} {parameters[k]}" for k in ("corpus_id", "fingerprint") if k in parameters
    )
    footer = f"dynprof {__version__}. Numbers: {REPORTS}/{name}/results.csv. {made_of}"
    return Page(f"{leaky}Evaluation {name}", headline(results), sections, footer)


def read_evaluation(workspace: Workspace, name: str) -> tuple[pa.Table, dict[str, Any]]:
    """The table and the document of a report.

    Raises:
        WorkspaceError: There is no such report, or it is not whole.
    """
    missing = [f for f in (_TABLE, _DOCUMENT) if not workspace.exists(REPORTS, name, f)]
    if missing:
        known = [f for f in workspace.folders(REPORTS) if workspace.exists(REPORTS, f, _DOCUMENT)]
        raise WorkspaceError(
            f"{workspace.path(REPORTS, name)}: expected a finished report, found no {' and no '.join(missing)}; "
            f"finished are {', '.join(known) or 'none'}. Run `python -m jobs.evaluate --report {name}` first."
        )
    with open_input(workspace.filesystem, workspace.path(REPORTS, name, _TABLE)) as source:
        table = pq.read_table(source)
    with open_input(workspace.filesystem, workspace.path(REPORTS, name, _DOCUMENT)) as source:
        document = json.loads(bytes(source.read()))
    return table, document


def write_evaluation(workspace: Workspace, name: str) -> list[str]:
    """Read a report and write its page, with the plots as PNG and CSV.

    Returns:
        Paths below the workspace of what was written, the page's first.

    Raises:
        WorkspaceError: There is no such report, or a file cannot be written.
    """
    table, document = read_evaluation(workspace, name)
    return save_page(workspace, name, evaluation_page(name, table, document))
