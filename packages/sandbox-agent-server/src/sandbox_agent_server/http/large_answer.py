"""Answers that may be large: made when there is room for them, and sent in pieces as the client takes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from sandbox_agent_server.http.route import document
from sandbox_agent_server.http.stream import PIECE_BYTES, drain_of
from sandbox_agent_server.jsonio import dumps

__all__ = ["Body", "ByteBudget", "LargeAnswer", "json_body", "page_of"]


class Held:
    """Bytes of a budget."""

    def __init__(self, size_bytes: int, give_back: Callable[[int], None]) -> None:
        self.size_bytes = size_bytes
        self._give_back = give_back

    def shrink(self, size_bytes: int) -> None:
        """It turned out to be less."""
        self._give_back(self.size_bytes - size_bytes)
        self.size_bytes = size_bytes


class ByteBudget:
    """What all answers together may take. What does not fit waits; what never would goes alone."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._freed = asyncio.Event()
        self.held_bytes = 0

    @asynccontextmanager
    async def hold(self, size_bytes: int) -> AsyncIterator[Held]:
        while self.held_bytes and self.held_bytes + size_bytes > self._limit_bytes:
            self._freed.clear()
            await self._freed.wait()
        self.held_bytes += size_bytes
        held = Held(size_bytes, self._give_back)
        try:
            yield held
        finally:
            held.shrink(0)

    def _give_back(self, size_bytes: int) -> None:
        self.held_bytes -= size_bytes
        self._freed.set()


@dataclass(frozen=True, slots=True)
class Body:
    size_bytes: int
    memory_bytes: int
    """What it takes until the last piece is sent."""
    pieces: Iterable[bytes]


def page_of(
    make: Callable[[], BaseModel | dict[str, Any]], budget: ByteBudget, *, max_bytes: int
) -> LargeAnswer:
    """A page that is made in one go."""

    async def body() -> Body:
        return json_body(dumps(document(make())))

    return LargeAnswer(body, budget, max_bytes=max_bytes)


def json_body(text: bytes) -> Body:
    pieces = (text[at : at + PIECE_BYTES] for at in range(0, len(text), PIECE_BYTES))
    return Body(len(text), len(text), pieces)


class LargeAnswer:
    """An ASGI response of JSON. `make` is called with `max_bytes` held, the most that it may take, and may raise
    as a handler does."""

    def __init__(
        self, make: Callable[[], Awaitable[Body]], budget: ByteBudget, *, max_bytes: int
    ) -> None:
        self._make = make
        self._budget = budget
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        drain = drain_of(scope)
        async with self._budget.hold(self._max_bytes) as held:
            body = await self._make()
            held.shrink(body.memory_bytes)
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % body.size_bytes),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for piece in body.pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await drain()
            await send({"type": "http.response.body", "body": b""})
