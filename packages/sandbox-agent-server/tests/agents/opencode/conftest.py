"""Makes `support/` importable by the tests of this folder, and starts OpenCode for them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.opencode import KILO_DEFINITION, OPENCODE_DEFINITION
from support.adapter_driver import AdapterDriver, StartAdapter
from support.fixtures import opencode_env, require_agent
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
async def start_agent(
    scripted_llm: ScriptedLLM, home: Path, cwd: Path
) -> AsyncIterator[Callable[..., Awaitable[AdapterDriver]]]:
    """The real OpenCode or Kilo behind its adapter, against the scripted model; stopped after the test."""
    temporary = home / "tmp"
    temporary.mkdir()
    async with AsyncExitStack() as stack:

        async def start(
            name: str, *, env: dict[str, str] | None = None, **fields: Any
        ) -> AdapterDriver:
            given = opencode_env(home, scripted_llm, name=name) | {"TMPDIR": str(temporary)}
            context = AgentContext(
                session_id="test",
                cwd=cwd,
                env=given | (env or {}),
                command=[str(require_agent(name))],
                **fields,
            )
            definition = {"opencode": OPENCODE_DEFINITION, "kilo": KILO_DEFINITION}[name]
            return await stack.enter_async_context(
                AdapterDriver(definition.create(context), context)
            )

        yield start
    assert [*temporary.rglob(".*.so")] == []


@pytest.fixture
def start_opencode(start_agent: Callable[..., Awaitable[AdapterDriver]]) -> StartAdapter:
    return partial(start_agent, "opencode")
