"""Starts the stand-in for Amp for the tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.amp import AmpAdapter
from support.adapter_driver import AdapterDriver, StartAdapter
from support.fixtures import plain_env

FAKE = Path(__file__).parent / "support" / "fake_amp.py"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
async def start_amp(home: Path, cwd: Path) -> AsyncIterator[StartAdapter]:
    """The stand-in behind the adapter; stopped after the test."""
    async with AsyncExitStack() as stack:

        async def start(*, env: dict[str, str] | None = None, **fields: Any) -> AdapterDriver:
            context = AgentContext(
                session_id="test",
                cwd=cwd,
                env=plain_env(home) | {"AMP_API_KEY": "sgamp_fake"} | (env or {}),
                command=[sys.executable, str(FAKE)],
                **fields,
            )
            return await stack.enter_async_context(AdapterDriver(AmpAdapter(context), context))

        yield start
