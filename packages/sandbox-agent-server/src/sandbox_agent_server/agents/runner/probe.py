"""Asks an agent what it offers, by opening it once in an empty directory."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox_agent_core.api.agents import AgentConfig
from sandbox_agent_core.errors import SandboxAgentError, Timeout

from sandbox_agent_server.agents.runner.config_options import ConfigOptions
from sandbox_agent_server.agents.runner.description import AgentDescription
from sandbox_agent_server.agents.runner.factory import PROBE, AgentFactory
from sandbox_agent_server.agents.runner.handshake import Opened
from sandbox_agent_server.agents.runner.preopened import PreopenedAgent

__all__ = ["AgentProbe"]

CACHE_S = 600.0
"""How long an answer holds; a changed program is asked again at once."""
PROBES_AT_A_TIME = 2


@dataclass(frozen=True, slots=True)
class _Cached:
    config: AgentConfig
    program: object
    until: float


class AgentProbe:
    def __init__(
        self,
        factory: AgentFactory,
        *,
        timeout_s: float,
        client_version: str,
        on_process: Callable[[int], None],
    ) -> None:
        self._factory = factory
        self._timeout_s = timeout_s
        self._client_version = client_version
        self._on_process = on_process
        self._cache: dict[str, _Cached] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._slots = asyncio.Semaphore(PROBES_AT_A_TIME)

    async def offer(self, agent: AgentDescription, *, fresh: bool) -> AgentConfig:
        """`fresh`: do not take a remembered answer.

        Raises:
            Timeout, and whatever the agent's start and opening raise. That is not remembered.
        """
        name, program = agent.definition.name, agent.program
        async with self._locks.setdefault(name, asyncio.Lock()):
            cached = None if fresh else self._cache.get(name)
            if cached and cached.program == program and cached.until > time.monotonic():
                return cached.config
            async with self._slots:
                config = _config(agent, await self._open(agent))
            self._cache[name] = _Cached(config, program, time.monotonic() + CACHE_S)
            return config

    async def _open(self, description: AgentDescription) -> Opened:
        name, hint = description.definition.name, description.definition.login_hint
        with tempfile.TemporaryDirectory(prefix="sandbox-agent-probe-") as directory:
            cwd = Path(directory)
            adapter = self._factory.make(
                name, session_id=PROBE, cwd=cwd, env={}, on_process=self._on_process
            )
            agent = PreopenedAgent(adapter, cwd=cwd, client_version=self._client_version)
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await agent.open()
            except (TimeoutError, SandboxAgentError) as exc:
                error = exc if isinstance(exc, SandboxAgentError) else self._too_late(name)
                tail = (await agent.close()).stderr_tail
                raise agent.output.explain(error, stderr_tail=tail, login_hint=hint) from None
            finally:
                await agent.close()

    def _too_late(self, name: str) -> Timeout:
        message = f"agent {name!r} did not answer within {self._timeout_s:g} s"
        return Timeout(message, limit="agent_start_timeout_s")


def _config(agent: AgentDescription, opened: Opened) -> AgentConfig:
    native_modes = agent.definition.permission_modes
    offered = ConfigOptions(native_modes=native_modes).after_session(opened.session)
    return AgentConfig(
        agent_info=opened.agent_info,
        capabilities=opened.capabilities,
        modes=list(offered.modes),
        models=offered.models,
        thought_levels=offered.thought_levels,
        config_options=list(offered.options),
        mode=offered.mode,
        model=offered.model,
        thought_level=offered.thought_level,
    )
