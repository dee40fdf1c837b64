"""Vercel's sandbox API on loopback, for its real SDK: what it is told to run it really runs, in a directory of its own.

Each answer goes through the SDK's own response models, also before it leaves here.

A persistent sandbox that is stopped has a snapshot of its files, which others are made from. Destroying it with
`deleteOrphanSnapshots` deletes that, unless a sandbox was made from it: whom that spares is a guess.

What it does not model: images (one, with or without our server on its PATH), users, a network of a sandbox's own
(its public URL is a port of this machine), lifetimes that end, drives, network policies, other sources, paging, and TLS. A process's output comes when it has ended. A sandbox's directory is one of
this machine instead of /vercel/sandbox. Error bodies are what the SDK reads (`error.code`, `error.message`); that a
stopped session answers 410, and what Vercel takes while it stops, is from the SDK's recovery code.
"""

from __future__ import annotations

import asyncio
import io
import json
import posixpath
import secrets
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from support.fakes.machine import PrivateMachine, SavedFiles
from support.fakes.serving import serve
from vercel.sandbox._internal import api_client as models

__all__ = ["PROJECT", "TEAM", "TOKEN", "FakeVercel"]

TOKEN, TEAM, PROJECT = "vercel-token", "team_1", "prj_1"
MOST_TAGS = 5
MOST_PORTS = 4
LOOKS_WHILE_STOPPING = 1
"""How often it says `stopping` before it says `stopped`."""
LONGEST_HANG_S = 60.0


@dataclass(slots=True)
class _Snapshot:
    saved: SavedFiles
    session: str
    id: str = field(default_factory=lambda: f"snap_{secrets.token_hex(8)}")
    status: str = "created"
    created_ms: int = field(default_factory=lambda: int(time.time() * 1000))


@dataclass(slots=True)
class _Box:
    name: str
    machine: PrivateMachine
    ports: list[int]
    tags: dict[str, str]
    is_persistent: bool
    timeout_ms: int
    session: str = field(default_factory=lambda: f"sbx_{secrets.token_hex(6)}")
    status: str = "running"
    snapshot: str | None = None
    looks_left: int = 0
    created_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    started_ms: int = field(default_factory=lambda: int(time.time() * 1000))


