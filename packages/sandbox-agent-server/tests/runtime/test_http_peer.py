"""The client for a program's own HTTP server, against real sockets."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sandbox_agent_server.runtime import http_peer
from sandbox_agent_server.runtime.http_peer import HttpPeer, PeerError, PeerGone
from support import sockets

Handle = Callable[[bytes, bytes, asyncio.StreamWriter], Awaitable[None]]
"""`(head, body, where to write the answer)`."""


@asynccontextmanager
async def serving(handle: Handle) -> AsyncIterator[HttpPeer]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await handle(head, await reader.readexactly(length), writer)

    async with sockets.serving(connected) as url:
        yield HttpPeer(url, user="me", password="secret", query={"directory": "/a b"})


def answering(answer: bytes) -> Handle:
    async def handle(_head: bytes, _body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return handle


async def test_a_request_says_who_and_where() -> None:
    seen: list[bytes] = []

    async def handle(head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        seen.extend((head, body))
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{"a": 1}')

    async with serving(handle) as peer:
        assert await peer.post("/mcp", {"name": "ä"}) == {"a": 1}

    head, body = seen
    assert head.startswith(b"POST /mcp?directory=%2Fa+b HTTP/1.1\r\n")
    assert b"Basic " + base64.b64encode(b"me:secret") in head
    assert b"application/json" in head
    assert body == '{"name":"ä"}'.encode()


async def test_an_answer_may_come_in_chunks_or_be_empty() -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n"
    )
    async with serving(answering(chunked)) as peer:
        assert await peer.get("/") == [1, 2]
    async with serving(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as peer:
        assert await peer.post("/") is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message": "no such session"}', "no such session"),
        (b'{"name": "NotFoundError", "data": {"message": "not here"}}', "not here"),
        (b"plain words", "HTTP 404: plain words"),
        (b"", "HTTP 404"),
    ],
)
async def test_an_error_has_the_words_of_the_peer(body: bytes, message: str) -> None:
    head = f"HTTP/1.1 404 Not Found\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    async with serving(answering(head + body)) as peer:
        with pytest.raises(PeerError) as caught:
            await peer.get("/")
        with pytest.raises(PeerError):
            await peer.stream("/")

    assert (caught.value.status, caught.value.message) == (404, message)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", b"SSH-2.0-OpenSSH\r\n"],
)
async def test_an_answer_that_breaks_off_is_no_answer(answer: bytes) -> None:
    async with serving(answering(answer)) as peer:
        with pytest.raises(PeerGone):
            await peer.get("/")


async def test_nobody_there() -> None:
    async with serving(answering(b"")) as peer:
        pass
    with pytest.raises(PeerGone):
        await peer.get("/")


async def test_what_is_no_json_is_an_error() -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\noops")) as peer:
        with pytest.raises(PeerError, match="HTTP 200: oops"):
            await peer.get("/")


async def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_peer, "MAX_BODY_BYTES", 1000)
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + b" " * 2000
    async with serving(answering(answer)) as peer:
        with pytest.raises(PeerError, match="too long"):
            await peer.get("/")


async def test_a_stream_is_read_as_it_comes_and_ends_with_the_peer() -> None:
    go_on = asyncio.Event()

    async def handle(_head: bytes, _body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n")
        await writer.drain()
        await go_on.wait()
        writer.write(b"data: 2\n\n")

    async with serving(handle) as peer:
        stream = await peer.stream("/event")
        first = await anext(stream)
        go_on.set()
        rest = [chunk async for chunk in stream]
        await stream.close()

    assert first == b"data: 1\n\n"
    assert b"".join(rest) == b"data: 2\n\n"
