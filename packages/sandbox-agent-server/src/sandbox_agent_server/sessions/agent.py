"""The agent of a session: brought up, given its memory and settings back, let go."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox_agent_core.api.host_tools import HostTool
from sandbox_agent_core.errors import (
    AgentError,
    AgentProcessExited,
    SandboxAgentError,
    StorageError,
    Timeout,
    Unavailable,
)
from sandbox_agent_core.frames import extensions, operations
from sandbox_agent_core.lenient import as_str
from sandbox_agent_core.spi.agent import AgentAdapter, AgentDefinition
from sandbox_agent_core.spi.capabilities import AgentCapabilities

from sandbox_agent_server.agents.runner.config_options import Setting
from sandbox_agent_server.agents.runner.connection import AgentConnection
from sandbox_agent_server.agents.runner.handshake import (
    Adopted,
    ForkPoint,
    Handshake,
    Introduction,
    Opened,
)
from sandbox_agent_server.agents.runner.redaction import Redaction
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.context import instructions_text, replay_text
from sandbox_agent_server.sessions.conversation import Conversation
from sandbox_agent_server.sessions.equipment import NO_EQUIPMENT, Equipment
from sandbox_agent_server.sessions.mode import SessionMode
from sandbox_agent_server.sessions.state import SessionState
from sandbox_agent_server.sessions.wanted import check_wanted

__all__ = ["MakeAdapter", "SessionAgent", "SessionSecrets"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class SessionSecrets:
    """What a session was given and the disk never sees. Gone after a server restart."""

    env: dict[str, str] = field(default_factory=dict)
    mcp_servers: list[dict[str, Any]] = field(default_factory=list)
    introduction: Introduction | None = None
    """Of the ACP client that its agent works for."""
    host_tools: tuple[HostTool, ...] | None = None
    """Functions of a client that the agent can call."""

    def renewed(self, given: SessionSecrets) -> SessionSecrets:
        """With what is given laid over it: variables one by one, everything else as a whole."""
        return SessionSecrets(
            self.env | given.env,
            given.mcp_servers or self.mcp_servers,
            given.introduction or self.introduction,
            self.host_tools if given.host_tools is None else given.host_tools,
        )


MakeAdapter = Callable[[SessionState, SessionSecrets, Equipment], AgentAdapter]
Equip = Callable[[SessionState, SessionSecrets], Awaitable[Equipment]]


class SessionAgent:
    def __init__(
        self,
        conversation: Conversation,
        secrets: SessionSecrets,
        limits: Limits,
        *,
        make_adapter: MakeAdapter,
        equip: Equip,
        definition: AgentDefinition | None,
        version: str,
    ) -> None:
        """`definition` is None when the agent is configured no longer: then it cannot be started."""
        self.secrets = secrets
        self.context: str | None = None
        """What the next prompt tells it, because it does not know it by itself."""
        self._conversation = conversation
        self._limits = limits
        self._make_adapter = make_adapter
        self._equip = equip
        self._equipment = NO_EQUIPMENT
        self._login_hint = definition.login_hint if definition else ""
        self._takes_system_prompt = definition is not None and definition.takes_system_prompt
        self._gets_directories_at_launch = (
            definition is not None and definition.directories_at_launch
        )
        self._version = version
        self._connection: AgentConnection | None = None
        self._running_since = 0.0
        self._starting: asyncio.Task[None] | None = None
        self.starts_anew = False
        """It has nothing to remember: its next life begins a session of its own."""
        self.fork_point: ForkPoint | None = None
        """Of a session whose agent has not been started yet, and is to be a copy of another's."""
        self.adopted: Adopted | None = None
        """Likewise: it is to be one that the agent has already."""
        self._tasks = TaskOwner(conversation.log.session_id)
        self.mode = SessionMode(conversation, self.apply, self._tasks)

    @property
    def is_running(self) -> bool:
        return self._connection is not None and not self._connection.is_gone

    @property
    def uptime_s(self) -> float | None:
        """None when no process runs."""
        return time.monotonic() - self._running_since if self.is_running else None

    @property
    def is_starting(self) -> bool:
        return self._starting is not None

    @property
    def is_ready(self) -> bool:
        """It takes prompts."""
        return self.is_running and not self.is_starting

    async def start(self) -> None:
        """Bring the agent up, once for however many callers; one that is ready is left alone.

        Raises:
            AgentNotInstalled, AgentStartFailed, AgentAuthRequired, AgentError, AgentProcessExited, Timeout,
            ModeNotSupported, ValueNotSupported, StorageError: the agent is not running then.
        """
        if self.is_ready:
            return
        if self._starting is None:
            self._check_last_end()
            self._starting = self._tasks.spawn(self._open(), name="start")
        task = self._starting
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise Unavailable("the session was stopped while its agent started") from None
            raise

    def _check_last_end(self) -> None:
        """A life begins after the last one has ended in the log, and with it its turn.

        Raises:
            StorageError: that could not be written yet. No process is started only to find that out.
        """
        conversation = self._conversation
        if conversation.log.is_stalled or (conversation.state.is_running and not self.is_running):
            raise StorageError(
                "the end of the session's last agent cannot be written at the moment; free disk space "
                "and try again"
            )

    async def stop(self) -> None:
        """Stop the agent and its process tree; its end is in the log afterwards."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._connection is not None:
            await self._connection.stop()
            self._connection = None

    def kill_soon(self) -> None:
        if self._connection is not None:
            self._connection.kill_soon()

    async def apply(self, setting: Setting) -> None:
        """Set something. A dormant agent is set when it resumes. Raises: AgentError, AgentProcessExited."""
        if not self.is_running:
            return
        session_id = self._conversation.state.agent_session_id
        await self._conversation.ask(
            setting.method,
            {"sessionId": session_id, **setting.params},
            answer_annotations=setting.annotations,
        )

    async def set_option(self, option_id: str, value: str | bool) -> None:
        """Raises: ValueNotSupported, and what `apply` raises."""
        options = self._conversation.state.options
        if options.is_mode_option(option_id):
            await self.mode.choose_option(option_id, value)
        else:
            await self.apply(options.set_option(option_id, value))

    async def tell_title(self) -> None:
        """What people call the session, to an agent that has titles. One that will not have it has said so in the log.

        Raises: AgentProcessExited, StorageError.
        """
        state = self._conversation.state
        title = state.settings.title
        if not self.is_running or not title or title == state.agent_title:
            return
        if AgentCapabilities.read(state.capabilities).rename:
            params = {"sessionId": state.agent_session_id, "title": title}
            try:
                await self._conversation.ask(operations.SESSION_RENAME, params)
            except AgentProcessExited:
                raise
            except AgentError as exc:
                logger.info(
                    "session %s keeps its title to itself: %s",
                    self._conversation.log.session_id,
                    exc.message,
                )

    def redaction(self) -> Redaction:
        """Of what it was started with last, or will be next."""
        servers = [*self.secrets.mcp_servers, *self._equipment.mcp_servers]
        return Redaction(self.secrets.env, servers, inherited=os.environ)

    async def _open(self) -> None:
        try:
            await self._open_connection()
        finally:
            self._starting = None

    async def _open_connection(self) -> None:
        conversation = self._conversation
        equipment = await self._equip(conversation.state, self.secrets)
        self._equipment = equipment
        secrets = replace(self.secrets, mcp_servers=equipment.mcp_servers)
        connection = AgentConnection(
            conversation.log.session_id,
            self._make_adapter(self._wanted_state(), secrets, equipment),
            self.redaction(),
            conversation,
        )
        try:
            await connection.start()
            self._connection, self._running_since = connection, time.monotonic()
            conversation.connect(connection)
            async with asyncio.timeout(self._limits.agent_start_timeout_s):
                await self._introduce()
            connection.opened()
        except TimeoutError:
            await connection.stop()
            late = Timeout(
                f"agent {conversation.state.settings.agent!r} was not ready after "
                f"{self._limits.agent_start_timeout_s:g} s",
                limit="agent_start_timeout_s",
            )
            raise connection.failed_to_start(late, self._login_hint) from None
        except SandboxAgentError as exc:
            if self._connection is connection:
                await connection.stop()
            raise connection.failed_to_start(exc, self._login_hint) from None
        except BaseException:
            if self._connection is connection:
                await connection.stop()
            raise

    def _wanted_state(self) -> SessionState:
        """For the adapter: also which session of the agent it is to be."""
        state = self._conversation.state
        if self.adopted is None:
            return state
        return replace(state, agent_session_id=self.adopted.agent_session_id)

    async def _introduce(self) -> None:
        conversation = self._conversation
        earlier_id = None if self.starts_anew else conversation.state.agent_session_id
        self.starts_anew = False
        is_begun_anew = earlier_id is None and conversation.state.continuity == "replayed"
        adopted, self.adopted = self.adopted, None
        opened = await self._handshake().open(earlier_id, self.fork_point, adopted)
        self.fork_point = None
        await self._apply_settings()
        version = as_str((conversation.state.agent_info or {}).get("version"))
        entries: list[tuple[str, dict[str, Any]]] = [
            (
                extensions.AGENT_STARTED,
                {**({"version": version} if version else {}), **self._equipment.to_wire()},
            )
        ]
        if commands := self._commands_to_tell():
            entries.append((extensions.COMMANDS_UPDATED, {"commands": commands}))
        replay = ""
        if earlier_id is not None or is_begun_anew:
            replay = await replay_text(conversation.log)
        if earlier_id is not None or adopted is not None or replay:
            entries.append((extensions.SESSION_RESUMED, self._resumed(opened, replay)))
        is_due = conversation.state.context_due or not opened.is_native
        self.context = self._context(replay) if is_due else None
        conversation.state_entries(*entries)

    def _commands_to_tell(self) -> list[dict[str, Any]]:
        """Of an agent that names none itself, and has more than words for one."""
        state = self._conversation.state
        can = AgentCapabilities.read(state.capabilities)
        if state.commands or not (can.compact or can.review):
            return []
        return self._conversation.stamper.common_commands()

    def _handshake(self) -> Handshake:
        def set_replaying(on: bool) -> None:
            self._conversation.stamper.is_replaying = on

        settings = self._conversation.state.settings
        return Handshake(
            lambda method, params, logged: self._conversation.ask(method, params, logged=logged),
            cwd=settings.cwd,
            mcp_servers=self._equipment.mcp_servers,
            meta=self._session_meta(),
            directories=[] if self._gets_directories_at_launch else settings.additional_directories,
            check=lambda capabilities: check_wanted(
                settings, capabilities, directories_at_launch=self._gets_directories_at_launch
            ),
            client_version=self._version,
            login_hint=self._login_hint,
            on_replay=set_replaying,
            introduction=self.secrets.introduction,
        )

    def _session_meta(self) -> dict[str, Any]:
        """What ACP has no field for, and the adapters of ours understand."""
        settings = self._conversation.state.settings
        meta: dict[str, Any] = {"systemPrompt": settings.system_prompt}
        if settings.base_url or any(name.endswith("_BASE_URL") for name in self.secrets.env):
            # A gateway has models that the agent has never heard of, and so does not offer.
            meta["model"] = settings.model
        hooks = settings.hooks
        if hooks.before_tool or hooks.after_tool:
            meta["hooks"] = hooks.model_dump()
        return {name: value for name, value in meta.items() if value}

    def _resumed(self, opened: Opened, replay: str) -> dict[str, Any]:
        continuity = "native"
        if not opened.is_native:
            knows = self._conversation.state.settings.context or replay
            continuity = "replayed" if knows else "lost"
        params = {"continuity": continuity, "agentSessionId": opened.agent_session_id}
        if opened.why_not_native is not None:
            params["reason"] = opened.why_not_native
        return params

    def _context(self, replay: str) -> str | None:
        settings = self._conversation.state.settings
        instructions = None
        if settings.system_prompt and not self._takes_system_prompt:
            instructions = instructions_text(settings.system_prompt)
        skills = self._equipment.told_skills
        # What another sandbox knew comes before what this one's log has.
        return "\n\n".join(filter(None, (instructions, skills, settings.context, replay))) or None

    async def _apply_settings(self) -> None:
        """What the session was created or patched with, again after every start."""
        conversation = self._conversation
        settings = conversation.state.settings
        await self.mode.begin(settings.mode)
        # A model that came with the opening of the session is set, whether it is offered or not.
        if settings.model not in (None, conversation.state.options.model):
            await self.apply(conversation.state.options.set_model(settings.model))
        if settings.thought_level is not None:
            await self.apply(conversation.state.options.set_thought_level(settings.thought_level))
        for option_id, value in settings.config_options.items():
            await self.set_option(option_id, value)
        await self.tell_title()
