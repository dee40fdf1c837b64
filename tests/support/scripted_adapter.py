"""An agent without a process: what it answers is said by the test, frame for frame."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    error_response,
    notification,
    response,
)
from sandbox_agent_core.spi.agent import AgentExit, FrameReceiver, WireFrame

__all__ = ["ScriptedAdapter", "Sink", "fails", "says", "silence", "update", "wire"]

Reply = Callable[[Frame], Iterable[Frame]]


class ScriptedAdapter:
    """An `AgentAdapter`. `answers`: method -> the result, or a `Reply` for anything else.

    As with a process, nothing comes back before `send` returns, and while it is paused nothing comes.
    """

    def __init__(
        self,
        answers: Mapping[str, Any] | None = None,
        *,
        start_error: SandboxAgentError | None = None,
    ) -> None:
        self.answers: dict[str, Any] = {
            acp.INITIALIZE: {"protocolVersion": 1},
            acp.SESSION_NEW: {"sessionId": "s1"},
            **(answers or {}),
        }
        self.sent: list[Frame] = []
        self.exit = AgentExit(exit_code=0)
        self.last_words = ""
        self.is_paused = False
        self.is_closed = False
        self._start_error = start_error
        self._receiver: FrameReceiver | None = None
        self._written: list[Frame] = []
        self._is_dying = False
        self._has_ended = False

    @property
    def methods(self) -> list[str]:
        """Of what was sent to it."""
        return [frame["method"] for frame in self.sent if "method" in frame]

    # What the test makes it do

    def write(self, *frames: Frame) -> None:
        self._written += frames
        asyncio.get_running_loop().call_soon(self._flush)

    def die(self, exit_code: int | None = None, *, signal: int | None = None) -> None:
        """After what it wrote."""
        self.exit = AgentExit(exit_code=exit_code, signal=signal)
        self._is_dying = True
        asyncio.get_running_loop().call_soon(self._flush)

    # AgentAdapter

    async def start(self, receiver: FrameReceiver) -> None:
        if self._start_error is not None:
            raise self._start_error
        self._receiver = receiver

    def send(self, frame: Frame) -> None:
        if self._has_ended:
            return
        self.sent.append(frame)
        method = frame.get("method")
        if method is None or "id" not in frame:
            return
        answer = self.answers.get(method, _unknown)
        reply = answer if callable(answer) else says(answer)
        self.write(*reply(frame))

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        asyncio.get_running_loop().call_soon(self._flush)

    async def close(self) -> AgentExit:
        self.is_closed = self._is_dying = True
        self.is_paused = False
        self._flush()
        return self.exit

    def _flush(self) -> None:
        if self._receiver is None or self._has_ended or self.is_paused:
            return
        batch, self._written = [wire(frame) for frame in self._written], []
        if batch:
            self._receiver.frames(batch)
        # It may have been paused, or closed, by who received them.
        if self._is_dying and not self.is_paused and not self._has_ended:
            self._has_ended = True
            receiver, self._receiver = self._receiver, None  # whom nothing here keeps alive
            receiver.ended()


class Sink:
    """A `FrameReceiver` that keeps what it receives."""

    def __init__(self) -> None:
        self.batches: list[list[Frame]] = []
        self.ends = 0

    @property
    def received(self) -> list[Frame]:
        return [frame for batch in self.batches for frame in batch]

    def frames(self, batch: list[WireFrame]) -> None:
        assert batch
        assert not self.ends
        assert all(json.loads(each.raw) == each.frame for each in batch)
        self.batches.append([each.frame for each in batch])

    def ended(self) -> None:
        self.ends += 1


def says(result: Any, *before: Frame, after: Iterable[Frame] = ()) -> Reply:
    """It answers with the result; before and after that it writes something else."""
    return lambda frame: [*before, response(frame["id"], result), *after]


def fails(message: str, code: int = INTERNAL_ERROR) -> Reply:
    return lambda frame: [error_response(frame["id"], code, message)]


def silence(_frame: Frame) -> list[Frame]:
    """It never answers."""
    return []


def _unknown(frame: Frame) -> list[Frame]:
    return [error_response(frame["id"], METHOD_NOT_FOUND, f"no method {frame['method']}")]


def update(kind: str, **fields: Any) -> Frame:
    fields = {"sessionUpdate": kind, **fields}
    return notification(acp.SESSION_UPDATE, {"sessionId": "s1", "update": fields})


def wire(frame: Frame) -> WireFrame:
    return WireFrame(json.dumps(frame).encode(), frame)
