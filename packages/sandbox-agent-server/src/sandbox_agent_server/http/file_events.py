"""A directory that is watched, as server-sent events."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

from sandbox_agent_core.wire.sse import encode
from starlette.types import Receive, Scope, Send

from sandbox_agent_server.host.files.watching import Change, Reader, Watches
from sandbox_agent_server.http.stream import (
    HEARTBEAT,
    Drain,
    SendBody,
    SseResponse,
    StreamCounter,
)
from sandbox_agent_server.jsonio import dumps

__all__ = ["FileEvents"]


class FileEvents:
    """An ASGI response. Raises, before anything is sent, what `Watches.read` does, and LimitReached."""

    def __init__(
        self,
        watches: Watches,
        path: str,
        counter: StreamCounter,
        *,
        recursive: bool,
        heartbeat_s: float,
    ) -> None:
        self._watches = watches
        self._path = path
        self._counter = counter
        self._recursive = recursive
        self._heartbeat_s = heartbeat_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._counter.check()
        async with AsyncExitStack() as stack:
            reader = await stack.enter_async_context(
                self._watches.read(self._path, recursive=self._recursive)
            )
            told = self._told(reader)

            async def events(send_body: SendBody, drain: Drain) -> None:
                await send_body(encode(dumps({"path": self._path}), event="ready"))
                while (changes := await reader.take(timeout_s=self._heartbeat_s)) is not None:
                    await send_body(_write(changes, told) or HEARTBEAT)
                    await drain()

            await SseResponse(events, self._counter)(scope, receive, send)

    def _told(self, reader: Reader) -> Callable[[str], str]:
        """Paths as the caller wrote them: where a link led, it does not see."""

        def told(path: str) -> str:
            if path == reader.path or path.startswith(reader.path + "/"):
                return self._path.rstrip("/") + path[len(reader.path) :]
            return path

        return told


def _write(changes: list[Change], told: Callable[[str], str]) -> bytes:
    return b"".join(
        encode(dumps({"kind": kind, "path": told(path)}), event="change") for kind, path in changes
    )
