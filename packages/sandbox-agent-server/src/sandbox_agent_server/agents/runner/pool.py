"""Keeps agents ready: started and opened, so that a new session does not wait for a process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox_agent_core.errors import SandboxAgentError

from sandbox_agent_server.agents.runner.factory import AgentFactory
from sandbox_agent_server.agents.runner.preopened import PreopenedAgent
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.settings import Settings

__all__ = ["AgentPool", "pool_sizes"]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Slots:
    """Of one agent, all for one workspace: that of its newest session."""

    size: int
    cwd: Path
    ready: list[PreopenedAgent] = field(default_factory=list)
    opening: int = 0


class AgentPool:
    def __init__(
        self,
        factory: AgentFactory,
        sizes: Mapping[str, int],
        *,
        cwd: Path,
        client_version: str,
        on_process: Callable[[int], None],
        trust_workspace: bool = False,
    ) -> None:
        """`sizes`: agent -> how many are kept ready. `cwd`: the workspace until a session names another."""
        self._factory = factory
        self._trust_workspace = trust_workspace
        self._client_version = client_version
        self._on_process = on_process
        self._slots = {agent: _Slots(size, cwd) for agent, size in sizes.items() if size > 0}
        self._tasks = TaskOwner("agent pool")

    def fill(self) -> None:
        """Start what is missing, in the background."""
        for agent, slots in self._slots.items():
            for _ in range(slots.size - len(slots.ready) - slots.opening):
                slots.opening += 1
                self._tasks.spawn(self._open(agent, slots, slots.cwd), name=agent)

    def take(self, agent: str, cwd: Path) -> PreopenedAgent | None:
        """A ready one, with its processes the caller's. Another is made ready for the same workspace."""
        slots = self._slots.get(agent)
        if slots is None:
            return None
        if slots.cwd != cwd:
            slots.cwd = cwd
            for other in slots.ready:
                self._discard(other)
            slots.ready.clear()
        # Not at once: the session that is being made wants the processor first.
        asyncio.get_running_loop().call_soon(self.fill)
        return slots.ready.pop() if slots.ready else None

    async def close(self) -> None:
        ready = [agent for slots in self._slots.values() for agent in slots.ready]
        for slots in self._slots.values():
            slots.ready.clear()
        self._slots.clear()
        await self._tasks.cancel()
        await asyncio.gather(*(agent.close() for agent in ready))

    async def _open(self, name: str, slots: _Slots, cwd: Path) -> None:
        pids: list[int] = []

        def on_process(pid: int) -> None:
            pids.append(pid)
            self._on_process(pid)

        try:
            agent = PreopenedAgent(
                self._factory.make(
                    name,
                    session_id="pool",
                    cwd=cwd,
                    env={},
                    trust_workspace=self._trust_workspace,
                    on_process=on_process,
                ),
                cwd=cwd,
                client_version=self._client_version,
                pids=pids,
            )
            await agent.open()
        except SandboxAgentError as exc:
            # The next session finds the same and says it to somebody.
            logger.warning("no %s is kept ready: %s", name, exc.message)
            return
        finally:
            slots.opening -= 1
        if slots.cwd != cwd:
            await agent.close()
            self.fill()
            return
        slots.ready.append(agent)
        agent.watch(lambda: self._forget(slots, agent))

    def _forget(self, slots: _Slots, agent: PreopenedAgent) -> None:
        """It died while it waited. Another comes with the next session, so that nothing dies in a loop."""
        if agent in slots.ready:
            slots.ready.remove(agent)
            self._discard(agent)

    def _discard(self, agent: PreopenedAgent) -> None:
        self._tasks.spawn(agent.close(), name="close")


def pool_sizes(settings: Settings) -> dict[str, int]:
    if settings.confine is not None:
        return {}  # each is confined with the home of its session
    named = dict.fromkeys(settings.warm, 1)
    return named | {name: agent.warm for name, agent in settings.agents.items() if agent.warm}
