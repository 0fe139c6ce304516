"""The first section of an evaluation: protocol, windows, counts, notes, and whether the protocol leaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dynprof.reporting.blocks import Block, Facts, Notes, Prose, Section, Warned
from dynprof.reporting.table import Cell, Table

__all__ = ["asked_section", "flat_pairs", "is_leaky"]

LEAKY = (
    "Leaky: leave-one-out. Each user's last event is the test, whenever it was, and everything else is the past: "
    "popularity and factors have seen other users' future. Compare with papers that do the same, with nothing else."
)
_COUNTS = {
    "window_start": "from",
    "window_stop": "to (exclusive)",
    "n_window": "events",
    "n_eligible": "eligible",
    "n_tested": "tested",
    "n_users": "users",
    "n_without_history": "without history",
    "median_candidates": "median candidates",
}
_MOST_SHOWN = 160


def asked_section(document: Mapping[str, Any]) -> Section:
    """Of `report.json`: `parameters`, `windows` or `facts`, `notes`; what is not there is left out."""
    parameters = dict(document.get("parameters", {}))
    blocks: list[Block] = [Warned(LEAKY)] if is_leaky(document) else []
    blocks.append(
        Prose(
            "Each test event is predicted from what happened strictly before it, among all items that appeared "
            "strictly before it. Nothing is sampled from the candidates; ties count as their expected value in "
            "random order."
        )
    )
    windows = _windows(document)
    if windows:
        blocks.append(_counts(windows))
    if document.get("notes"):
        blocks.append(Notes([str(n) for n in document["notes"]]))
    if parameters:
        blocks.append(Facts(flat_pairs(parameters)))
    return Section("asked", "What was asked", blocks)


def is_leaky(document: Mapping[str, Any]) -> bool:
    """True where the protocol sees the future of other users."""
    parameters = document.get("parameters", {})
    return bool(parameters.get("leave_one_out") or document.get("leaky"))


def _windows(document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Name and facts of each window, in whichever of its forms the document has them."""
    found = document.get("windows") or document.get("facts") or {}
    if isinstance(found, Mapping) and "n_tested" in found:
        return [("test", found)]
    if isinstance(found, Mapping):
        return [(str(name), facts) for name, facts in found.items() if isinstance(facts, Mapping)]
    return [(str(w.get("window") or w.get("name") or i), w.get("facts", w)) for i, w in enumerate(found, 1)]


def _counts(windows: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    known = [c for c in _COUNTS if any(c in facts for _, facts in windows)]
    rows: list[list[Cell]] = [[name, *(facts.get(c) for c in known)] for name, facts in windows]
    forms = ["", *("" if c.startswith("window") else ",.0f" for c in known)]
    return Table("Windows of time, and their events", ["window", *(_COUNTS[c] for c in known)], rows, forms)


def flat_pairs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Nested values as pairs of texts, `decay half life` by `30d`; long lists are cut, and say so."""
    return [(name.replace("_", " "), _shown(value)) for name, value in _flat("", values)]


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{prefix} {name}".strip(), inner)
    else:
        yield prefix, value


def _shown(value: Any) -> str:
    if value is None or value in ([], {}, ()):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return _cut(
            ", ".join(
                _shown(v) if not isinstance(v, Mapping) else " ".join(_shown(x) for x in v.values()) for v in value
            )
        )
    return _cut(str(value))


def _cut(text: str) -> str:
    return (
        text
        if len(text) <= _MOST_SHOWN
        else f"{text[:_MOST_SHOWN]} … ({len(text) - _MOST_SHOWN} characters more in report.json)"
    )
