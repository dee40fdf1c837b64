"""The agent of a client while it speaks of no session: it says hello, logs in, and answers what is its own.

Sessions have processes of their own; this one is there from `initialize` until the first of them, and again when
it is wanted.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox_agent_core.errors import SandboxAgentError, Timeout
from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.lenient import compact
from sandbox_agent_core.spi.agent import AgentAdapter, AgentExit

from sandbox_agent_server.acp.asked import Asked
from sandbox_agent_server.acp.attached import Attached
from sandbox_agent_server.agents.runner.config_options import ConfigOptions
from sandbox_agent_server.agents.runner.connection import AgentConnection
from sandbox_agent_server.agents.runner.handshake import Introduction
from sandbox_agent_server.agents.runner.redaction import Redaction
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.sessions.conversation import Conversation
from sandbox_agent_server.sessions.fold import SessionStep
from sandbox_agent_server.sessions.state import SessionSettings, SessionState

__all__ = ["Control"]


class Control:
    """A `ConversationOwner` of a conversation that has no turns."""

    def __init__(
        self,
        log: SessionLog,
        settings: SessionSettings,
        limits: Limits,
        *,
        attached: Attached,
        make_adapter: Callable[[], Awaitable[AgentAdapter]],
    ) -> None:
        self.conversation = Conversation(
            log,
            SessionState.begun(settings, log.now_ms, {}),
            limits,
            self,
            estimate_cost=lambda _usage, _model: None,
            earlier_resolution=lambda _id: None,
        )
        self.attached = attached
        attached.attach(self.conversation)
        self._limits = limits
        self._make_adapter = make_adapter
        self._connection: AgentConnection | None = None
        self._turn = asyncio.Lock()
        """Frames of the client come in order, also while the agent starts."""

    @property
    def is_running(self) -> bool:
        return self._connection is not None and not self._connection.is_gone

    async def request(self, asked: Asked, introduction: Introduction) -> None:
        """Raises: what the start of an agent raises, and `Conversation.send`."""
        async with self._turn:
            is_first = asked.method == acp.INITIALIZE
            await self._start(None if is_first else introduction)
            self.attached.send(asked)

    async def notify(self, frame: Frame, raw: bytes | None, introduction: Introduction) -> None:
        """Raises: as `request`."""
        async with self._turn:
            await self._start(introduction)
            self.conversation.send(frame, raw=raw)

    async def stop_if_idle(self) -> None:
        async with self._turn:
            if not self.attached.in_flight:
                await self._stop()

    async def close(self) -> None:
        async with self._turn:
            await self._stop()
            await self.conversation.close()

    async def _stop(self) -> None:
        if self._connection is not None:
            await self._connection.stop()
            self._connection = None
            self.conversation.log.rest()

    async def _start(self, introduction: Introduction | None) -> None:
        if self.is_running:
            return
        conversation = self.conversation
        adapter = await self._make_adapter()
        connection = AgentConnection(
            conversation.log.session_id,
            adapter,
            Redaction({}, [], inherited=os.environ),
            conversation,
        )
        await connection.start()
        self._connection = connection
        conversation.connect(connection)
        if introduction is None or introduction.hello is None:
            return
        try:
            async with asyncio.timeout(self._limits.agent_start_timeout_s):
                await conversation.ask(acp.INITIALIZE, introduction.hello)
                for given in introduction.authenticated:
                    await conversation.ask(acp.AUTHENTICATE, given)
        except TimeoutError:
            await self._stop()
            raise Timeout(
                f"the agent was not ready after {self._limits.agent_start_timeout_s:g} s",
                limit="agent_start_timeout_s",
            ) from None
        except SandboxAgentError:
            await self._stop()
            raise

    # ConversationOwner

    def turn_answered(self, step: SessionStep, frame: Frame) -> None:
        """There are no turns here."""

    def options_announced(self, step: SessionStep, before: ConfigOptions) -> None:
        """Nor is there anything to set."""

    def own_turn_begun(self, step: SessionStep, turn_id: str, task_id: str | None) -> None:
        """It has no session to begin one in."""

    def own_turn_ended(self, step: SessionStep, frame: Frame) -> None:
        """As above."""

    async def agent_gone(self, connection: AgentConnection, ended: AgentExit) -> None:
        conversation = self.conversation
        step = conversation.step()
        conversation.stamper.close_items(step)
        conversation.requests.cancel_all(step)
        params: dict[str, Any] = compact(
            expected=connection.is_expected_to_end,
            exitCode=ended.exit_code,
            signal=ended.signal,
            stderrTail=ended.stderr_tail or None,
        )
        conversation.stamper.server_entry(step, extensions.AGENT_EXITED, params)
        step.is_end = True
        await conversation.append_patiently(step)
