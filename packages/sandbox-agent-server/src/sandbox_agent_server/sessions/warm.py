"""Keeps agents ready: started and opened, so that a new session does not wait for a process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.spi.agent import AgentAdapter

from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.ahead import AgentAhead

__all__ = ["WarmPool"]

logger = logging.getLogger(__name__)

MakeWarm = Callable[[str, Path, Callable[[int], None]], AgentAdapter]
"""`(agent, workspace, told of every process)`."""


@dataclass(slots=True)
class _Warm:
    agent: AgentAhead
    pids: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Shelf:
    """The ready ones of an agent, all for one workspace: that of its newest session."""

    size: int
    cwd: Path
    ready: list[_Warm] = field(default_factory=list)
    opening: int = 0


class WarmPool:
    def __init__(
        self,
        sizes: Mapping[str, int],
        make: MakeWarm,
        *,
        cwd: Path,
        client_version: str,
        on_process: Callable[[int], None],
    ) -> None:
        """`sizes`: agent -> how many are kept ready. `cwd`: the workspace until a session names another."""
        self._make = make
        self._client_version = client_version
        self._on_process = on_process
        self._shelves = {agent: _Shelf(size, cwd) for agent, size in sizes.items() if size > 0}
        self._tasks = TaskOwner("warm agents")

    def fill(self) -> None:
        """Start what is missing, in the background."""
        for agent, shelf in self._shelves.items():
            for _ in range(shelf.size - len(shelf.ready) - shelf.opening):
                shelf.opening += 1
                self._tasks.spawn(self._open(agent, shelf, shelf.cwd), name=agent)

    def take(self, agent: str, cwd: Path) -> tuple[AgentAhead, list[int]] | None:
        """A ready one and its processes, now the caller's. Another is made ready for the same workspace."""
        shelf = self._shelves.get(agent)
        if shelf is None:
            return None
        if shelf.cwd != cwd:
            shelf.cwd = cwd
            self._discard(shelf)
        taken = shelf.ready.pop() if shelf.ready else None
        # Not at once: the session that is being made wants the processor first.
        asyncio.get_running_loop().call_soon(self.fill)
        return None if taken is None else (taken.agent, taken.pids)

    async def close(self) -> None:
        shelves = list(self._shelves.values())
        self._shelves.clear()
        await self._tasks.cancel()
        await asyncio.gather(*(warm.agent.close() for shelf in shelves for warm in shelf.ready))

    def _discard(self, shelf: _Shelf) -> None:
        for warm in shelf.ready:
            self._tasks.spawn(warm.agent.close(), name="close")
        shelf.ready.clear()

    async def _open(self, agent: str, shelf: _Shelf, cwd: Path) -> None:
        pids: list[int] = []

        def on_process(pid: int) -> None:
            pids.append(pid)
            self._on_process(pid)

        ahead: AgentAhead | None = None
        try:
            made = AgentAhead(
                self._make(agent, cwd, on_process), cwd=cwd, client_version=self._client_version
            )
            await made.open()
            ahead = made
        except SandboxAgentError as exc:
            # The next session finds the same and says it to somebody.
            logger.warning("no %s is kept ready: %s", agent, exc.message)
            return
        finally:
            shelf.opening -= 1
        if shelf.cwd != cwd:
            await ahead.close()
            self.fill()
            return
        warm = _Warm(ahead, pids)
        shelf.ready.append(warm)
        ahead.watch(lambda: self._bury(shelf, warm))

    def _bury(self, shelf: _Shelf, warm: _Warm) -> None:
        """It died while it waited. Another comes with the next session, so that nothing dies in a loop."""
        if warm in shelf.ready:
            shelf.ready.remove(warm)
            self._tasks.spawn(warm.agent.close(), name="close")
