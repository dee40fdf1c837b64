"""All sessions by id: those with a running agent in memory, the others on disk until somebody asks."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sandbox_agent_core.api.sessions import CreateSession, SessionList
from sandbox_agent_core.errors import (
    InvalidRequest,
    LimitReached,
    SessionAlreadyExists,
    SessionNotFound,
    Unavailable,
    UnsupportedAgent,
    ValueNotSupported,
)
from sandbox_agent_core.ids import is_session_id, new_id
from sandbox_agent_core.spi.agent import AgentAdapter, AgentDefinition

from sandbox_agent_server.agents.base_urls import base_url_environment
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.install.jobs import InstallJobs
from sandbox_agent_server.runtime.reaper import start_time
from sandbox_agent_server.sessions.adapters import AdapterFactory
from sandbox_agent_server.sessions.agent_host import SessionSecrets
from sandbox_agent_server.sessions.probing import AgentProber
from sandbox_agent_server.sessions.recovery import needs_recovery, reap_left_over, recover
from sandbox_agent_server.sessions.session import Session
from sandbox_agent_server.sessions.warm import WarmPool
from sandbox_agent_server.settings import Settings
from sandbox_agent_server.store import SessionRow, SqliteStore

__all__ = ["SessionRegistry"]

logger = logging.getLogger(__name__)

_NO_SESSION = 0
"""In the place of a session's key: whose process it is, when it is no session's."""


class SessionRegistry:
    def __init__(
        self,
        store: SqliteStore,
        settings: Settings,
        catalog: Catalog,
        installs: InstallJobs,
        *,
        version: str,
    ) -> None:
        self._store = store
        self._settings = settings
        self._catalog = catalog
        self._version = version
        self._adapters = AdapterFactory(settings, catalog)
        self._installs = installs
        self._warm = WarmPool(
            _warm_sizes(settings),
            self._make_warm,
            cwd=Path.cwd(),
            client_version=version,
            on_process=lambda pid: self._note_process(pid, _NO_SESSION),
        )
        self.prober = AgentProber(
            self._make_probe,
            timeout_s=settings.limits.agent_start_timeout_s,
            client_version=version,
        )
        self._live: dict[str, Session] = {}
        self._is_closing = False

    async def recover(self) -> None:
        """Before the first request: nothing of an earlier server may run or be open."""
        await reap_left_over(self._store)
        for row in self._store.list_sessions():
            if needs_recovery(row.state):
                recover(self._load(row), self._store)
        self._warm.fill()

    async def create(self, body: CreateSession) -> Session:
        """Make a session and start its agent, installed first if need be. A failure leaves nothing behind.

        Raises:
            UnsupportedAgent, InvalidRequest, ValueNotSupported, SessionAlreadyExists, LimitReached,
            InstallFailed, and what the start of an agent raises.
        """
        self._check_room()
        definition = self._catalog.get(body.agent)
        _check_env(body.env)
        base_url_environment(definition, body.base_url)
        _check_mcp_servers(definition, body.mcp_servers)
        await self._install_if_missing(body.agent, body.env)
        row = self._new_row(body)
        try:
            self._store.create_session(row)
        except sqlite3.IntegrityError:
            raise SessionAlreadyExists(
                f"session {row.id!r} exists; resume it, or choose another id", sessionId=row.id
            ) from None
        secrets = SessionSecrets(env=dict(body.env), mcp_servers=body.mcp_servers)
        session = self._live[row.id] = self._make(row, secrets)
        try:
            await session.create()
        except BaseException:
            del self._live[row.id]
            await session.shut_down()
            self._store.forget_processes(row.key)
            self._store.delete_session(row.key)
            raise
        return session

    async def resume(self, session_id: str, secrets: SessionSecrets) -> Session:
        """Start the agent of a session again; one that runs only when `secrets` are new to it.

        Raises:
            Conflict: it is at work, so that it cannot be given them now.
            And what `create` raises, but the session stays.
        """
        session = self.get(session_id)
        _check_env(secrets.env)
        if not session.agent.is_running:
            self._check_room()
            await self._install_if_missing(session.row.agent, secrets.env)
        renewed = session.agent.secrets.renewed(secrets)
        if session.agent.is_running and renewed != session.agent.secrets:
            await session.rest()
        session.agent.secrets = renewed
        await session.resume()
        return session

    def get(self, session_id: str) -> Session:
        """Raises: SessionNotFound."""
        if (session := self._live.get(session_id)) is not None:
            return session
        row = self._store.get_session(session_id) if is_session_id(session_id) else None
        if row is None:
            raise SessionNotFound(
                f"there is no session {session_id!r}; GET /v1/sessions lists those there are",
                sessionId=session_id,
            )
        return self._load(row)

    def list(self, *, cursor: str | None, limit: int) -> SessionList:
        """Newest first. Raises: InvalidRequest for a cursor that is not one of ours."""
        rows = self._store.list_sessions(before_key=_key_of(cursor), limit=limit + 1)
        page = rows[:limit]
        return SessionList(
            sessions=[
                (self._live.get(row.id) or self._make(row, SessionSecrets())).info() for row in page
            ],
            next_cursor=str(page[-1].key) if len(rows) > limit else None,
        )

    async def end(self, session_id: str) -> None:
        session = self.get(session_id)
        await session.end()
        self._store.forget_processes(session.row.key)

    async def shut_down(self) -> None:
        """Stop every agent, end every stream. What cannot be recorded is logged."""
        self._is_closing = True
        await self._installs.close()
        await self._warm.close()
        sessions = list(self._live.values())
        results = await asyncio.gather(
            *(session.shut_down() for session in sessions), return_exceptions=True
        )
        for session, result in zip(sessions, results, strict=True):
            if isinstance(result, Exception):
                logger.error("session %s: stopping failed", session.id, exc_info=result)

    def _check_room(self) -> None:
        if self._is_closing:
            raise Unavailable("the server is stopping")
        limit = self._settings.limits.max_sessions
        running = sum(
            session.agent.is_running or session.agent.is_starting for session in self._live.values()
        )
        if running >= limit:
            raise LimitReached(
                f"{running} agents are running; end a session first",
                limit="max_sessions",
                value=limit,
            )

    async def _install_if_missing(self, agent: str, env: Mapping[str, str]) -> None:
        """Raises: InstallFailed. An agent that nothing can install fails later, with its own hint."""
        if not self._installs.installs_by_itself(agent) or self._adapters.has_own_command(agent):
            return
        if self._adapters.is_missing(agent, env):
            await self._installs.install(agent)
            self._check_room()

    def _new_row(self, body: CreateSession) -> SessionRow:
        settings = body.model_dump(
            by_alias=True, exclude_none=True, exclude={"id", "env", "mcp_servers"}
        )
        settings["cwd"] = str(_workspace(body.cwd))
        state = {"context": body.context} if body.context else {}
        return SessionRow(
            key=0,
            id=body.id or new_id("ses"),
            agent=body.agent,
            created_ms=time.time_ns() // 1_000_000,
            ended_ms=None,
            settings=settings,
            state=state,
        )

    def _load(self, row: SessionRow) -> Session:
        session = self._live[row.id] = self._make(row, SessionSecrets())
        return session

    def _make(self, row: SessionRow, secrets: SessionSecrets) -> Session:
        return Session(
            self._store,
            row,
            self._settings.limits,
            make_adapter=self._make_adapter,
            secrets=secrets,
            version=self._version,
            definition=self._definition(row.agent),
        )

    def _definition(self, agent: str) -> AgentDefinition | None:
        """None for an agent that is configured no longer: its sessions can still be read."""
        try:
            return self._catalog.get(agent)
        except UnsupportedAgent:
            return None

    def _make_adapter(self, row: SessionRow, secrets: SessionSecrets) -> AgentAdapter:
        cwd = Path(row.settings["cwd"])
        if _is_plain(row, secrets) and (warm := self._warm.take(row.agent, cwd)) is not None:
            adapter, pids = warm
            for pid in pids:
                self._note_process(pid, row.key)
            return adapter
        return self._adapters.make(
            row.agent,
            session_id=row.id,
            cwd=cwd,
            env=secrets.env,
            base_url=row.settings.get("baseUrl"),
            on_process=lambda pid: self._note_process(pid, row.key),
        )

    def _make_warm(self, agent: str, cwd: Path, on_process: Callable[[int], None]) -> AgentAdapter:
        return self._adapters.make(agent, session_id="warm", cwd=cwd, env={}, on_process=on_process)

    def _make_probe(self, agent: str, cwd: Path) -> AgentAdapter:
        return self._adapters.make(
            agent,
            session_id="probe",
            cwd=cwd,
            env={},
            on_process=lambda pid: self._note_process(pid, _NO_SESSION),
        )

    def _note_process(self, pid: int, key: int) -> None:
        if (started := start_time(pid)) is not None:
            self._store.note_process(pid, started, key)


def _is_plain(row: SessionRow, secrets: SessionSecrets) -> bool:
    """An agent that was opened ahead of time was asked for nothing that this session would ask otherwise."""
    is_new = row.state.get("agentSessionId") is None
    has_secrets = secrets.env or secrets.mcp_servers
    return is_new and not (has_secrets or row.settings.keys() & {"baseUrl", "systemPrompt"})


def _warm_sizes(settings: Settings) -> dict[str, int]:
    named = dict.fromkeys(settings.warm, 1)
    return named | {name: agent.warm for name, agent in settings.agents.items() if agent.warm}


def _key_of(cursor: str | None) -> int | None:
    # int() also takes "1_0" and Arabic digits, and SQLite takes 64 bit.
    if cursor is None or (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        return None if cursor is None else int(cursor)
    raise InvalidRequest(f"`cursor` {cursor[:64]!r} is not a `nextCursor` of an earlier page")


def _workspace(cwd: str | None) -> Path:
    path = Path(cwd) if cwd is not None else Path.cwd()
    if not path.is_absolute():
        raise InvalidRequest(f"`cwd` {cwd!r} is not absolute", cwd=cwd)
    try:
        is_there = path.is_dir()
    except OSError as exc:  # too long, or behind a directory that is closed to us
        raise InvalidRequest(f"`cwd` {str(path)[:256]!r}: {exc.strerror}") from exc
    if not is_there:
        raise InvalidRequest(f"`cwd` {str(path)!r} is not a directory in this sandbox", cwd=cwd)
    return path


def _check_mcp_servers(definition: AgentDefinition, servers: Iterable[Mapping[str, Any]]) -> None:
    """Raises: ValueNotSupported."""
    taken = definition.mcp_transports
    for server in servers:
        # ACP: one without a type is a program.
        transport = server.get("type", "stdio")
        if transport in ("stdio", "http", "sse") and transport not in taken:
            raise ValueNotSupported(
                f"MCP server {str(server.get('name'))!r}: {definition.title} takes none over {transport}; "
                f"it takes: {', '.join(taken) or 'none'}",
                offered=list(taken),
            )


def _check_env(env: Mapping[str, str]) -> None:
    """Raises: InvalidRequest for what no process can be given. Names the variable, never its value."""
    for name, value in env.items():
        text = name + value
        try:
            os.fsencode(text)
            is_possible = bool(name) and "=" not in name and "\0" not in text
        except UnicodeEncodeError:
            is_possible = False
        if not is_possible:
            raise InvalidRequest(
                f"`env`: {name[:64]!r} cannot be set: a name is not empty and has no `=`, and neither "
                "it nor its value has a NUL character"
            )
