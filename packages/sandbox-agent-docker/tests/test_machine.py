"""Scripts in a container, over a daemon that answers faster than any other."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import docker
import pytest
from sandbox_agent_core.provisioning import CommandResult
from sandbox_agent_docker.machine import run_script

TIMEOUT_S = 1.5
"""Of the client, for the daemon to answer."""


class QuickDaemon(BaseHTTPRequestHandler):
    """The script begins before its answer is on its way: head and output are one piece. Then it is silent for a while."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/start"):
            self.close_connection = True
            upgraded = self.headers.get("Upgrade") == "tcp"
            first = "101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp" if upgraded else "200 OK"
            head = f"HTTP/1.1 {first}\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
            self.wfile.write(
                head.encode() + _frame(1, b"out") + _frame(2, b"err") + _frame(1, b"!")
            )
            time.sleep(2 * TIMEOUT_S)
            self.wfile.write(_frame(1, b" late"))
        else:
            self._answer({"Id": "exec-1"})

    def do_GET(self) -> None:
        self._answer({"ExitCode": 3})

    def _answer(self, it: object) -> None:
        body = json.dumps(it).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _frame(stream: int, written: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(written)) + written


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    with ThreadingHTTPServer(("127.0.0.1", 0), QuickDaemon) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        made = docker.DockerClient(
            f"tcp://127.0.0.1:{server.server_port}", version="1.41", timeout=TIMEOUT_S
        )
        yield made
        made.close()
        server.shutdown()
        thread.join()


def test_all_that_it_writes_comes_the_first_and_what_is_late(client: docker.DockerClient) -> None:
    assert run_script("box", "true", client) == CommandResult(3, "out! late", "err")
