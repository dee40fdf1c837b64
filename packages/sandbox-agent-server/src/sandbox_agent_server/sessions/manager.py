"""All sessions by id. Live objects exist while something happens; everything else is a row and a file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.api.host_tools import HOST_SERVER, HostTool, RegisterHostTools
from sandbox_agent_core.api.long_work import ForkSession
from sandbox_agent_core.api.sessions import CreateSession, SessionInfo
from sandbox_agent_core.errors import (
    AgentError,
    AgentProcessExited,
    InvalidRequest,
    LimitReached,
    OperationNotSupported,
    SessionAlreadyExists,
    SessionDamaged,
    StorageError,
    Unavailable,
    UnsupportedAgent,
)
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.spi.agent import AgentDefinition
from sandbox_agent_core.spi.persistence import TranscriptStore

from sandbox_agent_server.agents.runner.environment import base_url_environment
from sandbox_agent_server.agents.runner.factory import AgentFactory
from sandbox_agent_server.agents.runner.handshake import Adopted, ForkPoint, Introduction
from sandbox_agent_server.agents.runner.session_options import allowing
from sandbox_agent_server.host.config.store import ConfigStore
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.install.jobs import InstallJobs
from sandbox_agent_server.log.file import Quota
from sandbox_agent_server.log.log import SessionLog, retry_delays
from sandbox_agent_server.runtime.ledger import ProcessLedger
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.adapters import SessionAdapters
from sandbox_agent_server.sessions.agent import SessionSecrets
from sandbox_agent_server.sessions.archive import SessionArchive
from sandbox_agent_server.sessions.equipment import Equipment, Equipping
from sandbox_agent_server.sessions.fold import SessionStep
from sandbox_agent_server.sessions.following import StoreFollower, holder_of
from sandbox_agent_server.sessions.forking import fork_of
from sandbox_agent_server.sessions.given import check_env, directories_of, workspace_of
from sandbox_agent_server.sessions.host_tools.door import ToolDoor
from sandbox_agent_server.sessions.mcp_servers import check_mcp_servers
from sandbox_agent_server.sessions.reader import SessionReader
from sandbox_agent_server.sessions.session import Session
from sandbox_agent_server.sessions.state import SessionSettings, SessionState
from sandbox_agent_server.sessions.turn_diffs import FindWorkTree
from sandbox_agent_server.settings import Settings
from sandbox_agent_server.store.index import SessionIndex

__all__ = ["SessionManager"]

logger = logging.getLogger(__name__)

RETENTION_EVERY_S: Final = 600.0


class SessionManager:
    def __init__(
        self,
        index: SessionIndex,
        settings: Settings,
        factory: AgentFactory,
        installs: InstallJobs,
        ledger: ProcessLedger,
        config: ConfigStore,
        paths: Paths,
        door: ToolDoor,
        *,
        version: str,
        find_work_tree: FindWorkTree | None = None,
        store: TranscriptStore | None = None,
    ) -> None:
        """`find_work_tree`: for what turns have changed; nobody tells that without. `store`: where the logs are copied to."""
        self._find_work_tree = find_work_tree
        self._archive = SessionArchive(index, settings, self._native_modes)
        self._settings = settings
        self._factory = factory
        self._installs = installs
        self._ledger = ledger
        self._equipping = Equipping(config, paths, settings)
        self._door = door
        self._tools_clients: dict[str, str] = {}
        """Session -> who registered its functions last."""
        self._adapters = SessionAdapters(factory, settings, ledger, version=version)
        self._version = version
        self._live: dict[str, Session] = {}
        self._secrets: dict[str, SessionSecrets] = {}
        """Of sessions that were given some, live or not."""
        self.reader = SessionReader(self._archive, self._live)
        self._follower = None
        if store is not None:
            holder = holder_of(settings.data_dir)
            self._follower = StoreFollower(store, self._archive, self.reader, holder=holder)
        self._following: asyncio.Task[None] | None = None
        self.on_live: list[Callable[[Session], None]] = []
        """Told of each session that becomes live, before anything happens in it."""
        self.on_removed: list[Callable[[str], None]] = []
        """Told of each session of which nothing is kept any more."""
        self._archive.on_removed = self._tell_removed
        self._tasks = TaskOwner("sessions")
        self._is_ending_left_over = False
        self._is_closing = False

    async def recover(self) -> None:
        """Before the first request: nothing of an earlier server may run or be open.

        Raises: StorageError: the index or the store cannot be used.
        """
        if self._follower is not None:
            await self._follower.open()
        await self._ledger.reap_left_over()
        if not await self._archive.recover():
            self._end_left_over_soon()
        self._adapters.pool.fill()
        if self._settings.retention_days or self._settings.retention_bytes:
            self._tasks.spawn(self._retain(), name="retention")
        if self._follower is not None:
            self._following = asyncio.create_task(self._follower.run(), name="store follower")

    # Sessions

    async def create(
        self,
        body: CreateSession,
        *,
        introduction: Introduction | None = None,
        adopted: Adopted | None = None,
    ) -> SessionInfo:
        """Make a session and start its agent, installed first if need be. A failure leaves nothing behind.
        `adopted`: one that the agent has already.

        Raises:
            UnsupportedAgent, InvalidRequest, ValueNotSupported, AgentOptionsInvalid, AgentOptionForbidden,
            SessionAlreadyExists, LimitReached, InstallFailed, and what the start of an agent raises.
        """
        self._check_room()
        definition = self._factory.definition(body.agent)
        check_env(body.env)
        base_url_environment(definition, body.base_url)
        check_mcp_servers(definition, body.mcp_servers)
        options = self._factory.session_options(body.agent, body.agent_options)
        settings = SessionSettings.model_validate(
            {
                "trust_workspace": self._settings.trust_workspace,
                **body.model_dump(
                    exclude={"id", "env", "mcp_servers", "cwd", "tools"}, exclude_none=True
                ),
                "cwd": str(workspace_of(body.cwd)),
                "additional_directories": directories_of(body.additional_directories),
                "agent_options": options.to_wire() if options is not None else {},
            }
        )
        policy = allowing(settings.permission_policy, options)
        settings = settings.model_copy(update={"permission_policy": policy})
        tools = body.tools
        given = None if tools is None else tuple(tools.tools)
        _check_host_tools(definition, body.mcp_servers, given)
        secrets = SessionSecrets(dict(body.env), body.mcp_servers, introduction, given)
        new = body.id or new_id("ses")
        client = None if tools is None else tools.client
        return await self._begin(new, settings, secrets, adopted=adopted, tools_client=client)

    async def fork(self, session_id: str, body: ForkSession) -> SessionInfo:
        """Another session that begins with what was in this one: its agent copies its own memory where it can, else
        it is given the transcript. The session itself goes on as it was, and may be dormant or have ended.

        Raises: SessionNotFound, SessionDamaged, and what `create` raises.
        """
        check_env(body.env)
        with self.session(session_id) as session:
            source, cwd = session.state.settings, session.state.settings.cwd
            definition = self._factory.definition(source.agent)
            check_mcp_servers(definition, body.mcp_servers)
            if body.cwd is not None:
                cwd = str(workspace_of(body.cwd))
            self._check_room()
            fork = await fork_of(session.log, session.state, body, cwd=cwd)
            given = SessionSecrets(env=dict(body.env), mcp_servers=body.mcp_servers)
            secrets = session.agent.secrets.renewed(given)
        new = body.id or new_id("ses")
        try:
            return await self._begin(new, fork.settings, secrets, fork.point)
        except AgentError as exc:
            if fork.point is None or isinstance(exc, AgentProcessExited):
                raise
            logger.warning("session %s: the agent would not fork it: %s", session_id, exc.message)
            fork = fork.as_transcript(exc.message)
        return await self._begin(new, fork.settings, secrets)

    async def _begin(
        self,
        session_id: str,
        settings: SessionSettings,
        secrets: SessionSecrets,
        fork_point: ForkPoint | None = None,
        adopted: Adopted | None = None,
        tools_client: str | None = None,
    ) -> SessionInfo:
        await self.install_if_missing(settings.agent, secrets.env)
        if self._archive.has(session_id) or session_id in self._live:
            raise _already_exists(session_id)
        log = self._archive.log(session_id)
        if log.last_seq:  # one that the index does not know
            raise _already_exists(session_id)
        native_modes = self._native_modes(settings.agent)
        state = SessionState.begun(settings, log.now_ms, native_modes)
        self._make(log, state, secrets)
        self._set_tools_client(session_id, tools_client)
        with self.session(session_id) as session:
            session.agent.fork_point, session.agent.adopted = fork_point, adopted
            try:
                await session.create()
            except BaseException:
                await self._discard(session)
                raise
            return session.info()

    async def resume(
        self, session_id: str, secrets: SessionSecrets, *, tools_client: str | None = None
    ) -> SessionInfo:
        """Start the agent of a session again; one that runs only when `secrets` are new to it. `tools_client`: whose
        functions they have.

        Raises:
            Conflict: it is at work, so that it cannot be given them now.
            And what `create` raises, but the session stays.
        """
        check_env(secrets.env)
        with self.session(session_id) as session:
            if secrets.mcp_servers:
                definition = self._factory.definition(session.state.settings.agent)
                check_mcp_servers(definition, secrets.mcp_servers)
            if not session.agent.is_running:
                self._check_room()
                await self.install_if_missing(session.state.settings.agent, secrets.env)
            renewed = session.agent.secrets.renewed(secrets)
            if renewed.host_tools:
                definition = self._factory.definition(session.state.settings.agent)
                _check_host_tools(definition, renewed.mcp_servers, renewed.host_tools)
            if session.agent.is_running and renewed != session.agent.secrets:
                # One that was asked nothing yet has no memory to be brought back.
                session.agent.starts_anew = session.has_had_no_turn
                await session.rest()
            self._remember_secrets(session, renewed)
            if tools_client is not None:
                self._set_tools_client(session_id, tools_client)
            await session.resume()
            return session.info()

    async def register_tools(self, session_id: str, body: RegisterHostTools) -> SessionInfo:
        """Functions of a client for the agent. One that runs starts again when they are others than before: agents ask
        an MCP server for its tools when they start.

        Raises: what `resume` raises.
        """
        given = SessionSecrets(host_tools=tuple(body.tools))
        return await self.resume(session_id, given, tools_client=body.client)

    def _set_tools_client(self, session_id: str, client: str | None) -> None:
        if client is None:
            self._tools_clients.pop(session_id, None)
        else:
            self._tools_clients[session_id] = client
        if (live := self._live.get(session_id)) is not None:
            live.tools_client = client

    @contextmanager
    def session(self, session_id: str) -> Iterator[Session]:
        """To do something with it; it is live as long as anybody does, or as it does something itself.

        Raises:
            SessionNotFound, StorageError.
        """
        session = self._live.get(session_id)
        if session is None:
            log, state = self._archive.open(self._archive.row(session_id))
            secrets = self._secrets.get(session_id, SessionSecrets())
            session = self._make(log, state, secrets)
        session.users += 1
        try:
            yield session
        finally:
            session.users -= 1
            self._let_go(session)

    @property
    def quota(self) -> Quota:
        """Of all that is kept of what is said."""
        return self._archive.quota

    async def interrupt(self, session_id: str) -> None:
        """Stop its agent, whatever it does; it can be resumed. Raises: SessionNotFound."""
        with self.session(session_id) as session:
            await session.shut_down()

    async def end(self, session_id: str) -> None:
        """Raises: SessionNotFound."""
        with self.session(session_id) as session:
            await session.end()
            self._ledger.forget(session_id)

    async def purge(self, session_id: str) -> None:
        """End it and remove everything that is kept of it. Raises: SessionNotFound, StorageError."""
        row = self._archive.row(session_id)
        try:
            with self.session(session_id) as session:
                await session.end()
        except (StorageError, SessionDamaged) as exc:
            # What is removed need not be written first: so there can be made space.
            logger.warning("session %s is removed without an end: %s", session_id, exc.message)
        self._ledger.forget(session_id)
        try:
            log = self._archive.log(session_id)
        except StorageError:
            self._archive.remove_unread(row)
        else:
            self._remove(log)

    async def shut_down(self) -> None:
        """Stop every agent, end every stream. What cannot be recorded is logged."""
        self._is_closing = True
        await self._tasks.cancel()
        await self._installs.close()
        await self._adapters.pool.close()
        sessions = list(self._live.values())
        results = await asyncio.gather(
            *(session.shut_down() for session in sessions), return_exceptions=True
        )
        for session, result in zip(sessions, results, strict=True):
            if isinstance(result, Exception):
                logger.error("session %s: stopping failed", session.id, exc_info=result)
        await self._ledger.end_all()
        await self._door.close()
        if self._follower is not None and self._following is not None:
            self._follower.end()
            await asyncio.wait([self._following])
        await self._archive.close()

    # Live and not

    def _make(self, log: SessionLog, state: SessionState, secrets: SessionSecrets) -> Session:
        session_id = log.session_id
        session = Session(
            log,
            state,
            self._settings.limits,
            secrets=secrets,
            make_adapter=partial(self._adapters.make, session_id),
            equip=partial(self._equip, session_id),
            definition=self._definition(state.settings.agent),
            version=self._version,
            prices=self._settings.prices,
            earlier_resolution=lambda id: self._archive.resolution(session_id, id),
            find_work_tree=self._find_work_tree or _nothing,
            tells_diffs=self._settings.turn_diffs and self._find_work_tree is not None,
            in_use=lambda: self.session(session_id),
        )
        session.conversation.observers.append(lambda step: self._observe(session, step))
        self._remember_secrets(session, secrets)
        session.tools_client = self._tools_clients.get(session_id)
        self._live[session_id] = session
        for tell in self.on_live:
            tell(session)
        return session

    async def _equip(
        self, session_id: str, state: SessionState, secrets: SessionSecrets
    ) -> Equipment:
        settings = state.settings
        servers, names = secrets.mcp_servers, [tool.name for tool in secrets.host_tools or ()]
        if names:
            answer = partial(self._answer_mcp, session_id)
            timeout_s = max(tool.timeout_s for tool in secrets.host_tools or ())
            servers = [*servers, await self._door.server(session_id, answer, timeout_s=timeout_s)]
        equipment = await self._equipping.of(
            session_id,
            settings,
            self._factory.definition(settings.agent),
            mcp_servers=servers,
            environment=self._factory.environment(settings.agent, secrets.env, settings.base_url),
        )
        return replace(equipment, host_tools=names)

    async def _answer_mcp(self, session_id: str, message: Any) -> dict[str, Any] | None:
        """Raises: SessionNotFound."""
        with self.session(session_id) as session:
            return await session.host_tools.mcp.answer(message)

    async def install_if_missing(self, agent: str, env: Mapping[str, str]) -> None:
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
            self._archive.save(session.log, session.state)
            if session.state.is_open:
                self._end_left_over_soon()

    def _remember_secrets(self, session: Session, secrets: SessionSecrets) -> None:
        session.agent.secrets = secrets
        if secrets != SessionSecrets():
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
        self._live.pop(log.session_id, None)
        self._secrets.pop(log.session_id, None)
        self._tools_clients.pop(log.session_id, None)
        self._door.shut(log.session_id)
        self._archive.remove(log)

    def _tell_removed(self, session_id: str) -> None:
        for tell in self.on_removed:
            tell(session_id)

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

    def _observe(self, session: Session, step: SessionStep) -> None:
        if step.is_change:
            self._archive.save(session.log, step.state, step.changes)
        if not step.state.is_open:
            asyncio.get_running_loop().call_soon(self._let_go, session)

    # What could not be ended

    def _end_left_over_soon(self) -> None:
        """A session whose end could not be written gets it when there is space, also when nobody asks for it."""
        if not self._is_ending_left_over and not self._is_closing:
            self._is_ending_left_over = True
            self._tasks.spawn(self._end_left_over(), name="end left over")

    async def _end_left_over(self) -> None:
        try:
            for delay in retry_delays():
                await asyncio.sleep(delay)
                if self._archive.end_left_open(self._live):
                    return
        finally:
            self._is_ending_left_over = False

    # Retention

    async def _retain(self) -> None:
        while True:
            await self._archive.remove_old()
            await asyncio.sleep(RETENTION_EVERY_S)


def _nothing(_directory: Path, _store: Path) -> None:
    return None


def _check_host_tools(
    definition: AgentDefinition,
    servers: Sequence[Mapping[str, Any]],
    tools: Sequence[HostTool] | None,
) -> None:
    """Raises: InvalidRequest, OperationNotSupported."""
    if not tools:
        return
    if any(server.get("name") == HOST_SERVER for server in servers):
        raise InvalidRequest(
            f"{HOST_SERVER!r} is what the tools of the session are served as: call the MCP server otherwise"
        )
    if "http" not in definition.mcp_transports:
        raise OperationNotSupported(
            f"agent {definition.name!r} takes no MCP servers over HTTP, and so no functions of a client (`tools`): leave "
            "them out, or choose another agent",
            agent=definition.name,
            operation="tools",
        )


def _already_exists(session_id: str) -> SessionAlreadyExists:
    return SessionAlreadyExists(
        f"session {session_id!r} exists; resume it, or choose another id", sessionId=session_id
    )
