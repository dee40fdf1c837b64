"""The ACP adapter over a real process: the mock agent as a program."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.agent_options import CopilotOptions
from sandbox_agent_core.errors import AgentNotInstalled, AgentStartFailed, WorkspaceNotTrusted
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.acp import AcpAdapter
from sandbox_agent_server.agents.acp.launch import Launch, option_flags
from sandbox_agent_server.agents.private_file import PrivateFile
from sandbox_agent_server.runtime import proc_table

MOCK = [sys.executable, "-m", "sandbox_agent_server.agents.mock"]


def context(**options: Any) -> AgentContext:
    settings = {"session_id": "s", "cwd": Path("/"), "env": dict(os.environ), **options}
    return AgentContext(**settings)


@pytest.fixture
async def client(client_of: Any) -> Any:
    client = client_of(AcpAdapter(context(), MOCK))
    await client.begin()
    return client


def test_options_become_words_of_the_command() -> None:
    given = CopilotOptions(
        denied_tools=("write", "-x"), disable_builtin_mcp_servers=True, reasoning_effort="low"
    )
    flags = {
        "denied_tools": "--deny",
        "disable_builtin_mcp_servers": "--no-mcp",
        "reasoning_effort": "--effort",
        "model": "--model",
        "ignore_custom_instructions": "--bare",
    }
    words = ["--deny=write", "--deny=-x", "--no-mcp", "--effort=low"]
    assert option_flags(given, flags) == words
    assert option_flags(None, flags) == []


async def test_what_is_prepared_for_a_launch_reaches_the_agent_and_goes_with_it(
    client_of: Any, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    program = tmp_path / "agent.py"
    program.write_text(
        "import json, os, sys\n"
        f"told = open({str(told)!r}, 'a', buffering=1)\n"
        "print(json.dumps([sys.argv[1], os.environ['EXTRA']]), file=told)\n"
        "for line in sys.stdin:\n"
        "    frame = json.loads(line)\n"
        "    print(json.dumps(frame.get('params')), file=told)\n"
        "    print(json.dumps({'jsonrpc': '2.0', 'id': frame['id'], 'result': {'sessionId': 's'}}), flush=True)\n",
        encoding="utf-8",
    )
    file = PrivateFile("x", name="test", suffix=".txt")
    launch = Launch(
        arguments=["--more"],
        env={"EXTRA": "1"},
        modes={"yolo": "default"},
        preface="Before.",
        files=[file],
    )
    command = [sys.executable, str(program)]
    client = client_of(AcpAdapter(context(), command, prepare=lambda _context: launch))
    await client.adapter.start(client.inbox)
    for mode in ("yolo", "plan"):
        await client.call("session/set_mode", sessionId="s", modeId=mode)
    await client.prompt("one")
    await client.prompt("two")
    assert file.path.exists()
    await client.adapter.close()

    assert not file.path.exists()
    lines = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]
    assert lines[0] == ["--more", "1"]
    assert [line["modeId"] for line in lines[1:] if "modeId" in line] == ["default", "plan"]
    prompts = [
        [block["text"] for block in line["prompt"]] for line in lines[1:] if "prompt" in line
    ]
    assert prompts == [["Before.", "one"], ["two"]]


async def test_a_workspace_that_is_refused_starts_nothing(client_of: Any, tmp_path: Path) -> None:
    def prepare(_context: AgentContext) -> Launch:
        raise WorkspaceNotTrusted("no")

    started = tmp_path / "started"
    client = client_of(AcpAdapter(context(), ["touch", str(started)], prepare=prepare))
    with pytest.raises(WorkspaceNotTrusted):
        await client.begin()
    await client.adapter.close()
    assert not started.exists()


async def test_a_turn_passes_through(client: Any) -> None:
    answer = await client.prompt("tool")
    assert answer["result"]["stopReason"] == "end_turn"
    assert client.updates("tool_call_update")[-1]["rawOutput"]["exit_code"] == 0
    assert (await client.adapter.close()).exit_code == 0


async def test_a_burst_passes_through_whole(client: Any) -> None:
    await client.prompt("burst 20000x64")
    assert [int(u["content"]["text"].split()[0]) for u in client.updates()] == list(range(20_000))


async def test_huge_lines_pass_through(client: Any) -> None:
    await client.prompt("burst 3x5000000")
    assert [len(u["content"]["text"]) for u in client.updates()] == [5_000_000] * 3


async def test_a_permission_goes_there_and_back(client: Any) -> None:
    id = await client.start_prompt("permission")
    asked = await client.asked()
    await client.reply(asked, {"outcome": {"outcome": "selected", "optionId": "allow-once"}})
    assert (await client.answer_of(id))["result"]["stopReason"] == "end_turn"


async def test_a_cancel_reaches_an_agent_in_full_flow(client: Any) -> None:
    id = await client.start_prompt("burst 100000000x1000")
    await client.next()
    await client.cancel()
    assert (await client.answer_of(id))["result"]["stopReason"] == "cancelled"


async def test_lines_that_are_no_messages_are_told(client: Any) -> None:
    await client.prompt("garbage")
    unparsed = [
        frame for frame in client.frames if frame.get("method") == extensions.AGENT_UNPARSED
    ]
    assert len(unparsed) == 6
    assert unparsed[0]["params"]["text"] == "Warning: this line is no JSON"


async def test_a_crash_ends_the_frames_with_code_and_last_words(client: Any) -> None:
    await client.start_prompt("crash")
    frames = await client.rest()
    assert frames[-1]["params"]["update"]["sessionUpdate"] == "tool_call"
    exit = await client.adapter.close()
    assert exit.exit_code == 7
    assert exit.stderr_tail == "mock agent: asked to crash\nmock agent: exit code 7"


async def test_a_line_over_the_limit_is_told_and_the_turn_goes_on(client_of: Any) -> None:
    client = client_of(AcpAdapter(context(max_line_bytes=100_000), MOCK))
    await client.begin()
    answer = await client.prompt("burst 2x200000")
    assert answer["result"]["stopReason"] == "end_turn"
    assert [frame["method"] for frame in client.frames[:-1]] == [extensions.AGENT_UNPARSED] * 2


@pytest.mark.parametrize("kind", ["attached", "detached"])
async def test_a_stubborn_agent_dies_with_the_child_it_left(client_of: Any, kind: str) -> None:
    command = [*MOCK, "--stubborn", "--spawn-child", kind]
    client = client_of(AcpAdapter(context(stop_grace_s=0.3), command))
    await client.begin()
    await client.start_prompt("hang")
    await client.until(lambda _frame: client.text().endswith("for it."))
    exit = await client.adapter.close()
    assert exit.signal == 9
    child = proc_table.read_one(int(exit.stderr_tail.split()[1]))
    assert child is None or child.is_zombie


async def test_the_configured_command_replaces_the_own_one(client_of: Any) -> None:
    client = client_of(AcpAdapter(context(command=MOCK), ["no-such-agent"]))
    assert (await client.begin())["sessionId"]


async def test_a_missing_program_is_not_installed(client_of: Any) -> None:
    client = client_of(AcpAdapter(context(), ["no-such-agent"]))
    with pytest.raises(AgentNotInstalled) as caught:
        await client.begin()
    assert caught.value.details == {"program": "no-such-agent"}
    assert (await client.adapter.close()).exit_code is None


async def test_a_program_that_cannot_run_failed_to_start(client_of: Any, tmp_path: Path) -> None:
    program = tmp_path / "agent"
    program.touch()
    with pytest.raises(AgentStartFailed, match="executed"):
        await client_of(AcpAdapter(context(), [str(program)])).begin()
