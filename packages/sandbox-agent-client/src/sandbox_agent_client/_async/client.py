"""The client: sandboxes, sessions, agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
from sandbox_agent_core.api.agents import AgentInfo, Health
from sandbox_agent_core.api.policy import PermissionPolicy
from sandbox_agent_core.api.sessions import CreateSession, SessionInfo
from sandbox_agent_core.errors import SessionAlreadyExists, SessionNotFound
from sandbox_agent_core.spi.persistence import TranscriptStore
from sandbox_agent_core.spi.provider import Endpoint, SandboxProvider, SandboxRef

from sandbox_agent_client._async._backend import Opening, Portal, finish
from sandbox_agent_client._async.connection import Connection
from sandbox_agent_client._async.session import Session
from sandbox_agent_client._async.transport import DEFAULT_TIMEOUT_S, StreamKind, Transport
from sandbox_agent_client._calls import agents as agent_calls
from sandbox_agent_client._calls import sessions as calls
from sandbox_agent_client._calls.call import built
from sandbox_agent_client._replay import new_context, settings_of
from sandbox_agent_client._resume import RECONNECT_TIMEOUT_S
from sandbox_agent_client.launch import HEALTH_TIMEOUT_S, Launched, launch

__all__ = ["SandboxAgent"]

DESTROY_TIMEOUT_S = 120.0
PAGE_SESSIONS = 100
Policy = PermissionPolicy | Mapping[str, Any]


class SandboxAgent:
    """A server and its sessions. Get one with `start` or `connect`."""

    def __init__(
        self, connection: Connection, *, launched: Launched | None = None, keep: bool = True
    ) -> None:
        self._connection = connection
        self._launched = launched
        self._keep = keep

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    # -- opening and closing

    @classmethod
    def start(
        cls,
        sandbox: str | SandboxProvider = "local",
        *,
        keep: bool = False,
        env: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        report: Callable[[str], Any] | None = None,
        persistence: TranscriptStore | None = None,
        transport: StreamKind = "sse",
        timeout: float = DEFAULT_TIMEOUT_S,
        reconnect_timeout: float | None = RECONNECT_TIMEOUT_S,
        health_timeout: float = HEALTH_TIMEOUT_S,
    ) -> Opening[SandboxAgent]:
        """Make a sandbox with the server in it, and connect. A failure leaves nothing behind.

        Leaving the block destroys the sandbox, unless `keep`. `sandbox` is a provider or its name;
        `env` is for the server in it; `report` is told which step is under way. Times are in seconds.

        Raises:
            errors.ProviderNotInstalled: there is no such provider here.
            errors.ProviderError: the sandbox could not be made.
            errors.ServerStartFailed: the server in it did not answer.
        """

        async def open() -> SandboxAgent:
            portal = Portal()
            try:
                launched = await portal.run(
                    lambda: launch(
                        sandbox,
                        env=env,
                        labels=labels,
                        report=report,
                        health_timeout_s=health_timeout,
                    )
                )
            except BaseException:
                await portal.close()
                raise
            carrier = Transport(
                launched.endpoint,
                locate=lambda: portal.run(launched.locate),
                stream_kind=transport,
                timeout_s=timeout,
            )
            connection = Connection(
                carrier, portal=portal, store=persistence, reconnect_timeout_s=reconnect_timeout
            )
            return cls(connection, launched=launched, keep=keep)

        return Opening(open)

    @classmethod
    def connect(
        cls,
        base_url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        persistence: TranscriptStore | None = None,
        transport: StreamKind = "sse",
        http_client: httpx.AsyncClient | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        reconnect_timeout: float | None = RECONNECT_TIMEOUT_S,
    ) -> Opening[SandboxAgent]:
        """Connect to a server that runs. Leaving the block only disconnects.

        `headers` go with every request (a gateway's own). An `http_client` that is given stays open.
        `reconnect_timeout`: how long a stream tries to come back; None for ever. Times are in seconds.

        Raises:
            errors.ServerUnreachable: nothing answers there.
            errors.TokenInvalid: the server wants another token.
        """

        async def open() -> SandboxAgent:
            carrier = Transport(
                Endpoint(url=base_url, token=token, headers=headers or {}),
                stream_kind=transport,
                timeout_s=timeout,
                http_client=http_client,
            )
            connection = Connection(
                carrier, portal=Portal(), store=persistence, reconnect_timeout_s=reconnect_timeout
            )
            client = cls(connection)
            try:
                await client.health()
            except BaseException:
                await client.close()
                raise
            return client

        return Opening(open)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._launched is None or self._keep:
            await finish(self.close, timeout_s=DESTROY_TIMEOUT_S)
        else:
            await self.destroy_sandbox()

    async def close(self) -> None:
        """Disconnect. Streams end, callbacks stop; sessions and the sandbox live on."""
        if not self._connection.is_closed:
            await self._connection.close()
            await self._connection.portal.close()

    async def destroy_sandbox(self) -> None:
        """Disconnect and remove the sandbox with everything in it; doing it twice does nothing.

        Raises:
            RuntimeError: this client did not start one.
            errors.ProviderError: it could not be removed; it may still cost money.
        """
        if self._launched is None:
            raise RuntimeError("This client is connected to a server that it did not start.")
        await finish(self._destroy, timeout_s=DESTROY_TIMEOUT_S)

    async def _destroy(self) -> None:
        assert self._launched is not None
        portal = self._connection.portal
        try:
            if not self._connection.is_closed:
                await self._connection.close()
        finally:
            try:
                await portal.run(self._launched.destroy)
            finally:
                await portal.close()

    @property
    def base_url(self) -> str:
        return self._connection.transport.endpoint.url

    @property
    def token(self) -> str | None:
        """What other clients of the same server need. A secret."""
        return self._connection.transport.endpoint.token

    @property
    def sandbox_ref(self) -> SandboxRef | None:
        """Names the sandbox that this client started; can be stored, the provider understands it."""
        return self._launched.ref if self._launched is not None else None

    # -- the server

    async def health(self) -> Health:
        return await self._connection.call(agent_calls.health())

    async def list_agents(self, *, config: bool = False, fresh: bool = False) -> list[AgentInfo]:
        """Every agent that the server knows, installed or not.

        `config` also asks each installed one for its modes, models and options, by starting it once; the
        server remembers the answers for ten minutes, unless `fresh`. An agent that does not answer has
        `config_error`.
        """
        call = agent_calls.list_agents(config=config, fresh=fresh)
        return (await self._connection.call(call)).agents

    async def get_agent(self, agent: str, *, config: bool = True, fresh: bool = False) -> AgentInfo:
        """One agent, with what it offers. Raises: errors.UnsupportedAgent."""
        return await self._connection.call(agent_calls.get_agent(agent, config=config, fresh=fresh))

    # -- sessions

    async def create_session(
        self,
        agent: str,
        *,
        cwd: str | None = None,
        id: str | None = None,
        model: str | None = None,
        mode: str | None = None,
        thought_level: str | None = None,
        mcp_servers: Sequence[Mapping[str, Any]] | None = None,
        system_prompt: str | None = None,
        env: Mapping[str, str] | None = None,
        permission_policy: Policy | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Session:
        """Start an agent.

        Raises:
            errors.AgentNotInstalled: the message says how to get it.
            errors.AgentAuthRequired: the message says which key it wants.
            errors.SessionAlreadyExists: the `id` is taken.
            errors.InvalidRequest: an argument is not possible; the message names it.
        """
        request = built(
            CreateSession,
            agent=agent,
            cwd=cwd,
            id=id,
            model=model,
            mode=mode,
            thought_level=thought_level,
            mcp_servers=mcp_servers,
            system_prompt=system_prompt,
            env=env,
            permission_policy=permission_policy,
            metadata=metadata,
        )
        return await self._create(request)

    async def get_session(self, id: str) -> Session:
        """Raises: errors.SessionNotFound."""
        return self._session(await self._connection.call(calls.get(id)))

    async def list_sessions(self, *, limit: int | None = None) -> list[Session]:
        """The sessions of the server, newest first; also ended ones."""
        found: list[Session] = []
        cursor: str | None = None
        while limit is None or len(found) < limit:
            page = await self._connection.call(calls.list_page(limit=PAGE_SESSIONS, cursor=cursor))
            found += [self._session(info) for info in page.sessions]
            cursor = page.next_cursor
            if cursor is None:
                break
        return found[:limit]

    async def resume_session(
        self,
        id: str,
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        mcp_servers: Sequence[Mapping[str, Any]] | None = None,
    ) -> Session:
        """Pick a session up again, also in a sandbox that has never seen it.

        A session that the server knows gets its agent started again, when it does not run. One that
        it does not know is made again from `persistence`, with the same id and settings, and its
        history is given to the agent as context; `cwd` is for that case. `env` and `mcp_servers` can
        hold keys, so nobody stores them: give them again.

        Raises:
            errors.SessionNotFound: neither the server nor the store knows it.
        """
        try:
            call = calls.resume(id, env=env, mcp_servers=mcp_servers)
            return self._session(await self._connection.call(call))
        except SessionNotFound:
            request = await self._stored_request(id)
            if request is None:
                raise
        changes = {"cwd": cwd, "env": env, "mcp_servers": mcp_servers}
        given = {name: value for name, value in changes.items() if value is not None}
        return await self._create(built(CreateSession, **(request | given)))

    async def resume_or_create_session(
        self,
        id: str,
        agent: str,
        *,
        cwd: str | None = None,
        model: str | None = None,
        mode: str | None = None,
        thought_level: str | None = None,
        mcp_servers: Sequence[Mapping[str, Any]] | None = None,
        system_prompt: str | None = None,
        env: Mapping[str, str] | None = None,
        permission_policy: Policy | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Session:
        """`resume_session`, or `create_session` when nobody knows the id."""
        try:
            return await self.resume_session(id, cwd=cwd, env=env, mcp_servers=mcp_servers)
        except SessionNotFound:
            pass
        try:
            return await self.create_session(
                agent,
                id=id,
                cwd=cwd,
                model=model,
                mode=mode,
                thought_level=thought_level,
                mcp_servers=mcp_servers,
                system_prompt=system_prompt,
                env=env,
                permission_policy=permission_policy,
                metadata=metadata,
            )
        except SessionAlreadyExists:  # another client did the same just now
            return await self.resume_session(id)

    async def destroy_session(self, id: str) -> None:
        """End it and stop its agent. Its log stays readable; ending it again does nothing."""
        await self._connection.end(id)

    # -- inside

    def _session(self, info: SessionInfo) -> Session:
        return Session(self._connection, info)

    async def _create(self, request: CreateSession) -> Session:
        info = await self._connection.call(calls.create(request))
        await self._connection.recorder(info, settings_of(request))
        return self._session(info)

    async def _stored_request(self, id: str) -> dict[str, Any] | None:
        """The members of a CreateSession that makes a stored session again."""
        store = self._connection.store
        if store is None:
            return None
        return await self._connection.portal.run(lambda: new_context(store, id))
