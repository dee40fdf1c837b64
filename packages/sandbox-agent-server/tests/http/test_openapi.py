"""The description is true: it names every route, model and error, and every reference in it leads somewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pydantic import BaseModel
from sandbox_agent_core.errors import (
    InvalidRequest,
    SessionNotFound,
    TokenInvalid,
    UnsupportedAgent,
    UnsupportedMediaType,
)
from sandbox_agent_core.events import EVENT_CLASSES
from sandbox_agent_server.app import ROUTES, WEBSOCKETS
from sandbox_agent_server.http.openapi import describe
from sandbox_agent_server.http.route import ApiRoute, Query
from sandbox_agent_server.http.routes import ports

GOLDEN = Path(__file__).parents[3] / "sandbox-agent-core" / "tests" / "golden" / "events"


class Part(BaseModel):
    number: int


class Body(BaseModel):
    parts: list[Part]


class Result(BaseModel):
    part: Part


async def handler(_request: Any) -> None: ...


def route(method: str = "GET", path: str = "/v1/things", **more: Any) -> ApiRoute:
    return ApiRoute(
        method=method, path=path, handler=handler, summary="Of things.", tag="things", **more
    )


def operation(*routes: ApiRoute) -> dict[str, Any]:
    """That of the first."""
    described = describe(routes, version="1")
    found: dict[str, Any] = described["paths"][routes[0].documented_path][routes[0].method.lower()]
    return found


def validator(described: dict[str, Any], name: str) -> Draft202012Validator:
    schemas = described["components"]["schemas"]
    return Draft202012Validator({**schemas[name], "components": {"schemas": schemas}})


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from references(item)


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    return describe([*ROUTES, *ports.described], version="0.1.0", websockets=WEBSOCKETS)


def test_what_is_served_is_a_valid_description(ours: dict[str, Any]) -> None:
    validate(ours)


def test_every_route_is_in_it_under_a_name_of_its_own(ours: dict[str, Any]) -> None:
    for one in ROUTES:
        assert ours["paths"][one.documented_path][one.method.lower()]["summary"] == one.summary
    operations = [each for path in ours["paths"].values() for each in path.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)


def test_every_reference_leads_to_a_schema(ours: dict[str, Any]) -> None:
    found = set(references(ours))
    assert found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in ours["components"]["schemas"]


def test_every_parameter_of_a_path_is_told_and_required(ours: dict[str, Any]) -> None:
    for path, operations in ours["paths"].items():
        for described in operations.values():
            told = [one["name"] for one in described["parameters"] if one["in"] == "path"]
            assert told == re.findall(r"{(\w+)}", path)
            assert all(one["required"] for one in described["parameters"] if one["in"] == "path")


def test_it_can_be_sent_and_says_how_to_be_let_in(ours: dict[str, Any]) -> None:
    assert json.loads(json.dumps(ours)) == ours
    assert ours["security"] == [{"bearer": []}, {"header": []}]
    assert ours["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert ours["components"]["securitySchemes"]["header"]["name"] == "X-Sandbox-Agent-Token"


def test_two_methods_of_a_path_stand_beside_each_other() -> None:
    described = describe([route("GET"), route("POST")], version="1")
    assert set(described["paths"]["/v1/things"]) == {"get", "post"}


def test_a_body_and_a_result_are_described_by_their_models() -> None:
    made = route("POST", body=Body, result=Result, status=201)
    described = describe([made], version="7")
    assert described["info"]["version"] == "7"
    assert {"Body", "Part", "Problem", "Result"} <= set(described["components"]["schemas"])
    post = described["paths"]["/v1/things"]["post"]
    assert list(references(post["requestBody"])) == ["#/components/schemas/Body"]
    assert list(references(post["responses"]["201"])) == ["#/components/schemas/Result"]


def test_a_route_without_a_body_or_a_result_has_none() -> None:
    delete = operation(route("DELETE", status=204))
    assert "requestBody" not in delete
    assert delete["responses"]["204"] == {"description": "Success"}


def test_a_stream_is_told_beside_the_page_that_the_same_route_gives() -> None:
    events = operation(route(result=Result, streams="Events, as they come."))
    assert set(events["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}


def test_errors_of_one_status_share_a_response_and_each_is_named_once() -> None:
    errors = [InvalidRequest, UnsupportedAgent, SessionNotFound, UnsupportedAgent, TokenInvalid]
    responses = operation(route(errors=errors))["responses"]
    assert responses["400"]["description"] == "invalid_request, unsupported_agent"
    assert responses["404"]["description"] == "session_not_found"
    assert responses["401"]["description"] == "token_invalid"
    assert set(responses["400"]["content"]) == {"application/problem+json"}


def test_a_query_is_told_with_its_schema() -> None:
    query = Query(name="after", schema={"type": "integer"}, description="Where to go on.")
    (parameter,) = operation(route(query=[query]))["parameters"]
    assert parameter["in"] == "query"
    assert (parameter["name"], parameter["schema"]) == ("after", {"type": "integer"})


def test_an_answer_that_may_wait_for_the_turn_is_told_too() -> None:
    prompt = operation(route("POST", result=Body, status=202, extra={"wait": Result}))
    assert list(references(prompt["responses"]["202"])) == ["#/components/schemas/Body"]
    assert list(references(prompt["responses"]["200"])) == ["#/components/schemas/Result"]


def test_what_can_happen_to_any_request_is_told_of_every_operation(ours: dict[str, Any]) -> None:
    for one in ROUTES:
        responses = ours["paths"][one.documented_path][one.method.lower()]["responses"]
        assert {"400", "401", "403", "408", "431", "500", "503"} <= set(responses)
        has_types = one.body is not None or UnsupportedMediaType in one.errors
        assert ({"413", "415"} <= set(responses)) is has_types
        if one.streams is not None:
            assert "limit_reached" in responses["429"]["description"]
        if "{session_id}" in one.path:
            assert "session_not_found" in responses["404"]["description"]
            assert "storage_error" in responses["507"]["description"]


@pytest.mark.parametrize("kind", EVENT_CLASSES)
def test_every_type_of_event_is_described_as_it_is_on_the_wire(
    ours: dict[str, Any], kind: str
) -> None:
    cases = json.loads((GOLDEN / f"{kind}.json").read_text(encoding="utf-8"))
    assert cases
    event, frame = validator(ours, "Event"), validator(ours, "FrameEntry")
    for case in cases:
        event.validate(case["event"])
        frame.validate(case["entry"])
    assert not event.is_valid({**cases[0]["event"], "type": "no.such"})
    assert not event.is_valid({**cases[0]["event"], "data": None})


def test_pages_and_streams_of_events_say_what_is_in_them(ours: dict[str, Any]) -> None:
    schemas = ours["components"]["schemas"]
    for page in ("EventPage", "FeedPage"):
        items = schemas[page]["properties"]["events"]["items"]
        assert list(references(items)) == [
            "#/components/schemas/Event",
            "#/components/schemas/FrameEntry",
        ]
    stream = ours["paths"]["/v1/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert "#/components/schemas/Event" in list(references(stream))


def test_every_websocket_is_described(ours: dict[str, Any]) -> None:
    for one in WEBSOCKETS:
        assert one.summary in ours["paths"][one.path]["get"]["responses"]["101"]["description"]
    assert ours["paths"]["/v1/sessions/{session_id}/ws"]["get"]["operationId"].endswith("websocket")


def test_a_route_that_is_open_says_that_it_needs_no_token(ours: dict[str, Any]) -> None:
    assert {} in ours["paths"]["/v1/health"]["get"]["security"]
    assert {} not in ours["paths"]["/v1/agents"]["get"]["security"]
