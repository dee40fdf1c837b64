"""A conversation between a client and an agent that the test plays both, on a log on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox_agent_core.api.policy import PermissionPolicy
from sandbox_agent_core.frames import Frame, LogEntry, acp, extensions
from sandbox_agent_core.frames.jsonrpc import request, response
from sandbox_agent_core.spi.agent import AgentExit
from sandbox_agent_server.agents.runner.config_options import ConfigOptions
from sandbox_agent_server.agents.runner.connection import AgentConnection
from sandbox_agent_server.agents.runner.redaction import Redaction
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.log.durability import Syncer
from sandbox_agent_server.log.file import Quota
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.sessions.conversation import Conversation
from sandbox_agent_server.sessions.fold import SessionStep
from sandbox_agent_server.sessions.recovery import entries_after
from sandbox_agent_server.sessions.state import SessionSettings, SessionState
from support.scripted_adapter import ScriptedAdapter, silence

__all__ = ["OPTIONS", "Talk", "permission", "question", "settled", "shapes", "until"]

OPTIONS = [
    {"optionId": "a1", "name": "Yes", "kind": "allow_once"},
    {"optionId": "a2", "name": "Yes, always", "kind": "allow_always"},
    {"optionId": "r1", "name": "No", "kind": "reject_once"},
]


def permission(id: Any = 7, *, options: Any = OPTIONS, **tool_call: Any) -> Frame:
    call = {"toolCallId": "t1", "title": "rm", "kind": "execute", **tool_call}
    params = {"sessionId": "s1", "toolCall": call, "options": options}
    return request(id, acp.SESSION_REQUEST_PERMISSION, params)


def question(id: Any = 8) -> Frame:
    schema = {"type": "object", "properties": {"name": {"type": "string", "title": "Name?"}}}
    params = {"sessionId": "s1", "mode": "form", "message": "?", "requestedSchema": schema}
    return request(id, acp.ELICITATION_CREATE, params)


async def settled() -> None:
    """Everything that the loop had to do is done."""
    for _ in range(30):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.0005)


class Talk:
    """It owns the turns: what it is told of them, it notes."""

    def __init__(
        self,
        directory: Path,
        *,
        policy: PermissionPolicy | None = None,
        native_modes: Mapping[str, str] | None = None,
        **limits: Any,
    ) -> None:
        settings = SessionSettings(
            agent="acme", cwd="/tmp", permission_policy=policy or PermissionPolicy()
        )
        self.log = SessionLog("ses_1", directory / "ses_1", quota=Quota(), syncer=Syncer("process"))
        state = SessionState(
            settings=settings,
            created_ms=self.log.now_ms,
            options=ConfigOptions(native_modes=native_modes or {}),
        )
        self.resolutions: dict[str, dict[str, Any]] = {}
        self.conversation = Conversation(
            self.log,
            state,
            Limits.model_validate(limits),
            self,
            estimate_cost=lambda _usage, _model: None,
            earlier_resolution=self.resolutions.get,
        )
        self.conversation.observers.append(self._observe)
        self.conversation.state_entries((extensions.SESSION_CREATED, settings.to_wire()))
        self.adapter = ScriptedAdapter({acp.SESSION_PROMPT: silence})
        self.answered: list[Frame] = []
        self.exits: list[AgentExit] = []
        self.own_turns: list[tuple[str, str | None]] = []

    def _observe(self, step: SessionStep) -> None:
        for change in step.changes:
            if change.resolution is not None:
                self.resolutions[change.id] = change.resolution

    async def connect(self, adapter: ScriptedAdapter | None = None) -> AgentConnection:
        self.connection_to(adapter or self.adapter)
        await self.connection.start()
        self.conversation.connect(self.connection)
        return self.connection

    def connection_to(self, adapter: ScriptedAdapter) -> AgentConnection:
        self.adapter = adapter
        self.connection = AgentConnection("ses_1", adapter, Redaction({}, []), self.conversation)
        return self.connection

    async def close(self) -> None:
        async with asyncio.timeout(30):
            self.conversation.give_up_waiting(True)
            await self.connection.stop()
            await self.conversation.close()
        self.log.close()

    # What happens

    def prompt(self, turn_id: str = "turn_1", text: str = "hi") -> Any:
        """Its id."""
        params = {"sessionId": "s1", "prompt": [{"type": "text", "text": text}]}
        self.conversation.begin_turn(acp.SESSION_PROMPT, params, turn_id)
        return self.adapter.sent[-1]["id"]

    async def agent_writes(self, *frames: Frame) -> None:
        """In one batch."""
        self.adapter.write(*frames)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def agent_answers(self, id: Any, result: Any) -> None:
        await self.agent_writes(response(id, result))

    async def asked(self, frame: Frame) -> str:
        """The agent asks a person; the id that the request gets."""
        await self.agent_writes(frame)
        return next(reversed(self.conversation.state.pending))

    # ConversationOwner

    def turn_answered(self, step: SessionStep, frame: Frame) -> None:
        step.after_commit(lambda: self.answered.append(frame))

    def own_turn_begun(self, step: SessionStep, turn_id: str, task_id: str | None) -> None:
        self.own_turns.append((turn_id, task_id))

    def own_turn_ended(self, step: SessionStep, frame: Frame) -> None:
        step.after_commit(lambda: self.answered.append(frame))

    def options_announced(self, step: SessionStep, before: ConfigOptions) -> None: ...

    async def agent_gone(self, connection: AgentConnection, ended: AgentExit) -> None:
        self.exits.append(ended)

    # What came of it

    @property
    def entries(self) -> list[LogEntry]:
        return list(entries_after(self.log, 0))

    @property
    def answers(self) -> list[Frame]:
        """What the agent was answered."""
        return [frame for frame in self.adapter.sent if "method" not in frame]

    @property
    def resolution(self) -> dict[str, Any]:
        """The last one in the log."""
        annotations = [one.annotations or {} for one in self.entries]
        return [one for one in annotations if "decidedBy" in one][-1]


def shapes(entries: list[LogEntry]) -> list[str]:
    """`sender method`, and `=` before the method that a response answers."""
    return [
        f"{one.sender} {'' if 'method' in one.payload else '='}"
        f"{(one.method or '-').removeprefix('_sandbox_agent/')}"
        for one in entries
    ]
