"""All processes of callers by id: started, listed, forgotten; bounded in number while they run and when they have ended."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.api.processes import (
    ProcessCreateRequest,
    ProcessInfo,
    ProcessOwner,
    ProcessRunRequest,
    ProcessRunResponse,
)
from sandbox_agent_core.errors import (
    LimitReached,
    ProcessNotFound,
    ProcessRunning,
    StorageError,
    Unavailable,
)

from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.processes.command import Commands
from sandbox_agent_server.host.processes.config import ProcessBounds
from sandbox_agent_server.host.processes.output import Output
from sandbox_agent_server.host.processes.output_file import OutputFile
from sandbox_agent_server.host.processes.process import HostProcess
from sandbox_agent_server.host.processes.record import read_record, write_record
from sandbox_agent_server.host.processes.run import run
from sandbox_agent_server.runtime.launching import PtySize
from sandbox_agent_server.runtime.ledger import ProcessLedger
from sandbox_agent_server.settings import Settings

__all__ = ["Processes"]

logger = logging.getLogger(__name__)

_DIRECTORY: Final = "processes"
_LAST_ID: Final = "last-id"
_ID: Final = re.compile(r"proc_([1-9]\d{0,17})")
_SHUT_DOWN_GRACE_S: Final = 1.0


class Processes:
    """Belongs to the event loop."""

    def __init__(
        self, settings: Settings, paths: Paths, ledger: ProcessLedger, *, marker: str
    ) -> None:
        """`marker`: of the data directory."""
        self._limits = settings.limits
        self._directory = settings.data_dir / _DIRECTORY
        self._ledger = ledger
        self._commands = Commands(settings, paths, marker=marker)
        self._by_id: dict[str, HostProcess] = {}
        self._last_number = 0
        self._running = 0
        """Those that run, commands, and what is being started."""
        self._is_closing = False
        self.bounds = ProcessBounds(self._directory, settings.limits)

    async def recover(self) -> None:
        """Before the first request: what an earlier server ran has ended with it. Raises: StorageError."""
        try:
            await asyncio.to_thread(self._read_all)
        except OSError as exc:
            raise StorageError(
                f"the processes in {str(self._directory)!r} cannot be read: {exc}"
            ) from exc
        self._retain()

    async def shut_down(self) -> None:
        """End all of them."""
        self._is_closing = True
        running = [process for process in self._by_id.values() if process.is_running]
        results = await asyncio.gather(
            *(process.stop(grace_s=_SHUT_DOWN_GRACE_S) for process in running),
            return_exceptions=True,
        )
        for process, result in zip(running, results, strict=True):
            if isinstance(result, Exception):
                logger.error("%s: stopping failed", process.id, exc_info=result)

    async def run(self, body: ProcessRunRequest) -> ProcessRunResponse:
        """Run a command to its end. Cancelled, or at its timeout, it is killed with all that came from it.

        Raises:
            LimitReached, ProcessStartFailed, PathNotFound, NotADirectory, PathForbidden, InvalidRequest.
        """
        with self._room():
            return await run(
                await self._commands.prepare(body), body, self.bounds.now, self._ledger
            )

    async def start(
        self, body: ProcessCreateRequest, *, owner: ProcessOwner = "user", actor: str | None = None
    ) -> HostProcess:
        """A process that runs on by itself; `get` has it from now on. `actor`: whose token it is.

        Raises:
            LimitReached, ProcessStartFailed, PathNotFound, NotADirectory, PathForbidden, StorageError.
        """
        with self._room() as keep:
            command = await self._commands.prepare(body)
            size = PtySize(rows=body.rows, cols=body.cols) if body.tty else None
            started = await command.start(pty=size)
            try:
                process = self._make(body, command.cwd, owner, actor)
            except OSError as exc:
                await started.end()
                raise StorageError(f"the process cannot be recorded: {exc.strerror}") from exc
            keep()
            self._ledger.note(started.pid, process.id)
            timeout_s = body.timeout_ms / 1000 if body.timeout_ms is not None else None
            process.run(started, timeout_s=timeout_s, grace_s=self._limits.process_stop_grace_s)
            self._by_id[process.id] = process
            self._record(process)
            return process

    def get(self, process_id: str) -> HostProcess:
        """Raises: ProcessNotFound."""
        process = self._by_id.get(process_id)
        if process is None:
            raise ProcessNotFound(
                f"there is no process {process_id[:64]!r}; it may have ended long ago and be forgotten",
                resource="process",
                id=process_id[:64],
            )
        return process

    def list(self, owner: str | None = None) -> list[ProcessInfo]:
        """Oldest first."""
        self._retain()
        infos = [process.info for process in self._by_id.values()]
        return [info for info in infos if owner in (None, info.owner)]

    async def stop(self, process_id: str, *, wait_s: float | None = None) -> ProcessInfo:
        """Answers when it has ended, at the latest after `wait_s`. Raises: ProcessNotFound."""
        process = self.get(process_id)
        await _within(wait_s, process.stop(grace_s=self._limits.process_stop_grace_s))
        return process.info

    async def kill(self, process_id: str, *, wait_s: float | None = None) -> ProcessInfo:
        """As `stop`. Raises: ProcessNotFound."""
        process = self.get(process_id)
        await _within(wait_s, process.kill())
        return process.info

    async def delete(self, process_id: str) -> None:
        """Forget it and its output. Raises: ProcessNotFound, ProcessRunning."""
        process = self.get(process_id)
        if process.is_running:
            raise ProcessRunning(f"{process_id} still runs; stop or kill it first")
        del self._by_id[process_id]
        await asyncio.to_thread(self._remove, process_id)

    @contextmanager
    def _room(self) -> Iterator[_Keep]:
        """For one more that runs. Raises: LimitReached, Unavailable."""
        if self._is_closing:
            raise Unavailable("the server is stopping")
        limit = self.bounds.now.max_concurrent_processes
        if self._running >= limit:
            raise LimitReached(
                f"{self._running} processes run already; stop one, or raise `maxConcurrentProcesses` "
                "(POST /v1/processes/config)",
                limit="max_processes",
                value=limit,
            )
        self._running += 1
        keep = _Keep()
        try:
            yield keep
        finally:
            if not keep.is_kept:
                self._running -= 1

    def _make(
        self, body: ProcessCreateRequest, cwd: str, owner: ProcessOwner, actor: str | None
    ) -> HostProcess:
        """Raises: OSError."""
        process_id = f"proc_{self._next_number()}"
        directory = self._directory / process_id
        directory.mkdir(mode=0o700)
        max_bytes = self.bounds.now.max_log_bytes_per_process
        output = Output(
            OutputFile(directory, max_bytes=max_bytes),
            name=process_id,
            # What is taken and kept beside it is what a connection may have lost on the way.
            waits_at_bytes=max_bytes // 2 if body.when_log_full == "wait" else None,
        )
        info = ProcessInfo(
            id=process_id,
            command=body.command,
            args=body.args,
            tty=body.tty,
            interactive=body.interactive,
            owner=owner,
            actor=actor,
            cwd=cwd,
            status="running",
            created_at_ms=_now_ms(),
        )
        return HostProcess(info, output, on_end=self._on_end)

    def _next_number(self) -> int:
        """Never one that was given before, also by an earlier server. Raises: OSError."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = self._last_number + 1
        (self._directory / _LAST_ID).write_text(str(number), encoding="ascii")
        self._last_number = number
        return number

    def _on_end(self, process: HostProcess) -> None:
        self._running -= 1
        self._ledger.forget(process.id)
        self._record(process)
        self._retain()

    def _record(self, process: HostProcess) -> None:
        try:
            write_record(self._directory / process.id, process.info)
        except OSError as exc:
            logger.error("%s cannot be recorded: %s", process.id, exc)

    def _retain(self) -> None:
        """Forget what ended long ago, or before too many others."""
        ended = [process for process in self._by_id.values() if not process.is_running]
        ended.sort(key=lambda process: process.info.exited_at_ms or 0)
        oldest_ms = _now_ms() - self._limits.ended_process_keep_s * 1000
        too_many = len(ended) - self._limits.max_ended_processes
        for index, process in enumerate(ended):
            if index < too_many or (process.info.exited_at_ms or 0) < oldest_ms:
                del self._by_id[process.id]
                self._remove(process.id)

    def _remove(self, process_id: str) -> None:
        shutil.rmtree(self._directory / process_id, ignore_errors=True)

    def _read_all(self) -> None:
        """Blocks. Raises: OSError."""
        self.bounds.read()
        if not self._directory.is_dir():
            return
        numbers = [
            int(match[1])
            for name in os.listdir(self._directory)  # noqa: PTH208 - names are all that is wanted
            if (match := _ID.fullmatch(name)) is not None
        ]
        self._last_number = max([self._written_number(), *numbers])
        for number in sorted(numbers):
            process = self._read_one(self._directory / f"proc_{number}")
            if process is not None:
                self._by_id[process.id] = process

    def _written_number(self) -> int:
        try:
            return int((self._directory / _LAST_ID).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def _read_one(self, directory: Path) -> HostProcess | None:
        """Raises: OSError."""
        info = read_record(directory)
        if info is None:
            shutil.rmtree(directory, ignore_errors=True)
            return None
        file = OutputFile(directory, max_bytes=self._limits.max_process_log_bytes)
        last = file.load()
        if info.status == "running":
            info.status = "exited"
            info.pid = None
            info.exited_at_ms = last.timestamp_ms if last is not None else info.created_at_ms
            write_record(directory, info)
        return HostProcess(info, Output(file, name=info.id, last=last, is_ended=True))


class _Keep:
    """Says that what room was made for goes on."""

    def __init__(self) -> None:
        self.is_kept = False

    def __call__(self) -> None:
        self.is_kept = True


async def _within(wait_s: float | None, work: Coroutine[Any, Any, None]) -> None:
    """As long as it takes, or as long as is said: it goes on then."""
    try:
        async with asyncio.timeout(wait_s):
            await work
    except TimeoutError:
        pass


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
