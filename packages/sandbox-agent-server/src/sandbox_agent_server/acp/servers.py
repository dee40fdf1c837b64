"""All ACP clients by the id that each has chosen."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import Conflict, InvalidRequest, LimitReached, SessionNotFound
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.spi.agent import AgentAdapter

from sandbox_agent_server.acp.attached import Attached
from sandbox_agent_server.acp.connection import AcpConnection
from sandbox_agent_server.acp.control import Control
from sandbox_agent_server.acp.links import Links
from sandbox_agent_server.acp.outbox import Outbox
from sandbox_agent_server.acp.record import AcpRecord, load_records
from sandbox_agent_server.agents.runner.factory import AgentFactory
from sandbox_agent_server.log.durability import Syncer
from sandbox_agent_server.log.file import remove_log
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.runtime.ledger import ProcessLedger
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.manager import SessionManager
from sandbox_agent_server.sessions.state import SessionSettings
from sandbox_agent_server.settings import Settings

__all__ = ["AcpServers"]

logger = logging.getLogger(__name__)

_DIRECTORY: Final = "acp"


class AcpServers:
    def __init__(
        self,
        settings: Settings,
        factory: AgentFactory,
        sessions: SessionManager,
        ledger: ProcessLedger,
    ) -> None:
        self._settings = settings
        self._factory = factory
        self._sessions = sessions
        self._ledger = ledger
        self._root = settings.data_dir.absolute() / _DIRECTORY
        self._links = Links()
        self._connections: dict[str, AcpConnection] = {}
        self._syncer = Syncer(settings.durability)
        self._tasks = TaskOwner("acp")
        sessions.on_live.append(self._links.live)
        sessions.on_removed.append(self._removed)

    async def recover(self) -> None:
        """Those of an earlier server, once the sessions are recovered."""
        for record in await asyncio.to_thread(load_records, self._root):
            connection = self._make(record)
            self._sessions.quota.used_bytes += connection.size_bytes
            if record.is_at_work:
                await connection.catch_up()

    def list(self) -> list[AcpRecord]:
        """By their ids."""
        return [self._connections[id].record for id in sorted(self._connections)]

    def get(self, server_id: str) -> AcpConnection | None:
        return self._connections.get(server_id)

    def find(self, server_id: str) -> AcpConnection:
        """Raises: SessionNotFound."""
        connection = self._connections.get(server_id)
        if connection is None:
            raise SessionNotFound(
                f"there is no ACP server {server_id[:64]!r}; a POST with `?agent=` makes it",
                sessionId=server_id,
                resource="acp_server",
                id=server_id,
            )
        return connection

    def check(self, server_id: str, agent: str | None) -> None:
        """Whether it can be opened for this agent.

        Raises:
            UnsupportedAgent: there is no such agent.
            InvalidRequest: it is new, and nobody says of which agent.
            Conflict: it has another agent.
        """
        connection = self._connections.get(server_id)
        if agent is not None:
            self._factory.definition(agent)
        if connection is None and agent is None:
            raise InvalidRequest(
                f"there is no ACP server {server_id[:64]!r} yet: say with `?agent=` which agent it is"
            )
        if connection is not None and agent not in (None, connection.record.agent):
            raise Conflict(
                f"server {server_id[:64]!r} already exists for agent "
                f"{connection.record.agent!r}; requested {agent!r}"
            )

    def open(self, server_id: str, agent: str | None = None) -> AcpConnection:
        """The client's, made now if it is new.

        Raises: what `check` raises, LimitReached, StorageError.
        """
        self.check(server_id, agent)
        if (connection := self._connections.get(server_id)) is not None:
            return connection
        assert agent is not None
        self._make_room()
        record = AcpRecord(
            server_id=server_id,
            folder=new_id("acp"),
            agent=agent,
            created_ms=time.time_ns() // 1_000_000,
        )
        record.save(self._root / record.folder)
        return self._make(record)

    async def remove(self, server_id: str) -> None:
        """Stop what runs for it and forget it; its sessions stay. Removing one that is not there is fine."""
        connection = self._connections.pop(server_id, None)
        if connection is not None:
            await connection.close()
            self._sessions.quota.give_back(connection.size_bytes)
            await asyncio.to_thread(remove_log, self._root / connection.record.folder)

    async def shut_down(self) -> None:
        """After the sessions: what became of them is among the messages."""
        connections, self._connections = list(self._connections.values()), {}
        await asyncio.gather(*(each.close() for each in connections))
        await self._tasks.cancel()
        await self._syncer.close()

    def _make_room(self) -> None:
        """Raises: LimitReached."""
        limit = self._settings.limits.max_acp_servers
        if len(self._connections) < limit:
            return
        idle = [each for each in self._connections.values() if each.is_idle]
        if not idle:
            raise LimitReached(
                f"{limit} ACP servers are in use; DELETE one first",
                limit="max_acp_servers",
                value=limit,
            )
        oldest = min(idle, key=lambda each: each.log.last_time_ms)
        self._remove_soon(oldest.record.server_id)

    def _remove_soon(self, server_id: str) -> None:
        self._tasks.spawn(self.remove(server_id), name="remove")

    def _removed(self, session_id: str) -> None:
        """Nothing is kept of a session: nor is what a client that is gone was told of it."""
        for server_id, each in self._connections.items():
            if session_id in each.record.sessions.values() and each.is_idle:
                self._remove_soon(server_id)

    def _check_room(self) -> None:
        """As many agents may run without a session as with one. Raises: LimitReached."""
        limit = self._settings.limits.max_sessions
        if sum(each.is_introduced for each in self._connections.values()) >= limit:
            raise LimitReached(
                f"{limit} agents of ACP clients have no session yet; open one, or DELETE a client",
                limit="max_sessions",
                value=limit,
            )

    def _make(self, record: AcpRecord) -> AcpConnection:
        directory = self._root / record.folder
        name = f"acp {record.server_id[:64]}"
        connection = AcpConnection(
            record,
            Outbox(name, directory, quota=self._sessions.quota, syncer=self._syncer),
            self._sessions,
            self._links,
            self._settings.limits,
            make_control=partial(self._control, record, directory / "control", name),
            save=lambda: record.save(directory),
        )
        self._connections[record.server_id] = connection
        return connection

    def _control(
        self, record: AcpRecord, directory: Path, name: str, attached: Attached
    ) -> Control:
        cwd = Path.cwd()

        async def make_adapter() -> AgentAdapter:
            self._check_room()
            await self._sessions.install_if_missing(record.agent, {})
            return self._factory.make(
                record.agent,
                session_id=directory.parent.name,
                cwd=cwd,
                env={},
                trust_workspace=self._settings.trust_workspace,
                on_process=lambda pid: self._ledger.note(pid, name),
            )

        return Control(
            SessionLog(name, directory, quota=self._sessions.quota, syncer=self._syncer),
            SessionSettings(agent=record.agent, cwd=str(cwd)),
            self._settings.limits,
            attached=attached,
            make_adapter=make_adapter,
        )
