"""What a scenario can do in its turn: say things, run tools, ask, wait, fail. Cancelling is its task's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR, notification

from sandbox_agent_server.agents.mock.offers import MockSession
from sandbox_agent_server.agents.mock.outbox import Outbox

__all__ = [
    "Ask",
    "BeginInBackground",
    "Crashed",
    "PromptFailed",
    "Turn",
    "Update",
    "message",
    "thought",
]

Update = dict[str, Any]
Ask = Callable[[str, dict[str, Any]], Awaitable[Frame]]
"""Sends a request to the client and waits for the response."""


class BeginInBackground(Protocol):
    def __call__(self, task_id: str, *, call_id: str, title: str, seconds: float) -> None: ...


class PromptFailed(Exception):
    """The prompt is answered with this JSON-RPC error."""

    def __init__(self, message: str, *, code: int = INTERNAL_ERROR) -> None:
        super().__init__(message)
        self.code = code


class Crashed(Exception):
    """The agent dies, leaving `stderr` as its last words."""

    def __init__(self, exit_code: int, stderr: str) -> None:
        super().__init__(stderr)
        self.exit_code = exit_code
        self.stderr = stderr


class Turn:
    def __init__(
        self,
        session: MockSession,
        text: str,
        *,
        outbox: Outbox,
        ask: Ask,
        begin_in_background: BeginInBackground,
    ) -> None:
        self.session = session
        self.text = text
        self.afterwards: list[Update] = []
        """Sent after the turn has ended."""
        self.is_deaf = False
        """Cancelling does nothing."""
        self.steered = asyncio.Event()
        """Something was said into it."""
        self.begin_in_background = begin_in_background
        self._outbox = outbox
        self._ask = ask
        self._calls = 0

    def frame(self, update: Update) -> Frame:
        params = {"sessionId": self.session.id, "update": update}
        return notification(acp.SESSION_UPDATE, params)

    async def send(self, *updates: Update) -> None:
        """One batch. Waits while nobody reads."""
        await self._outbox.put([self.frame(update) for update in updates])

    async def put(self, frame: Frame) -> None:
        await self._outbox.put([frame])

    async def write(self, line: bytes) -> None:
        """A line that is no frame."""
        await self._outbox.put([line])

    async def say(self, text: str) -> None:
        """Word by word."""
        for word in _words(text):
            await self.send(message(word))

    async def think(self, text: str) -> None:
        for word in _words(text):
            await self.send(thought(word))

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result; an error is an empty one."""
        answer = await self._ask(method, {"sessionId": self.session.id, **params})
        result = answer.get("result")
        return result if isinstance(result, dict) else {}

    def new_call_id(self) -> str:
        self._calls += 1
        return f"call-{self.session.turns}-{self._calls}"


def message(text: str) -> Update:
    return {"sessionUpdate": acp.AGENT_MESSAGE_CHUNK, "content": {"type": "text", "text": text}}


def thought(text: str) -> Update:
    return {"sessionUpdate": acp.AGENT_THOUGHT_CHUNK, "content": {"type": "text", "text": text}}


def _words(text: str) -> list[str]:
    """Pieces that add up to the text."""
    first, *others = text.split(" ")
    return [piece for piece in (first, *(f" {word}" for word in others)) if piece]
