"""Finding and starting Pi: what is missing is said, and nothing secret is on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sandbox_agent_core.agent_options import PiOptions
from sandbox_agent_core.errors import AgentNotInstalled, AgentStartFailed
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.jsonrpc import request
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.pi import PiAdapter
from sandbox_agent_server.agents.pi.launch import (
    command_line,
    environment,
    find,
    says_settled,
    session_argument,
)
from support.adapter_driver import AdapterDriver

SESSION = "01a20773-2556-744b-bb0f-825ae3350741"


def put_script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """As npm installs it: a link into the package."""
    package = tmp_path / "lib" / "node_modules" / "@earendil-works" / "pi-coding-agent"
    script = put_script(package / "dist" / "cli.js", "#!/usr/bin/env node\n")
    manifest = {"name": "@earendil-works/pi-coding-agent", "version": "0.74.2"}
    (package / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    program = tmp_path / "bin" / "pi"
    program.parent.mkdir()
    program.symlink_to(script)
    return program


def pi_in(cwd: Path, env: dict[str, str], command: list[str] | None = None) -> AdapterDriver:
    context = AgentContext(session_id="s", cwd=cwd, env=env, command=command)
    return AdapterDriver(PiAdapter(context), context)


async def start(pi: AdapterDriver) -> None:
    async with pi:
        pass


def test_it_is_found_with_its_version(installed: Path) -> None:
    found = find({"PATH": str(installed.parent)})

    assert found is not None
    assert (found.path, found.version) == (str(installed), "0.74.2")


def test_another_program_of_the_name_is_not_taken_for_it(tmp_path: Path) -> None:
    program = tmp_path / "pi"
    program.write_bytes(b"\x7fELF3.14159")
    program.chmod(0o755)

    assert find({"PATH": str(tmp_path)}) is None


async def test_a_missing_program_is_said_with_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(AgentNotInstalled, match="npm install -g @earendil-works/pi-coding-agent"):
        await start(pi_in(tmp_path, {"PATH": str(tmp_path)}))


async def test_a_configured_program_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(AgentNotInstalled, match="no-such-pi"):
        await start(pi_in(tmp_path, {"PATH": str(tmp_path)}, ["no-such-pi"]))


async def test_a_missing_node_is_said(installed: Path, tmp_path: Path) -> None:
    with pytest.raises(AgentStartFailed, match=r"needs Node\.js") as failure:
        await start(pi_in(tmp_path, {"PATH": str(installed.parent)}))

    assert failure.value.details["missing"] == "node"


async def test_a_node_on_the_path_is_enough_to_start(installed: Path, tmp_path: Path) -> None:
    put_script(installed.parent / "node", "#!/bin/sh\n")

    await start(pi_in(tmp_path, {"PATH": str(installed.parent)}))


async def test_a_pi_that_ends_at_once_is_the_answer_to_the_session(tmp_path: Path) -> None:
    script = put_script(tmp_path / "pi", "#!/bin/sh\necho 'Unknown option: --mode' >&2\nexit 1\n")

    async with pi_in(tmp_path, {"PATH": "/usr/bin:/bin"}, [str(script)]) as pi:
        answer = await pi.ask("session/new", {})

    assert answer["error"]["message"] == "Unknown option: --mode"


async def test_what_is_not_a_message_is_kept(tmp_path: Path) -> None:
    script = put_script(tmp_path / "pi", "#!/bin/sh\necho 'A banner'\necho '[1]'\nread x\n")

    async with pi_in(tmp_path, {"PATH": "/usr/bin:/bin"}, [str(script)]) as pi:
        pi.adapter.send(request(99, "session/new", {}))
        await pi.wait_for(lambda _: len(pi.asked(extensions.AGENT_UNPARSED)) == 2)

    texts = [frame["params"]["text"] for frame in pi.asked(extensions.AGENT_UNPARSED)]
    assert texts == ["A banner", "[1]"]


def test_the_gate_is_always_on_the_command_line() -> None:
    argv = command_line(["pi"], system_prompt=None)

    extensions = [Path(argv[i + 1]) for i, word in enumerate(argv) if word == "--extension"]
    assert [path.name for path in extensions] == [
        "permission_gate.ts",
        "base_urls.ts",
        "rewind.ts",
    ]
    assert all(path.is_file() for path in extensions)


def test_options_are_flags() -> None:
    options = PiOptions(tools=["read", "bash"], skills=False, context_files=True, extensions=["/x"])

    argv = command_line(
        ["pi"],
        session=("--fork", "s.jsonl"),
        system_prompt=None,
        own_system_prompt=Path("own.md"),
        options=options,
    )

    assert argv[argv.index("/x") - 1] == "--extension"
    assert argv[-7:] == [
        "--fork", "s.jsonl", "--system-prompt", "own.md", "--tools", "read,bash", "--no-skills",
    ]  # fmt: skip


def test_telemetry_and_look_ups_are_off_unless_asked_for() -> None:
    assert environment({"HOME": "/h"}) == {
        "HOME": "/h",
        "PI_OFFLINE": "1",
        "PI_SKIP_VERSION_CHECK": "1",
        "PI_TELEMETRY": "0",
    }
    assert environment({"PI_OFFLINE": "0"})["PI_OFFLINE"] == "0"


@pytest.mark.parametrize("variable", [None, "PI_CODING_AGENT_DIR", "PI_CODING_AGENT_SESSION_DIR"])
def test_the_file_of_a_session_is_found(tmp_path: Path, variable: str | None) -> None:
    roots = {
        None: ".pi/agent/sessions/--repo--",
        "PI_CODING_AGENT_DIR": "own/sessions/--repo--",
        "PI_CODING_AGENT_SESSION_DIR": "own",
    }
    file = tmp_path / roots[variable] / f"2026-11-23T04-19-56-920Z_{SESSION}.jsonl"
    file.parent.mkdir(parents=True)
    file.touch()
    env = {"HOME": str(tmp_path)} | ({variable: str(tmp_path / "own")} if variable else {})

    assert session_argument(SESSION, env) == str(file)


def test_a_session_without_a_file_is_left_to_pi(tmp_path: Path) -> None:
    assert session_argument(SESSION, {"HOME": str(tmp_path)}) == SESSION


@pytest.mark.parametrize(
    ("version", "says"), [(None, False), ("0.74.2", False), ("0.80.6", True), ("1.0.3", True)]
)
def test_versions_that_say_when_they_have_settled(version: str | None, says: bool) -> None:
    assert says_settled(version) is says
