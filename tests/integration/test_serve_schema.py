"""Whatever the schema allows, and much that it does not: no server error, and no answer that the schema lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from serving_world import World, make_world

from dynprof.live.open_log import open_log
from serve.access import SCOPES, parse_tokens
from serve.api import make_api
from serve.engine import Engine
from serve.live import LiveService

TOKEN = "a-token-for-everything"  # noqa: S105
ACCESS = parse_tokens(f"tester {','.join(SCOPES)} {TOKEN}", source="test")
N_EXAMPLES = 20  # of an operation and mode: seconds together
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
OPERATIONS = [
    (path, method) for path, methods in make_api(None).openapi()["paths"].items() for method in sorted(methods)
]
# Left out are two checks. Of a query, that what does not fit the schema is refused: it has no types, a list of one
# number is written as the number is. And that whatever fits the schema is accepted: it cannot say that a half-life is a
# duration between a second and a century, nor that of two parameters one must be given.
# Any id at all can be erased, so nothing is wrong there.
LEFT_OUT = {
    "post": [positive_data_acceptance],
    "get": [positive_data_acceptance, negative_data_rejection],
    "delete": [positive_data_acceptance, negative_data_rejection],
}
ASKED = [
    (path, method, mode)
    for path, method in OPERATIONS
    for mode in GenerationMode
    if mode == GenerationMode.POSITIVE or not path.startswith("/health")  # which has nothing that could be wrong
]


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    world: World = make_world(tmp_path_factory.mktemp("schema"))
    engine = Engine.open(world.workspace, neighbor_cache_bytes=1 << 20)
    log = open_log(str(tmp_path_factory.mktemp("log")))
    yield schemathesis.openapi.from_asgi("/openapi.json", make_api(engine, LiveService(log), access=ACCESS))
    log.close()


@pytest.mark.parametrize(("path", "method", "mode"), ASKED, ids=str)
def test_every_answer_is_one_that_the_schema_has(interface: Any, path: str, method: str, mode: GenerationMode) -> None:
    operation = interface[path][method]
    left_out = [*LEFT_OUT[method]]
    if path == "/v1/events":  # where each event has an outcome of its own: a bad one among several is no error
        left_out.append(negative_data_rejection)

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=N_EXAMPLES, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        case.call_and_validate(headers=AUTHORIZED, excluded_checks=left_out)

    ask()
