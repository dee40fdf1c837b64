"""The SDK, the server process, the real Codex, a scripted model."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from sandbox_agent_client import (
    AgentUnparsed,
    CommandsUpdated,
    ContextCompacted,
    MessageDelta,
    PermissionRequest,
    PermissionRequested,
    QuestionRequested,
    SandboxAgent,
    Session,
    ToolCompleted,
    TurnEnded,
    TurnStarted,
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


async def test_long_work_is_codex_own(
    client: SandboxAgent, options: dict[str, Any], scripted_llm: ScriptedLLM
) -> None:
    session = await client.create_session(**options)
    for word in ("one", "two"):
        await session.prompt(f"SCENARIO:text {word}")
    before_two = [event async for event in session.events() if isinstance(event, TurnStarted)][1]

    fork = await session.fork(before_turn_id=before_two.turn_id, env=options["env"])
    compacted = await session.prompt("/compact")
    reviewed = await session.review(instructions="SCENARIO:tool SHELL<<touch reviewed>>")
    gone = await session.rewind(before_two.turn_id, files=False)
    kept = [await remembered(each) for each in (session, fork)]
    thread = await session.native("thread/read")

    assert kept == [["one"], ["one"]]
    assert fork.info.forked_from is not None
    assert fork.info.forked_from.how == "native"
    assert (compacted.stop_reason, reviewed.stop_reason) == ("end_turn", "end_turn")
    assert gone.how == "native"
    assert thread["thread"]["cwd"] == options["cwd"]
    assert not any("/compact" in json.dumps(request.body) for request in scripted_llm.requests)
    assert not (Path(options["cwd"]) / "reviewed").exists()
    events = [event async for event in session.events()]
    (told,) = [event for event in events if isinstance(event, ContextCompacted)]
    assert (told.trigger, told.turn_id) == ("manual", compacted.turn_id)
    assert not any(isinstance(event, AgentUnparsed) for event in events)
    (offered,) = [event for event in events if isinstance(event, CommandsUpdated)][-1:]
    assert {"compact", "review", "skill-creator"} <= {item.name for item in offered.commands}


async def remembered(session: Session) -> list[str]:
    said = (await session.prompt("SCENARIO:memory")).text
    return [word for word in ("one", "two") if f"SCENARIO:text {word}" in said]


async def test_a_running_turn_is_steered_and_a_no_comes_with_its_reason(
    client: SandboxAgent, options: dict[str, Any], scripted_llm: ScriptedLLM
) -> None:
    session = await client.create_session(**options)
    steered = []

    async def answer(request: PermissionRequest) -> None:
        steered.append(await session.steer("And be quick."))
        await request.deny(message="Use git instead.")

    session.on_permission(answer)

    result = await session.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert [each.how for each in steered] == ["steered"]
    assert steered[0].turn_id == result.turn_id
    assert result.stop_reason == "end_turn"
    heard = json.dumps(scripted_llm.requests[-1].body["input"])
    assert heard.index("And be quick.") < heard.index("Use git instead.")
    assert not (Path(options["cwd"]) / "made").exists()


class Count(BaseModel):
    n: int
    unit: str = "files"


async def test_an_answer_of_a_type_is_asked_of_the_model_in_openais_way(
    client: SandboxAgent, options: dict[str, Any], scripted_llm: ScriptedLLM
) -> None:
    session = await client.create_session(**options)

    prompt = 'SCENARIO:say SAY<<{"n": 3, "unit": "lines"}>>'
    result = await session.prompt(prompt, output_type=Count)

    assert result.output == Count(n=3, unit="lines")
    (request,) = [each for each in scripted_llm.requests if each.scenario == "say"]
    schema = request.body["text"]["format"]["schema"]
    assert schema["required"] == ["n", "unit"]
    assert schema["additionalProperties"] is False


async def test_a_model_of_a_gateway_can_be_chosen_later_too(
    client: SandboxAgent, options: dict[str, Any], scripted_llm: ScriptedLLM
) -> None:
    session = await client.create_session(**options, model="gateway/one")

    await session.set_model("gateway/two")
    await session.prompt("SCENARIO:text")

    assert scripted_llm.requests[-1].body["model"] == "gateway/two"
