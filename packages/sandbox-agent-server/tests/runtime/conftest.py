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


@pytest.fixture(scope="session", params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return ("asyncio", {"use_uvloop": request.param == "uvloop"})


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a Python program given as text; its link is closed at the end of the test."""
    links: list[StdioLink] = []

    async def start(program: str, **options: Any) -> StdioLink:
        argv = [sys.executable, "-I", "-S", "-c", f"import os, sys, time\n{program}"]
        settings = {"cwd": tmp_path, "env": dict(os.environ), "stop_grace_s": 0.3, **options}
        link = StdioLink(argv, **settings)
        links.append(link)
        await link.start()
        return link

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
