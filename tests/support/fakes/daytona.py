"""Daytona on loopback, for its real SDK: what it is told to run it really runs, in a directory of its own.

Requests and answers go through the models of the SDK's own clients (`daytona_api_client_async`,
`daytona_toolbox_api_client_async`), which are made from Daytona's OpenAPI documents: an unknown field, a wrong
type or a missing one fails the test.

From reports, not from the schema: a sandbox that has just been started refuses to be destroyed with 409 (`busy_for`),
one that is destroyed is told of for a while, the toolbox of a stopped one answers 400, the list lags behind
(`is_list_late`), preview tokens change with a restart.

A snapshot has the files and the resources of its sandbox. One that was just made is `pending` for a while, and one
that is removed `removing`.

What it does not model: images (one, with or without our server on its PATH), users, a network
of a sandbox's own, lifetimes that end (`auto_destroy_at` is only told), archives, volumes, secrets, GPUs,
organizations, the event stream (the SDK polls when there is none), paging, and TLS. A sandbox's home is a
directory here instead of /home/daytona.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daytona_api_client_async import (
    CreateSandbox,
    CreateSandboxSnapshot,
    ListSandboxesResponse,
    PortPreviewUrl,
    Sandbox,
    SandboxListItem,
    SignedPortPreviewUrl,
    SnapshotDto,
)
from daytona_toolbox_api_client_async.models.execute_request import ExecuteRequest
from daytona_toolbox_api_client_async.models.execute_response import ExecuteResponse
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from support.fakes.edge import pass_on
from support.fakes.machine import PrivateMachine, SavedFiles
from support.fakes.processes import signal_all
from support.fakes.serving import serve

__all__ = ["API_KEY", "FakeDaytona"]

API_KEY = "dtn_" + "0" * 40
LOOKS_WHILE_CHANGING = 1
"""How often it says `starting` before it says `started`."""
LONGEST_HANG_S = 60.0
EXECUTE_TIMEOUT_S = 10


@dataclass(slots=True)
class Snapshot:
    name: str
    saved: SavedFiles
    source: str
    cpu: float
    memory: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = "pending"
    looks_left: int = LOOKS_WHILE_CHANGING
    created: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(slots=True)
class Box:
    id: str
    name: str
    machine: PrivateMachine
    wanted: CreateSandbox
    state: str = "creating"
    next_state: str = "started"
    looks_left: int = LOOKS_WHILE_CHANGING
    busy_for: int = 0
    destroy_at: datetime | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    preview_token: str = field(default_factory=lambda: secrets.token_hex(8))

    def change(self, state: str, *, by: str) -> None:
        self.state, self.next_state, self.looks_left = by, state, LOOKS_WHILE_CHANGING

    def look(self) -> None:
        if self.state != self.next_state:
            self.looks_left -= 1
            if self.looks_left < 0:
                self.state = self.next_state


class FakeDaytona:
    """`faults` maps an operation (`create`, `get`, `execute`, …) to the statuses that its next calls are answered
    with; 0 is no answer at all."""

    def __init__(self, root: Path, *, has_server: bool = True) -> None:
        self.root = root
        self.has_server = has_server
        self.url = ""
        self.boxes: dict[str, Box] = {}
        self.calls: Counter[str] = Counter()
        self.bodies: list[tuple[str, Any]] = []
        self.faults: dict[str, list[int]] = {}
        self.snapshots: dict[str, Snapshot] = {}
        """Of sandboxes, by name."""
        self.next_snapshot_state = "active"
        """What those that are pending come to."""
        self.page_size = 100
        self.fault_message = "planned"
        self.first_state = "started"
        """What a new sandbox comes to."""
        self.busy_for = 0
        """How often a new sandbox refuses to be destroyed."""
        self.is_list_late = False
        """The list goes on showing what has been destroyed."""
        self.may_create = asyncio.Event()
        self.may_create.set()
        self._destroyed: list[Box] = []
        self._links: dict[str, tuple[str, int]] = {}
        self._closing = asyncio.Event()

    @contextmanager
    def running(self) -> Iterator[FakeDaytona]:
        with serve(self._app()) as url:
            self.url = url
            try:
                yield self
            finally:
                self._closing.set()
                for id_ in list(self.boxes):
                    self.kill(id_)

    @property
    def api_url(self) -> str:
        return f"{self.url}/api"

    def kill(self, id_: str) -> None:
        """As the end of its lifetime, or a person, would."""
        box = self.boxes.pop(id_)
        signal_all(box.machine.name, signal.SIGCONT)
        box.machine.remove()
        box.state = "destroyed"
        self._destroyed.append(box)

    def _app(self) -> Starlette:
        api, toolbox = "/api/sandbox/{id}", "/toolbox/{id}"
        anything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return Starlette(
            routes=[
                Route("/api/sandbox", self._create, methods=["POST"]),
                Route("/api/sandbox", self._list, methods=["GET"]),
                Route(api, self._get, methods=["GET"]),
                Route(api, self._destroy, methods=["DELETE"]),
                Route(f"{api}/start", self._start, methods=["POST"]),
                Route(f"{api}/stop", self._stop, methods=["POST"]),
                Route(f"{api}/pause", self._pause, methods=["POST"]),
                Route(f"{api}/snapshot", self._snapshot, methods=["POST"]),
                Route("/api/snapshots", self._list_snapshots, methods=["GET"]),
                Route("/api/snapshots/{id}", self._get_snapshot, methods=["GET"]),
                Route("/api/snapshots/{id}", self._remove_snapshot, methods=["DELETE"]),
                Route("/api/snapshots/{id}/activate", self._activate_snapshot, methods=["POST"]),
                Route(f"{api}/ttl/{{minutes:int}}", self._ttl, methods=["POST"]),
                Route(f"{api}/last-activity", self._activity, methods=["POST"]),
                Route(f"{api}/ports/{{port:int}}/preview-url", self._preview, methods=["GET"]),
                Route(
                    f"{api}/ports/{{port:int}}/signed-preview-url", self._signed, methods=["GET"]
                ),
                Route(f"{toolbox}/process/execute", self._execute, methods=["POST"]),
                Route(f"{toolbox}/files/bulk-upload", self._upload, methods=["POST"]),
                Route(f"{toolbox}/files/permissions", self._permissions, methods=["POST"]),
                Route("/proxy/{port:int}-{id}/{path:path}", self._private, methods=anything),
                Route("/signed/{token}/{path:path}", self._by_link, methods=anything),
            ]
        )

    # The API

    async def _refusal(self, request: Request, operation: str) -> Response | None:
        self.calls[operation] += 1
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return _error(401, "Invalid credentials")
        if planned := self.faults.get(operation):
            status = planned.pop(0)
            if status == 0:
                await _within(LONGEST_HANG_S, self._closing)
            return _error(status or 504, self.fault_message)
        return None

    async def _create(self, request: Request) -> Response:
        body = await request.json()
        if (refusal := await self._refusal(request, "create")) is not None:
            return refusal
        self.bodies.append(("create", body))
        wanted = _checked(CreateSandbox, body)
        if wanted.snapshot == "no-such-snapshot":
            return _error(404, "Snapshot no-such-snapshot not found")
        id_ = f"box-{secrets.token_hex(8)}"
        name = wanted.name or id_
        if self._box(name) is not None:
            return _error(409, f"Sandbox with name {name} already exists")
        await _within(LONGEST_HANG_S, self.may_create)
        machine = await asyncio.to_thread(
            PrivateMachine, self.root, id_, env=wanted.env or {}, has_server=self.has_server
        )
        if wanted.snapshot in self.snapshots:
            kept = self.snapshots[wanted.snapshot]
            assert kept.state == "active", kept.state
            await asyncio.to_thread(machine.restore, kept.saved)
            wanted.cpu, wanted.memory = int(kept.cpu), int(kept.memory)
        box = self.boxes[id_] = Box(id_, name, machine, wanted, busy_for=self.busy_for)
        box.change(self.first_state, by="creating")
        _set_ttl(box, wanted.ttl_minutes or 0)
        return self._answer(box)

    async def _list(self, request: Request) -> Response:
        if (refusal := await self._refusal(request, "list")) is not None:
            return refusal
        labels = json.loads(request.query_params.get("labels", "{}"))
        listed = [*self.boxes.values(), *(self._destroyed if self.is_list_late else ())]
        found = [
            _checked(SandboxListItem, {**self._facts(box), "state": box.state})
            for box in listed
            if labels.items() <= (box.wanted.labels or {}).items()
        ]
        page = ListSandboxesResponse(items=found, next_cursor=None)
        return JSONResponse({**page.to_dict(), "nextCursor": None})

    async def _get(self, request: Request) -> Response:
        box = await self._of_box(request, "get")
        if isinstance(box, Response):
            return box
        box.look()
        return self._answer(box)

    async def _destroy(self, request: Request) -> Response:
        box = await self._of_box(request, "destroy")
        if isinstance(box, Response):
            return box
        if box.busy_for:
            box.busy_for -= 1
            return _error(409, "Sandbox state change in progress")
        await asyncio.to_thread(self.kill, box.id)
        return self._answer(box)

    async def _start(self, request: Request) -> Response:
        box = await self._of_box(request, "start")
        if isinstance(box, Response):
            return box
        if box.state not in ("stopped", "paused"):
            return _error(409, f"Sandbox is {box.state}")
        signal_all(box.machine.name, signal.SIGCONT)
        box.preview_token = secrets.token_hex(8)
        box.change("started", by="starting")
        return self._answer(box)

    async def _stop(self, request: Request) -> Response:
        box = await self._of_box(request, "stop")
        if isinstance(box, Response):
            return box
        if box.state != "started":
            return _error(409, f"Sandbox is {box.state}")
        await asyncio.to_thread(box.machine.stop)
        box.change("stopped", by="stopping")
        return self._answer(box)

    async def _pause(self, request: Request) -> Response:
        box = await self._of_box(request, "pause")
        if isinstance(box, Response):
            return box
        if box.state != "started":
            return _error(409, f"Sandbox is {box.state}")
        signal_all(box.machine.name, signal.SIGSTOP)
        box.change("paused", by="pausing")
        return self._answer(box)

    async def _snapshot(self, request: Request) -> Response:
        box = await self._of_box(request, "snapshot")
        if isinstance(box, Response):
            return box
        name = _checked(CreateSandboxSnapshot, await request.json()).name
        if name in self.snapshots:
            return _error(409, f"Snapshot with name {name} already exists")
        directory = self.root / f"snapshot-{secrets.token_hex(4)}"
        saved = await asyncio.to_thread(box.machine.keep, directory)
        facts = self._facts(box)
        self.snapshots[name] = Snapshot(name, saved, box.id, facts["cpu"], facts["memory"])
        box.change("started", by="snapshotting")
        return self._answer(box)

    async def _list_snapshots(self, request: Request) -> Response:
        if (refusal := await self._refusal(request, "snapshots")) is not None:
            return refusal
        page = int(request.query_params["page"])
        size = min(self.page_size, int(request.query_params["limit"]))
        for one in [*self.snapshots.values()]:
            self._look_at(one)
        found = [*self.snapshots.values()]
        items = [_snapshot_facts(one) for one in found[(page - 1) * size : page * size]]
        answer = {
            "items": items,
            "total": len(found),
            "page": page,
            "totalPages": math.ceil(len(found) / size),
        }
        return JSONResponse(answer)

    async def _get_snapshot(self, request: Request) -> Response:
        found = await self._of_snapshot(request, "get_snapshot")
        if isinstance(found, Response):
            return found
        self._look_at(found)
        if found.name not in self.snapshots:
            return _error(404, f"Snapshot {found.name} not found")
        return JSONResponse(_snapshot_facts(found))

    def _look_at(self, one: Snapshot) -> None:
        one.looks_left -= 1
        if one.looks_left < 0 and one.state == "removing":
            del self.snapshots[one.name]
        elif one.looks_left < 0 and one.state == "pending":
            one.state = self.next_snapshot_state

    async def _activate_snapshot(self, request: Request) -> Response:
        found = await self._of_snapshot(request, "activate_snapshot")
        if isinstance(found, Response):
            return found
        if found.state != "inactive":
            return _error(400, f"Snapshot {found.name} is {found.state}")
        found.state = "active"
        return JSONResponse(_snapshot_facts(found))

    async def _remove_snapshot(self, request: Request) -> Response:
        found = await self._of_snapshot(request, "remove_snapshot")
        if isinstance(found, Response):
            return found
        found.state, found.looks_left = "removing", LOOKS_WHILE_CHANGING
        return Response()

    async def _of_snapshot(self, request: Request, operation: str) -> Snapshot | Response:
        if (refusal := await self._refusal(request, operation)) is not None:
            return refusal
        wanted = request.path_params["id"]
        for one in self.snapshots.values():
            # A name finds it, to look at; what changes it wants the id.
            if wanted == one.id or (operation == "get_snapshot" and wanted == one.name):
                return one
        return _error(404, f"Snapshot {wanted} not found")

    async def _ttl(self, request: Request) -> Response:
        box = await self._of_box(request, "ttl")
        if isinstance(box, Response):
            return box
        _set_ttl(box, request.path_params["minutes"])
        return self._answer(box)

    async def _activity(self, request: Request) -> Response:
        box = await self._of_box(request, "activity")
        return box if isinstance(box, Response) else Response(status_code=201)

    async def _preview(self, request: Request) -> Response:
        box = await self._of_box(request, "preview")
        if isinstance(box, Response):
            return box
        url = f"{self.url}/proxy/{request.path_params['port']}-{box.id}"
        link = PortPreviewUrl(sandbox_id=box.id, url=url, token=box.preview_token)
        return JSONResponse(link.to_dict())

    async def _signed(self, request: Request) -> Response:
        box = await self._of_box(request, "signed")
        if isinstance(box, Response):
            return box
        port, token = request.path_params["port"], secrets.token_hex(8)
        self.bodies.append(("signed", dict(request.query_params)))
        self._links[token] = (box.id, port)
        url = f"{self.url}/signed/{token}"
        link = SignedPortPreviewUrl(sandbox_id=box.id, port=port, token=token, url=url)
        return JSONResponse(link.to_dict())

    async def _of_box(self, request: Request, operation: str) -> Box | Response:
        """The box that the path names, or the refusal."""
        if (refusal := await self._refusal(request, operation)) is not None:
            return refusal
        name = request.path_params["id"]
        return self._box(name) or _error(404, f"Sandbox with ID or name {name} not found")

    def _box(self, name: str) -> Box | None:
        found = (box for box in self.boxes.values() if name in (box.id, box.name))
        return next(found, None)

    def _answer(self, box: Box) -> Response:
        return JSONResponse(_checked(Sandbox, self._facts(box)).to_dict())

    def _facts(self, box: Box) -> dict[str, Any]:
        wanted = box.wanted
        return {
            "id": box.id,
            "organizationId": "org",
            "name": box.name,
            "snapshot": wanted.snapshot or "daytona-default",
            "user": wanted.user or "daytona",
            "env": wanted.env or {},
            "labels": wanted.labels or {},
            "public": bool(wanted.public),
            "networkBlockAll": bool(wanted.network_block_all),
            "kvm": False,
            "target": wanted.target or "us",
            "cpu": wanted.cpu or 1,
            "gpu": wanted.gpu or 0,
            "memory": wanted.memory or 1,
            "disk": wanted.disk or 3,
            "state": box.state,
            "autoStopInterval": wanted.auto_stop_interval,
            "autoDestroyAt": None if box.destroy_at is None else box.destroy_at.isoformat(),
            "createdAt": box.created.isoformat(),
            "errorReason": "its disk is full" if box.state == "error" else None,
            "toolboxProxyUrl": f"{self.url}/toolbox",
        }

    # The toolbox, inside a sandbox

    async def _inside(self, request: Request, operation: str) -> Box | Response:
        box = await self._of_box(request, operation)
        if isinstance(box, Box) and box.state != "started":
            return _error(400, "no IP address found. Is the Sandbox started?")
        return box

    async def _execute(self, request: Request) -> Response:
        box = await self._inside(request, "execute")
        if isinstance(box, Response):
            return box
        wanted = _checked(ExecuteRequest, await request.json())
        self.bodies.append(("execute", wanted.command))
        timeout_s = wanted.timeout or EXECUTE_TIMEOUT_S
        started = time.monotonic()
        done = await asyncio.to_thread(
            box.machine.run,
            ["/bin/sh", "-c", wanted.command],
            cwd=wanted.cwd,
            env=wanted.envs,
            timeout_s=timeout_s,
        )
        if time.monotonic() - started >= timeout_s:
            return _error(408, "command execution timeout")
        output = (done.stdout + done.stderr).decode("utf-8", "replace")
        return JSONResponse(ExecuteResponse(exit_code=done.exit_code, result=output).to_dict())

    async def _upload(self, request: Request) -> Response:
        box = await self._inside(request, "upload")
        if isinstance(box, Response):
            return box
        async with request.form() as form:
            for name, path in form.items():
                if not name.endswith(".path"):
                    continue
                assert isinstance(path, str)
                upload = form[name.replace(".path", ".file")]
                assert isinstance(upload, UploadFile)
                try:
                    box.machine.write(path, await upload.read())
                except OSError as exc:
                    return JSONResponse({"errors": [f"{path}: {exc}"]}, status_code=400)
        return Response()

    async def _permissions(self, request: Request) -> Response:
        box = await self._inside(request, "permissions")
        if isinstance(box, Response):
            return box
        file = Path(request.query_params["path"])
        if not file.is_relative_to(box.machine.root) or not file.exists():
            return _error(404, f"{file} not found", code="FILE_NOT_FOUND", source="DAYTONA_DAEMON")
        file.chmod(int(request.query_params["mode"], 8))
        return Response()

    # Its public side

    async def _private(self, request: Request) -> Response:
        box = self.boxes.get(request.path_params["id"])
        if box is None:
            return _error(404, "sandbox not found")
        given = request.headers.get("x-daytona-preview-token")
        if not box.wanted.public and given != box.preview_token:
            return _error(401, "unauthorized")
        return await self._reach(request, box, request.path_params["port"])

    async def _by_link(self, request: Request) -> Response:
        id_, port = self._links.get(request.path_params["token"], ("", 0))
        box = self.boxes.get(id_)
        if box is None:
            return _error(401, "unauthorized")
        return await self._reach(request, box, port)

    async def _reach(self, request: Request, box: Box, port: int) -> Response:
        if box.state != "started":
            return _error(400, "no IP address found. Is the Sandbox started?")
        path = "/" + request.path_params["path"]
        return await pass_on(request, box.machine.port_of(port), path)


def _checked(model: Any, content: dict[str, Any]) -> Any:
    """Content of the wire as the client's model, which must know all of it."""
    known = {info.serialization_alias or name for name, info in model.model_fields.items()}
    if model in (CreateSandbox, CreateSandboxSnapshot, ExecuteRequest):
        assert content.keys() <= known, content.keys() - known
    return model.from_dict({name: value for name, value in content.items() if name in known})


def _snapshot_facts(one: Snapshot) -> dict[str, Any]:
    facts = {
        "id": one.id,
        "general": False,
        "name": one.name,
        "state": one.state,
        "size": 1,
        "entrypoint": None,
        "cpu": one.cpu,
        "gpu": 0,
        "mem": one.memory,
        "disk": 3,
        "errorReason": "its disk is full" if one.state == "error" else None,
        "createdAt": one.created.isoformat(),
        "updatedAt": one.created.isoformat(),
        "lastUsedAt": None,
        "sourceSandboxId": one.source,
    }
    SnapshotDto.from_dict(facts)
    return facts


def _set_ttl(box: Box, minutes: int) -> None:
    box.destroy_at = datetime.now(UTC) + timedelta(minutes=minutes) if minutes else None


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Polls: the event is set by another thread."""
    deadline = time.monotonic() + seconds
    while not event.is_set() and time.monotonic() < deadline:
        await asyncio.sleep(0.01)


def _error(status: int, message: str, **more: str) -> Response:
    content = {"path": "/", "statusCode": status, "error": "E", "message": message, **more}
    return JSONResponse(content, status_code=status)
