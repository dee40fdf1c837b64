"""A container: a real process with its own network, processes and files, by bubblewrap; and the way into it.

Its root is empty but for the host's programs, which it can only read, and the folders given. The first process is
PID 1 of its namespace, as in a real container: it hears only the signals it asked for, and whatever else runs in there
dies with it.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

__all__ = ["HOME", "PATH", "Container", "ContainerSpec", "Image", "NotStarted", "why_not_here"]

HOME = "/home/agent"
PATH = f"{sys.base_prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The host's programs: what an image would bring.
_PROGRAMS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "opt")
_TOOLS = ("bwrap", "nsenter", "setpriv", "env")
_CLONE_NEWNET = 0x40000000


@functools.cache
def why_not_here() -> str | None:
    """Why this machine cannot run a container; None if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a Pod needs Linux and root: it is entered from outside through its namespaces"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} is not installed"
    probe = [
        "bwrap",
        "--ro-bind",
        "/",
        "/",
        "--unshare-pid",
        "--unshare-net",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "true",
    ]
    tried = subprocess.run(probe, capture_output=True, text=True, check=False)
    return (
        f"bubblewrap cannot make a container here: {tried.stderr.strip()}"
        if tried.returncode
        else None
    )


@dataclass(frozen=True, slots=True)
class Image:
    """What an image's name stands for, beyond the host's programs: `paths` of the host that its containers can read."""

    command: tuple[str, ...] = ("sleep", "infinity")
    environment: dict[str, str] = field(default_factory=dict)
    paths: tuple[Path, ...] = ()
    user: int = 0


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """How to start a container. `mounts` are (folder of the host, place in the container, read-only)."""

    command: list[str]
    environment: dict[str, str]
    directory: str
    user: int
    group: int
    groups: tuple[int, ...]
    hostname: str
    host_network: bool
    paths: tuple[Path, ...]
    mounts: tuple[tuple[Path, str, bool], ...]


class NotStarted(Exception):
    """The program is not there, or the container could not be made."""


