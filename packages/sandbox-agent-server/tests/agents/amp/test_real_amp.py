"""What the real Amp does without its server: the parts of its protocol that the stand-in imitates."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.agent_options import AmpOptions
from sandbox_agent_server.agents.amp.ask_socket import AskSocket
from sandbox_agent_server.agents.amp.launch import command_line, find, settings_with
from support.agents import load_pins
from support.fixtures import plain_env

pytestmark = pytest.mark.real_agent

WAIT_S = 20


async def judge(amp: Path, home: Path, tool: str, ask: Any) -> str:
    """What Amp would do with a call of the tool, under the settings that the adapter writes."""
    socket = AskSocket(ask)
    try:
        await socket.start()
        settings = home / "settings.json"
        content = settings_with({"HOME": str(home)}, ask_program=socket.program, system_prompt="x")
        settings.write_text(json.dumps(content), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *(str(amp), "--settings-file", str(settings), "permissions", "test", tool),
            *("--cmd", "git push"),
            env=plain_env(home),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        async with asyncio.timeout(WAIT_S):
            output, _ = await process.communicate()
        return output.decode()
    finally:
        await socket.close()


@pytest.mark.parametrize(
    ("reason", "action"), [(None, "action: allow"), ("Not on my watch.", "action: reject")]
)
async def test_amp_asks_our_program_and_does_what_it_says(
    amp_binary: Path, tmp_path: Path, reason: str | None, action: str
) -> None:
    asked: list[tuple[str, Any]] = []

    async def ask(tool: str, tool_input: Any) -> str | None:
        asked.append((tool, tool_input))
        return reason

    output = await judge(amp_binary, tmp_path, "Bash", ask)

    assert asked == [("Bash", {"cmd": "git push"})]
    assert action in output
    assert reason is None or reason in output


async def test_amp_rejects_when_nobody_can_be_asked(amp_binary: Path, tmp_path: Path) -> None:
    async def ask(tool: str, tool_input: Any) -> str | None:
        raise ValueError("gone")

    assert "action: reject" in await judge(amp_binary, tmp_path, "edit_file", ask)


def test_amp_knows_the_options_that_the_adapter_uses(amp_binary: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(amp_binary), "--help"],
        env=plain_env(tmp_path),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )

    options = AmpOptions(labels=("x",), title="x", features=("fast",), visibility="private")
    used = command_line(
        [], thread=None, settings=tmp_path, mcp_config=tmp_path, mode="high", options=options
    )
    flags = {option.partition("=")[0] for option in used if option.startswith("--")}
    assert {flag for flag in flags if flag not in done.stdout} == set()
    assert "low, medium, high, ultra" in done.stdout


def test_without_a_login_amp_says_so_and_waits(amp_binary: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [str(amp_binary), "--execute", "hello", "--stream-json"],
        env=plain_env(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"No API key found")
    finally:
        process.kill()
        process.communicate()


def test_its_version_is_read_without_running_it(amp_binary: Path) -> None:
    found = find({"PATH": str(amp_binary.parent)})

    assert found is not None
    assert found.version == load_pins()["amp"].version
