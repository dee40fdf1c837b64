"""`sandbox-agent chat` and `attach`, at a terminal and in a pipe."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_agent_client import Endpoint, SandboxAgent, SandboxAgentSync, Turn
from sandbox_agent_client.cli.chat import chat_in
from sandbox_agent_client.cli.exit_codes import ExitCode
from sandbox_agent_client.cli.watching import Onlooker
from sandbox_agent_core.events import Diff, Hunk, ToolCompleted
from support.server import until
from terminal import DEADLINE_S, PROGRAM, Terminal

CTRL_C = "\x03"
"""As a key, which it is while a line is edited."""


def test_a_conversation_at_a_terminal(
    at_server: dict[str, str], terminals: list[Terminal], endpoint: Endpoint
) -> None:
    terminals.append(Terminal(at_server, "run", "--agent", "mock"))  # without a prompt: a chat
    (chat,) = terminals
    chat.wait_for("/exit leaves")
    chat.wait_for("\n>")
    chat.type("hello there\r")
    chat.wait_for("You said: hello there")
    chat.wait_for("tokens out")
    chat.wait_for("\n>", times=2)
    chat.type("plan\r")
    chat.wait_for("☑")
    chat.wait_for("\n>", times=3)
    chat.type("some text" + CTRL_C)  # takes what was typed, and does not leave
    chat.wait_for("\n>", times=4)
    chat.type("permission\r")
    chat.wait_for("(r)eject?")
    chat.type("o\n")
    chat.wait_for("I ran touch")
    chat.wait_for("tokens out", times=3)
    chat.type("slow 60\r")
    chat.wait_for("0 1 2")
    chat.process.send_signal(signal.SIGINT)
    chat.wait_for("\ncancelled")
    found = re.search(r"session (\S+)", chat.text)
    assert found is not None
    # What others do in it is shown while the person thinks; what they are asked is asked here, too.
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        session = client.get_session(found[1])
        session.prompt("slow 0.4")
        chat.wait_for(" ".join(map(str, range(20))))  # the prompt is not drawn over half a line
        session.send("permission")
        chat.wait_for("> permission")
        chat.wait_for("(r)eject?", times=2)
        chat.type("r\n\n")
        until(lambda: not session.requests())
        chat.wait_for("did not allow it")
        chat.type("/exit\r")
        assert chat.end() == 0
        assert f"sandbox-agent chat --session {session.id}" in chat.text
        assert session.refresh().status == "idle"
        client.delete_session(session.id)
    history = Path(at_server["XDG_DATA_HOME"]) / "sandbox-agent" / "cli" / "chat_history"
    assert "+hello there" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_ctrl_c_twice_leaves_a_chat_in_which_an_agent_hangs(
    at_server: dict[str, str], terminals: list[Terminal], endpoint: Endpoint
) -> None:
    terminals.append(Terminal(at_server, "chat", "--agent", "mock"))
    (chat,) = terminals
    chat.wait_for("\n>")
    chat.type("hang\r")
    found = re.search(r"session (\S+)", chat.text)
    assert found is not None
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        session = client.get_session(found[1])
        until(lambda: session.refresh().status == "running")
    chat.process.send_signal(signal.SIGINT)
    chat.wait_for("Ctrl-C again to leave")
    chat.process.send_signal(signal.SIGINT)
    assert chat.end() == ExitCode.CANCELLED
    assert "Traceback" not in chat.text


async def test_ctrl_c_counts_from_when_the_prompt_is_sent(
    client: SandboxAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent can be heard before the answer that its turn has begun."""
    session = await client.create_session("mock")
    screen = Onlooker()
    send, cancelling = session.send, asyncio.Event()

    async def send_slowly(prompt: str) -> Turn:
        turn = await send(prompt)
        os.kill(os.getpid(), signal.SIGINT)
        await cancelling.wait()
        return turn

    monkeypatch.setattr(session, "send", send_slowly)
    monkeypatch.setattr(screen, "remark", lambda text, *_: "Ctrl-C" in text and cancelling.set())
    monkeypatch.setattr(sys, "stdin", io.StringIO("slow 60\n"))
    async with asyncio.timeout(DEADLINE_S):
        assert await chat_in(session, screen, allow_all=False) is ExitCode.OK
    (turn,) = (await session.transcript()).turns
    assert turn.stop_reason == "cancelled"


def test_a_pipe_has_a_conversation_too(at_server: dict[str, str]) -> None:
    done = subprocess.run(
        [*PROGRAM, "chat", "--agent", "mock"],
        env=at_server,
        input="one\n\npermission\n/exit\nnever\n",
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    assert "You said: one" in done.stdout
    assert "refused, because nobody can be asked here" in done.stderr
    assert "never" not in done.stdout


def test_somebody_attaches_to_a_server_and_picks_a_session(
    at_server: dict[str, str], terminals: list[Terminal], endpoint: Endpoint
) -> None:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        session = client.create_session("mock")
        session.prompt("what was said before")
        session.send("permission")
        until(session.requests)
        without = {name: at_server[name] for name in at_server if "SANDBOX_AGENT" not in name}
        terminals.append(Terminal(without, "attach", endpoint.url))
        (there,) = terminals
        there.wait_for("Token of")
        there.type(f"{endpoint.token}\n")
        there.wait_for("Which session")
        (row,) = [line for line in there.text.splitlines() if session.id in line]
        assert "asks: touch allowed.txt" in row
        there.type(f"{row.split()[0]}\n")
        there.wait_for("(r)eject?")
        assert endpoint.token not in there.text
        there.type("a\n")
        there.wait_for("I ran touch")
        there.type("/exit\r")
        assert there.end() == 0
        client.delete_session(session.id)


def test_a_diff_that_was_asked_about_is_not_shown_again(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console
    from sandbox_agent_client.cli.render import Renderer

    hunk = Hunk(old_start=1, old_lines=1, new_start=1, new_lines=1, lines=["-red", "+blue"])
    diff = Diff(path="a.txt", old_text="red", new_text="blue", hunks=[hunk])
    done = ToolCompleted.model_construct(
        tool_call_id="c", status="completed", title="Edit", diffs=[diff], content=[]
    )
    for is_terminal, times in ((True, 1), (False, 2)):
        screen = Console(force_terminal=is_terminal, color_system=None)
        renderer = Renderer(screen, screen)
        renderer.diff(diff, screen, "c")
        renderer.show(done)
        assert capsys.readouterr().out.count("+blue") == times


def test_tab_offers_the_commands_of_the_agent_with_what_they_are_for() -> None:
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.document import Document
    from prompt_toolkit.input import DummyInput
    from prompt_toolkit.output import DummyOutput
    from sandbox_agent_client.cli.line_editor import SlashCommands

    editor = SlashCommands(lambda: [("/plan", "a plan"), ("/exit", "leave")])
    with create_app_session(input=DummyInput(), output=DummyOutput()):
        (offered,) = editor.get_completions(Document("/pl"), None)
        assert (offered.text, offered.display_meta_text) == ("/plan", "a plan")
        assert list(editor.get_completions(Document("say /pl"), None)) == []
        assert list(editor.get_completions(Document("/plan a house"), None)) == []
