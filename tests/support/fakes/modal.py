"""Modal's API on loopback, for its real SDK: what it is told to run it really runs, in a directory of its own.

It is a gRPC server over the service classes that Modal's own wheel brings, so each message is one of Modal's.

Images are built of what they are told: the same layer on the same image is the same image. No command of them is run;
one in whose layers our server was installed has ours on its PATH, and so have all when `has_server`.

What it does not model: users, a network of a
sandbox's own, lifetimes and idleness that end it, environments, volumes, secrets by name, snapshots, and TLS. A
command's output comes when it has ended. A tunnel's name has the port of this machine in it, which nobody resolves.
"""

# ruff: noqa: N802 - the methods have the names of Modal's calls

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from grpclib import GRPCError, Status
from grpclib.server import Server
from modal._utils.grpc_testing import patch_mock_servicer
from modal_proto import api_pb2, task_command_router_pb2
from modal_proto.api_grpc import ModalClientBase
from modal_proto.task_command_router_grpc import TaskCommandRouterBase
from support.fakes.machine import SIGNALLED, PrivateMachine

__all__ = ["TOKEN_ID", "TOKEN_SECRET", "FakeModal", "local_url"]

TOKEN_ID, TOKEN_SECRET = "ak-test", "as-test"
BUILDER = "2025.06"
STOP_DEADLINE_S = 10.0
_SUCCESS = api_pb2.GenericResult(status=api_pb2.GenericResult.GENERIC_STATUS_SUCCESS)
_TERMINATED = api_pb2.GenericResult(status=api_pb2.GenericResult.GENERIC_STATUS_TERMINATED)
_STDOUT = task_command_router_pb2.TASK_EXEC_STDIO_FILE_DESCRIPTOR_STDOUT


def local_url(url: str) -> str:
    """Where a tunnel's URL leads on this machine."""
    parts = urlsplit(url)
    assert parts.scheme == "https"
    assert parts.hostname is not None
    return f"http://127.0.0.1:{parts.hostname.split('-')[1]}"


@dataclass(slots=True)
class _Box:
    id: str
    machine: PrivateMachine
    tags: dict[str, str]
    ports: list[int]
    request: api_pb2.SandboxCreateV2Request
    has_ended: bool = False
    created: float = field(default_factory=time.time)

    @property
    def task(self) -> str:
        return f"ta-{self.id}"

    @property
    def result(self) -> api_pb2.GenericResult | None:
        return _TERMINATED if self.has_ended else None


@dataclass(frozen=True, slots=True)
class _Layers:
    commands: tuple[str, ...]
    """From the base up."""
    files: tuple[str, ...]
    home: Path | None = None
    """Of the sandbox that it is a snapshot of."""

    @property
    def has_server(self) -> bool:
        return any("build.sh server" in command for command in self.commands)


@dataclass(slots=True)
class _Exec:
    process: asyncio.subprocess.Process
    ended: asyncio.Task[tuple[bytes, bytes]]