class FakeVercel:
    """`faults` maps an operation (`create`, `get`, `run`, …) to the statuses that its next calls are answered with;
    0 is no answer at all."""

    def __init__(self, root: Path, *, has_server: bool = True) -> None:
        self.root = root
        self.has_server = has_server
        self.url = ""
        self.boxes: dict[str, _Box] = {}
        self.snapshots: dict[str, _Snapshot] = {}
        self.calls: Counter[str] = Counter()
        self.bodies: list[tuple[str, Any]] = []
        self.faults: dict[str, list[int]] = {}
        self.may_create = asyncio.Event()
        self.may_create.set()
        self._closing = asyncio.Event()

    @contextmanager
    def running(self) -> Iterator[FakeVercel]:
        with serve(self._app()) as url:
            self.url = f"{url}/api"
            try:
                yield self
            finally:
                self._closing.set()
                for name in list(self.boxes):
                    self.kill(name)

    def kill(self, name: str) -> None:
        """As a person in Vercel's console would."""
        self.boxes.pop(name).machine.remove()

    def _app(self) -> Starlette:
        session = "/api/v2/sandboxes/sessions/{session}"
        named = "/api/v2/sandboxes/{name}"
        return Starlette(
            routes=[
                Route("/api/v3/sandboxes", self._create, methods=["POST"]),
                Route("/api/v2/sandboxes", self._list, methods=["GET"]),
                Route(f"{session}/cmd", self._run, methods=["POST"]),
                Route(f"{session}/fs/write", self._write, methods=["POST"]),
                Route(f"{session}/extend-timeout", self._extend, methods=["POST"]),
                Route(f"{session}/stop", self._stop, methods=["POST"]),
                Route("/api/v2/sandboxes/snapshots/{id}", self._get_snapshot, methods=["GET"]),
                Route(named, self._get, methods=["GET"]),
                Route(named, self._update, methods=["PATCH"]),
                Route(named, self._destroy, methods=["DELETE"]),
            ]
        )

    async def _refusal(self, request: Request, operation: str) -> Response | None:
        self.calls[operation] += 1
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(403, "forbidden", "Not authorized")
        assert request.query_params["teamId"] == TEAM
        if planned := self.faults.get(operation):
            status = planned.pop(0)
            if status == 0:
                await _within(LONGEST_HANG_S, self._closing)
            return _error(status or 504, "planned", f"planned for {operation}")
        return None

    # Sandboxes

    async def _create(self, request: Request) -> Response:
        body = await request.json()
        if (refusal := await self._refusal(request, "create")) is not None:
            return refusal
        self.bodies.append(("create", body))
        assert body["projectId"] == PROJECT
        tags, ports = body.get("tags", {}), body.get("ports", [])
        if len(tags) > MOST_TAGS or len(ports) > MOST_PORTS:
            return _error(400, "bad_request", "too many tags or ports")
        name = body.get("name") or f"sandbox-{secrets.token_hex(4)}"
        if name in self.boxes:
            return _error(409, "conflict", f"{name} exists")
        snapshot = (body.get("source") or {}).get("snapshotId")
        if snapshot is not None and snapshot not in self.snapshots:
            return _error(410, "snapshot_not_found", f"{snapshot} not found")
        await _within(LONGEST_HANG_S, self.may_create)
        machine = await asyncio.to_thread(
            PrivateMachine,
            *(self.root, name),
            env=body.get("env", {}),
            has_server=self.has_server,
        )
        box = self.boxes[name] = _Box(
            name, machine, ports, tags, body.get("persistent", True), body.get("timeout", 300_000)
        )
        if snapshot is not None:
            await asyncio.to_thread(machine.restore, self.snapshots[snapshot].saved)
            box.snapshot = snapshot
        return _answer(models._SandboxResponse, self._whole(box))

    async def _list(self, request: Request) -> Response:
        if (refusal := await self._refusal(request, "list")) is not None:
            return refusal
        assert request.query_params["project"] == PROJECT
        key, _, value = request.query_params.get("tags", "").partition(":")
        found = [
            _sandbox(box) for box in self.boxes.values() if not key or box.tags.get(key) == value
        ]
        answer = {"sandboxes": found, "pagination": {"count": len(found), "next": None}}
        return _answer(models._SandboxesResponse, answer)

    async def _get(self, request: Request) -> Response:
        is_resume = request.query_params.get("resume") == "true"
        if (refusal := await self._refusal(request, "resume" if is_resume else "get")) is not None:
            return refusal
        box = self.boxes.get(request.path_params["name"])
        if box is None:
            return _not_found(request.path_params["name"])
        if box.status == "stopping":
            if is_resume:
                return _error(409, "sandbox_stopping", "The sandbox is stopping")
            box.looks_left -= 1
            box.status = "stopping" if box.looks_left >= 0 else "stopped"
        if is_resume and box.status == "stopped":
            box.status = "running"
            box.session = f"sbx_{secrets.token_hex(6)}"
            box.started_ms = int(time.time() * 1000)
        return _answer(models._SandboxResponse, self._whole(box))

    async def _update(self, request: Request) -> Response:
        if (refusal := await self._refusal(request, "update")) is not None:
            return refusal
        body = await request.json()
        box = self.boxes.get(request.path_params["name"])
        if box is None:
            return _not_found(request.path_params["name"])
        assert body.keys() == {"tags"}
        assert len(body["tags"]) <= MOST_TAGS
        box.tags = body["tags"]
        return _answer(models._SandboxResponse, {"sandbox": _sandbox(box)})

    async def _get_snapshot(self, request: Request) -> Response:
        if (refusal := await self._refusal(request, "get_snapshot")) is not None:
            return refusal
        found = self.snapshots.get(request.path_params["id"])
        if found is None:
            return _not_found(request.path_params["id"])
        facts = {
            "id": found.id,
            "sourceSessionId": found.session,
            "region": "iad1",
            "status": found.status,
            "sizeBytes": 1,
            "createdAt": found.created_ms,
            "updatedAt": found.created_ms,
        }
        return _answer(models._SnapshotResponse, {"snapshot": facts})

    async def _destroy(self, request: Request) -> Response:
        if (refusal := await self._refusal(request, "destroy")) is not None:
            return refusal
        self.bodies.append(("destroy", dict(request.query_params)))
        box = self.boxes.get(request.path_params["name"])
        if box is None:
            return _not_found(request.path_params["name"])
        answer = self._whole(box)
        await asyncio.to_thread(self.kill, box.name)
        is_used = any(other.snapshot == box.snapshot for other in self.boxes.values())
        if request.query_params.get("deleteOrphanSnapshots") == "true" and not is_used:
            self.snapshots.pop(box.snapshot or "", None)
        return _answer(models._SandboxResponse, answer)

    # Sessions

    async def _of_session(self, request: Request, operation: str) -> _Box | Response:
        """The box that runs it, or the refusal."""
        await (
            request.body()
        )  # a refusal before its end closes the connection, maybe before it was read
        if (refusal := await self._refusal(request, operation)) is not None:
            return refusal
        wanted = request.path_params["session"]
        for box in self.boxes.values():
            if box.session == wanted:
                if box.status == "running":
                    return box
                return _error(410, f"sandbox_{box.status}", f"The sandbox is {box.status}")
        return _not_found(wanted)

    async def _run(self, request: Request) -> Response:
        box = await self._of_session(request, "run")
        if isinstance(box, Response):
            return box
        body = await request.json()
        self.bodies.append(("run", body))
        assert not body["sudo"]
        assert body["wait"]
        started = {
            "id": f"cmd_{secrets.token_hex(4)}",
            "name": body["command"],
            "args": body["args"],
            "cwd": str(box.machine.home),
            "sessionId": box.session,
            "exitCode": None,
            "startedAt": int(time.time() * 1000),
        }
        done = await asyncio.to_thread(
            box.machine.run,
            [body["command"], *body["args"]],
            cwd=body.get("cwd"),
            env=body.get("env"),
            timeout_s=body["timeout"] / 1000 if "timeout" in body else None,
        )
        output = [("stdout", done.stdout), ("stderr", done.stderr)]
        records = [
            {"command": started},
            *({"stream": name, "data": data.decode()} for name, data in output if data),
            {"command": {**started, "exitCode": done.exit_code}},
        ]
        for record in (records[0], records[-1]):
            models._CommandResponse.model_validate(record)
        lines = "".join(json.dumps(record) + "\n" for record in records)
        return Response(lines, media_type="application/x-ndjson")

    async def _write(self, request: Request) -> Response:
        box = await self._of_session(request, "write")
        if isinstance(box, Response):
            return box
        cwd = request.headers["x-cwd"]
        with tarfile.open(fileobj=io.BytesIO(await request.body()), mode="r:gz") as archive:
            for member in archive:
                content = archive.extractfile(member)
                assert content is not None
                path = posixpath.join(cwd, member.name)
                try:
                    box.machine.write(path, content.read(), mode=member.mode)
                except OSError as exc:
                    return _error(400, "bad_request", str(exc))
        return JSONResponse({})

    async def _extend(self, request: Request) -> Response:
        box = await self._of_session(request, "extend")
        if isinstance(box, Response):
            return box
        box.timeout_ms += (await request.json())["duration"]
        return _answer(models._RuntimeSessionResponse, {"session": _session(box)})

    async def _stop(self, request: Request) -> Response:
        box = await self._of_session(request, "stop")
        if isinstance(box, Response):
            return box
        box.status, box.looks_left = "stopping", LOOKS_WHILE_STOPPING
        await asyncio.to_thread(box.machine.stop)
        if box.is_persistent:
            directory = self.root / f"snapshot-{secrets.token_hex(4)}"
            saved = await asyncio.to_thread(box.machine.keep, directory)
            kept = _Snapshot(saved, box.session)
            self.snapshots[kept.id], box.snapshot = kept, kept.id
        answer = {"session": _session(box), "sandbox": _sandbox(box)}
        return _answer(models._RuntimeSessionResponse, answer)

    def _whole(self, box: _Box) -> dict[str, Any]:
        routes = [
            {
                "url": f"http://127.0.0.1:{box.machine.port_of(port)}",
                "port": port,
                "subdomain": f"{box.session}-{port}",
            }
            for port in box.ports
        ]
        return {"sandbox": _sandbox(box), "session": _session(box), "routes": routes}


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Polls: the event is set by another thread."""
    deadline = time.monotonic() + seconds
    while not event.is_set() and time.monotonic() < deadline:
        await asyncio.sleep(0.01)


def _sandbox(box: _Box) -> dict[str, Any]:
    return {
        "name": box.name,
        "currentSessionId": box.session,
        "status": box.status,
        "persistent": box.is_persistent,
        "currentSnapshotId": box.snapshot,
        "projectId": PROJECT,
        "cwd": str(box.machine.home),
        "timeout": box.timeout_ms,
        "createdAt": box.created_ms,
        "updatedAt": box.created_ms,
        "tags": box.tags,
    }


def _session(box: _Box) -> dict[str, Any]:
    return {
        "id": box.session,
        "sourceSandboxName": box.name,
        "projectId": PROJECT,
        "status": box.status,
        "cwd": str(box.machine.home),
        "timeout": box.timeout_ms,
        "startedAt": box.started_ms,
        "requestedAt": box.started_ms,
    }


def _answer(model: Any, content: dict[str, Any]) -> Response:
    model.model_validate(content)
    return JSONResponse(content)


def _not_found(what: str) -> Response:
    return _error(404, "not_found", f"{what} not found")


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
