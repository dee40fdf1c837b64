"""Hooks before and after tools: the same for an agent that asks them, and for one that only asks permissions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sandbox_agent_client import (
    AfterTool,
    BeforeTool,
    Endpoint,
    HookRequested,
    HookResolved,
    PermissionRequest,
    SandboxAgent,
    SandboxAgentSync,
    Session,
    SessionHooks,
    errors,
)

BOTH = SessionHooks(before_tool=True, after_tool=True)
NATIVE, PLAIN = "mock", "plain"


@pytest.fixture(params=[NATIVE, PLAIN])
async def session(client: SandboxAgent, request: pytest.FixtureRequest) -> Session:
    return await client.create_session(request.param, hooks={"before_tool": True})


async def test_a_session_says_how_its_hooks_are_asked(client: SandboxAgent) -> None:
    for agent, before, after in ((NATIVE, "native", "native"), (PLAIN, "permission", "observed")):
        hooks = (await client.create_session(agent, hooks=BOTH)).info.hooks
        assert (hooks.before_tool, hooks.after_tool) == (before, after)


async def said(session: Session) -> str:
    return (await session.prompt("permission")).text


async def test_it_allows_and_nobody_else_is_asked(session: Session) -> None:
    seen: list[str | None] = []
    others: list[str] = []

    async def allow(tool: BeforeTool) -> None:
        seen.append(tool.command)
        await tool.allow()

    session.on_tool(before=allow)
    session.on_permission(lambda request: others.append(request.id))
    assert "I ran touch" in await said(session)
    assert (seen, others) == (["touch allowed.txt"], [])


async def test_it_denies(session: Session) -> None:
    session.on_tool(before=lambda tool: tool.deny(message="not here"))
    assert "did not allow" in await said(session)


async def test_without_an_opinion_or_when_it_wants_that_a_person_is_asked(session: Session) -> None:
    opinions: list[Callable[[BeforeTool], Any]] = [lambda tool: None, lambda tool: tool.ask()]
    asked: list[PermissionRequest] = []

    async def allow(request: PermissionRequest) -> None:
        asked.append(request)
        await request.allow()

    session.on_tool(before=lambda tool: opinions[len(asked)](tool))
    session.on_permission(allow)
    for _ in opinions:
        assert "I ran touch" in await said(session)
    assert len(asked) == 2


async def test_one_that_fails_denies_and_its_prompter_is_told(session: Session) -> None:
    def fail(tool: BeforeTool) -> None:
        raise ZeroDivisionError

    session.on_tool(before=fail)
    with pytest.raises(errors.CallbackError) as failed:
        await session.prompt("permission")
    assert isinstance(failed.value.__cause__, ZeroDivisionError)


async def test_it_waits_for_whoever_comes(session: Session, endpoint: Endpoint) -> None:
    """Asked while nobody is there, listed, and answered once by another client."""
    prompt = asyncio.create_task(session.prompt("permission"))
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as other:
        theirs = await other.get_session(session.id)
        async with asyncio.timeout(30):
            while not (pending := await theirs.requests()):
                await asyncio.sleep(0.01)
        (request,) = pending
        assert request.info.hook == "before_tool"
        theirs.on_tool(before=lambda tool: tool.allow())
        assert "I ran touch" in (await prompt).text
        with pytest.raises(errors.RequestAlreadyResolved):
            await theirs.respond(request.id, hook={"decision": "deny"})


async def test_what_runs_can_be_changed_and_what_came_of_it_added_to(client: SandboxAgent) -> None:
    session = await client.create_session(NATIVE, hooks={"before_tool": True, "after_tool": True})
    after: list[AfterTool] = []

    async def add(tool: AfterTool) -> None:
        after.append(tool)
        await tool.add_context("Mind the gap.")

    session.on_tool(
        before=lambda tool: tool.allow(updated_input={"command": "touch mine.txt"}), after=add
    )
    assert await said(session) == "Done: I ran touch mine.txt. Mind the gap."
    assert after[0].has_effect
    assert after[0].command == "touch mine.txt"
    told = [event async for event in session.events(after=0)]
    asked = [event.hook for event in told if isinstance(event, HookRequested)]
    answered = [event for event in told if isinstance(event, HookResolved)]
    assert asked == ["before_tool", "after_tool"]
    assert answered[0].updated_input == {"command": "touch mine.txt"}
    assert answered[1].context == "Mind the gap."
    assert [item.type for item in (await session.transcript()).turns[0].items].count("hook") == 2


async def test_an_agent_without_hooks_is_seen_and_nothing_is_added(client: SandboxAgent) -> None:
    session = await client.create_session(PLAIN, mode="bypass", hooks={"after_tool": True})
    seen: asyncio.Queue[AfterTool] = asyncio.Queue()
    session.on_tool(after=seen.put_nowait)
    await session.prompt("permission")
    async with asyncio.timeout(30):
        tool = await seen.get()
    assert (tool.title, tool.has_effect) == ("touch allowed.txt", False)
    with pytest.raises(errors.OperationNotSupported):
        await tool.add_context("x")


async def test_the_session_has_to_be_made_with_them(client: SandboxAgent) -> None:
    session = await client.create_session(NATIVE, hooks={"before_tool": True})
    with pytest.raises(errors.InvalidRequest, match="after_tool"):
        session.on_tool(after=lambda tool: None)
    with pytest.raises(TypeError):
        session.on_tool()
    with pytest.raises(TypeError):
        session.on_tool(before=lambda: None)  # type: ignore[misc,arg-type]
    plain = await client.create_session(NATIVE)
    assert plain.info.hooks.before_tool is None
    with pytest.raises(errors.InvalidRequest, match="before_tool"):
        plain.on_tool(before=lambda tool: None)


def test_they_are_the_same_without_asyncio(endpoint: Endpoint) -> None:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        session = client.create_session(NATIVE, hooks=BOTH)
        session.on_tool(
            before=lambda tool: tool.allow(), after=lambda tool: tool.add_context("Well done.")
        )
        assert session.prompt("permission").text == "Done: I ran touch allowed.txt. Well done."
