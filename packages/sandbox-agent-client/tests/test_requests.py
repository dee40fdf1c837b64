"""Permissions that an agent asks for in any shape: all of them are shown and answered, and the next one too."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sandbox_agent_client import (
    Endpoint,
    PermissionRequest,
    PermissionRequestSync,
    PermissionResolved,
    SandboxAgent,
    SandboxAgentSync,
    Session,
    errors,
)
from verbatim_agent import asks

GOOD = [
    {"optionId": "yes", "name": "Allow", "kind": "allow_once", "added": "by a newer agent"},
    {"optionId": "no", "name": "Reject", "kind": "reject_once"},
]
MALFORMED: list[Any] = [
    None,
    [],
    {"optionId": "yes"},
    "allow_once",
    [None, 7, "yes", []],
    [{"name": "Allow", "kind": "allow_once"}],
    [{"optionId": None, "kind": "allow_once"}],
    [{"optionId": ["yes"], "kind": "allow_once"}, {"optionId": {}, "kind": "reject_once"}],
    [{"optionId": "yes", "name": 7, "kind": ["allow_once"]}],
    [{"optionId": "yes", "name": "Allow", "kind": "allow_if_it_rains"}],
]


@pytest.fixture
async def session(client: SandboxAgent) -> Session:
    return await client.create_session("verbatim")


async def resolutions(session: Session) -> list[PermissionResolved]:
    return [event async for event in session.events() if isinstance(event, PermissionResolved)]


@pytest.mark.parametrize("options", MALFORMED)
async def test_after_a_malformed_permission_the_next_one_is_asked(
    session: Session, options: Any
) -> None:
    seen: list[PermissionRequest] = []

    async def allow(request: PermissionRequest) -> None:
        seen.append(request)
        assert await session.requests()
        await request.allow_once()

    session.on_permission(allow)
    script = [asks(7, options, title="touch a"), asks(8, GOOD, title="touch b")]
    await session.prompt(json.dumps(script))
    await session.prompt(json.dumps([asks(9, GOOD, title="touch c")]))
    assert [request.title for request in seen] == ["touch a", "touch b", "touch c"]
    assert [event.outcome for event in await resolutions(session)] == [
        "cancelled",
        "selected",
        "selected",
    ]
    assert [request.id for request in await session.requests(status="all")] == [
        request.id for request in seen
    ]


async def test_all_requests_are_told_however_many_pages_they_are(session: Session) -> None:
    session.on_permission(lambda request: request.allow_once())
    await session.prompt(json.dumps([asks(number, GOOD, title="touch a") for number in range(120)]))
    everything = await session.requests(status="all")
    assert len({request.id for request in everything}) == 120


async def test_an_option_is_shown_and_chosen_by_what_is_right_in_it(session: Session) -> None:
    options = [
        {"optionId": 0, "name": None, "kind": "allow_once"},
        {"optionId": "later", "name": "Later", "kind": "defer"},
        {"name": "No id"},
    ]
    seen: list[PermissionRequest] = []
    chosen = ["later", "0"]

    async def choose(request: PermissionRequest) -> None:
        seen.append(request)
        await request.respond(chosen[len(seen) - 1])

    session.on_permission(choose)
    script = [asks(7, options), asks(8, options)]
    result = await session.prompt(json.dumps(script))
    assert [(option.option_id, option.kind) for option in seen[0].options] == [
        ("0", "allow_once"),
        ("later", "defer"),
    ]
    assert seen[0].info.options == options
    events = await resolutions(session)
    assert [(event.option_id, event.option_kind) for event in events] == [
        ("later", "defer"),
        ("0", "allow_once"),
    ]
    # The agent gets its own id back, of its own type.
    assert json.loads(result.text) == {"outcome": {"outcome": "selected", "optionId": 0}}


async def test_a_call_without_an_id_is_shown_all_the_same(session: Session) -> None:
    frame = {
        "jsonrpc": "2.0", "id": 7, "method": "session/request_permission",
        "params": {"toolCall": {"title": "rm -rf x", "rawInput": {"command": "rm -rf x"}}, "options": GOOD},
    }  # fmt: skip
    seen: list[PermissionRequest] = []

    async def reject(request: PermissionRequest) -> None:
        seen.append(request)
        await request.reject()

    session.on_permission(reject)
    await session.prompt(json.dumps([{"ask": json.dumps(frame)}]))
    assert (seen[0].title, seen[0].command) == ("rm -rf x", "rm -rf x")


async def test_a_permission_that_offers_nothing_can_be_refused_and_not_chosen(
    session: Session,
) -> None:
    turn = asyncio.create_task(session.prompt(json.dumps([asks(7, None, title="x")])))
    async with asyncio.timeout(30):
        while not (found := await session.requests()):
            await asyncio.sleep(0.005)
    (request,) = found
    assert isinstance(request, PermissionRequest)
    with pytest.raises(errors.InvalidRequest):
        await request.respond("yes")
    assert (await request.reject()).outcome == "cancelled"
    await turn


def test_the_synchronous_client_does_the_same(endpoint: Endpoint) -> None:
    seen: list[str] = []

    def allow(request: PermissionRequestSync) -> None:
        seen.append(request.title)
        request.allow_once()

    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        session = client.create_session("verbatim")
        session.on_permission(allow)
        for number, options in enumerate(MALFORMED):
            script = [
                asks(7, options, title=f"bad {number}"),
                asks(8, GOOD, title=f"good {number}"),
            ]
            session.prompt(json.dumps(script))
    assert seen == [
        f"{kind} {number}" for number in range(len(MALFORMED)) for kind in ("bad", "good")
    ]
