"""The client's half of an adapter that translates: requests to handlers, answers and frames to the session."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import METHOD_NOT_FOUND, RequestId, error_response
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.native_lines import native_messages

__all__ = ["Handler", "LineAdapter", "NativeAdapter", "Refused"]

Handler = Callable[[RequestId, dict[str, Any]], Awaitable[None]]
"""Answers a request of the client, by its id and parameters."""


class Refused(Exception):
    """The request that is being handled is answered with this JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NativeAdapter(ABC):
    """What is written to the client goes into `_outgoing`, and `_bell` rings; `frames` is the subclass's."""

    def __init__(self) -> None:
        self._outgoing: deque[WireFrame] = deque()
        self._bell = asyncio.Event()
        self._is_closed = False
        self._handlers: dict[str, Handler] = {}

    async def send(self, frame: Frame) -> None:
        if self._is_closed:
            return
        method, id = frame.get("method"), frame.get("id")
        params = frame.get("params")
        params = params if isinstance(params, dict) else {}
        if method is None:
            await self._answered(frame)
        elif id is None:
            if method == acp.SESSION_CANCEL:
                await self._cancel()
        elif (handler := self._handlers.get(method)) is None:
            self._emit([error_response(id, METHOD_NOT_FOUND, f"no method {method!r}")])
        else:
            try:
                await self._handle(handler, id, params)
            except Refused as exc:
                self._emit([error_response(id, exc.code, exc.message)])

    async def _handle(self, handler: Handler, id: RequestId, params: dict[str, Any]) -> None:
        """Raises: Refused."""
        await handler(id, params)

    @abstractmethod
    async def _answered(self, frame: Frame) -> None:
        """The client's response to a request of the agent."""

    @abstractmethod
    async def _cancel(self) -> None:
        """`session/cancel`."""

    def _emit(self, frames: list[Frame]) -> None:
        self._outgoing.extend(wire(frame) for frame in frames)
        self._bell.set()

    def _take(self) -> list[WireFrame]:
        batch = list(self._outgoing)
        self._outgoing.clear()
        return batch


class LineAdapter(NativeAdapter):
    """For an agent whose messages are lines of JSON objects."""

    async def _read(self, lines: list[bytes]) -> None:
        for line, message in native_messages(lines):
            if isinstance(message, WireFrame):
                self._outgoing.append(message)
            else:
                await self._read_message(line, message)

    @abstractmethod
    async def _read_message(self, line: bytes, message: dict[str, Any]) -> None:
        """One message of the agent."""
