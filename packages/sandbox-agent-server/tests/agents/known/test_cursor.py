"""Cursor, by a stand-in that follows its published protocol: its own servers cannot be reached from tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_agent_client import SandboxAgentSync
from sandbox_agent_client.errors import AgentAuthRequired, AgentNotInstalled
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.cursor import DEFINITION
from sandbox_agent_server.agents.known.cursor.extensions import CursorExtensions
from support.adapter_driver import AdapterDriver, Answer, option
from support.fixtures import plain_env
from support.server import ServerProcess

FAKE = Path(__file__).parent / "support" / "fake_cursor_agent.py"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where Cursor's installer puts its program."""
    program = tmp_path / ".local" / "bin" / "cursor-agent"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\n{FAKE.read_text(encoding='utf-8')}", encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def driver(home: Path, answer: Answer) -> AdapterDriver:
    env = plain_env(home) | {"CURSOR_API_KEY": "key_0123456789"}
    context = AgentContext(session_id="test", cwd=home, env=env)
    made = AdapterDriver(DEFINITION.create(context), context)
    made.answer = answer
    return made


def test_it_is_found_where_its_installer_puts_it(home: Path) -> None:
    found = DEFINITION.find({"HOME": str(home), "PATH": "/usr/bin"})

    assert found is not None
    assert found.path == str(home / ".local" / "bin" / "cursor-agent")


@pytest.mark.parametrize(
    ("kind", "status"), [("allow_once", "completed"), ("reject_once", "failed")]
)
async def test_a_permission(home: Path, kind: str, status: str) -> None:
    async with driver(home, option(kind)) as cursor:
        await cursor.open()
        await cursor.prompt("tool")

        assert cursor.last_tool()["status"] == status


async def test_modes_and_models(home: Path) -> None:
    async with driver(home, option("allow_once")) as cursor:
        opened = await cursor.open()
        await cursor.set("session/set_mode", modeId="ask")
        await cursor.prompt("text")

        modes = {mode["id"] for mode in opened["modes"]["availableModes"]}
        assert set(DEFINITION.permission_modes.values()) <= modes
        assert cursor.text() == "Hello from ask mode."


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (
            {"action": "accept", "content": {"colour": "Blue"}},
            {
                "outcome": "answered",
                "answers": [{"questionId": "colour", "selectedOptionIds": ["b"]}],
            },
        ),
        ({"action": "decline"}, {"outcome": "skipped", "reason": "The user declined to answer."}),
        ({"action": "cancel"}, {"outcome": "cancelled"}),
    ],
)
async def test_a_question_of_its_own_is_a_question(home: Path, answer: dict, outcome: dict) -> None:
    async with driver(home, lambda _asked: answer) as cursor:
        await cursor.open()
        await cursor.prompt("question")

        (asked,) = cursor.asked("elicitation/create")
        assert asked["params"]["message"] == "A choice"
        assert asked["params"]["sessionId"] == "cursor-session"
        assert json.loads(cursor.text()) == {"outcome": outcome}


@pytest.mark.parametrize(
    ("kind", "outcome"), [("allow_once", "accepted"), ("reject_once", "rejected")]
)
async def test_a_plan_is_shown_and_approved(home: Path, kind: str, outcome: str) -> None:
    async with driver(home, option(kind)) as cursor:
        await cursor.open()
        await cursor.prompt("plan")

        (asked,) = cursor.asked()
        (plan,) = cursor.updates("plan")
        assert asked["params"]["toolCall"]["kind"] == "switch_mode"
        assert [entry["content"] for entry in plan["entries"]] == ["one"]
        assert json.loads(cursor.text())["outcome"]["outcome"] == outcome


async def test_todos_are_the_plan_and_are_acknowledged(home: Path) -> None:
    # The session refuses methods that it does not know; Cursor would wait for ever or stop.
    async with driver(home, lambda _asked: {}) as cursor:
        await cursor.open()
        await cursor.prompt("todos")

        entries = [update["entries"] for update in cursor.updates("plan")]
        assert [entry["status"] for entry in entries[-1]] == ["completed", "pending"]
        assert json.loads(cursor.text()) == [{}, {}]


async def test_a_cancel(home: Path) -> None:
    async with driver(home, option("allow_once")) as cursor:
        await cursor.open()
        id = await cursor.start_prompt("slow")
        await cursor.wait_for_update("agent_message_chunk")
        await cursor.cancel()

        assert (await cursor.wait_for_prompt(id))["result"]["stopReason"] == "cancelled"


def test_a_refusal_by_the_session_is_an_acknowledgement() -> None:
    cursor = CursorExtensions()
    task = {"jsonrpc": "2.0", "id": 4, "method": "cursor/task", "params": {}}
    refusal = {"jsonrpc": "2.0", "id": 4, "error": {"code": -32601, "message": "no"}}

    assert cursor.incoming([wire(task)]) == [wire(task)]
    assert cursor.to_agent(refusal) == {"jsonrpc": "2.0", "id": 4, "result": {}}
    assert cursor.to_agent(refusal) == refusal, "only once"


@pytest.mark.parametrize("junk", [None, 7, "x", [], {}, {"questions": [None, {}]}, {"todos": [{}]}])
@pytest.mark.parametrize("method", ["ask_question", "create_plan", "update_todos", "new_one"])
def test_junk_is_survived(method: str, junk: object) -> None:
    frame = {"jsonrpc": "2.0", "id": 1, "method": f"cursor/{method}", "params": junk}
    cursor = CursorExtensions()

    assert len(cursor.incoming([wire(frame)])) == 1
    assert "result" in cursor.to_agent({"jsonrpc": "2.0", "id": 1, "result": junk})


def test_without_program_or_login_the_error_says_what_to_do(
    make_server: Callable[..., ServerProcess], home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = make_server().start()
    nowhere = tmp_path_factory.mktemp("nowhere")
    with SandboxAgentSync.connect(base_url=server.url, token=server.token) as client:
        with pytest.raises(AgentNotInstalled, match=r"cursor\.com/install"):
            client.create_session("cursor", cwd=str(home), env=plain_env(nowhere))
        with pytest.raises(AgentAuthRequired, match="CURSOR_API_KEY.*cursor-agent login"):
            client.create_session(
                "cursor", cwd=str(home), env=plain_env(home) | {"CURSOR_API_KEY": ""}
            )