class FakeModal:
    """`faults` maps a call (`SandboxCreateV2`, `TaskExecStart`, …) to the statuses that it fails with next; None is no
    answer at all."""

    def __init__(self, root: Path, *, has_server: bool = True) -> None:
        self.root = root
        self.has_server = has_server
        self.url = ""
        self.boxes: dict[str, _Box] = {}
        self.apps: dict[str, str] = {}
        self.images: dict[str, _Layers] = {}
        self.published: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        """Uploaded, by their hash."""
        self.mounts: dict[str, list[api_pb2.MountFile]] = {}
        self.build_environments: list[dict[str, str]] = []
        self.refused_command = ""
        """A layer with a command that contains it does not build."""
        self.calls: Counter[str] = Counter()
        self.commands: list[list[str]] = []
        self.faults: dict[str, list[Status | None]] = {}
        self.may_create = threading.Event()
        self.may_create.set()
        self._closing = threading.Event()

    @property
    def alive(self) -> list[_Box]:
        """Modal remembers those that have ended."""
        return [box for box in self.boxes.values() if not box.has_ended]

    @contextmanager
    def running(self) -> Iterator[FakeModal]:
        ready = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        thread.start()
        assert ready.wait(STOP_DEADLINE_S)
        try:
            yield self
        finally:
            self._closing.set()
            thread.join(STOP_DEADLINE_S)
            assert not thread.is_alive()
            for box in self.boxes.values():
                box.machine.remove()

    def kill(self, sandbox: str) -> None:
        """As the end of its lifetime would."""
        box = self.boxes[sandbox]
        box.has_ended = True
        box.machine.remove()

    async def _serve(self, ready: threading.Event) -> None:
        router = _Router(self)
        server = Server([_Api(self), router])
        await server.start("127.0.0.1", 0)
        assert server._server is not None
        self.url = f"http://127.0.0.1:{server._server.sockets[0].getsockname()[1]}"
        ready.set()
        await until(self._closing)
        server.close()
        await server.wait_closed()

    async def check(self, call: str) -> None:
        """Raises: GRPCError, planned by the test."""
        self.calls[call] += 1
        if planned := self.faults.get(call):
            status = planned.pop(0)
            if status is None:
                await until(self._closing)
            raise GRPCError(status or Status.CANCELLED, f"planned for {call}")

    def box(self, sandbox: str) -> _Box:
        """Raises: GRPCError when there is none."""
        if sandbox not in self.boxes:
            raise GRPCError(Status.NOT_FOUND, f"Sandbox {sandbox} not found")
        return self.boxes[sandbox]


async def until(event: threading.Event) -> None:
    """Polls: the event is another thread's."""
    while not event.is_set():
        await asyncio.sleep(0.01)


