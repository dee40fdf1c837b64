"""Calls of an ASGI application, told in the words of the protocol, so that no client tidies them up first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Answer", "Reached", "code_of", "http_scope", "request", "told_in", "websocket"]

HeaderList = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Headers
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Reached:
    """An application that answers 200 to everything, and remembers what came through to it."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"reached"})


def http_scope(method: str, path: str, headers: HeaderList = (), *, query: bytes = b"") -> Scope:
    """`path` is decoded already, as servers hand it over."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": _raw(headers),
    }


def told_in(*parts: bytes, disconnects: bool = False) -> Receive:
    """A body in these parts; with `disconnects` the client leaves before the end of it."""
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": True} for part in parts
    ]
    messages.append({"type": "http.disconnect"} if disconnects else {"type": "http.request"})
    remaining = iter(messages)

    async def receive() -> Message:
        return next(remaining)

    return receive


async def request(
    app: ASGIApp, method: str = "GET", path: str = "/v1/health", headers: HeaderList = ()
) -> Answer:
    sent = await _run(app, http_scope(method, path, headers))
    starts = [message for message in sent if message["type"] == "http.response.start"]
    assert len(starts) == 1, sent
    body = b"".join(message.get("body", b"") for message in sent if message is not starts[0])
    return Answer(starts[0]["status"], Headers(raw=starts[0]["headers"]), body)


async def websocket(
    app: ASGIApp,
    path: str = "/v1/sessions/ses_1/ws",
    headers: HeaderList = (),
    *,
    subprotocols: Iterable[str] = (),
    can_refuse_over_http: bool = False,
) -> list[Message]:
    """Everything that the application sent to one that wants to connect."""
    scope = {
        "type": "websocket",
        "path": path,
        "query_string": b"",
        "headers": _raw(headers),
        "subprotocols": list(subprotocols),
        "extensions": {"websocket.http.response": {}} if can_refuse_over_http else {},
    }
    return await _run(app, scope)


def code_of(answer: Answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status
    return answer.status, problem["type"].rpartition(":")[2]


async def _run(app: ASGIApp, scope: Scope) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, told_in(), send)
    return sent


def _raw(headers: HeaderList) -> list[tuple[bytes, bytes]]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
