"""E2B on loopback, for its real SDK: what it is told to run it really runs, in a directory of its own.

Messages are checked by E2B's own code: processes are served through the Connect application that the SDK's
wheel holds, answers about sandboxes are written by the SDK's own models.

Templates are built of the steps they are told, whose files are kept and whose commands are not run: one in which our
server was installed has ours on its PATH. A name that starts with `another-account-` is another account's. A snapshot
has the files of its sandbox.

What it does not model: users, a network of a sandbox's own (ports are this machine's), lifetimes that end, volumes, and TLS. A sandbox's home
is a directory here instead of /home/user. Its public name is a path of the fake, see `public_url`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import signal
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from e2b.api.client.models import (
    BuildLogEntry,
    BuildStatusReason,
    LogLevel,
    SandboxSnapshotRequest,
    SnapshotInfo,
    TemplateBuildFileUpload,
    TemplateBuildInfo,
    TemplateBuildStartV2,
    TemplateBuildStatus,
    TemplateRequestResponseV3,
    TemplateTag,
)
from e2b.api.client.models.sandbox import Sandbox as SandboxModel
from e2b.api.client.models.sandbox_detail import SandboxDetail
from e2b.api.client.models.sandbox_state import SandboxState
from e2b.api.client.types import UNSET
from e2b.envd.process.process_connect import Process, ProcessASGIApplication
from e2b.envd.process.process_pb import ProcessEvent, StartRequest, StartResponse
from protobuf import Oneof
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from support.fakes.edge import pass_on
from support.fakes.processes import MARK, signal_all, stop_all
from support.fakes.serving import serve
from support.wheelhouse import OUR_SERVER

__all__ = ["API_KEY", "FakeE2B"]

API_KEY = "e2b_" + "0" * 40
ENVD_VERSION = "0.2.10"
DOMAIN = "e2b.test"
CHUNK_BYTES = 32 * 1024


@dataclass(slots=True)
class _Template:
    id: str
    request: dict[str, Any]
    build: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    """To the build that has it."""
    steps: list[dict[str, Any]] = field(default_factory=list)
    files: Path | None = None
    """Of a snapshot."""

    @property
    def has_server(self) -> bool:
        return "build.sh server" in json.dumps(self.steps)


@dataclass(slots=True)
class _Box:
    id: str
    home: Path
    template: str
    metadata: dict[str, str]
    is_private: bool
    ends: datetime
    envs: dict[str, str] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    is_paused: bool = False
    envd_token: str = field(default_factory=lambda: secrets.token_hex(16))
    traffic_token: str = field(default_factory=lambda: secrets.token_hex(16))


class FakeE2B:
    """`faults` maps an operation (`create`, `info`, `kill`, …) to the statuses that its next calls are answered with."""

    def __init__(self, root: Path, *, path: str) -> None:
        self.root = root
        self.path = path
        self.url = ""
        self.boxes: dict[str, _Box] = {}
        self.calls: Counter[str] = Counter()
        self.bodies: list[tuple[str, Any]] = []
        self.faults: dict[str, list[int]] = {}
        self.templates: dict[str, _Template] = {}
        """By name."""
        self.uploads: dict[str, bytes] = {}
        self.refused_command = ""
        """A step with a command that contains it fails."""
        self.hold_create = asyncio.Event()
        self.hold_create.set()

    @contextmanager
    def running(self) -> Iterator[FakeE2B]:
        with serve(self._app()) as url:
            self.url = url
            try:
                yield self
            finally:
                for box in list(self.boxes.values()):
                    self._remove(box)

    def public_url(self, host: str) -> str:
        """Where `https://PORT-ID.DOMAIN` is reached here."""
        return f"{self.url}/public/{host.partition('.')[0]}"

    def kill(self, sandbox_id: str) -> None:
        """As the end of its lifetime, or a person, would."""
        self._remove(self.boxes[sandbox_id])

    def _app(self) -> Starlette:
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return Starlette(
            routes=[
                Route("/v2/sandboxes", self._create, methods=["POST"]),
                Route("/v2/sandboxes", self._list, methods=["GET"]),
                Route("/v2/sandboxes/{id}/connect", self._connect, methods=["POST"]),
                Route("/sandboxes/{id}", self._info, methods=["GET"]),
                Route("/sandboxes/{id}", self._kill, methods=["DELETE"]),
                Route("/sandboxes/{id}/timeout", self._timeout, methods=["POST"]),
                Route("/sandboxes/{id}/pause", self._pause, methods=["POST"]),
                Route("/sandboxes/{id}/snapshots", self._snapshot, methods=["POST"]),
                Route("/v3/templates", self._new_build, methods=["POST"]),
                Route("/templates/{id}/files/{hash}", self._upload_link, methods=["GET"]),
                Route("/uploads/{hash}", self._upload, methods=["PUT"]),
                Route("/v2/templates/{id}/builds/{build}", self._start_build, methods=["POST"]),
                Route("/templates/{id}/builds/{build}/status", self._build_status, methods=["GET"]),
                Route("/templates/{id}/tags", self._tags, methods=["GET"]),
                Route("/templates/{id}", self._remove_template, methods=["DELETE"]),
                Route("/files", self._write, methods=["POST"]),
                Route("/health", self._health, methods=["GET"]),
                Route("/public/{name}/{path:path}", self._public, methods=methods),
                Mount("/", ProcessASGIApplication(_Processes(self))),
            ]
        )

    # The API

    def _refusal(self, request: Request, operation: str) -> Response | None:
        self.calls[operation] += 1
        if request.headers.get("x-api-key") != API_KEY:
            return _error(401, "Invalid API key")
        if planned := self.faults.get(operation):
            return _error(planned.pop(0), f"planned for {operation}")
        return None

    async def _create(self, request: Request) -> Response:
        if (refusal := self._refusal(request, "create")) is not None:
            return refusal
        body = await request.json()
        self.bodies.append(("create", body))
        if body["templateID"] == "no-such-template":
            return _error(404, "template not found")
        id_ = f"i{secrets.token_hex(9)}"
        home = self.root / id_ / "user"
        template = self.templates.get(body["templateID"])
        if template is not None and template.files is not None:
            shutil.copytree(template.files, home, symlinks=True)
        home.mkdir(parents=True, exist_ok=True)
        network = body.get("network") or {}
        box = self.boxes[id_] = _Box(
            id=id_,
            home=home,
            template=body["templateID"],
            metadata=body.get("metadata") or {},
            envs=body.get("envVars") or {},
            is_private=network.get("allowPublicTraffic") is False,
            ends=datetime.now(UTC) + timedelta(seconds=body["timeout"]),
        )
        while not self.hold_create.is_set():
            await asyncio.sleep(0.01)
        return JSONResponse(_model(box), status_code=201)

    async def _list(self, request: Request) -> Response:
        if (refusal := self._refusal(request, "list")) is not None:
            return refusal
        wanted = dict(parse_qsl(request.query_params.get("metadata", "")))
        states = request.query_params.get("state", "running,paused").split(",")
        found = [
            _detail(box)
            for box in self.boxes.values()
            if wanted.items() <= box.metadata.items() and _state(box).value in states
        ]
        return JSONResponse(found)

    async def _info(self, request: Request) -> Response:
        return await self._of_box(request, "info", lambda box, _body: _detail(box))

    async def _connect(self, request: Request) -> Response:
        def connect(box: _Box, body: dict[str, Any]) -> dict[str, Any]:
            if box.is_paused:
                box.is_paused = False
                signal_all(box.id, signal.SIGCONT)
            until = datetime.now(UTC) + timedelta(seconds=body["timeout"])
            box.ends = max(box.ends, until)
            return _model(box)

        return await self._of_box(request, "connect", connect)

    async def _timeout(self, request: Request) -> Response:
        def change(box: _Box, body: dict[str, Any]) -> None:
            box.ends = datetime.now(UTC) + timedelta(seconds=body["timeout"])

        return await self._of_box(request, "timeout", change)

    async def _pause(self, request: Request) -> Response:
        def pause(box: _Box, _body: dict[str, Any]) -> None:
            box.is_paused = True
            signal_all(box.id, signal.SIGSTOP)

        return await self._of_box(request, "pause", pause)

    async def _kill(self, request: Request) -> Response:
        return await self._of_box(request, "kill", lambda box, _body: self._remove(box))

    async def _of_box(self, request: Request, operation: str, act: Any) -> Response:
        if (refusal := self._refusal(request, operation)) is not None:
            return refusal
        box = self.boxes.get(request.path_params["id"])
        if box is None:
            return _error(404, "sandbox not found")
        raw = await request.body()
        answer = await asyncio.to_thread(act, box, json.loads(raw) if raw else {})
        return Response(status_code=204) if answer is None else JSONResponse(answer)

    def _remove(self, box: _Box) -> None:
        signal_all(box.id, signal.SIGCONT)
        stop_all(box.id)
        self.boxes.pop(box.id, None)
        shutil.rmtree(box.home.parent, ignore_errors=True)

    # Templates

    async def _new_build(self, request: Request) -> Response:
        if (refusal := self._refusal(request, "template")) is not None:
            return refusal
        body = await request.json()
        name = body["name"]
        one = self.templates.setdefault(name, _Template(f"tpl{len(self.templates)}", body))
        one.request, one.build = body, str(uuid.uuid4())
        answer = TemplateRequestResponseV3(
            template_id=one.id,
            build_id=one.build,
            public=False,
            names=[name],
            tags=body.get("tags", []),
            aliases=[name],
        )
        return JSONResponse(answer.to_dict(), status_code=202)

    async def _upload_link(self, request: Request) -> Response:
        hash_ = request.path_params["hash"]
        answer = TemplateBuildFileUpload(
            present=hash_ in self.uploads, url=f"{self.url}/uploads/{hash_}"
        )
        return JSONResponse(answer.to_dict(), status_code=201)

    async def _upload(self, request: Request) -> Response:
        self.uploads[request.path_params["hash"]] = await request.body()
        return Response()

    async def _start_build(self, request: Request) -> Response:
        one = self._template(request)
        assert one is not None
        one.steps = TemplateBuildStartV2.from_dict(await request.json()).to_dict()["steps"]
        for step in one.steps:
            assert step["type"] != "COPY" or step["filesHash"] in self.uploads
        return Response(status_code=202)

    async def _build_status(self, request: Request) -> Response:
        one = self._template(request)
        assert one is not None
        commands = [step["args"][0] for step in one.steps if step["type"] == "RUN"]
        offset = int(request.query_params.get("logsOffset", 0))
        now = datetime.now(UTC)
        failed = next(
            (c for c in commands if self.refused_command and self.refused_command in c), None
        )
        if failed is None:
            one.tags |= dict.fromkeys(["default", *one.request.get("tags", [])], one.build)
        info = TemplateBuildInfo(
            logs=[],
            log_entries=[
                BuildLogEntry(timestamp=now, message=f"RUN {c}", level=LogLevel.INFO)
                for c in commands[offset:]
            ],
            template_id=one.id,
            build_id=one.build,
            status=TemplateBuildStatus.ERROR if failed else TemplateBuildStatus.READY,
            reason=BuildStatusReason(message=f"failed to run command '{failed}'")
            if failed
            else UNSET,
        )
        return JSONResponse(info.to_dict())

    async def _tags(self, request: Request) -> Response:
        if (refusal := self._refusal(request, "tags")) is not None:
            return refusal
        if request.path_params["id"].startswith("another-account-"):
            return _error(403, "Template is not accessible")
        one = self._template(request)
        if one is None:
            return _error(404, "Template not found")
        now = datetime.now(UTC)
        return JSONResponse(
            [
                TemplateTag(tag=tag, build_id=uuid.UUID(build), created_at=now).to_dict()
                for tag, build in one.tags.items()
            ]
        )

    async def _remove_template(self, request: Request) -> Response:
        if (refusal := self._refusal(request, "remove_template")) is not None:
            return refusal
        one = self._template(request)
        if one is None:
            return _error(404, "Template not found")
        self.templates = {n: t for n, t in self.templates.items() if t is not one}
        return Response(status_code=204)

    def _template(self, request: Request) -> _Template | None:
        wanted = request.path_params["id"]
        return next((t for n, t in self.templates.items() if wanted in (n, t.id)), None)

    async def _snapshot(self, request: Request) -> Response:
        def snapshot(box: _Box, body: dict[str, Any]) -> dict[str, Any]:
            wanted = SandboxSnapshotRequest.from_dict(body).to_dict()
            self.bodies.append(("snapshot", wanted))
            name = f"team/{wanted.get('name') or secrets.token_hex(4)}:default"
            files = self.root / f"snapshot-{len(self.templates)}"
            shutil.copytree(box.home, files, symlinks=True)
            self.templates[name] = _Template(f"snap{len(self.templates)}", body, files=files)
            return SnapshotInfo(snapshot_id=name, names=[name]).to_dict()

        answer = await self._of_box(request, "snapshot", snapshot)
        if answer.status_code == 200:
            answer.status_code = 201
        return answer

    # Inside a sandbox

    def path_of(self, box: _Box) -> str:
        template = self.templates.get(box.template)
        has_server = template is not None and template.has_server
        return f"{OUR_SERVER.parent}:{self.path}" if has_server else self.path

    def box_of(self, headers: Any) -> _Box:
        """By the headers with which the SDK addresses a sandbox. Raises: LookupError."""
        box = self.boxes[headers["e2b-sandbox-id"]]
        if box.is_paused or headers.get("x-access-token") != box.envd_token:
            raise LookupError(box.id)
        return box

    async def _write(self, request: Request) -> Response:
        try:
            box = self.box_of(request.headers)
        except LookupError:
            return _error(502, "sandbox not running")
        path = Path(request.query_params["path"])
        if not path.is_relative_to(box.home):
            return _error(500, f"this fake keeps files in {box.home}")
        async with request.form() as form:
            upload = form["file"]
            assert not isinstance(upload, str)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(await upload.read())
        return JSONResponse([{"name": path.name, "path": str(path), "type": "file"}])

    async def _health(self, request: Request) -> Response:
        try:
            self.box_of(request.headers)
        except LookupError:
            return _error(502, "sandbox not running")
        return Response(status_code=204)

    # Its public side

    async def _public(self, request: Request) -> Response:
        port, _, id_ = request.path_params["name"].partition("-")
        box = self.boxes.get(id_)
        if box is None:
            return _error(502, "The sandbox was not found")
        token = request.headers.get("e2b-traffic-access-token")
        if box.is_private and token != box.traffic_token:
            return _error(403, "traffic token missing")
        if box.is_paused:
            return _error(502, "sandbox not running")
        return await pass_on(request, int(port), "/" + request.path_params["path"])


class _Processes(Process):
    def __init__(self, fake: FakeE2B) -> None:
        self._fake = fake

    async def start(self, request: StartRequest, ctx: Any, /) -> AsyncIterator[StartResponse]:
        try:
            box = self._fake.box_of(ctx.request_headers)
        except (LookupError, KeyError):
            raise ConnectError(Code.UNAVAILABLE, "sandbox not running") from None
        config = request.process
        assert config is not None
        self._fake.bodies.append(("start", list(config.args)))
        env = {"PATH": self._fake.path_of(box), "LANG": "C.UTF-8", **box.envs, **config.envs}
        process = await asyncio.create_subprocess_exec(
            config.cmd,
            # Without `-l`: the profile of this machine is not the template's.
            *[argument for argument in config.args if argument != "-l"],
            cwd=config.cwd or box.home,
            env={**env, "HOME": str(box.home), MARK: box.id},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        yield _event("start", ProcessEvent.StartEvent(pid=process.pid))
        chunks: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()
        readers = [
            asyncio.create_task(_read(name, stream, chunks))
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
        ]
        open_streams = len(readers)
        while open_streams:
            chunk = await chunks.get()
            if chunk is None:
                open_streams -= 1
                continue
            name, data = chunk
            yield _event("data", ProcessEvent.DataEvent(output=Oneof(name, data)))
        code = await process.wait()
        end = ProcessEvent.EndEvent(exit_code=code, exited=code >= 0, status=f"exit status {code}")
        yield _event("end", end)


async def _read(name: str, stream: Any, chunks: Any) -> None:
    while data := await stream.read(CHUNK_BYTES):
        await chunks.put((name, data))
    await chunks.put(None)


def _event(kind: Any, event: Any) -> StartResponse:
    return StartResponse(event=ProcessEvent(event=Oneof(kind, event)))


def _state(box: _Box) -> SandboxState:
    return SandboxState.PAUSED if box.is_paused else SandboxState.RUNNING


def _model(box: _Box) -> dict[str, Any]:
    return SandboxModel(
        template_id=box.template,
        sandbox_id=box.id,
        client_id="client",
        envd_version=ENVD_VERSION,
        envd_access_token=box.envd_token,
        traffic_access_token=box.traffic_token if box.is_private else None,
        domain=DOMAIN,
    ).to_dict()


def _detail(box: _Box) -> dict[str, Any]:
    detail = SandboxDetail(
        template_id=box.template,
        sandbox_id=box.id,
        client_id="client",
        started_at=box.started,
        end_at=box.ends,
        envd_version=ENVD_VERSION,
        cpu_count=2,
        memory_mb=512,
        disk_size_mb=1024,
        state=_state(box),
        domain=DOMAIN,
        metadata=box.metadata,
    )
    return detail.to_dict()


def _error(status: int, message: str) -> Response:
    return JSONResponse({"code": status, "message": message}, status_code=status)