@patch_mock_servicer
class _Api(ModalClientBase):
    def __init__(self, fake: FakeModal) -> None:
        self._fake = fake

    @asynccontextmanager
    async def _asked(self, call: str, stream: Any) -> AsyncIterator[Any]:
        sent = (
            stream.metadata.get("x-modal-token-id"),
            stream.metadata.get("x-modal-token-secret"),
        )
        if sent != (TOKEN_ID, TOKEN_SECRET):
            raise GRPCError(Status.UNAUTHENTICATED, "Token ID is malformed")
        request = await stream.recv_message()
        await self._fake.check(call)
        yield request

    async def ClientHello(self, stream: Any) -> None:
        async with self._asked("ClientHello", stream):
            await stream.send_message(api_pb2.ClientHelloResponse(image_builder_version=BUILDER))

    async def AuthTokenGet(self, stream: Any) -> None:
        async with self._asked("AuthTokenGet", stream):
            await stream.send_message(api_pb2.AuthTokenGetResponse(token=_jwt()))

    async def EnvironmentGetOrCreate(self, stream: Any) -> None:
        async with self._asked("EnvironmentGetOrCreate", stream):
            settings = api_pb2.EnvironmentSettings(image_builder_version=BUILDER)
            metadata = api_pb2.EnvironmentMetadata(name="main", settings=settings)
            await stream.send_message(
                api_pb2.EnvironmentGetOrCreateResponse(environment_id="en-1", metadata=metadata)
            )

    async def AppGetOrCreate(self, stream: Any) -> None:
        async with self._asked("AppGetOrCreate", stream) as request:
            creates = api_pb2.OBJECT_CREATION_TYPE_CREATE_IF_MISSING
            name = request.app_name
            if request.object_creation_type == creates:
                self._fake.apps.setdefault(name, f"ap-{len(self._fake.apps)}")
            if name not in self._fake.apps:
                raise GRPCError(Status.NOT_FOUND, f"App {name} not found")
            await stream.send_message(api_pb2.AppGetOrCreateResponse(app_id=self._fake.apps[name]))

    async def ImageGetOrCreate(self, stream: Any) -> None:
        async with self._asked("ImageGetOrCreate", stream) as request:
            fake, wanted = self._fake, request.image
            below = [fake.images[base.image_id] for base in wanted.base_images]
            mounted = fake.mounts.get(wanted.context_mount_id, [])
            layers = _Layers(
                (*(c for one in below for c in one.commands), *wanted.dockerfile_commands),
                (*(f for one in below for f in one.files), *(f.filename for f in mounted)),
            )
            refused = fake.refused_command
            if refused and any(refused in command for command in wanted.dockerfile_commands):
                result = api_pb2.GenericResult(
                    status=api_pb2.GenericResult.GENERIC_STATUS_FAILURE, exception="npm: not found"
                )
                await stream.send_message(
                    api_pb2.ImageGetOrCreateResponse(image_id="im-broken", result=result)
                )
                return
            content = [wanted.SerializeToString(), *(f.SerializeToString() for f in mounted)]
            id_ = f"im-{hashlib.sha256(b''.join(content)).hexdigest()[:12]}"
            if id_ not in fake.images:
                fake.calls["built"] += 1
            fake.images[id_] = layers
            await stream.send_message(
                api_pb2.ImageGetOrCreateResponse(
                    image_id=id_,
                    result=_SUCCESS,
                    metadata=api_pb2.ImageMetadata(image_builder_version=BUILDER),
                )
            )

    async def ImageFromId(self, stream: Any) -> None:
        async with self._asked("ImageFromId", stream) as request:
            if request.image_id not in self._fake.images:
                raise GRPCError(Status.NOT_FOUND, f"Image {request.image_id} not found")
            metadata = api_pb2.ImageMetadata(image_builder_version=BUILDER)
            await stream.send_message(
                api_pb2.ImageFromIdResponse(image_id=request.image_id, metadata=metadata)
            )

    async def ImageGetByTag(self, stream: Any) -> None:
        async with self._asked("ImageGetByTag", stream) as request:
            if request.tag not in self._fake.published:
                raise GRPCError(Status.NOT_FOUND, f"Image {request.tag} not found")
            found = self._fake.published[request.tag]
            await stream.send_message(api_pb2.ImageGetByTagResponse(image_id=found))

    async def ImagePublish(self, stream: Any) -> None:
        async with self._asked("ImagePublish", stream) as request:
            self._fake.published[request.tag] = request.image_id
            await stream.send_message(api_pb2.ImagePublishResponse())

    async def MountBatchedCheckExistence(self, stream: Any) -> None:
        async with self._asked("MountBatchedCheckExistence", stream) as request:
            missing = [h for h in request.sha256_hex_hashes if h not in self._fake.files]
            await stream.send_message(
                api_pb2.MountBatchedCheckExistenceResponse(missing_sha256_hex_hashes=missing)
            )

    async def MountPutFile(self, stream: Any) -> None:
        async with self._asked("MountPutFile", stream) as request:
            self._fake.files[request.sha256_hex] = request.data
            await stream.send_message(api_pb2.MountPutFileResponse(exists=True))

    async def MountGetOrCreate(self, stream: Any) -> None:
        async with self._asked("MountGetOrCreate", stream) as request:
            assert all(file.sha256_hex in self._fake.files for file in request.files)
            names = sorted((file.filename, file.sha256_hex) for file in request.files)
            id_ = f"mo-{hashlib.sha256(repr(names).encode()).hexdigest()[:12]}"
            self._fake.mounts[id_] = sorted(request.files, key=lambda file: file.filename)
            await stream.send_message(api_pb2.MountGetOrCreateResponse(mount_id=id_))

    async def SecretGetOrCreate(self, stream: Any) -> None:
        async with self._asked("SecretGetOrCreate", stream) as request:
            self._fake.build_environments.append(dict(request.env_dict))
            id_ = f"st-{request.deployment_name or secrets.token_hex(4)}"
            await stream.send_message(api_pb2.SecretGetOrCreateResponse(secret_id=id_))

    async def SandboxCreateV2(self, stream: Any) -> None:
        async with self._asked("SandboxCreateV2", stream) as request:
            await until(self._fake.may_create)
            id_ = f"sb-2{secrets.token_hex(8)}"
            env: dict[str, str] = {}
            for source in request.secret_sources:
                env |= dict(source.env.contents)
            image = self._fake.images[request.definition.image_id]
            has_server = self._fake.has_server or image.has_server
            machine = await asyncio.to_thread(
                PrivateMachine, self._fake.root, id_, env=env, has_server=has_server
            )
            if image.home is not None:
                shutil.copytree(image.home, machine.home, symlinks=True, dirs_exist_ok=True)
            box = self._fake.boxes[id_] = _Box(
                id_,
                machine,
                {tag.tag_name: tag.tag_value for tag in request.tags},
                [port.port for port in request.definition.open_ports.ports],
                request,
            )
            await stream.send_message(
                api_pb2.SandboxCreateV2Response(sandbox_id=id_, task_id=box.task)
            )

    async def SandboxWaitV2(self, stream: Any) -> None:
        async with self._asked("SandboxWaitV2", stream) as request:
            box = self._fake.box(request.sandbox_id)
            await stream.send_message(api_pb2.SandboxWaitResponse(result=box.result))

    async def SandboxGetTaskIdV2(self, stream: Any) -> None:
        async with self._asked("SandboxGetTaskIdV2", stream) as request:
            box = self._fake.box(request.sandbox_id)
            answer = (
                api_pb2.SandboxGetTaskIdResponse(task_result=box.result)
                if box.has_ended
                else api_pb2.SandboxGetTaskIdResponse(task_id=box.task)
            )
            await stream.send_message(answer)

    async def SandboxGetCommandRouterAccess(self, stream: Any) -> None:
        async with self._asked("SandboxGetCommandRouterAccess", stream) as request:
            self._fake.box(request.sandbox_id)
            await stream.send_message(
                api_pb2.SandboxGetCommandRouterAccessResponse(jwt=_jwt(), url=self._fake.url)
            )

    async def SandboxGetTunnelsV2(self, stream: Any) -> None:
        async with self._asked("SandboxGetTunnelsV2", stream) as request:
            box = self._fake.box(request.sandbox_id)
            tunnels = [
                api_pb2.TunnelData(
                    host=f"x-{box.machine.port_of(port)}-{box.id}.modal.test",
                    port=443,
                    container_port=port,
                )
                for port in box.ports
            ]
            await stream.send_message(
                api_pb2.SandboxGetTunnelsResponse(result=_SUCCESS, tunnels=tunnels)
            )

    async def SandboxTagsGetV2(self, stream: Any) -> None:
        async with self._asked("SandboxTagsGetV2", stream) as request:
            box = self._fake.box(request.sandbox_id)
            await stream.send_message(api_pb2.SandboxTagsGetResponse(tags=_tags(box)))

    async def SandboxListV2(self, stream: Any) -> None:
        async with self._asked("SandboxListV2", stream) as request:
            wanted = {tag.tag_name: tag.tag_value for tag in request.tags}.items()
            before = request.before_timestamp or time.time() + 1
            found = [
                api_pb2.SandboxInfo(
                    id=box.id, created_at=box.created, app_id=request.app_id, tags=_tags(box)
                )
                for box in sorted(self._fake.alive, key=lambda box: -box.created)
                if wanted <= box.tags.items() and box.created < before
            ]
            await stream.send_message(api_pb2.SandboxListResponse(sandboxes=found))

    async def SandboxTerminateV2(self, stream: Any) -> None:
        async with self._asked("SandboxTerminateV2", stream) as request:
            box = self._fake.box(request.sandbox_id)
            if not box.has_ended:
                await asyncio.to_thread(self._fake.kill, box.id)
            await stream.send_message(api_pb2.SandboxTerminateResponse())


