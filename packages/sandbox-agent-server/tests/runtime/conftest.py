"""Every test of the runtime runs on both event loops, with real processes that it cannot leave behind."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_server.runtime import proc_table
from sandbox_agent_server.runtime.stdio_link import StdioLink

Start = Callable[..., Any]


class Listener:
    """A link, and what it has delivered."""

    def __init__(self, argv: list[str], **options: Any) -> None:
        self.batches: list[list[bytes]] = []
        self.ends = 0
        self.pauses_each_time = False
        self._read = 0
        self._changed = asyncio.Event()
        self.link = StdioLink(argv, on_lines=self._on_lines, on_end=self._on_end, **options)

    @property
    def lines(self) -> list[bytes]:
        return [line for batch in self.batches for line in batch]

    async def next(self) -> bytes:
        """The next line."""
        self._read += 1
        await self.until(lambda: len(self.lines) >= self._read)
        return self.lines[self._read - 1]

    async def all(self) -> list[bytes]:
        """Every line, when there are no more."""
        await self.until(lambda: self.ends)
        return self.lines

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    def _on_lines(self, lines: list[bytes]) -> None:
        assert lines
        assert not self.ends
        self.batches.append(lines)
        self._changed.set()
        if self.pauses_each_time:
            self.link.pause()

    def _on_end(self) -> None:
        self.ends += 1
        self._changed.set()


@pytest.fixture
def listener() -> type[Listener]:
    return Listener


@pytest.fixture(scope="session", params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return ("asyncio", {"use_uvloop": request.param == "uvloop"})


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a Python program given as text; its link is closed at the end of the test."""
    links: list[StdioLink] = []

    async def start(program: str, **options: Any) -> Listener:
        argv = [sys.executable, "-I", "-S", "-c", f"import os, sys, time\n{program}"]
        settings = {"cwd": tmp_path, "env": dict(os.environ), "stop_grace_s": 0.3, **options}
        listener = Listener(argv, **settings)
        links.append(listener.link)
        await listener.link.start()
        return listener

    yield start
    await asyncio.gather(*(link.close() for link in links))


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Any]:
    """Wait, at most 5 s, until something is so that tells nobody when it becomes so."""

    async def until(is_so: Callable[[], object]) -> None:
        for _look in range(500):
            if is_so():
                return
            await asyncio.sleep(0.01)
        raise TimeoutError

    return until


@pytest.fixture
def is_running() -> Callable[[int], bool]:
    def is_running(pid: int) -> bool:
        stat = proc_table.read_one(pid)
        return stat is not None and not stat.is_zombie

    return is_running
