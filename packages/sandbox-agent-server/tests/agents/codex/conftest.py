"""Makes `support/` importable by the tests of this folder, and starts Codex for them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.codex import CodexAdapter
from support.adapter_driver import AdapterDriver, StartAdapter
from support.fixtures import codex_env
from support.scripted_llm import ScriptedLLM


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
async def start_codex(
    codex_binary: Path, scripted_llm: ScriptedLLM, home: Path, cwd: Path
) -> AsyncIterator[StartAdapter]:
    """The real Codex behind its adapter, against the scripted model; stopped after the test."""
    async with AsyncExitStack() as stack:

        async def start(*, env: dict[str, str] | None = None, **fields: Any) -> AdapterDriver:
            context = AgentContext(
                session_id="test",
                cwd=cwd,
                env=codex_env(home, scripted_llm) | (env or {}),
                command=[str(codex_binary)],
                **fields,
            )
            return await stack.enter_async_context(AdapterDriver(CodexAdapter(context), context))

        yield start