@patch_mock_servicer
class _Router(TaskCommandRouterBase):
    def __init__(self, fake: FakeModal) -> None:
        self._fake = fake
        self._execs: dict[str, _Exec] = {}

    @asynccontextmanager
    async def _asked(self, call: str, stream: Any) -> AsyncIterator[Any]:
        assert stream.metadata["authorization"].startswith("Bearer ")
        request = await stream.recv_message()
        await self._fake.check(call)
        if request.task_id not in {box.task for box in self._fake.alive}:
            raise GRPCError(Status.NOT_FOUND, f"Task {request.task_id} not found")
        yield request

    async def TaskSnapshotFilesystem(self, stream: Any) -> None:
        async with self._asked("TaskSnapshotFilesystem", stream) as request:
            fake = self._fake
            box = fake.boxes[request.task_id.removeprefix("ta-")]
            home = fake.root / f"snapshot-{len(fake.images)}"
            shutil.copytree(box.machine.home, home, symlinks=True)
            below = fake.images[box.request.definition.image_id]
            id_ = f"im-{secrets.token_hex(6)}"
            fake.images[id_] = _Layers(below.commands, below.files, home)
            await stream.send_message(
                task_command_router_pb2.TaskSnapshotFilesystemResponse(image_id=id_)
            )

    async def TaskExecStart(self, stream: Any) -> None:
        async with self._asked("TaskExecStart", stream) as request:
            self._fake.commands.append(list(request.command_args))
            machine = self._fake.boxes[request.task_id.removeprefix("ta-")].machine
            process = await asyncio.create_subprocess_exec(
                *request.command_args,
                cwd=request.workdir or machine.home,
                env=machine.env,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            ended = asyncio.create_task(_end(process, request.timeout_secs or None))
            self._execs[request.exec_id] = _Exec(process, ended)
            await stream.send_message(task_command_router_pb2.TaskExecStartResponse())

    async def TaskExecStdinWrite(self, stream: Any) -> None:
        async with self._asked("TaskExecStdinWrite", stream) as request:
            stdin = self._execs[request.exec_id].process.stdin
            assert stdin is not None
            try:
                if request.data:
                    stdin.write(request.data)
                    await stdin.drain()
                if request.eof:
                    stdin.close()
            except ConnectionError:
                raise GRPCError(Status.FAILED_PRECONDITION, "the process has ended") from None
            await stream.send_message(task_command_router_pb2.TaskExecStdinWriteResponse())

    async def TaskExecStdioRead(self, stream: Any) -> None:
        async with self._asked("TaskExecStdioRead", stream) as request:
            out, err = await asyncio.shield(self._execs[request.exec_id].ended)
            data = out if request.file_descriptor == _STDOUT else err
            for start in range(request.offset, len(data), 64 * 1024):
                chunk = data[start : start + 64 * 1024]
                await stream.send_message(
                    task_command_router_pb2.TaskExecStdioReadResponse(data=chunk)
                )

    async def TaskExecWait(self, stream: Any) -> None:
        async with self._asked("TaskExecWait", stream) as request:
            one = self._execs[request.exec_id]
            await asyncio.shield(one.ended)
            code = one.process.returncode
            assert code is not None
            code = code if code >= 0 else SIGNALLED - code
            await stream.send_message(task_command_router_pb2.TaskExecWaitResponse(code=code))


async def _end(process: asyncio.subprocess.Process, timeout_s: int | None) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    reading = asyncio.gather(process.stdout.read(), process.stderr.read(), process.wait())
    try:
        out, err, _ = await asyncio.wait_for(asyncio.shield(reading), timeout_s)
    except TimeoutError:
        process.send_signal(signal.SIGKILL)
        out, err, _ = await reading
    return out, err


def _tags(box: _Box) -> list[api_pb2.SandboxTag]:
    return [api_pb2.SandboxTag(tag_name=name, tag_value=value) for name, value in box.tags.items()]


def _jwt() -> str:
    """Unsigned; the SDK looks at its end."""
    parts = [{"alg": "none"}, {"exp": int(time.time()) + 3600}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(part.rstrip("=") for part in encoded), ""])
