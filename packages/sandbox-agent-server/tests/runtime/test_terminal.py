"""A process on a terminal: what a shell needs to be one for a person."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_server.runtime.errors import ProcessNotFound, ProcessStartFailed
from sandbox_agent_server.runtime.launching import PtySize
from sandbox_agent_server.runtime.process_link import ProcessLink


class Terminal:
    """A link, and what is on the screen."""

    def __init__(self, argv: list[str], cwd: Path, **options: Any) -> None:
        self.screen = b""
        self.ends = 0
        self._changed = asyncio.Event()
        settings = {"env": {**os.environ, "PS1": "$ "}, "stop_grace_s": 0.3} | options
        self.link = ProcessLink(
            argv,
            cwd=cwd,
            on_data=self._on_data,
            on_end=self._on_end,
            pty=PtySize(rows=24, cols=80),
            **settings,
        )

    def type(self, text: str) -> None:
        self.link.write(text.encode())

    async def shows(self, pattern: str) -> re.Match[str]:
        async with asyncio.timeout(30):
            while not (found := re.search(pattern, self.screen.decode(errors="replace"))):
                self._changed.clear()
                await self._changed.wait()
        return found

    async def all(self) -> str:
        async with asyncio.timeout(30):
            while not self.ends:
                self._changed.clear()
                await self._changed.wait()
        return self.screen.decode()

    def _on_data(self, data: bytes) -> None:
        assert not self.ends
        self.screen += data
        self._changed.set()

    def _on_end(self) -> None:
        self.ends += 1
        self._changed.set()


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    terminals: list[Terminal] = []

    async def run(*argv: str, **options: Any) -> Terminal:
        terminals.append(Terminal(list(argv), tmp_path, **options))
        await terminals[-1].link.start()
        return terminals[-1]

    yield run
    await asyncio.gather(*(terminal.link.close() for terminal in terminals))


async def test_what_is_typed_is_echoed_and_read(run: Any) -> None:
    terminal = await run("cat")
    terminal.type("h\u00e9llo\r")
    await terminal.shows("h\u00e9llo\r\nh\u00e9llo\r\n")
    terminal.type("\x04")
    await terminal.all()
    assert (await terminal.link.close()).exit_code == 0


@pytest.fixture
def in_background() -> Iterator[None]:
    """As a server that `nohup` and a shell have put there."""
    ignored = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)
    }
    yield
    for number, handler in ignored.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("in_background")
async def test_an_interrupt_from_the_keyboard_arrives(run: Any) -> None:
    terminal = await run("sh", "-c", "echo ready; exec sleep 60")
    await terminal.shows("ready")
    terminal.type("\x03")
    assert await terminal.all() == "ready\r\n^C"
    assert (await terminal.link.close()).signal == 2


async def test_it_has_the_size_that_was_asked_for_and_changes_it(run: Any) -> None:
    terminal = await run(
        "sh", "-c", "trap 'stty size' WINCH; stty size; while :; do sleep 0.01; done"
    )
    await terminal.shows("24 80\r\n")
    terminal.link.resize(PtySize(rows=50, cols=132))
    await terminal.shows("50 132\r\n")


async def test_it_controls_its_session(run: Any) -> None:
    terminal = await run("sh", "-c", "echo hello >/dev/tty; ps -o pid=,sid=,tpgid= -p $$; tty; pwd")
    screen = await terminal.all()
    pid = terminal.link.pid
    hello, ids, name, directory = screen.splitlines()
    assert hello == "hello"
    assert ids.split() == [str(pid)] * 3
    assert name.startswith("/dev/")
    assert directory == str(terminal.link._cwd)


async def test_a_shell_has_job_control(run: Any) -> None:
    terminal = await run("bash", "--norc", "-i")
    await terminal.shows(r"\$ ")
    terminal.type("sleep 60 & jobs\r")
    await terminal.shows(r"\[1\]\+  Running +sleep 60")
    assert "no job control" not in terminal.screen.decode()
    terminal.type("exit 7\r")
    await terminal.all()
    assert (await terminal.link.close()).exit_code == 7


async def test_the_last_output_arrives_and_no_error_of_the_terminal(run: Any) -> None:
    count = 40
    for _ in range(count):
        terminal = await run("sh", "-c", "seq 2000; exit 3")
        assert (await terminal.all()).split() == [str(n) for n in range(1, 2001)]
        assert (await terminal.link.close()).exit_code == 3


async def test_a_flood_is_whole(run: Any) -> None:
    terminal = await run("seq", "500000")
    screen = await terminal.all()
    assert screen.split() == [str(n) for n in range(1, 500_001)]


async def test_a_pause_holds_it_back(run: Any, until: Any, tmp_path: Path) -> None:
    terminal = await run("sh", "-c", "seq 100000; touch done")
    terminal.link.pause()
    for _ in range(1000):
        await asyncio.sleep(0)
    assert not (tmp_path / "done").exists()
    terminal.link.resume()
    assert len((await terminal.all()).split()) == 100_000
    await until((tmp_path / "done").exists)


async def test_its_tree_dies_with_it(run: Any, is_running: Any) -> None:
    program = (
        "trap '' HUP TERM; (setsid sleep 60 & echo one $!; wait) & sleep 60 & echo two $!; wait"
    )
    terminal = await run("sh", "-c", program)
    pids = [int((await terminal.shows(rf"{name} (\d+)"))[1]) for name in ("one", "two")]
    assert all(map(is_running, pids))
    assert (await terminal.link.close()).signal == 9
    assert not any(map(is_running, pids))
    assert terminal.ends == 1


@pytest.mark.usefixtures("in_background")
async def test_hanging_up_ends_a_shell(run: Any) -> None:
    terminal = await run("bash", "--norc", "-i", stop_grace_s=2.0)
    await terminal.shows(r"\$ ")
    assert (await terminal.link.close()).signal != 9


async def test_a_background_process_does_not_keep_it_open(run: Any) -> None:
    terminal = await run("sh", "-c", "trap '' HUP; sleep 60 & echo bye")
    assert await terminal.all() == "bye\r\n"


async def test_a_program_that_is_not_there_or_cannot_run(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    for program, cwd, error in (
        ("no-such-shell", tmp_path, ProcessNotFound),
        ("./plain", tmp_path, ProcessStartFailed),
        ("sh", tmp_path / "gone", ProcessStartFailed),
    ):
        with pytest.raises(ProcessStartFailed) as caught:
            await Terminal([program], cwd).link.start()
        assert type(caught.value) is error


def test_nothing_is_left_open(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def once(program: str) -> None:
        terminal = Terminal([program], tmp_path)
        await terminal.link.start()
        terminal.type("x")
        await terminal.link.close()

    async def several() -> tuple[int, int]:
        await once("cat")
        before = open_files()
        for program in ("cat", "true") * 5:
            await once(program)
        return before, open_files()

    before, after = asyncio.run(several())
    assert before == after
