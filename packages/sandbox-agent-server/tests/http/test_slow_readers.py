"""Readers that take nothing: what is held for each is bounded, and comes back when they leave."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing

import httpx
import pytest
from support.server import DEADLINE_S, ServerProcess, until

READERS_OF_EACH_KIND = 60
KEY = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"


def silent_reader(server: ServerProcess, session_id: str, *, websocket: bool) -> socket.socket:
    """It asked for everything, and reads no more than that it will get it."""
    connection = socket.socket()
    connection.settimeout(DEADLINE_S)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
    path, how = ("events", "accept: text/event-stream\r\n")
    if websocket:
        path, how = "ws", f"connection: upgrade\r\nupgrade: websocket\r\n{KEY}"
    connection.sendall(
        f"GET /v1/sessions/{session_id}/{path} HTTP/1.1\r\nhost: localhost\r\n"
        f"authorization: {server.headers['authorization']}\r\n{how}\r\n".encode()
    )
    assert connection.recv(9) == b"HTTP/1.1 "
    return connection


def test_readers_that_take_nothing_of_a_burst_cost_little_and_give_it_back(
    make_server: Callable[..., ServerProcess],
) -> None:
    command = json.dumps([sys.executable, "-m", "sandbox_agent_server.agents.mock"])
    server = make_server(config=f"[agents.stdio]\ncommand = {command}\n").start()
    session_id = server.create("stdio")
    before = server.memory_mib()
    with ExitStack() as stack:
        for _ in range(READERS_OF_EACH_KIND):
            for websocket in (False, True):
                reader = silent_reader(server, session_id, websocket=websocket)
                stack.enter_context(closing(reader))
        assert server.prompt(session_id, "burst 20000x1000")["stopReason"] == "end_turn"
        # Each has at most a full socket and a page: less than 0.5 MiB.
        assert server.peak_memory_mib() - before < READERS_OF_EACH_KIND * 2 * 0.5

    def is_given_back() -> bool:
        # The server looks when there was work.
        httpx.get(f"{server.url}/v1/health", headers=server.headers)
        return server.memory_mib() - before < 25

    until(is_given_back)


@pytest.mark.parametrize("websocket", [False, True], ids=["sse", "websocket"])
def test_a_reader_of_large_updates_holds_a_piece_of_them(
    server: ServerProcess, websocket: bool
) -> None:
    session_id = server.create()
    before = server.peak_memory_mib()
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(closing(silent_reader(server, session_id, websocket=websocket)))
        server.prompt(session_id, "burst 2x4000000")
        # 40 copies of one of them would be 160 MiB.
        assert server.peak_memory_mib() - before < 90
