"""A terminal over its WebSocket: a key there and back, and output as fast as it is written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from websockets.sync.client import ClientConnection, connect

from benchmarks.contenders import TOKEN, Server
from benchmarks.keep_alive import KeepAlive
from benchmarks.row import Plan, Row, median, percentile

__all__ = ["measure"]

KEYS = 100
OUTPUT_BYTES = 20_000_000
ROUNDS = 4
_ERASE = "\x15"


def measure(plan: Plan) -> list[Row]:
    echoes: dict[str, list[float]] = {"ours": [], "peer": []}
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    with ExitStack() as stack:
        servers = [stack.enter_context(s) for s in (plan.ours(), plan.peer()) if s]
        for _ in range(plan.repetitions(ROUNDS)):
            for server in servers:
                echoes[server.name] += list(_echoes(server))
                rates[server.name].append(_output(server))
    return [
        *(
            Row(f"terminal: a key and its echo, p{round(share * 100)}", "ms", percentile(echoes["ours"], share),
                percentile(echoes["peer"], share), budget="<= 1.2", budget_of="ratio", digits=3)
            for share in (0.5, 0.99)
        ),
        Row("terminal: output of 20 MB", "MB/s", median(rates["ours"]), median(rates["peer"]), budget=">= 1",
            budget_of="ratio", digits=0),
    ]  # fmt: skip


@contextmanager
def _terminal(server: Server, command: Sequence[str]) -> Iterator[ClientConnection]:
    with KeepAlive(server.port) as http:
        body = {"command": command[0], "args": command[1:], "tty": True, "interactive": True}
        made = json.loads(http.call("POST", "/v1/processes", json.dumps(body).encode()))
        url = f"ws://127.0.0.1:{server.port}/v1/processes/{made['id']}/terminal/ws"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        try:
            with connect(
                url, additional_headers=headers, compression=None, max_size=None
            ) as socket:
                socket.recv()  # that it is ready
                yield socket
        finally:
            http.call("POST", f"/v1/processes/{made['id']}/kill?waitMs=2000")


def _type(socket: ClientConnection, text: str) -> None:
    socket.send(json.dumps({"type": "input", "data": text}))


def _until(socket: ClientConnection, end: bytes) -> int:
    """How many bytes came until these."""
    tail, count = b"", 0
    while end not in tail:
        message = socket.recv(30)
        if isinstance(message, bytes):
            count += len(message)
            tail = tail[-len(end) :] + message
    return count


def _echoes(server: Server) -> Iterator[float]:
    with _terminal(server, ["cat"]) as socket:
        for number in range(KEYS):
            key = chr(ord("a") + number % 26)
            started = time.perf_counter()
            _type(socket, key)
            _until(socket, key.encode())
            yield (time.perf_counter() - started) * 1000
            if number % 26 == 25:
                _type(socket, _ERASE)
                _until(socket, b"\x08")


def _output(server: Server) -> float:
    """MB in a second."""
    script = f"read line; head -c {OUTPUT_BYTES} /dev/zero | tr '\\0' y; echo END"
    with _terminal(server, ["sh", "-c", script]) as socket:
        started = time.perf_counter()
        _type(socket, "\n")
        count = _until(socket, b"END")
        return count / 1e6 / (time.perf_counter() - started)
