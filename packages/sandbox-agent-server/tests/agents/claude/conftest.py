"""Makes `support/` importable by the tests of this folder, and starts Claude Code for them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from claude_driver import ClaudeDriver, StartClaude
from sandbox_agent_core.spi.agent import AgentContext
from support.fixtures import claude_env
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
async def start_claude(
    claude_binary: Path, scripted_llm: ScriptedLLM, home: Path, cwd: Path
) -> AsyncIterator[StartClaude]:
    """The real Claude Code behind its adapter, against the scripted model; stopped after the test."""
    async with AsyncExitStack() as stack:

        async def start(*, env: dict[str, str] | None = None, **context: Any) -> ClaudeDriver:
            driver = ClaudeDriver(
                AgentContext(
                    session_id="test",
                    cwd=cwd,
                    env=claude_env(home, scripted_llm) | (env or {}),
                    command=[str(claude_binary)],
                    **context,
                )
            )
            return await stack.enter_async_context(driver)

        yield start