class Container:
    """A running container; `start` makes one."""

    def __init__(
        self,
        spec: ContainerSpec,
        process: asyncio.subprocess.Process,
        pid: int,
        status: _Pipe,
    ) -> None:
        self.spec = spec
        self.pid = pid  # of its first process, as the host sees it
        self._process = process
        self._status = status
        self._libc = ctypes.CDLL(None, use_errno=True)

    @classmethod
    async def start(cls, spec: ContainerSpec, *, folder: Path, log: IO[bytes]) -> Container:
        """Returns when its files and network are there and its first program starts. `folder` becomes its /tmp and home.

        Raises:
            NotStarted
        """
        if shutil.which(spec.command[0], path=spec.environment["PATH"]) is None and not _is_mounted(
            spec
        ):
            raise NotStarted(f'exec: "{spec.command[0]}": executable file not found in $PATH')
        async with AsyncExitStack() as undo:
            status = undo.enter_context(closing(await _Pipe.open()))
            with closing(await _Pipe.open()) as ready:
                # Its standard input is where the inner shell says that everything is in place.
                says_ready = ["sh", "-c", 'echo >&0; exec "$@" </dev/null', "sh"]
                process = await asyncio.create_subprocess_exec(
                    *[*_bubblewrap(spec, folder), "--json-status-fd", str(status.end), "--"],
                    *[*_as_user(spec), *_in(spec.directory), *says_ready, *spec.command],
                    env=spec.environment,
                    cwd="/",
                    stdin=ready.end,
                    stdout=log,
                    stderr=log,
                    pass_fds=(status.end,),
                    start_new_session=True,
                )
                undo.push_async_callback(_kill, process)
                told, started = await status.line(), await ready.line()
            if not told or not started:
                raise NotStarted("the container could not be made: its log says why")
            undo.pop_all()
            return cls(spec, process, json.loads(told)["child-pid"], status)

    async def wait(self) -> int:
        """Its exit code; 128 and more for a signal."""
        code = await self._process.wait()
        self._status.close()  # not before: bubblewrap writes the exit code into it
        return code if code >= 0 else 128 - code

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """To its first process; gone already is fine. A KILL takes all processes in there."""
        if self.is_running:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def has_program(self, name: str) -> bool:
        """Whether `exec` could start it."""
        root = f"/proc/{self.pid}/root"
        places = [self.spec.directory] if "/" in name else self.spec.environment["PATH"].split(":")
        # Links are not followed: an absolute one would lead out of the container.
        return any(os.path.lexists(f"{root}/{PurePosixPath(place, name)}") for place in places)

    async def exec(self, command: list[str], *, has_input: bool) -> asyncio.subprocess.Process:
        """Start another process in there, with pipes.

        Raises:
            NotStarted
        """
        if not self.has_program(command[0]):
            raise NotStarted(f'exec: "{command[0]}": executable file not found in $PATH')
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--ipc", "--uts"]
        if not self.spec.host_network:
            enter.append("--net")
        return await asyncio.create_subprocess_exec(
            *[*enter, *_as_user(self.spec), *_in(self.spec.directory), *command],
            env=self.spec.environment,
            cwd="/",
            stdin=asyncio.subprocess.PIPE if has_input else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to 127.0.0.1 of its network.

        Raises:
            OSError: nothing listens.
        """
        connection = self._socket_inside()
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
            return await asyncio.open_connection(sock=connection)
        except BaseException:
            connection.close()
            raise

    def _socket_inside(self) -> socket.socket:
        """A socket stays in the network that its thread was in when it was made."""
        if self.spec.host_network:
            return socket.socket()
        ours, theirs = os.open("/proc/thread-self/ns/net", os.O_RDONLY), -1
        try:
            theirs = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            self._enter_network(theirs)
            try:
                return socket.socket()
            finally:
                self._enter_network(ours)
        finally:
            os.close(ours)
            if theirs >= 0:
                os.close(theirs)

    def _enter_network(self, namespace: int) -> None:
        if self._libc.setns(namespace, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def _bubblewrap(spec: ContainerSpec, folder: Path) -> list[str]:
    arguments = [
        "bwrap",
        "--as-pid-1",
        "--die-with-parent",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
    ]
    arguments += ["--hostname", spec.hostname]
    if not spec.host_network:
        arguments.append("--unshare-net")
    for name in _PROGRAMS:
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            arguments += ["--ro-bind", str(path), str(path)]
    arguments += [
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--dir",
        "/home",
        "--dir",
        "/run",
        "--dir",
        "/var/tmp",
    ]
    for name, place in (("tmp", "/tmp"), ("home", HOME)):
        source = folder / name
        source.mkdir(parents=True, exist_ok=True)
        source.chmod(0o1777 if name == "tmp" else 0o755)
        os.chown(source, spec.user, spec.group)
        arguments += ["--bind", str(source), place]
    # After /tmp, since they may be in there.
    for path in (Path(sys.base_prefix), *spec.paths):
        arguments += [*_parents(str(path)), "--ro-bind", str(path), str(path)]
    for source, place, is_read_only in spec.mounts:
        arguments += [
            *_parents(place),
            "--ro-bind" if is_read_only else "--bind",
            str(source),
            place,
        ]
    return arguments


def _parents(place: str) -> list[str]:
    """Left to itself, bubblewrap makes them for root only."""
    above = list(PurePosixPath(place).parents)[-2::-1]
    return [word for parent in above for word in ("--dir", str(parent))]


def _as_user(spec: ContainerSpec) -> list[str]:
    groups = [f"--groups={','.join(map(str, spec.groups))}"] if spec.groups else ["--clear-groups"]
    return ["setpriv", f"--reuid={spec.user}", f"--regid={spec.group}", *groups]


def _in(directory: str) -> list[str]:
    return ["env", f"--chdir={directory}"]


def _is_mounted(spec: ContainerSpec) -> bool:
    """Whether the program may come with what is mounted, which the host does not see at this place."""
    return any(spec.command[0].startswith(place.rstrip("/") + "/") for _, place, _ in spec.mounts)


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        # The group: killed alone before it has asked to take its child with it, bubblewrap leaves that behind.
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


class _Pipe:
    """A pipe that another process, which gets its `end`, writes lines into."""

    def __init__(
        self, reader: asyncio.StreamReader, transport: asyncio.BaseTransport, end: int
    ) -> None:
        self.end = end
        self._reader = reader
        self._transport = transport
        self._is_ours = True

    @classmethod
    async def open(cls) -> _Pipe:
        start, end = os.pipe()
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(start, "rb", buffering=0)
        )
        return cls(reader, transport, end)

    async def line(self) -> bytes:
        """The first line, once the other process is there; nothing if that ends without one."""
        self._close_end()
        return await self._reader.readline()

    def close(self) -> None:
        self._close_end()
        self._transport.close()

    def _close_end(self) -> None:
        if self._is_ours:
            self._is_ours = False
            os.close(self.end)
