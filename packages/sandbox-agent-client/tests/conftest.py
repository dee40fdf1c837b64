"""One server for all tests of a worker; what a test adds to it is in sessions of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

import verbatim_agent
from sandbox_agent_client import Endpoint, LocalProvider, SandboxAgent, SandboxSpec
from terminal import Terminal


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    directory = tmp_path_factory.mktemp("workspace")
    provider = LocalProvider(cwd=directory, config=verbatim_agent.config(directory))
    with asyncio.Runner() as runner:
        ref = runner.run(provider.create(SandboxSpec()))
        yield runner.run(provider.endpoint(ref))
        runner.run(provider.destroy(ref))


@pytest.fixture(autouse=True)
def _elsewhere() -> Iterator[None]:
    """Not in the repository of these tests: a session that is there looks for what has changed in all of it."""
    with TemporaryDirectory() as directory, chdir(directory):
        yield


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """For commands: no setting of the person who runs the tests, and a data directory of the test's own."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if "SANDBOX_AGENT" not in name}
    return {
        **kept,
        "HOME": str(home),
        "XDG_DATA_HOME": str(tmp_path / "share"),
        "COLUMNS": "200",
        "TERM": "xterm",
    }


@pytest.fixture
def at_server(environment: dict[str, str], endpoint: Endpoint) -> dict[str, str]:
    """Commands work at the server of the tests, which is faster than one of their own."""
    return environment | {
        "SANDBOX_AGENT_URL": endpoint.url,
        "SANDBOX_AGENT_TOKEN": endpoint.token or "",
    }


@pytest.fixture(params=["sse", "ws", "poll"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Those that a test opens; they are closed after it."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


@pytest.fixture
async def client(endpoint: Endpoint) -> AsyncIterator[SandboxAgent]:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """No test of this package leaves a thread behind. (anyio's runner keeps the main thread only.)"""
    before = set(threading.enumerate())
    yield
    left = [
        thread
        for thread in threading.enumerate()
        # The pool of an event loop lives as long as the loop, which belongs to the test runner.
        if thread not in before and not thread.name.startswith("asyncio_")
    ]
    assert left == []
