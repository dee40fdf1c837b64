"""A web program as agents write them, on a port of this machine: what it is asked, it tells."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

__all__ = ["WebProgram", "raw_program", "web_program"]

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]


class WebProgram:
    def __init__(self, port: int) -> None:
        self.port = port
        self.may_go_on = threading.Event()
        """`/stream` waits for it after its first event."""
        self.left = threading.Event()
        """Whoever followed `/forever` has left."""
        self.saw_first = threading.Event()
        """A part of the body of `/upload` has come."""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/stream", self._stream),
                Route("/forever", self._forever),
                Route("/upload", self._upload, methods=["POST"]),
                Route("/large", self._large),
                Route("/redirect", self._redirect),
                Route("/cookies", self._cookies),
                Route("/empty", lambda _request: Response(status_code=204)),
                WebSocketRoute("/ws", self._websocket),
                WebSocketRoute("/no", self._no_websocket),
                Route("/{path:path}", self._echo, methods=_METHODS),
            ]
        )

    async def _echo(self, request: Request) -> Response:
        body = await request.body()
        return JSONResponse(
            {
                "method": request.method,
                "path": request.scope["raw_path"].decode(),
                "query": request.url.query,
                "headers": [[name, value] for name, value in request.headers.items()],
                "sha256": hashlib.sha256(body).hexdigest(),
            },
            headers={"service-worker-allowed": "/", "x-of-the-program": "yes"},
        )

    async def _stream(self, _request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            yield b"data: first\n\n"
            await asyncio.to_thread(self.may_go_on.wait, 30)
            yield b"data: second\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _forever(self, _request: Request) -> Response:
        async def beats() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b": beat\n\n"
                    await asyncio.sleep(0.02)
            finally:
                self.left.set()

        return StreamingResponse(beats(), media_type="text/event-stream")

    async def _upload(self, request: Request) -> Response:
        size = 0
        async for part in request.stream():
            size += len(part)
            self.saw_first.set()
        return JSONResponse({"size": size})

    async def _large(self, request: Request) -> Response:
        size = int(request.query_params["mib"])

        async def parts() -> AsyncIterator[bytes]:
            for _ in range(size):
                yield bytes(1024 * 1024)

        return StreamingResponse(parts())

    async def _redirect(self, request: Request) -> Response:
        return RedirectResponse(request.query_params["to"])

    async def _cookies(self, request: Request) -> Response:
        answer = JSONResponse(request.cookies)
        answer.set_cookie("theirs", "1", domain="example.com", path="/")
        answer.set_cookie("deeper", "2", path="/app")
        answer.set_cookie("sandbox-agent-visit", "forged", path="/")
        return answer

    async def _websocket(self, websocket: WebSocket) -> None:
        offered = websocket.scope["subprotocols"]
        await websocket.accept("chat" if "chat" in offered else None)
        await websocket.send_json(
            {"offered": offered, "headers": dict(websocket.headers), "query": websocket.url.query}
        )
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                self.left.set()
                return
            if message.get("text") == "close please":
                await websocket.close(4321, "as you say")
                return
            if message.get("text") is not None:
                await websocket.send_text(message["text"])
            else:
                await websocket.send_bytes(message["bytes"])

    async def _no_websocket(self, websocket: WebSocket) -> None:
        await websocket.send_denial_response(Response("not you", 418))


@contextmanager
def web_program(host: str = "127.0.0.1") -> Iterator[WebProgram]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.bind((host, 0))
    program = WebProgram(listener.getsockname()[1])
    config = uvicorn.Config(program.app(), log_config=None, lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    listener.listen()  # before it is said to be there
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield program
    finally:
        program.may_go_on.set()
        server.should_exit = server.force_exit = True
        thread.join(30)
        listener.close()


@contextmanager
def raw_program(answer: Any) -> Iterator[int]:
    """A port whose every connection is handed to `answer(socket)`, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(30)
