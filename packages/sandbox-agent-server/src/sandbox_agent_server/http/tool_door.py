"""The MCP server for functions of clients, on the loopback interface: agents alone come here, each with a secret.

A listener of its own, because the server's may be on an address that agents do not reach, and takes tokens that
are good for more than these tools.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from hmac import compare_digest
from typing import Any, Final

import uvicorn
from sandbox_agent_core.api.host_tools import HOST_SERVER
from sandbox_agent_core.errors import SandboxAgentError, StorageError
from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR, PARSE_ERROR, error_response
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sandbox_agent_server.http.body import read_json
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.host_tools.door import AnswerMcp

__all__ = ["LoopbackDoor"]

_HOST: Final = "127.0.0.1"
_PATH: Final = "/mcp"
_KEEP_ALIVE_S: Final = 10.0
_MARGIN_S: Final = 30.0
"""An agent gives a call up after its function has had its time."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # they are the other server's


class LoopbackDoor:
    """Listens from the first session on that has tools."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._answers: dict[str, tuple[str, AnswerMcp]] = {}
        """Session -> its secret, and who answers."""
        self._tasks = TaskOwner("tools")
        self._opening = asyncio.Lock()
        self._server: _Server | None = None
        self._port = 0

    async def server(
        self, session_id: str, answer: AnswerMcp, *, timeout_s: float
    ) -> dict[str, Any]:
        async with self._opening:
            if self._server is None:
                await self._listen()
        secret = secrets.token_urlsafe(32)
        self._answers[session_id] = (secret, answer)
        return {
            "type": "http",
            "name": HOST_SERVER,
            "url": f"http://{_HOST}:{self._port}{_PATH}/{session_id}",
            "headers": [{"name": "Authorization", "value": f"Bearer {secret}"}],
            "_meta": {CAPABILITIES_META: {"timeoutMs": round((timeout_s + _MARGIN_S) * 1000)}},
        }

    def shut(self, session_id: str) -> None:
        self._answers.pop(session_id, None)

    async def close(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
        await self._tasks.cancel()

    async def _listen(self) -> None:
        """Raises: StorageError."""
        try:
            listener = socket.create_server((_HOST, 0))
        except OSError as exc:
            raise StorageError(
                f"cannot listen on {_HOST} for the tools of sessions: {exc}"
            ) from exc
        listener.setblocking(False)
        self._port = listener.getsockname()[1]
        routes = [Route(_PATH + "/{session_id}", self._asked, methods=["POST"])]
        config = uvicorn.Config(
            Starlette(routes=routes),
            log_config=None, access_log=False, server_header=False, lifespan="off", ws="none",
            limit_concurrency=self._limits.max_connections, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = _Server(config)
        self._tasks.spawn(self._serve(listener), name="listener")

    async def _serve(self, listener: socket.socket) -> None:
        assert self._server is not None
        with listener:
            await self._server.serve(sockets=[listener])

    async def _asked(self, request: Request) -> Response:
        known = self._answers.get(request.path_params["session_id"])
        given = request.headers.get("authorization", "").encode()
        # A page in a browser of this machine sends its origin; an agent has none.
        if (
            known is None
            or "origin" in request.headers
            or not compare_digest(given, f"Bearer {known[0]}".encode())
        ):
            return Response(status_code=401, headers={"www-authenticate": "Bearer"})
        try:
            message = await read_json(request, self._limits)
        except SandboxAgentError as exc:
            return _json(error_response(None, PARSE_ERROR, exc.message), 400)
        answering = self._tasks.spawn(_answered(known[1], message), name="call")
        done, _ = await asyncio.wait({answering}, timeout=0.2)
        if done or "text/event-stream" not in request.headers.get("accept", ""):
            answer = await answering
            return Response(status_code=202) if answer is None else _json(answer)
        return StreamingResponse(_streamed(answering), media_type="text/event-stream")


async def _answered(answer: AnswerMcp, message: Any) -> dict[str, Any] | None:
    try:
        return await answer(message)
    except SandboxAgentError as exc:
        id = message.get("id") if isinstance(message, dict) else None
        return error_response(id, INTERNAL_ERROR, exc.message)


async def _streamed(answering: asyncio.Task[dict[str, Any] | None]) -> AsyncIterator[bytes]:
    """What takes its time: with something to read meanwhile, or a client takes the connection for dead."""
    try:
        while not answering.done():
            yield b": at it\n\n"
            await asyncio.wait({answering}, timeout=_KEEP_ALIVE_S)
        if (answer := answering.result()) is not None:
            yield b"event: message\ndata: " + dumps(answer) + b"\n\n"
    finally:
        # The agent has left; so has whoever wanted to know.
        answering.cancel()


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(dumps(body), status_code=status, media_type="application/json")
