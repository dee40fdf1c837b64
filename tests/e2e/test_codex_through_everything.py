"""The SDK, the server process, the real Codex, a scripted model."""

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
from support.fixtures import codex_env
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess

pytestmark = pytest.mark.real_agent

ServerFactory = Callable[..., ServerProcess]


@pytest.fixture
def codex_server(make_server: ServerFactory, codex_binary: Path) -> ServerProcess:
    command = json.dumps([str(codex_binary)])
    return make_server(config=f"[agents.codex]\ncommand = {command}\n").start()


@pytest.fixture
def options(tmp_path: Path, scripted_llm: ScriptedLLM) -> dict[str, Any]:
    """What `create_session` needs to run Codex in a place and with a model of its own."""
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    home.mkdir()
    workspace.mkdir()
    env = codex_env(home, scripted_llm)
    return {"agent": "codex", "cwd": str(workspace), "env": env}


@pytest.fixture
async def client(codex_server: ServerProcess) -> AsyncIterator[SandboxAgent]:
    async with SandboxAgent.connect(
        base_url=codex_server.url, token=codex_server.token
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
    assert (tool.status, tool.title, tool.exit_code) == ("completed", "touch made && echo made", 0)
    assert "".join(event.text for event in live if isinstance(event, MessageDelta))
    ended = live[-1]
    assert isinstance(ended, TurnEnded)
    assert ended.stop_reason == "end_turn"
    assert ended.usage is not None
    assert ended.usage.total_tokens == 240

    again = [event async for event in session.events(after=live[0].seq - 1)]
    assert [event.seq for event in again][: len(live)] == [event.seq for event in live]


@pytest.mark.parametrize(
    ("mode", "native", "prompt", "command_status", "is_edited"),
    [
        ("accept-edits", "untrusted", "SCENARIO:tool", "failed", True),
        # In this one Codex runs what only reads, in its sandbox, and asks to leave it.
        ("read-only", "read-only", "SCENARIO:tool ESCALATE", "failed", False),
        ("bypass", "full-access", "SCENARIO:tool", "completed", True),
    ],
)
async def test_the_common_permission_modes_hold(
    client: SandboxAgent,
    options: dict[str, Any],
    mode: str,
    native: str,
    prompt: str,
    command_status: str,
    is_edited: bool,
) -> None:
    workspace = Path(options["cwd"])
    policy = {"default": "deny"}
    session = await client.create_session(
        **options, mode=mode, model="gpt-5.5", permission_policy=policy
    )
    assert (await session.refresh()).mode == native

    events = [event async for event in session.prompt_stream(f"{prompt} SHELL<<touch made>>")]
    (tool,) = [event for event in events if isinstance(event, ToolCompleted)]
    await session.prompt("SCENARIO:write-file")

    assert tool.status == command_status
    assert (workspace / "made").exists() is (command_status == "completed")
    assert (workspace / "scenario.txt").exists() is is_edited


async def test_a_question_reaches_the_person_and_the_answer_reaches_codex(
    client: SandboxAgent, options: dict[str, Any]
) -> None:
    session = await client.create_session(**options, mode="plan")
    session.on_question(lambda question: question.answer({question.questions[0].id: "Blue"}))
    events = [event async for event in session.prompt_stream("SCENARIO:ask")]
    assert any(isinstance(event, QuestionRequested) for event in events)
    assert "Blue" in json.dumps([event.to_wire() for event in events])
    assert isinstance(events[-1], TurnEnded)


async def test_without_a_key_the_session_says_what_to_set(
    client: SandboxAgent, options: dict[str, Any]
) -> None:
    options["env"] |= {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
    with pytest.raises(AgentAuthRequired, match="OPENAI_API_KEY"):
        await client.create_session(**options)


async def test_after_kill_9_of_the_server_codex_remembers(
    codex_server: ServerProcess, options: dict[str, Any]
) -> None:
    async with SandboxAgent.connect(base_url=codex_server.url, token=codex_server.token) as before:
        session = await before.create_session(**options)
        await session.prompt("the password is swordfish SCENARIO:text")
    codex_server.kill()
    codex_server.start()
    async with SandboxAgent.connect(base_url=codex_server.url, token=codex_server.token) as after:
        session = await after.resume_session(session.id, env=options["env"])
        events = [event async for event in session.prompt_stream("SCENARIO:memory")]
        said = "".join(event.text for event in events if isinstance(event, MessageDelta))
        assert "swordfish" in said
        assert (await session.refresh()).continuity == "native"
