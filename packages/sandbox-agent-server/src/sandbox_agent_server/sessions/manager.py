"""All sessions by id. Live objects exist while something happens; everything else is a row and a file."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from sandbox_agent_core.api.sessions import CreateSession, SessionInfo, SessionList
from sandbox_agent_core.errors import (
    InvalidRequest,
    LimitReached,
    SessionAlreadyExists,
    SessionNotFound,
    StorageError,
    Unavailable,
    UnsupportedAgent,
    ValueNotSupported,
)
from sandbox_agent_core.ids import is_session_id, new_id
from sandbox_agent_core.spi.agent import AgentAdapter, AgentDefinition

from sandbox_agent_server.agents.runner.config_options import ConfigOptions
from sandbox_agent_server.agents.runner.environment import base_url_environment
from sandbox_agent_server.agents.runner.factory import AgentFactory
from sandbox_agent_server.agents.runner.pool import AgentPool, pool_sizes
from sandbox_agent_server.install.jobs import InstallJobs
from sandbox_agent_server.log.durability import Syncer
from sandbox_agent_server.log.file import LOG_NAME, Quota
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.runtime.ledger import ProcessLedger
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.agent import SessionSecrets
from sandbox_agent_server.sessions.info import session_info
from sandbox_agent_server.sessions.recovery import end_left_over, state_of_log
from sandbox_agent_server.sessions.session import Session
from sandbox_agent_server.sessions.state import (
    RequestChange,
    SessionSettings,
    SessionState,
    SessionStep,
)
from sandbox_agent_server.settings import Settings
from sandbox_agent_server.store.index import IndexRow, RequestRow, SessionIndex

__all__ = ["SessionManager"]

logger = logging.getLogger(__name__)

RETENTION_EVERY_S: Final = 600.0
_OLDEST_AT_A_TIME: Final = 500


class SessionManager:
    def __init__(
        self,
        index: SessionIndex,
        settings: Settings,
        factory: AgentFactory,
        installs: InstallJobs,
        ledger: ProcessLedger,
        *,
        version: str,
    ) -> None:
        self._index = index
        self._settings = settings
        self._factory = factory
        self._installs = installs
        self._ledger = ledger
        self._pool = AgentPool(
            factory,
            pool_sizes(settings),
            cwd=Path.cwd(),
            client_version=version,
            on_process=lambda pid: ledger.note(pid, "pool"),
        )
        self._version = version
        self._quota = Quota(settings.limits.max_log_bytes, used_bytes=index.total_bytes())
        self._syncer = Syncer(settings.durability)
        self._live: dict[str, Session] = {}
        self._logs: WeakValueDictionary[str, SessionLog] = WeakValueDictionary()
        self._secrets: dict[str, SessionSecrets] = {}
        """Of sessions that were given some, live or not."""
        self._unsaved: dict[str, list[RequestRow]] = {}
        """What the index could not take."""
        self._tasks = TaskOwner("sessions")
        self._is_closing = False

    async def recover(self) -> None:
        """Before the first request: nothing of an earlier server may run or be open."""
        await self._ledger.reap_left_over()
        if self._index.is_new:
            await asyncio.to_thread(self._index_directories, self._directories())
        for row in self._index.open_sessions():
            try:
                self._open(row)
            except (StorageError, ValueError) as exc:
                logger.error("session %s cannot be recovered: %s", row.id, exc)
        self._pool.fill()
        if self._settings.retention_days or self._settings.retention_bytes:
            self._tasks.spawn(self._retain(), name="retention")

    # Sessions

    async def create(self, body: CreateSession) -> SessionInfo:
        """Make a session and start its agent, installed first if need be. A failure leaves nothing behind.

        Raises:
            UnsupportedAgent, InvalidRequest, ValueNotSupported, SessionAlreadyExists, LimitReached,
            InstallFailed, and what the start of an agent raises.
        """
        self._check_room()
        definition = self._factory.definition(body.agent)
        _check_env(body.env)
        base_url_environment(definition, body.base_url)
        _check_mcp_servers(definition, body.mcp_servers)
        settings = SessionSettings.model_validate(
            {
                **body.model_dump(exclude={"id", "env", "mcp_servers", "cwd"}, exclude_none=True),
                "cwd": str(_workspace(body.cwd)),
            }
        )
        await self._install_if_missing(body.agent, body.env)
        session_id = body.id or new_id("ses")
        if self._index.get(session_id) is not None or session_id in self._live:
            raise SessionAlreadyExists(
                f"session {session_id!r} exists; resume it, or choose another id",
                sessionId=session_id,
            )
        log = self._log(session_id)
        state = SessionState(
            settings=settings,
            created_ms=log.now_ms,
            options=ConfigOptions(native_modes=definition.permission_modes),
        )
        secrets = SessionSecrets(env=dict(body.env), mcp_servers=body.mcp_servers)
        self._make(log, state, secrets)
        with self.session(session_id) as session:
            try:
                await session.create()
            except BaseException:
                await self._discard(session)
                raise
            return session.info()

    async def resume(self, session_id: str, secrets: SessionSecrets) -> SessionInfo:
        """Start the agent of a session again; one that runs only when `secrets` are new to it.

        Raises:
            Conflict: it is at work, so that it cannot be given them now.
            And what `create` raises, but the session stays.
        """
        _check_env(secrets.env)
        with self.session(session_id) as session:
            if not session.agent.is_running:
                self._check_room()
                await self._install_if_missing(session.state.settings.agent, secrets.env)
            renewed = session.agent.secrets.renewed(secrets)
            if session.agent.is_running and renewed != session.agent.secrets:
                await session.rest()
            self._remember_secrets(session, renewed)
            await session.resume()
            return session.info()

    @contextmanager
    def session(self, session_id: str) -> Iterator[Session]:
        """To do something with it; it is live as long as anybody does, or as it does something itself.

        Raises:
            SessionNotFound, StorageError.
        """
        session = self._live.get(session_id)
        if session is None:
            log, state = self._open(self._row(session_id))
            secrets = self._secrets.get(session_id, SessionSecrets())
            session = self._make(log, state, secrets)
        session.users += 1
        try:
            yield session
        finally:
            session.users -= 1
            self._let_go(session)

    def log(self, session_id: str) -> SessionLog:
        """To read it. Raises: SessionNotFound, StorageError."""
        if session_id not in self._live and session_id not in self._logs:
            return self._open(self._row(session_id))[0]
        return self._log(session_id)

    def info(self, session_id: str) -> SessionInfo:
        """Raises: SessionNotFound."""
        return self._info(self._row(session_id))

    def list(self, *, cursor: str | None, limit: int) -> SessionList:
        """Newest first. Raises: InvalidRequest for a cursor that is not one of ours."""
        rows = self._index.page(before_key=_key_of(cursor), limit=limit + 1)
        page = rows[:limit]
        return SessionList.model_construct(
            sessions=[self._info(row) for row in page],
            next_cursor=str(page[-1].key) if len(rows) > limit else None,
        )

    def requests(self, session_id: str, *, pending_only: bool) -> Sequence[dict[str, Any]]:
        """What the agent asked, oldest first. Raises: SessionNotFound."""
        row = self._row(session_id)
        if pending_only:
            live = self._live.get(session_id)
            pending = row.state["pending"] if live is None else live.state.pending
            return tuple(pending.values())
        return [
            one.asked if one.resolution is None else {**one.asked, "resolution": one.resolution}
            for one in self._index.requests(session_id)
        ]

    async def end(self, session_id: str) -> None:
        """Raises: SessionNotFound."""
        with self.session(session_id) as session:
            await session.end()
            self._ledger.forget(session_id)

    async def purge(self, session_id: str) -> None:
        """End it and remove everything that is kept of it. Raises: SessionNotFound, StorageError."""
        with self.session(session_id) as session:
            await session.end()
            self._ledger.forget(session_id)
            self._remove(session.log)

    async def shut_down(self) -> None:
        """Stop every agent, end every stream. What cannot be recorded is logged."""
        self._is_closing = True
        await self._tasks.cancel()
        await self._installs.close()
        await self._pool.close()
        sessions = list(self._live.values())
        results = await asyncio.gather(
            *(session.shut_down() for session in sessions), return_exceptions=True
        )
        for session, result in zip(sessions, results, strict=True):
            if isinstance(result, Exception):
                logger.error("session %s: stopping failed", session.id, exc_info=result)
        for log in list(self._logs.values()):
            log.close()
        await self._syncer.close()

    # Live and not

    def _make(self, log: SessionLog, state: SessionState, secrets: SessionSecrets) -> Session:
        session_id = log.session_id
        session = Session(
            log,
            state,
            self._settings.limits,
            secrets=secrets,
            make_adapter=lambda state, secrets: self._make_adapter(session_id, state, secrets),
            definition=self._definition(state.settings.agent),
            version=self._version,
            earlier_resolution=lambda id: self._index.resolution(session_id, id),
        )
        session.conversation.observers.append(lambda step: self._observe(session, step))
        self._remember_secrets(session, secrets)
        self._live[session_id] = session
        return session

    def _make_adapter(
        self, session_id: str, state: SessionState, secrets: SessionSecrets
    ) -> AgentAdapter:
        agent, cwd = state.settings.agent, Path(state.settings.cwd)
        if _is_plain(state, secrets) and (ready := self._pool.take(agent, cwd)) is not None:
            for pid in ready.pids:
                self._ledger.note(pid, session_id)
            return ready
        return self._factory.make(
            agent,
            session_id=session_id,
            cwd=cwd,
            env=secrets.env,
            base_url=state.settings.base_url,
            on_process=lambda pid: self._ledger.note(pid, session_id),
        )

    async def _install_if_missing(self, agent: str, env: Mapping[str, str]) -> None:
        """Raises: InstallFailed. An agent that nothing can install fails later, with its own hint."""
        if self._installs.installs_by_itself(agent) and await asyncio.to_thread(
            self._factory.wants_installation, agent, env
        ):
            await self._installs.install(agent)
            self._check_room()

    def _let_go(self, session: Session) -> None:
        """Whatever a session at rest is, its row and its log say."""
        if session.is_at_rest and self._live.get(session.id) is session:
            del self._live[session.id]
            session.log.rest()
            self._save(session.log, session.state)

    def _remember_secrets(self, session: Session, secrets: SessionSecrets) -> None:
        session.agent.secrets = secrets
        if secrets.env or secrets.mcp_servers:
            self._secrets[session.id] = secrets

    def _definition(self, agent: str) -> AgentDefinition | None:
        """None for an agent that is configured no longer: its sessions can still be read."""
        try:
            return self._factory.definition(agent)
        except UnsupportedAgent:
            return None

    def _native_modes(self, agent: str) -> Mapping[str, str]:
        definition = self._definition(agent)
        return {} if definition is None else definition.permission_modes

    async def _discard(self, session: Session) -> None:
        """It never came to life."""
        try:
            await session.shut_down()
        finally:
            self._live.pop(session.id, None)
            self._ledger.forget(session.id)
            self._remove(session.log)

    def _remove(self, log: SessionLog) -> None:
        """Raises: StorageError."""
        log.close()
        self._logs.pop(log.session_id, None)
        self._live.pop(log.session_id, None)
        self._secrets.pop(log.session_id, None)
        self._unsaved.pop(log.session_id, None)
        log.file.delete()
        self._index.delete(log.session_id)

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

    # Logs and the index

    def _log(self, session_id: str) -> SessionLog:
        """Raises: StorageError."""
        log = self._logs.get(session_id)
        if log is None:
            log = self._logs[session_id] = SessionLog(
                session_id,
                self._index.sessions_dir / session_id,
                quota=self._quota,
                syncer=self._syncer,
            )
        return log

    def _row(self, session_id: str) -> IndexRow:
        """Raises: SessionNotFound."""
        row = self._index.get(session_id) if is_session_id(session_id) else None
        if row is None:
            raise SessionNotFound(
                f"there is no session {session_id!r}; GET /v1/sessions lists those there are",
                sessionId=session_id,
            )
        return row

    def _info(self, row: IndexRow) -> SessionInfo:
        live = self._live.get(row.id)
        if live is not None:
            return live.info()
        state = self._state_of(row)
        if state is None:
            state = self._open(row)[1]
        return session_info(
            row.id,
            state,
            status="dormant" if state.ended_ms is None else "ended",
            last_seq=row.seq,
            updated_ms=row.updated_ms,
        )

    def _state_of(self, row: IndexRow) -> SessionState | None:
        native_modes = self._native_modes(row.state.get("settings", {}).get("agent", ""))
        return SessionState.from_wire(row.state, native_modes=native_modes)

    def _open(self, row: IndexRow) -> tuple[SessionLog, SessionState]:
        """The log of a session that is not live, and what it says; with an end of what was left open.

        Raises:
            StorageError, ValueError: it cannot be read.
        """
        log = self._log(row.id)
        # A power failure may have taken from the log what the index has.
        known = self._state_of(row) if row.seq <= log.last_seq else None
        if known is not None and row.seq == log.last_seq and not known.is_open:
            return log, known
        state, changes = state_of_log(log, self._native_modes, known=known, seq=row.seq)
        step = end_left_over(log, state)
        if step is not None:
            log.append(step)
            state, changes = step.state, changes + step.changes
            logger.info("session %s: ended what an earlier server left open", log.session_id)
        self._save(log, state, changes)
        return log, state

    def _observe(self, session: Session, step: SessionStep) -> None:
        if step.is_change:
            self._save(session.log, step.state, step.changes)
        if not step.state.is_open:
            asyncio.get_running_loop().call_soon(self._let_go, session)

    def _save(
        self, log: SessionLog, state: SessionState, changes: Iterable[RequestChange] = ()
    ) -> None:
        """What the index cannot take now it takes with the next change, or from the log."""
        rows = self._unsaved.pop(log.session_id, [])
        rows += [
            RequestRow(id=one.id, asked=one.asked, resolution=one.resolution) for one in changes
        ]
        row = IndexRow(
            id=log.session_id,
            seq=log.last_seq,
            updated_ms=log.last_time_ms,
            size_bytes=log.file.size_bytes,
            is_open=state.is_open,
            state=state.to_wire(),
        )
        try:
            self._index.save(row, rows)
        except StorageError as exc:
            logger.error("session %s: %s", log.session_id, exc.message)
            self._unsaved[log.session_id] = rows

    def _directories(self) -> Sequence[Path]:
        """Of sessions, oldest first."""
        try:
            found = [path / LOG_NAME for path in self._index.sessions_dir.iterdir()]
        except FileNotFoundError:
            return []
        logs = [path for path in found if path.is_file()]
        return [path.parent for path in sorted(logs, key=_first_time)]

    def _index_directories(self, directories: Sequence[Path]) -> None:
        """Make the index again. Blocks."""
        for directory in directories:
            if not is_session_id(directory.name):
                continue
            try:
                log = self._log(directory.name)
                state, changes = state_of_log(log, self._native_modes)
            except (StorageError, ValueError) as exc:
                logger.error("%s is not indexed: %s", directory, exc)
                continue
            self._quota.used_bytes += log.file.size_bytes
            self._save(log, state, changes)
            log.rest()
        if directories:
            logger.warning("made the index again from %d logs", len(directories))

    # Retention

    async def _retain(self) -> None:
        while True:
            try:
                await self._remove_old()
            except StorageError as exc:
                logger.error("old sessions are not removed: %s", exc.message)
            await asyncio.sleep(RETENTION_EVERY_S)

    async def _remove_old(self) -> None:
        """Least recently written first; never one that is live or being read."""
        settings = self._settings
        oldest_ms = 0.0
        if settings.retention_days is not None:
            oldest_ms = time.time() * 1000 - settings.retention_days * 86_400_000
        total = self._index.total_bytes()
        for session_id, updated_ms, size_bytes in self._index.oldest(limit=_OLDEST_AT_A_TIME):
            is_too_much = settings.retention_bytes is not None and total > settings.retention_bytes
            if updated_ms >= oldest_ms and not is_too_much:
                return
            if session_id in self._live or session_id in self._logs:
                continue
            self._remove(self._log(session_id))
            total -= size_bytes
            logger.info("session %s was removed: it is older than what is kept", session_id)
            await asyncio.sleep(0)


def _is_plain(state: SessionState, secrets: SessionSecrets) -> bool:
    """An agent that was opened ahead of time was asked for nothing that this session would ask otherwise."""
    has_wishes = state.settings.base_url or state.settings.system_prompt
    return not (state.agent_session_id or secrets.env or secrets.mcp_servers or has_wishes)


def _first_time(log: Path) -> str:
    """When its session was made, to sort by: the time in its first line."""
    with log.open("rb") as file:
        head = file.read(256)
    _, _, rest = head.partition(b'"time":"')
    return rest[:24].decode("ascii", "replace")


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
