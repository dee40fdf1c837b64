"""The clients of `/acp`: how many there may be, and who they are."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from sandbox_agent_core.errors import LimitReached, NotFound, SandboxAgentError
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.lenient import as_dict
from starlette.requests import HTTPConnection

from sandbox_agent_server.acp.remote.client import RemoteClient
from sandbox_agent_server.acp.remote.dialects import dialect_of
from sandbox_agent_server.acp.remote.greeting import chosen_agent
from sandbox_agent_server.acp.remote.outlet import Outlet
from sandbox_agent_server.acp.remote.refusals import rpc_error
from sandbox_agent_server.acp.remote.rights import Rights
from sandbox_agent_server.agents.runner.inventory import AgentInventory
from sandbox_agent_server.http.acp_streams import StreamConnection
from sandbox_agent_server.http.callers import Caller, caller_of, check_settings
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.sessions.manager import SessionManager

__all__ = ["AGENT_HEADER", "CONNECTION_ID", "AcpConnections", "agent_of"]

CONNECTION_ID: Final = "Acp-Connection-Id"
AGENT_HEADER: Final = "Acp-Agent"


class AcpConnections:
    def __init__(
        self,
        manager: SessionManager,
        agents: AgentInventory,
        limits: Limits,
        *,
        version: str,
        with_draft: bool,
    ) -> None:
        """`with_draft`: version 2 of ACP is spoken to who asks for it."""
        self.limits = limits
        self._sockets: set[Callable[[], Awaitable[None]]] = set()
        self._manager = manager
        self._agents = agents
        self._version = version
        self._with_draft = with_draft
        self._open: set[str] = set()
        self._streams: dict[str, tuple[StreamConnection, Caller]] = {}

    def admit(self) -> str:
        """The id of a new connection, until `leave`. Raises: LimitReached."""
        limit = self.limits.max_acp_connections
        if len(self._open) >= limit:
            raise LimitReached(
                f"{limit} ACP clients are connected; close one",
                limit="max_acp_connections",
                value=limit,
            )
        connection_id = secrets.token_hex(16)
        self._open.add(connection_id)
        return connection_id

    def leave(self, connection_id: str) -> None:
        self._open.discard(connection_id)

    async def welcome(
        self, hello: Frame, outlet: Outlet, connection: HTTPConnection
    ) -> tuple[RemoteClient | None, dict[str, Any]]:
        """The client that `initialize` makes, and the answer to it; no client when that is an error."""
        caller, params = caller_of(connection), as_dict(hello.get("params"))
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": hello.get("id")}
        try:
            agent = await chosen_agent(self._agents, agent_of(connection))
            client = RemoteClient(
                agent,
                self._manager,
                self._agents,
                outlet,
                Rights(caller, partial(check_settings, caller)),
                self.limits,
                dialect_of(params, with_draft=self._with_draft),
                version=self._version,
            )
            result = await client.greet(params)
        except SandboxAgentError as exc:
            return None, {**answer, "error": rpc_error(exc)}
        return client, {**answer, "result": result}

    @contextmanager
    def hold(self, leave: Callable[[], Awaitable[None]]) -> Iterator[None]:
        """A WebSocket; `leave` tells its client that the server stops."""
        self._sockets.add(leave)
        try:
            yield
        finally:
            self._sockets.discard(leave)

    # Streamable HTTP

    def keep(self, connection: StreamConnection, caller: Caller) -> None:
        """It can be found by its id from now on."""
        self._streams[connection.id] = (connection, caller)

    def find(self, connection_id: str, caller: Caller) -> StreamConnection:
        """Raises: NotFound, also for another caller's: the id is no credential."""
        found = self._streams.get(connection_id)
        if found is None or found[1] != caller:
            raise NotFound(
                "there is no such ACP connection (any more): initialize another, then load the session"
            )
        return found[0]

    async def end(self, connection: StreamConnection) -> None:
        """Its sessions go on."""
        self._streams.pop(connection.id, None)
        self.leave(connection.id)
        await connection.close()

    async def close(self) -> None:
        """The server stops."""
        for leave in tuple(self._sockets):
            await leave()
        for connection, _ in list(self._streams.values()):
            await self.end(connection)


def agent_of(connection: HTTPConnection) -> str | None:
    """As the client names it: `?agent=`, or a header where its URL is fixed."""
    return connection.query_params.get("agent") or connection.headers.get(AGENT_HEADER)
