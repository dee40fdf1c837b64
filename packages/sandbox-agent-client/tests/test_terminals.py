"""Terminals through both clients and the command line, at a real server."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from cutting_proxy import CuttingProxy
from sandbox_agent_client import (
    ClientClosed,
    Conflict,
    Endpoint,
    ProcessNotFound,
    ProcessNotRunning,
    ProcessStartFailed,
    SandboxAgent,
    SandboxAgentError,
    SandboxAgentSync,
)
from sandbox_agent_client.cli.main import app
from sandbox_agent_client.cli.raw_terminal import ScreenModes
from terminal import PROGRAM, Terminal
from typer.testing import CliRunner

ECHO = 'stty -echo; stty size; while read -r line; do echo "<$line>"; done; exit 4'


async def shown_until(terminal: Any, pattern: str) -> str:
    """What a terminal shows up to there."""
    seen = ""
    async for data in terminal:
        seen += data.decode()
        if re.search(pattern, seen):
            return seen
    return seen


async def test_a_program_is_shown_typed_into_and_ends(client: SandboxAgent) -> None:
    async with await client.terminal.open(ECHO, cols=100, rows=30, env={"A": "1"}) as terminal:
        assert "30 100" in await shown_until(terminal, r"30 100\r\n")
        await terminal.write("typed\n" + "x" * 3000 + "\n")
        seen = await shown_until(terminal, r"x>\r\n")
        assert "<typed>" in seen
        await terminal.resize(cols=90, rows=20)
        await terminal.write(b"\x04")
        assert [data async for data in terminal] == []
        info = await terminal.wait()
        assert (info.exit_code, terminal.process.exit_code) == (4, 4)
        for late in (terminal.write("x"), terminal.resize(cols=1, rows=1)):
            with pytest.raises(ProcessNotRunning):
                await late


async def test_a_shell_is_there_without_saying_which(client: SandboxAgent) -> None:
    async with await client.terminal.open(env={"PS1": "$ "}) as terminal:
        await terminal.write("echo $((6*7)) $TERM\n")
        await shown_until(terminal, "42 xterm-256color")
        await terminal.write("exit 3\n")
        assert (await terminal.wait(30)).exit_code == 3
    with pytest.raises(ProcessStartFailed):
        await client.terminal.open(["no-such-program"])


async def test_leaving_the_block_ends_what_was_opened_and_not_what_was_attached_to(
    client: SandboxAgent,
) -> None:
    async with await client.terminal.open(ECHO) as terminal:
        await terminal.write("seen before\n")
        await shown_until(terminal, "<seen before>")
        async with await client.terminal.attach(terminal.id) as again:
            await shown_until(again, "<seen before>")
        with pytest.raises(ClientClosed):
            await again.write("x")
        async with await client.terminal.attach(terminal.id, scrollback=False) as bare:
            await terminal.write("new\n")
            assert "before" not in await shown_until(bare, "<new>")
    await terminal.process.refresh()
    assert not terminal.process.is_running


async def test_what_cannot_be_attached_to_says_why(client: SandboxAgent) -> None:
    with pytest.raises(ProcessNotFound):
        await client.terminal.attach("proc_999999")
    async with await client.processes.spawn("sleep 600") as plain:
        with pytest.raises(Conflict, match="terminal"):
            await client.terminal.attach(plain.id)


async def _press_enter(terminal: Any) -> None:
    """Again and again: what is typed into a connection that breaks at that moment is gone."""
    while True:
        with suppress(SandboxAgentError):
            await terminal.write("\n")
        await asyncio.sleep(0.5)


async def test_a_connection_that_breaks_is_made_again_and_loses_nothing(
    endpoint: Endpoint,
) -> None:
    async with (
        CuttingProxy(endpoint.url) as proxy,
        SandboxAgent.connect(proxy.url, token=endpoint.token) as client,
        await client.terminal.open("read x; seq 1 60000; read x; echo over") as terminal,
    ):
        seen, cuts = b"", 0
        await terminal.write("\n")
        enter = None
        async for data in terminal:
            seen += data
            if cuts < 3 and seen.count(b"\n") > 10_000 * (cuts + 1):
                cuts += 1
                proxy.cut()
            if seen.endswith(b"\n60000\r\n") and enter is None:
                enter = asyncio.create_task(_press_enter(terminal))
        assert enter is not None
        enter.cancel()
        lines = seen.decode().split("\r\n")
        assert [line for line in lines if line] == [*map(str, range(1, 60_001)), "over"]
        assert cuts == 3
        assert terminal.skipped_bytes == 0


async def test_closing_the_client_ends_what_is_shown(endpoint: Endpoint) -> None:
    client = await SandboxAgent.connect(endpoint.url, token=endpoint.token)
    terminal = await client.terminal.open("sleep 600")
    process_id = terminal.id
    await client.close()
    assert [data async for data in terminal] == []
    with pytest.raises(ClientClosed):
        await terminal.write("x")
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as again:
        await (await again.processes.get(process_id)).kill()


def test_the_synchronous_client_does_the_same(endpoint: Endpoint) -> None:
    with (
        SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client,
        client.terminal.open(ECHO) as terminal,
    ):
        terminal.write("typed\n")
        seen = b""
        for data in terminal:
            seen += data
            if b"<typed>" in seen:
                break
        terminal.write(b"\x04")
        assert list(terminal)[:0] == []
        assert terminal.wait(30).exit_code == 4


# The command line


@contextmanager
def at_a_terminal(environment: dict[str, str], *arguments: str) -> Iterator[Terminal]:
    terminal = Terminal(environment, "shell", *arguments)
    try:
        yield terminal
    finally:
        terminal.close()


def test_a_shell_in_a_terminal_takes_every_key_and_its_exit_status(
    at_server: dict[str, str],
) -> None:
    script = "trap 'echo got it' INT; echo ready; until read -r line; do :; done; echo \"<$line>\"; exit 7"
    with at_a_terminal(at_server, "bash", "-c", script) as terminal:
        before = termios.tcgetattr(terminal._master)
        terminal.wait_for("ready")
        assert termios.tcgetattr(terminal._master) != before
        terminal.type("\x03")
        terminal.type("after ctrl-c\n")
        terminal.wait_for("<after ctrl-c>")
        assert terminal.end() == 7
        assert "got it" in terminal.text
        assert termios.tcgetattr(terminal._master) == before


def test_the_size_of_the_window_goes_along(at_server: dict[str, str]) -> None:
    environment = {
        name: value for name, value in at_server.items() if name not in ("COLUMNS", "LINES")
    }
    script = "echo ready; while read -r line; do stty size; done"
    with at_a_terminal(environment, "bash", "-c", script) as terminal:
        terminal.wait_for("ready")
        termios.tcsetwinsize(terminal._master, (41, 117))
        terminal.process.send_signal(signal.SIGWINCH)
        for _ in range(1000):
            terminal.type("\n")
            terminal._read(0.1)
            if "41 117" in terminal.text:
                break
        assert "41 117" in terminal.text
        terminal.type("\x04")
        terminal.end()


@pytest.mark.parametrize("end", ["detach", signal.SIGHUP])
def test_whoever_leaves_gets_the_terminal_back_and_finds_the_shell_again(
    at_server: dict[str, str], end: Any
) -> None:
    # As an editor does: another screen, the mouse, no cursor.
    script = (
        "printf '\\033[?1049h\\033[?1000;1006h\\033[?25lready\\n'; read -r line; echo \"<$line>\""
    )
    with at_a_terminal(at_server, "bash", "-c", script) as terminal:
        raw = Raw(terminal)
        before = termios.tcgetattr(terminal._master)
        terminal.wait_for("ready")
        if end == "detach":
            terminal.type("\x1d")
        else:
            terminal.process.send_signal(end)
        assert terminal.end() == (0 if end == "detach" else 130)
        assert termios.tcgetattr(terminal._master) == before
        for switched_back in (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?1006l", b"\x1b[?25h"):
            assert switched_back in raw.seen
    ((process_id, kill),) = left_running(at_server)
    if end == "detach":
        assert f"shell --attach {process_id}" in terminal.text
        with at_a_terminal(at_server, "--attach", process_id) as again:
            again.wait_for("ready")
            again.type("back\n")
            again.wait_for("<back>")
            assert again.end() == 0
    else:
        kill()


def left_running(at_server: dict[str, str]) -> list[Any]:
    url, token = at_server["SANDBOX_AGENT_URL"], at_server["SANDBOX_AGENT_TOKEN"]
    with SandboxAgentSync.connect(url, token=token) as client:
        running = [one.id for one in client.processes.list() if one.is_running]

    def kill() -> None:
        with SandboxAgentSync.connect(url, token=token) as client:
            for process_id in running:
                client.processes.get(process_id).kill()

    return [(process_id, kill) for process_id in running]


class Raw:
    """What is written on a terminal, with its commands."""

    def __init__(self, terminal: Terminal) -> None:
        self.seen = b""
        original = os.read

        def read(descriptor: int, size: int) -> bytes:
            data = original(descriptor, size)
            if descriptor == terminal._master:
                self.seen += data
            return data

        read_once = terminal._read

        def _read(timeout_s: float) -> None:
            os.read = read  # type: ignore[assignment]
            try:
                read_once(timeout_s)
            finally:
                os.read = original

        terminal._read = _read  # type: ignore[method-assign]


def run(environment: dict[str, str], *arguments: str, **more: Any) -> Any:
    return subprocess.run(
        [*PROGRAM, *arguments], env=environment, capture_output=True, text=True, timeout=60, **more
    )


def test_a_shell_without_a_terminal_reads_its_input_to_the_end(at_server: dict[str, str]) -> None:
    done = run(at_server, "shell", "sh", input="echo $((6*7))\nexit 9\n")
    assert done.returncode == 9
    assert "42" in done.stdout
    ended = run(at_server, "shell", "cat", input="no end of line")
    assert (ended.returncode, "no end of line" in ended.stdout) == (0, True)
    for arguments, status in ((["no-such-program"], 127), (["--attach", "proc_999999"], 2)):
        refused = CliRunner().invoke(app, ["shell", *arguments], env=at_server)
        assert refused.exit_code == status


@pytest.mark.parametrize(
    "arguments",
    [["--attach", "x", "ls"], ["--attach", "x", "--cwd", "/"], ["--detach-key", "x"], ["--detach-key", "^!"],
     ["--option", "a=b"]],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(
        app, ["shell", *arguments], env={"SANDBOX_AGENT_URL": "http://127.0.0.1:1"}
    )
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("shown", "undone"),
    [
        ([b"plain"], b""),
        ([b"\x1b[?1049h", b"\x1b[?1049l"], b""),
        ([b"\x1b[?10", b"49hdrawn"], b"\x1b[?1049l\x1b[0m"),
        ([b"\x1b", b"[?25l"], b"\x1b[?25h\x1b[0m"),
        ([b"\x1b[?25l\x1b[?25h"], b""),
        ([b"\x1b[?2004h\x1b[?1000;1006h"], b"\x1b[?2004l\x1b[?1000l\x1b[?1006l\x1b[0m"),
        ([b"\x1b[?12h\x1b[?1h"], b"\x1b[?1l\x1b[0m"),
    ],
)
def test_what_was_switched_on_a_screen_is_switched_back(shown: list[bytes], undone: bytes) -> None:
    modes = ScreenModes()
    for data in shown:
        modes.watch(data)
    assert modes.undo() == undone
