"""Cloudflare's sandbox bridge on loopback: what it is told to run it really runs, in a directory of its own.

Requests and answers are checked against the schemas of the bridge's OpenAPI document. As in the bridge, each use of a
sandbox makes a container where the id has none: also a look at one that was destroyed. Only DELETE makes none.

What it does not model: the image (one, with or without our server on its PATH), users, a network of a sandbox's own,
sleeping by itself (`sleep` does it), sessions, mounts, archives, and TLS. `/workspace` is a directory of this machine
when the API is asked for it, and has another name for the programs inside. A command's output comes when it has
ended. A tunnel's URL is the port on this machine and not a name of trycloudflare.com; it is there at once.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from support.fakes.cloudflare_schema import ANSWERS, REQUESTS, check
from support.fakes.machine import PrivateMachine
from support.fakes.serving import serve

__all__ = ["KEY", "FakeBridge"]

KEY = "bridge-key"
LARGEST_FILE = 32 * 1024 * 1024
LONGEST_WAIT_S = 60.0


class FakeBridge:
    """`faults` maps an operation (`create`, `exec`, `write`, …) to the answers that its next calls get instead: a status
    and a code, or None for no answer at all."""

    def __init__(self, root: Path, *, has_server: bool = True, most_containers: int = 10) -> None:
        self.root = root
        self.has_server = has_server
        self.most_containers = most_containers
        self.url = ""
        self.containers: dict[str, PrivateMachine] = {}
        self.calls: Counter[str] = Counter()
        self.bodies: list[tuple[str, Any]] = []
        self.tunnels: dict[tuple[str, int], dict[str, Any]] = {}
        self.faults: dict[str, list[tuple[int, str | None] | None]] = {}
        self.may_start = asyncio.Event()
        self.may_start.set()
        self._closing = asyncio.Event()

    @contextmanager
    def running(self) -> Iterator[FakeBridge]:
        with serve(self._app()) as self.url:
            try:
                yield self
            finally:
                self._closing.set()
                for sandbox in list(self.containers):
                    self.sleep(sandbox)

    def sleep(self, sandbox: str) -> None:
        """As after `sleepAfter`: its processes and its files are gone, its id can be used again."""
        self.containers.pop(sandbox).remove()
        for key in [key for key in self.tunnels if key[0] == sandbox]:
            del self.tunnels[key]

    def _app(self) -> Starlette:
        one = "/v1/sandbox/{id}"
        return Starlette(
            routes=[
                Route("/v1/sandbox", self._create, methods=["POST"]),
                Route("/v1/pool/stats", self._stats, methods=["GET"]),
                Route(one + "/exec", self._exec, methods=["POST"]),
                Route(one + "/file/{path:path}", self._write, methods=["PUT"]),
                Route(one + "/tunnel/{port:int}", self._tunnel, methods=["POST"]),
                Route(one, self._delete, methods=["DELETE"]),
            ]
        )

    async def _refusal(self, request: Request, operation: str) -> Response | None:
        self.calls[operation] += 1
        sandbox = request.path_params.get("id")
        if sandbox is not None and not re.fullmatch("[a-z2-7]{1,128}", sandbox):
            return _error(400, "invalid_request", "Invalid sandbox ID format")
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _error(401, "unauthorized", "Unauthorized")
        if planned := self.faults.get(operation):
            fault = planned.pop(0)
            if fault is None:
                await _within(LONGEST_WAIT_S, self._closing)
                return Response(status_code=524)
            status, code = fault
            if code is None:  # not the bridge, but what is in front of it
                return Response("<html>error</html>", status_code=status, media_type="text/html")
            return _error(status, code, f"planned for {operation}")
        return None

    async def _container(self, request: Request, operation: str) -> PrivateMachine | Response:
        if (refusal := await self._refusal(request, operation)) is not None:
            return refusal
        sandbox = request.path_params["id"]
        if sandbox not in self.containers:
            if len(self.containers) >= self.most_containers:
                return _error(503, "capacity_exceeded", "instance limit reached")
            await _within(LONGEST_WAIT_S, self.may_start)
            machine = await asyncio.to_thread(
                PrivateMachine, self.root, sandbox, env={}, has_server=self.has_server
            )
            _workspace(machine).mkdir()
            self.containers[sandbox] = machine
        return self.containers[sandbox]

    async def _create(self, request: Request) -> Response:
        if (refusal := await self._refusal(request, "create")) is not None:
            return refusal
        sandbox = base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
        return JSONResponse(check({"id": sandbox}, ANSWERS["create"]))

    async def _stats(self, request: Request) -> Response:
        if (refusal := await self._refusal(request, "stats")) is not None:
            return refusal
        return JSONResponse({"warm": 0, "assigned": len(self.containers)})

    async def _exec(self, request: Request) -> Response:
        machine = await self._container(request, "exec")
        if isinstance(machine, Response):
            return machine
        body = check(await request.json(), REQUESTS["exec"])
        self.bodies.append(("exec", body))
        cwd = body.get("cwd", "/workspace")
        if cwd != "/workspace":
            return _error(403, "invalid_request", "this fake's cwd is /workspace")
        done = await asyncio.to_thread(
            machine.run,
            body["argv"],
            cwd=str(_workspace(machine)),
            timeout_s=body["timeout_ms"] / 1000 if "timeout_ms" in body else None,
        )
        end = check({"exit_code": done.exit_code}, ANSWERS["exit"])
        events = [("stdout", done.stdout), ("stderr", done.stderr)]
        text = "".join(
            f"event: {name}\ndata: {base64.b64encode(data).decode()}\n\n"
            for name, data in events
            if data
        )
        text += f"event: exit\ndata: {json.dumps(end)}\n\n"
        return Response(text, media_type="text/event-stream")

    async def _write(self, request: Request) -> Response:
        machine = await self._container(request, "write")
        if isinstance(machine, Response):
            return machine
        path = "/" + request.path_params["path"]
        self.bodies.append(("write", path))
        if not path.startswith("/workspace/") or ".." in path:
            return _error(403, "invalid_request", "path must be within /workspace")
        content = await request.body()
        if len(content) > LARGEST_FILE:
            return _error(413, "payload_too_large", f"payload too large: {len(content)}")
        machine.write(str(_workspace(machine)) + path.removeprefix("/workspace"), content)
        return JSONResponse(check({"ok": True}, ANSWERS["write"]))

    async def _tunnel(self, request: Request) -> Response:
        machine = await self._container(request, "tunnel")
        if isinstance(machine, Response):
            return machine
        raw = await request.body()
        body = check(json.loads(raw) if raw else {}, REQUESTS["tunnel"])
        port = request.path_params["port"]
        self.bodies.append(("tunnel", {"port": port, **body}))
        if not 1024 <= port <= 65535 or port == 3000:
            return _error(400, "invalid_request", "Invalid port")
        actual = machine.port_of(port)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", actual)) != 0:
                return _error(502, "tunnel_error", f"nothing listens on {port}")
        answer = {
            "id": secrets.token_hex(8),
            "port": port,
            "url": f"http://127.0.0.1:{actual}",
            "hostname": f"{body.get('name', secrets.token_hex(4))}.tunnels.test",
            "createdAt": datetime.now(UTC).isoformat(),
            **body,
        }
        kept = self.tunnels.setdefault((request.path_params["id"], port), answer)
        return JSONResponse(check(kept, ANSWERS["tunnel"]))

    async def _delete(self, request: Request) -> Response:
        if (refusal := await self._refusal(request, "delete")) is not None:
            return refusal
        if (sandbox := request.path_params["id"]) in self.containers:
            await asyncio.to_thread(self.sleep, sandbox)
        return Response(status_code=204)


def _workspace(machine: PrivateMachine) -> Path:
    return machine.root / "workspace"


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Polls: the event is set by another thread."""
    deadline = time.monotonic() + seconds
    while not event.is_set() and time.monotonic() < deadline:
        await asyncio.sleep(0.01)


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse(
        check({"error": message, "code": code}, ANSWERS["error"]), status_code=status
    )
