"""An ACP client over HTTP as somebody else would write it: messages in, one stream out."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

import httpx

from support.server import DEADLINE_S, ServerProcess, until

__all__ = ["AcpClient", "Stream"]

JSON = {"content-type": "application/json"}


class AcpClient:
    """`POST`, `GET` and `DELETE` of `/v1/acp/{server_id}`."""

    def __init__(self, server: ServerProcess, server_id: str, *, agent: str = "mock") -> None:
        self.http = server.client(timeout=DEADLINE_S)
        self.path = f"/v1/acp/{quote(server_id, safe='')}"
        self.agent = agent
        self._next_id = 0

    def __enter__(self) -> AcpClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.http.close()

    def post(self, message: Any, **query: str) -> httpx.Response:
        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.http.post(self.path, content=content, headers=JSON, params=query or None)

    def call(self, method: str, params: Any = None, *, id: Any = ...) -> dict[str, Any]:
        """The envelope that answers a request."""
        if id is ...:
            id, self._next_id = self._next_id, self._next_id + 1
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}
        answer = self.post(message, agent=self.agent)
        assert answer.status_code == 200, answer.text
        envelope: dict[str, Any] = answer.json()
        assert envelope["id"] == id
        return envelope

    def result(self, method: str, params: Any = None) -> Any:
        envelope = self.call(method, params)
        assert "error" not in envelope, envelope
        return envelope["result"]

    def notify(self, method: str, params: Any) -> None:
        answer = self.post({"jsonrpc": "2.0", "method": method, "params": params})
        assert (answer.status_code, answer.content) == (202, b"")

    def respond(self, id: Any, result: Any) -> None:
        answer = self.post({"jsonrpc": "2.0", "id": id, "result": result})
        assert (answer.status_code, answer.content) == (202, b"")

    def initialize(self, **capabilities: Any) -> dict[str, Any]:
        hello = {
            "protocolVersion": 1,
            "clientCapabilities": capabilities,
            "clientInfo": {"name": "somebody", "version": "1"},
        }
        result: dict[str, Any] = self.result("initialize", hello)
        return result

    def new_session(self, cwd: Any = "/tmp", **params: Any) -> str:
        result = self.result("session/new", {"cwd": str(cwd), "mcpServers": [], **params})
        session_id: str = result["sessionId"]
        return session_id

    def prompt(self, session_id: str, text: str) -> dict[str, Any]:
        """The envelope."""
        return self.call("session/prompt", prompt_of(session_id, text))

    def post_and_leave(self, method: str, params: Any, *, id: Any) -> None:
        """A request whose answer nobody waits for."""
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        threading.Thread(target=self._post_quietly, args=(message,), daemon=True).start()

    def _post_quietly(self, message: Any) -> None:
        with suppress(httpx.HTTPError):
            self.post(message)

    @contextmanager
    def asking(self, method: str, params: Any, *, id: Any = ...) -> Iterator[list[dict[str, Any]]]:
        """A request whose answer comes within the block; it is in the list at the end of it."""
        answers: list[dict[str, Any]] = []
        thread = threading.Thread(
            target=lambda: answers.append(self.call(method, params, id=id)), daemon=True
        )
        thread.start()
        yield answers
        thread.join(DEADLINE_S)
        assert answers, "it was not answered"

    @contextmanager
    def stream(self, after: int | None = None) -> Iterator[Stream]:
        stream = Stream(self, after)
        try:
            yield stream
        finally:
            stream.close()

    def messages(self, count: int, after: int | None = None) -> list[dict[str, Any]]:
        with self.stream(after) as stream:
            until(lambda: len(stream.items) >= count)
            return [message for _, message in stream.items]


def prompt_of(session_id: str, text: str) -> dict[str, Any]:
    return {"sessionId": session_id, "prompt": [{"type": "text", "text": text}]}


class Stream:
    """What the client hears, read in a thread. `items` are `(id, message)`, `raw` the bytes of each."""

    def __init__(self, client: AcpClient, after: int | None) -> None:
        self.items: list[tuple[int, dict[str, Any]]] = []
        self.raw: list[bytes] = []
        self.has_ended = False
        headers = {"accept": "text/event-stream"}
        if after is not None:
            headers["last-event-id"] = str(after)
        self._http = httpx.Client(
            base_url=client.http.base_url, headers=client.http.headers, timeout=DEADLINE_S
        )
        self._response = self._http.send(
            self._http.build_request("GET", client.path, headers=headers), stream=True
        )
        assert self._response.status_code == 200, self._response.read()
        assert self._response.headers["content-type"].startswith("text/event-stream")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        event = b""
        try:
            for piece in self._response.iter_raw():
                event += piece
                while b"\n\n" in event:
                    one, _, event = event.partition(b"\n\n")
                    self._take(one.split(b"\n"))
        except (httpx.HTTPError, httpx.StreamError):
            pass
        self.has_ended = True

    def _take(self, lines: list[bytes]) -> None:
        if lines[0].startswith(b":"):
            return
        kind, id, data = lines
        assert kind == b"event: message"
        raw = data.removeprefix(b"data: ")
        self.raw.append(raw)
        self.items.append((int(id.removeprefix(b"id: ")), json.loads(raw)))

    def find(self, wanted: str) -> dict[str, Any] | None:
        """The first message of a method."""
        return next((one for _, one in list(self.items) if one.get("method") == wanted), None)

    def wait_for(self, method: str) -> dict[str, Any]:
        until(lambda: self.find(method) is not None)
        found = self.find(method)
        assert found is not None
        return found

    def answers(self, id: Any) -> list[dict[str, Any]]:
        return [one for _, one in self.items if "method" not in one and one.get("id") == id]

    def close(self) -> None:
        self._response.close()
        self._http.close()
