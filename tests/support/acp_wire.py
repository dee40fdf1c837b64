"""ACP's remote transport in the words of the wire, so that no client tidies them up: a WebSocket, and streams."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from queue import Queue
from typing import Any, Final

import httpx
from websockets.sync.client import ClientConnection, connect

from support.server import DEADLINE_S, ServerProcess

__all__ = ["WORKSPACE", "AcpSocket", "AcpStreams", "Stream", "text_of"]

Message = dict[str, Any]
WORKSPACE: Final = tempfile.mkdtemp(prefix="sandbox-agent-acp-")
"""Empty; what a turn does to the files is soon told."""
atexit.register(shutil.rmtree, WORKSPACE, ignore_errors=True)
HELLO: Message = {"protocolVersion": 1, "clientCapabilities": {}}


class AcpSocket:
    """Keeps what comes while it waits for something else."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self.seen: list[Message] = []
        self._ids = count()

    @classmethod
    @contextmanager
    def connected(
        cls, server: ServerProcess, *, agent: str = "mock", hello: Message | None = HELLO
    ) -> Iterator[AcpSocket]:
        url = f"{server.url.replace('http', 'ws', 1)}/acp?agent={agent}"
        with connect(url, additional_headers=server.headers, max_size=None) as websocket:
            socket = cls(websocket)
            if hello is not None:
                socket.ask("initialize", **hello)
            yield socket

    def send(self, message: Any) -> None:
        self.websocket.send(message if isinstance(message, str) else json.dumps(message))

    def request(self, method: str, **params: Any) -> int:
        id = next(self._ids)
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        return id

    def notify(self, method: str, **params: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def prompt(self, session_id: str, text: str, **more: Any) -> int:
        blocks = [{"type": "text", "text": text}]
        return self.request("session/prompt", sessionId=session_id, prompt=blocks, **more)

    def next(self) -> Message:
        message: Message = json.loads(self.websocket.recv(DEADLINE_S))
        self.seen.append(message)
        return message

    def answer_to(self, id: Any) -> Message:
        """It is the last of `seen`."""
        while "method" in (message := self.next()) or message.get("id") != id:
            pass
        return message

    def ask(self, method: str, **params: Any) -> Message:
        """The whole answer."""
        return self.answer_to(self.request(method, **params))

    def asked(self, method: str) -> Message:
        """Until the server sends this."""
        while (message := self.next()).get("method") != method:
            pass
        return message

    def new_session(self) -> str:
        answer = self.ask("session/new", cwd=WORKSPACE, mcpServers=[])
        session_id: str = answer["result"]["sessionId"]
        return session_id


class Stream:
    """One SSE stream, read in the background."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._client = httpx.Client(timeout=None)
        self._stack = self._client.stream("GET", url, headers=headers)
        self.response = self._stack.__enter__()
        self.messages: Queue[Message | None] = Queue()
        self.bodies: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        if self.response.status_code == 200:
            self._thread.start()

    def _read(self) -> None:
        try:
            for line in self.response.iter_lines():
                if line.startswith("data: "):
                    self.bodies.append(line)
                    self.messages.put(json.loads(line[6:]))
        except httpx.HTTPError:
            pass
        self.messages.put(None)

    def next(self) -> Message | None:
        """None at the end."""
        return self.messages.get(timeout=DEADLINE_S)

    def answer_to(self, id: Any) -> tuple[Message, list[Message]]:
        """With what came before it."""
        before: list[Message] = []
        while (message := self.next()) is not None:
            if "method" not in message and message.get("id") == id:
                return message, before
            before.append(message)
        raise AssertionError("the stream has ended")

    def close(self) -> None:
        self.response.close()
        self._client.close()
        if self._thread.ident is not None:
            self._thread.join(DEADLINE_S)


class AcpStreams:
    def __init__(self, server: ServerProcess, *, agent: str = "mock") -> None:
        self.url = f"{server.url}/acp"
        self.headers = dict(server.headers)
        self._streams: list[Stream] = []
        self._ids = count(1)
        hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}
        self.hello = httpx.post(
            self.url, params={"agent": agent}, headers=self.headers, json=hello, timeout=DEADLINE_S
        )
        self.headers["acp-connection-id"] = self.hello.headers["acp-connection-id"]

    @classmethod
    @contextmanager
    def connected(cls, server: ServerProcess, **more: Any) -> Iterator[AcpStreams]:
        streams = cls(server, **more)
        try:
            yield streams
        finally:
            for stream in streams._streams:
                stream.close()

    def post(self, message: Any, **headers: str) -> httpx.Response:
        content = message if isinstance(message, str) else json.dumps(message)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(
            self.url,
            headers={**self.headers, "content-type": "application/json", **named},
            content=content,
            timeout=DEADLINE_S,
        )

    def request(self, method: str, **params: Any) -> int:
        id = next(self._ids)
        answer = self.post({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        assert (answer.status_code, answer.content) == (202, b""), answer.text
        assert answer.headers["content-length"] == "0"
        return id

    def prompt(self, session_id: str, text: str) -> int:
        blocks = [{"type": "text", "text": text}]
        return self.request("session/prompt", sessionId=session_id, prompt=blocks)

    def stream(self, session_id: str | None = None) -> Stream:
        headers = {**self.headers, "accept": "text/event-stream"}
        if session_id is not None:
            headers["acp-session-id"] = session_id
        stream = Stream(self.url, headers)
        self._streams.append(stream)
        return stream


def text_of(messages: list[Message], *, kind: str = "agent_message_chunk") -> str:
    """What was said in updates of this kind."""
    updates = [message.get("params", {}).get("update", {}) for message in messages]
    return "".join(
        update["content"]["text"] for update in updates if update.get("sessionUpdate") == kind
    )
