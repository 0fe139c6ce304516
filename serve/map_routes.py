"""Routes of the map: where users or items lie in two dimensions, and what a point is."""

from __future__ import annotations

import gzip
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from dynprof.atlas import Sheet
from dynprof.errors import UnknownItemError, UnknownUserError
from dynprof.umap_places import SheetKind
from serve.about import about_snapshot, datetime_of
from serve.access import needs
from serve.engine import Engine
from serve.errors import UnknownMapError, responses
from serve.item_schemas import ItemAnswer
from serve.loaded import LoadedEngine
from serve.page_data import Axes
from serve.view_schemas import FoundUser

__all__ = ["PACKED", "router"]

PACKED = "application/vnd.dynprof.map"
_ALIGNED = 4

router = APIRouter(prefix="/v1/map", tags=["page"], dependencies=[needs("read")])


Number = Annotated[int, Path(ge=0, le=2**53, description="From `number` of the map.")]


@router.get(
    "/{kind}",
    response_class=Response,
    responses={
        **responses(400, 413),
        200: {"content": {PACKED: {"schema": {"type": "string", "format": "binary"}}}},
    },
)
def sheet(
    kind: SheetKind,
    engine: LoadedEngine,
    request: Request,
    axes: Annotated[Axes, Query(description="`umap` where `jobs.map` was run for the snapshot.")] = "components",
) -> Response:
    """All points, packed: see docs/page.md. At most 100,000; the axes are those of the snapshot and never move."""
    arranged = engine.page.arranged(kind)
    made = engine.page.sheet(kind) if axes == "components" else arranged
    if made is None:
        raise UnknownMapError(f"axes: found no map of {kind} by UMAP of {engine.store.name}. Run jobs.map.")
    offered = ["components"] if arranged is None else ["components", "umap"]
    named = {"encoder": engine.encoder.model_dump(), "kind": kind, "axes": axes, "offered": offered}
    body = _packed(made.without(_gone(engine, kind)), {**about_snapshot(engine), **named})
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(gzip.compress(body, 1), 200, {**headers, "Content-Encoding": "gzip"}, PACKED)
    return Response(body, 200, headers, PACKED)


@router.get("/users/{number}", responses=responses(400, 413))
def user(number: Number, engine: LoadedEngine) -> FoundUser:
    """Who a point is."""
    directory = engine.page.directory
    if number >= len(directory.ids) or engine.users.is_erased(str(directory.ids[number].as_py())):
        raise UnknownUserError(f"number: expected a user of {engine.store.name}, found none of number {number}.")
    n_events = int(directory.n_events[number])
    last_at = datetime_of(int(directory.last_us[number])) if n_events else None
    return FoundUser(user_id=str(directory.ids[number].as_py()), n_events=n_events, last_event_at=last_at)


@router.get("/items/{number}", responses=responses(400, 413))
def item(number: Number, engine: LoadedEngine) -> ItemAnswer:
    """What a point is."""
    catalogue = engine.page.catalogue
    rows = np.array([number])
    if number >= len(catalogue) or catalogue.index.is_removed(rows)[0]:
        raise UnknownItemError(f"number: expected an item of {engine.store.name}, found none of number {number}.")
    return ItemAnswer(**catalogue.take(rows).to_pylist()[0])


def _gone(engine: Engine, kind: SheetKind) -> list[int]:
    """Numbers of whom nothing may be answered any more."""
    if kind == "items":
        numbers = engine.page.sheet("items").numbers
        return list(numbers[engine.page.catalogue.index.is_removed(numbers)])
    if engine.live is None:
        return []
    return list(engine.page.hidden(engine.live.users.overlay.n_erased_users, engine.users.is_erased))


def _packed(made: Sheet, named: dict[str, Any]) -> bytes:
    """A header in JSON, then arrays: little endian, each at a multiple of 4 bytes."""
    arrays = {
        "number": made.numbers.astype("<u4"),
        "x": made.places[:, 0].astype("<f4"),
        "y": made.places[:, 1].astype("<f4"),
        "activity": made.activity.astype("<f4"),
        "language": made.languages.of,
        "topic": made.topics.of,
    }
    offset, listed, parts = 0, [], []
    for name, array in arrays.items():
        listed.append({"name": name, "type": array.dtype.str[1:], "offset": offset})
        parts.append(_aligned(array.tobytes()))
        offset += len(parts[-1])
    header = {
        **named,
        "n": len(made.numbers),
        "n_total": made.n_total,
        "explained": made.projection.explained.tolist() if made.is_projected else [],
        "languages": made.languages.names,
        "topics": made.topics.names,
        "arrays": listed,
    }
    text = _aligned(orjson.dumps(header), b" ")
    return b"".join([len(text).to_bytes(4, "little"), text, *parts])


def _aligned(data: bytes, fill: bytes = b"\0") -> bytes:
    return data + fill * (-len(data) % _ALIGNED)
