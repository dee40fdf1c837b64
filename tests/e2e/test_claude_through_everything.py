"""The main job, whole: the SDK, the server process, the real Claude Code, a scripted model."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import (
    MessageDelta,
    PermissionRequested,
    QuestionRequested,
    SandboxAgent,
    ToolCompleted,
    TurnEnded,
)
from sandbox_agent_client.errors import AgentAuthRequired
from support.fixtures import claude_env
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess

pytestmark = pytest.mark.real_agent

ServerFactory = Callable[..., ServerProcess]


@pytest.fixture
def claude_server(make_server: ServerFactory, claude_binary: Path) -> ServerProcess:
    command = json.dumps([str(claude_binary)])
    return make_server(config=f"[agents.claude]\ncommand = {command}\n").start()


@pytest.fixture
def options(tmp_path: Path, scripted_llm: ScriptedLLM) -> dict[str, Any]:
    """What `create_session` needs to run Claude Code in a place and with a model of its own."""
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    home.mkdir()
    workspace.mkdir()
    env = claude_env(home, scripted_llm)
    return {"agent": "claude", "cwd": str(workspace), "env": env}


@pytest.fixture
async def client(claude_server: ServerProcess) -> AsyncIterator[SandboxAgent]:
    async with SandboxAgent.connect(
        base_url=claude_server.url, token=claude_server.token
    ) as connected:
        yield connected


async def test_a_tool_is_asked_for_allowed_run_and_read_back(
    client: SandboxAgent, options: dict[str, Any]
) -> None:
    session = await client.create_session(**options)
    session.on_permission(lambda request: request.allow_once())
    live = [
        event
        async for event in session.prompt_stream("SCENARIO:tool SHELL<<touch made && echo made>>")
    ]
    assert (Path(options["cwd"]) / "made").exists()
    assert any(isinstance(event, PermissionRequested) for event in live)
    (tool,) = [event for event in live if isinstance(event, ToolCompleted)]
    assert (tool.status, tool.title) == ("completed", "touch made && echo made")
    assert "".join(event.text for event in live if isinstance(event, MessageDelta))
    ended = live[-1]
    assert isinstance(ended, TurnEnded)
    assert ended.stop_reason == "end_turn"

    again = [event async for event in session.events(after=live[0].seq - 1)]
    assert [event.seq for event in again][: len(live)] == [event.seq for event in live]


async def test_a_question_reaches_the_person_and_the_answer_reaches_claude(
    client: SandboxAgent, options: dict[str, Any]
) -> None:
    session = await client.create_session(**options)
    session.on_question(lambda question: question.answer({question.questions[0].id: "Blue"}))
    events = [event async for event in session.prompt_stream("SCENARIO:ask")]
    assert any(isinstance(event, QuestionRequested) for event in events)
    assert "Blue" in json.dumps([event.to_wire() for event in events])
    assert isinstance(events[-1], TurnEnded)


async def test_an_error_of_the_model_api_is_an_error_of_the_prompt(
    client: SandboxAgent, options: dict[str, Any]
) -> None:
    session = await client.create_session(**options)
    with pytest.raises(AgentAuthRequired, match="401") as caught:
        await session.prompt("SCENARIO:http401")
    assert "ANTHROPIC_API_KEY" in caught.value.message
    ended = [event async for event in session.events() if isinstance(event, TurnEnded)][-1]
    assert ended.stop_reason == "error"
    assert ended.error is not None
    assert ended.error.code == "agent_auth_required"
    assert (await session.prompt("SCENARIO:text")).stop_reason == "end_turn"


async def test_a_cancel_ends_the_turn_and_the_next_prompt_works(
    client: SandboxAgent, options: dict[str, Any]
) -> None:
    session = await client.create_session(**options)
    events = []
    async for event in session.prompt_stream("SCENARIO:slow"):
        events.append(event)
        if isinstance(event, MessageDelta) and len(events) > 3:
            await session.cancel()
    ended = events[-1]
    assert isinstance(ended, TurnEnded)
    assert ended.stop_reason == "cancelled"
    assert (await session.prompt("SCENARIO:text")).stop_reason == "end_turn"


async def test_after_kill_9_of_the_server_claude_remembers(
    claude_server: ServerProcess, options: dict[str, Any]
) -> None:
    async with SandboxAgent.connect(
        base_url=claude_server.url, token=claude_server.token
    ) as before:
        session = await before.create_session(**options)
        await session.prompt("the password is swordfish SCENARIO:text")
    claude_server.kill()
    claude_server.start()
    async with SandboxAgent.connect(base_url=claude_server.url, token=claude_server.token) as after:
        session = await after.resume_session(session.id, env=options["env"])
        events = [event async for event in session.prompt_stream("SCENARIO:memory")]
        info = await session.refresh()
    assert info.continuity == "native"
    answer = "".join(event.text for event in events if isinstance(event, MessageDelta))
    assert "swordfish" in answer
