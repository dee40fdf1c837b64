"""A WebSocket in the hands of a client that breaks the rules: it is told so, and the server's log stays quiet."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from support.server import DEADLINE_S, ServerProcess
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

TEXT = Opcode.TEXT


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.stop()
    assert "Traceback" not in process.log()


@contextmanager
def connected(server: ServerProcess) -> Iterator[ClientConnection]:
    url = f"{server.url.replace('http', 'ws', 1)}/v1/sessions/{server.create()}/ws"
    with connect(url, additional_headers=server.headers, max_size=None) as websocket:
        yield websocket


def frame(opcode: Opcode, data: bytes) -> bytes:
    return Frame(opcode, data).serialize(mask=True)


def answer_to(websocket: ClientConnection, command: Any) -> Any:
    websocket.send(command if isinstance(command, str) else json.dumps(command))
    while (message := json.loads(websocket.recv(DEADLINE_S)))["type"] == "event":
        pass
    return message


def close_code(websocket: ClientConnection) -> int:
    with suppress(ConnectionClosedError):
        for _message in websocket:
            pass
    assert websocket.close_code is not None
    return websocket.close_code


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (frame(TEXT, b'"\xff"'), 1007),
        (Frame(TEXT, b'"\xc3', fin=False).serialize(mask=True) + frame(Opcode.CONT, b'"'), 1007),
        (b"\x89\xfe\x00\x7e" + bytes(130), 1002),
        (b"\x81\x02{}", 1002),
    ],
    ids=["utf-8", "utf-8 in parts", "long ping", "not masked"],
)
def test_what_breaks_the_protocol_ends_the_connection_with_its_code(
    server: ServerProcess, broken: bytes, code: int
) -> None:
    for before in (b"", frame(TEXT, b'{"type":"cancel"}') * 3):
        with connected(server) as websocket:
            websocket.socket.sendall(before + broken)
            assert close_code(websocket) == code


def test_a_character_in_two_parts_is_one(server: ServerProcess) -> None:
    text = json.dumps({"type": "prompt", "id": "\u00e9", "text": "hi"}, ensure_ascii=False).encode()
    middle = text.index("\u00e9".encode()) + 1
    with connected(server) as websocket:
        websocket.send([text[:middle], text[middle:]], text=True)
        while (message := json.loads(websocket.recv(DEADLINE_S)))["type"] == "event":
            pass
        assert (message["type"], message["id"]) == ("result", "\u00e9")


def test_a_command_after_a_close_and_a_client_that_is_gone_are_no_bugs(
    server: ServerProcess,
) -> None:
    command = frame(TEXT, b'{"type":"prompt","text":"burst 50x1000"}')
    close = frame(Opcode.CLOSE, struct.pack("!H", 1000))
    for sent in (command + close, close + command, close + close, command * 5 + close + command):
        with connected(server) as websocket:
            websocket.socket.sendall(sent)
            close_code(websocket)
    with connected(server) as websocket:
        reset = struct.pack("ii", 1, 0)
        websocket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        websocket.socket.sendall(command * 20)
        # The descriptor, because the library would say goodbye first.
        os.close(websocket.socket.detach())


@pytest.mark.parametrize("id", ["x", 7, 0, -1, 2**63 - 1, None])
def test_an_id_comes_back_as_it_was(server: ServerProcess, id: Any) -> None:
    with connected(server) as websocket:
        answer = answer_to(websocket, {"type": "cancel", "id": id})
        assert (answer["type"], answer["id"]) == ("result", id)


@pytest.mark.parametrize("id", ["99999999999999999999", "1.5", "true", "[]", "{}", "1e3"])
def test_an_id_that_could_not_come_back_is_refused(server: ServerProcess, id: str) -> None:
    with connected(server) as websocket:
        answer = answer_to(websocket, f'{{"type":"cancel","id":{id}}}')
        assert (answer["type"], answer["id"]) == ("error", None)
        assert answer["error"]["type"].endswith(":invalid_request")


def test_a_large_event_arrives_whole_amid_replies(server: ServerProcess) -> None:
    with connected(server) as websocket:
        websocket.send(json.dumps({"type": "prompt", "id": 0, "text": "burst 2x3000000"}))
        for id in range(1, 6):
            websocket.send(json.dumps({"type": "set", "id": id, "mode": "ask"}))
        replies: set[int] = set()
        texts: list[int] = []
        while len(replies) < 6 or len(texts) < 2:
            message = json.loads(websocket.recv(DEADLINE_S))
            if message["type"] == "result":
                replies.add(message["id"])
            elif message.get("event", {}).get("type") == "message.delta":
                texts.append(len(message["event"]["data"]["text"]))
        assert texts == [3_000_000] * 2


def test_head_of_an_event_stream_is_answered_and_holds_nothing(server: ServerProcess) -> None:
    url = f"{server.url}/v1/sessions/{server.create()}/events"
    stream = {**server.headers, "accept": "text/event-stream"}
    with httpx.Client(headers=stream, timeout=DEADLINE_S) as client:
        for _ in range(3):
            answer = client.head(url)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
