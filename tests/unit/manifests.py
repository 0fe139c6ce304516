"""The manifests of deploy/ as Python values, and the pods in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

__all__ = ["DEPLOY", "MANIFESTS", "POD_TEMPLATES", "RAY_CLUSTERS", "REPO", "manifest"]

REPO = Path(__file__).parents[2]
DEPLOY = REPO / "deploy"
MANIFESTS: list[dict[str, Any]] = [
    document
    for path in sorted(DEPLOY.glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]


def manifest(kind: str) -> dict[str, Any]:
    """The only one of a kind."""
    (found,) = [m for m in MANIFESTS if m["kind"] == kind]
    return found


RAY_CLUSTERS: dict[str, dict[str, Any]] = {
    "job": manifest("RayJob")["spec"]["rayClusterSpec"],
    "service": manifest("RayService")["spec"]["rayClusterConfig"],
}


def _pod_templates(node: Any, path: str = "") -> dict[str, dict[str, Any]]:
    """Every pod template by its place, wherever it stands."""
    if isinstance(node, list):
        return {k: v for i, item in enumerate(node) for k, v in _pod_templates(item, f"{path}[{i}]").items()}
    if not isinstance(node, dict):
        return {}
    found = {path: node} if "containers" in node.get("spec", {}) else {}
    return found | {k: v for name, item in node.items() for k, v in _pod_templates(item, f"{path}.{name}").items()}


POD_TEMPLATES: dict[str, dict[str, Any]] = {k: v for m in MANIFESTS for k, v in _pod_templates(m, m["kind"]).items()}
