"""The computer inside a container, for `sandbox_agent_core.provisioning`."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from functools import partial
from posixpath import basename, dirname
from typing import Any, TypeVar

from sandbox_agent_core.errors import ProviderError, ProviderTimeout
from sandbox_agent_core.provisioning import CommandResult

from sandbox_agent_docker import containers
from sandbox_agent_docker.archive import Owner, directory_archive, file_archive
from sandbox_agent_docker.daemon import Daemon, Use

__all__ = ["ContainerMachine", "run_script"]

T = TypeVar("T")

QUICK_TIMEOUT_S = 30.0
CUT_OFF = 128 + 9
"""The exit status of a script whose container was stopped under it."""
_FRAME = struct.Struct(">BxxxL")
"""Before each piece: its stream and its length. (Docker Engine API, "Attach to a container", stream format.)"""
_STDERR = 2


class ContainerMachine:
    """Scripts run as the container's own user, and files belong to that."""

    def __init__(self, daemon: Daemon, container_id: str) -> None:
        self._daemon = daemon
        self._id = container_id
        self.owner: Owner | None = None
        """Who the container's user is, once that is known."""

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._call(partial(run_script, self._id, script), only_listens=True)
        except TimeoutError as exc:
            raise ProviderTimeout(
                f"A script in the sandbox did not end within {timeout_s:g} s.",
                provider="docker",
                sandbox=self._id,
            ) from exc

    async def spawn(self, script: str) -> None:
        await self._call(partial(_spawn, self._id, script))

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        archive = file_archive(basename(path), content, mode=mode, owner=await self._ask_owner())
        await self._call(partial(containers.unpack, self._id, dirname(path), archive))

    async def give(self, path: str, *, mode: int, is_image_read_only: bool) -> None:
        """Make the directory where it is missing; it belongs to the container's user afterwards.

        `is_image_read_only`: it is a volume.
        """
        archive = directory_archive(path.lstrip("/"), mode=mode, owner=await self._ask_owner())
        give = containers.unpack_into_volumes if is_image_read_only else containers.unpack
        await self._call(partial(give, self._id, "/", archive))

    async def _ask_owner(self) -> Owner:
        if self.owner is None:
            done = await self.run("id -u && id -g", timeout_s=QUICK_TIMEOUT_S)
            numbers = done.stdout.split()
            if done.exit_code != 0 or len(numbers) != 2:
                raise ProviderError(
                    f"The sandbox does not say who its user is: {done.output}", provider="docker"
                )
            self.owner = Owner(int(numbers[0]), int(numbers[1]))
        return self.owner

    async def _call(self, use: Use[T], *, only_listens: bool = False) -> T:
        return await self._daemon.call(use, sandbox=self._id, only_listens=only_listens)


def run_script(container_id: str, script: str, client: Any) -> CommandResult:
    """For `Daemon.call`: to the end of it, however long that takes."""
    made = client.api.exec_create(container_id, ["/bin/sh", "-c", script])
    out, err = bytearray(), bytearray()
    for stream, written in _started(made["Id"], client.api):
        (err if stream == _STDERR else out).extend(written)
    status = client.api.exec_inspect(made["Id"])["ExitCode"]
    return CommandResult(
        CUT_OFF if status is None else status,
        out.decode("utf-8", "replace"),
        err.decode("utf-8", "replace"),
    )


def _started(exec_id: str, api: Any) -> Iterator[tuple[int, bytes]]:
    """What it writes, each with the number of its stream.

    The SDK's own `exec_start` reads from the socket what follows the head of the answer, past the buffer that the head was
    read through: what came in one piece with the head is lost, that is all of a short script on a busy machine.
    """
    url = api._url("/exec/{0}/start", exec_id)
    answer = api._post_json(url, data={"Tty": False, "Detach": False}, stream=True)
    # It has begun, in time. From here on nothing may be written for as long as the script takes.
    api._disable_socket_timeout(api._get_raw_response_socket(answer))
    while len(head := answer.raw.read(_FRAME.size)) == _FRAME.size:
        stream, length = _FRAME.unpack(head)
        yield stream, answer.raw.read(length)


def _spawn(container_id: str, script: str, client: Any) -> None:
    made = client.api.exec_create(
        container_id, ["/bin/sh", "-c", script], stdout=False, stderr=False
    )
    client.api.exec_start(made["Id"], detach=True)
