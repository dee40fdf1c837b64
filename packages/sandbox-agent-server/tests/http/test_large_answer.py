"""Large answers: made when there is room, sent in pieces, and held no longer than they have to be."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest
from asgi_call import http_scope
from sandbox_agent_core.errors import StorageError
from sandbox_agent_server.http.large_answer import (
    Body,
    ByteBudget,
    LargeAnswer,
    json_body,
)
from sandbox_agent_server.http.stream import DRAIN, PIECE_BYTES
from support.server import DEADLINE_S, ServerProcess, until

STDIO_MOCK = json.dumps([sys.executable, "-m", "sandbox_agent_server.agents.mock"])


class Client:
    """Takes what it is sent, when the test lets it."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.takes = asyncio.Event()
        self.takes.set()

    async def send(self, message: Any) -> None:
        self.messages.append(message)

    async def drain(self) -> None:
        await self.takes.wait()

    async def receive(self) -> Any:
        raise AssertionError("nothing is read")

    def ask(self, answer: LargeAnswer) -> asyncio.Task[None]:
        scope = {**http_scope("GET", "/"), DRAIN: self.drain}
        return asyncio.ensure_future(answer(scope, self.receive, self.send))

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def answer_of(size: int, budget: ByteBudget, *, max_bytes: int) -> LargeAnswer:
    async def make() -> Body:
        return json_body(b"x" * size)

    return LargeAnswer(make, budget, max_bytes=max_bytes)


async def test_an_answer_is_sent_in_pieces_as_they_are_taken() -> None:
    client, budget = Client(), ByteBudget(10**6)
    client.takes.clear()
    task = client.ask(answer_of(3 * PIECE_BYTES + 1, budget, max_bytes=10**6))
    await settled()
    assert len(client.body) == PIECE_BYTES
    assert budget.held_bytes == 3 * PIECE_BYTES + 1
    client.takes.set()
    await task
    assert client.body == b"x" * (3 * PIECE_BYTES + 1)
    assert dict(client.messages[0]["headers"])[b"content-length"] == b"%d" % len(client.body)
    assert budget.held_bytes == 0


async def test_what_does_not_fit_waits_until_there_is_room() -> None:
    budget = ByteBudget(1000)
    slow, other, small = Client(), Client(), Client()
    slow.takes.clear()
    first = slow.ask(answer_of(600, budget, max_bytes=1000))
    await settled()
    second = other.ask(answer_of(600, budget, max_bytes=600))
    await settled()
    assert other.messages == []
    await small.ask(answer_of(10, budget, max_bytes=100))
    slow.takes.set()
    await asyncio.gather(first, second)
    assert len(other.body) == 600


async def test_what_would_never_fit_goes_alone() -> None:
    budget, large, other = ByteBudget(100), Client(), Client()
    large.takes.clear()
    first = large.ask(answer_of(500, budget, max_bytes=500))
    second = other.ask(answer_of(10, budget, max_bytes=10))
    await settled()
    assert len(large.body) == 500
    assert other.messages == []
    large.takes.set()
    await asyncio.gather(first, second)
    assert budget.held_bytes == 0


async def test_a_failure_or_a_cancellation_gives_everything_back() -> None:
    async def fail() -> Body:
        raise StorageError("gone")

    budget, client = ByteBudget(100), Client()
    with pytest.raises(StorageError):
        await client.ask(LargeAnswer(fail, budget, max_bytes=50))
    assert client.messages == []
    client.takes.clear()
    task = client.ask(answer_of(50, budget, max_bytes=50))
    await settled()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert budget.held_bytes == 0


# The server


def test_large_transcripts_are_folded_one_by_one_and_leave_nothing(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(config=f"[agents.stdio]\ncommand = {STDIO_MOCK}\n").start()
    session_id = server.create("stdio")
    server.prompt(session_id, "burst 6000x1000")
    before = server.memory_mib()
    url = f"{server.url}/v1/sessions/{session_id}/transcript"
    with ExitStack() as stack:
        # Asked for by six who take nothing yet.
        streams = [
            stack.enter_context(
                httpx.stream("GET", url, headers=server.headers, timeout=DEADLINE_S)
            )
            for _ in range(6)
        ]
        for stream in streams:
            (turn,) = json.loads(stream.read())["turns"]
            assert sum(len(item.get("text", "")) for item in turn["items"]) == 6_000_000
    # All of them at once would be six times 20 MiB.
    assert server.peak_memory_mib() - before < 70
    assert not list(server.data_dir.glob("tmp*"))

    def is_given_back() -> bool:
        httpx.get(f"{server.url}/v1/health", headers=server.headers)
        return server.memory_mib() - before < 25

    until(is_given_back)


def test_a_client_that_takes_nothing_of_a_page_is_let_go(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(arguments=["--limit", "send_timeout_s=0.5"]).start()
    session_id = server.create()
    server.prompt(session_id, "burst 4x2000000")
    before = server.memory_mib()
    ask = (
        f"GET /v1/sessions/{session_id}/events HTTP/1.1\r\nhost: localhost\r\n"
        f"authorization: {server.headers['authorization']}\r\n\r\n"
    )
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(socket.socket())) for _ in range(20)]
        for client in clients:
            client.settimeout(DEADLINE_S)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
            client.sendall(ask.encode())
            assert client.recv(15) == b"HTTP/1.1 200 OK"
        with server.client() as other:
            assert other.get(f"/v1/sessions/{session_id}/events").status_code == 200
        taken = 0
        while data := clients[0].recv(65536):
            taken += len(data)
        assert taken < 8_000_000
    # 20 of 8 MiB would be 160 MiB; at most 64 MiB are held by all of them.
    assert server.peak_memory_mib() - before < 130


def test_a_transcript_has_the_same_members_whatever_its_size(server: ServerProcess) -> None:
    session_id = server.create()
    with server.client() as client:
        empty = client.get(f"/v1/sessions/{session_id}/transcript").json()
        server.prompt(session_id, "tool")
        full = client.get(f"/v1/sessions/{session_id}/transcript").json()
    assert empty["turns"] == []
    assert [turn["stopReason"] for turn in full["turns"]] == ["end_turn"]
    assert set(empty) <= set(full)
