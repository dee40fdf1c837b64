"""Asks an agent what it offers, by opening it once in an empty directory."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox_agent_core.errors import SandboxAgentError, Timeout
from sandbox_agent_core.spi.agent import AgentAdapter

from sandbox_agent_server.sessions.ahead import AgentAhead
from sandbox_agent_server.sessions.controls import Controls

__all__ = ["AgentOffer", "AgentProber"]

CACHE_S = 600.0
"""How long an answer holds; a changed program is asked again at once."""
PROBES_AT_A_TIME = 2

MakeProbe = Callable[[str, Path], AgentAdapter]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOffer:
    """What an agent said, or why it said nothing."""

    info: dict[str, Any] | None = None
    capabilities: Mapping[str, Any] | None = None
    controls: Controls | None = None
    error: SandboxAgentError | None = None


@dataclass(frozen=True, slots=True)
class _Cached:
    offer: AgentOffer
    program: object
    until: float


class AgentProber:
    def __init__(self, make: MakeProbe, *, timeout_s: float, client_version: str) -> None:
        self._make = make
        self._timeout_s = timeout_s
        self._client_version = client_version
        self._cache: dict[str, _Cached] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._slots = asyncio.Semaphore(PROBES_AT_A_TIME)

    async def probe(
        self, agent: str, *, program: object, permission_modes: Mapping[str, str], fresh: bool
    ) -> AgentOffer:
        """Never raises for the agent's failures: they are in the answer.

        `program` is whatever changes when the installation does. `fresh`: do not take a remembered answer.
        """
        async with self._locks.setdefault(agent, asyncio.Lock()):
            cached = self._cache.get(agent)
            is_good = cached is not None and cached.program == program
            if cached is not None and is_good and not fresh and cached.until > time.monotonic():
                return cached.offer
            async with self._slots:
                offer = await self._ask(agent, permission_modes)
            if offer.error is None:
                self._cache[agent] = _Cached(offer, program, time.monotonic() + CACHE_S)
            return offer

    async def _ask(self, agent: str, permission_modes: Mapping[str, str]) -> AgentOffer:
        with tempfile.TemporaryDirectory(prefix="sandbox-agent-probe-") as directory:
            cwd = Path(directory)
            ahead: AgentAhead | None = None
            try:
                ahead = AgentAhead(
                    self._make(agent, cwd), cwd=cwd, client_version=self._client_version
                )
                async with asyncio.timeout(self._timeout_s):
                    opened = await ahead.open()
            except TimeoutError:
                message = f"agent {agent!r} did not answer within {self._timeout_s:g} s"
                return AgentOffer(error=Timeout(message, limit="agent_start_timeout_s"))
            except SandboxAgentError as exc:
                return AgentOffer(error=exc)
            finally:
                if ahead is not None:
                    await ahead.close()
        controls = Controls(permission_modes=permission_modes)
        controls.read_session(opened.session)
        return AgentOffer(
            info=opened.agent_info, capabilities=opened.capabilities, controls=controls
        )
