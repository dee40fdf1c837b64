"""Commands and processes in the sandbox."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from os import PathLike, fspath
from types import TracebackType
from typing import Any, Self

from sandbox_agent_core.api.processes import (
    FullLog,
    ProcessConfig,
    ProcessConfigChange,
    ProcessGap,
    ProcessInfo,
    ProcessLogEntry,
    ProcessLogsStream,
    ProcessOwner,
)
from sandbox_agent_core.errors import (
    LimitReached,
    ProcessNotFound,
    ProcessNotRunning,
    SandboxAgentError,
    ServerUnreachable,
    Timeout,
)

from sandbox_agent_client._async._backend import (
    CALLBACKS_MAY_BE_ASYNC,
    Background,
    Event,
    finish,
    settle,
)
from sandbox_agent_client._async.connection import Connection
from sandbox_agent_client._callbacks import check_callback
from sandbox_agent_client._calls import processes as calls
from sandbox_agent_client._calls.call import built
from sandbox_agent_client._commands import (
    Argv,
    Collected,
    CommandResult,
    Decoders,
    OutputChunk,
    argv_of,
    bytes_of,
    result_of,
    shown,
)
from sandbox_agent_client._resume import Reconnection

__all__ = ["OnOutput", "Process", "Processes"]

logger = logging.getLogger(__name__)

MAX_RUN_TIMEOUT_S = 300.0
"""Longer commands are started as processes, which a server gives as long as they are said to need."""
MAX_RUN_INPUT_BYTES = 1024 * 1024
MAX_OUTPUT_BYTES = 1024 * 1024
INPUT_BYTES = 48 * 1024
"""In one request."""
WAIT_S = 30.0
END_TIMEOUT_S = 30.0

OnOutput = Callable[[OutputChunk], Awaitable[object] | object]


class Processes:
    """`client.processes`: run commands, start processes and look after them.

    It takes a token with the scope `host`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def run(
        self,
        command: Argv,
        *,
        cwd: str | PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        input: str | bytes = b"",
        on_output: OnOutput | None = None,
        max_output_bytes: int | None = None,
    ) -> CommandResult:
        """Run a command to its end.

            result = await client.processes.run("make test", cwd="/repo", timeout=600)
            print(result.exit_code, result.stdout)

        A text is a line for `sh`; a list is a program and its arguments, and no shell reads it. `env` is on top of
        the server's own. `timeout` is in seconds (default: that of the server, 30 s); then the command is killed with
        all that came from it, as it is when this is cancelled. `input` is for its stdin, which then ends.

        `on_output` gets what it writes as an `OutputChunk`, as it comes, and holds the command back while it works.
        The result keeps `max_output_bytes` (1 MiB) of stdout and of stderr; what is more is dropped there. A command
        that fails is no error: `result.ok` says so, `result.check()` raises.

        Raises:
            ProcessStartFailed: there is no such program, or it cannot be run.
            PathNotFound, NotADirectory, PathForbidden: of `cwd`.
            LimitReached: too many processes run already.
            PermissionDenied: the token has no scope `host`.
        """
        if on_output is not None:
            check_callback(
                on_output, "on_output", argument="a chunk", may_be_async=CALLBACKS_MAY_BE_ASYNC
            )
        data = bytes_of(input)
        is_long = timeout is not None and timeout > MAX_RUN_TIMEOUT_S
        if on_output is not None or is_long or len(data) > MAX_RUN_INPUT_BYTES:
            return await self._run_followed(
                command,
                data,
                on_output,
                MAX_OUTPUT_BYTES if max_output_bytes is None else max_output_bytes,
                cwd=cwd,
                env=env,
                timeout=timeout if timeout is not None else await self._default_timeout_s(),
            )
        answer = await self._connection.call(
            calls.run(
                argv_of(command),
                timeout_s=timeout,
                cwd=_path(cwd),
                env=env,
                input=data,
                max_output_bytes=max_output_bytes,
            )
        )
        return result_of(shown(command), answer)

    async def spawn(
        self,
        command: Argv,
        *,
        cwd: str | PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        tty: bool = False,
        cols: int = 80,
        rows: int = 24,
        when_log_full: FullLog = "drop",
    ) -> Process:
        """Start a process that runs on by itself, also when the client leaves, until the server ends.

            async with await client.processes.spawn("npm run dev", cwd="/repo") as server:
                async for chunk in server.logs(follow=True):
                    ...

        Leaving the block stops it. With `tty` it is on a terminal of `cols` by `rows`. `timeout` is in seconds
        (default: none). Its log is kept in the sandbox, up to 10 MiB: then the oldest goes, or, with
        `when_log_full="wait"`, the process is held back until somebody who follows has taken what there is.

        Raises:
            ProcessStartFailed: there is no such program, or it cannot be run.
            PathNotFound, NotADirectory, PathForbidden: of `cwd`.
            LimitReached: too many processes run already.
            PermissionDenied: the token has no scope `host`.
        """
        info = await self._connection.call(
            calls.start(
                argv_of(command),
                timeout_s=timeout,
                cwd=_path(cwd),
                env=env,
                tty=tty or None,
                cols=cols if tty else None,
                rows=rows if tty else None,
                when_log_full=None if when_log_full == "drop" else when_log_full,
            )
        )
        return Process(self._connection, info)

    async def list(self, *, owner: ProcessOwner | None = None) -> list[Process]:
        """Those that run, and the last that have ended; oldest first."""
        answer = await self._connection.call(calls.list_all(owner))
        return [Process(self._connection, info) for info in answer.processes]

    async def get(self, id: str) -> Process:
        """Raises: ProcessNotFound."""
        return Process(self._connection, await self._connection.call(calls.get(id)))

    async def config(self) -> ProcessConfig:
        """The bounds of commands and processes."""
        return await self._connection.call(calls.config())

    async def set_config(self, **changed: int) -> ProcessConfig:
        """Change bounds, by the names that `config` has: `set_config(max_concurrent_processes=8)`.

        Raises:
            InvalidRequest: there is no such bound, or the value is none.
        """
        change = built(ProcessConfigChange, **changed)
        return await self._connection.call(calls.set_config(change))

    async def _default_timeout_s(self) -> float:
        return (await self.config()).default_run_timeout_ms / 1000

    async def _run_followed(
        self,
        command: Argv,
        data: bytes,
        on_output: OnOutput | None,
        max_output_bytes: int,
        **options: Any,
    ) -> CommandResult:
        process = await self.spawn(command, when_log_full="wait", **options)
        collected = Collected(max_output_bytes)
        try:
            feeding = Background(f"input of {process.id}", partial(_feed, process, data))
            try:
                async with aclosing(process.logs(follow=True)) as chunks:
                    async for chunk in chunks:
                        collected.add(chunk)
                        if on_output is not None:
                            await settle(on_output(chunk))
                info = await process.wait()
            finally:
                if process.is_running:
                    await finish(process.kill, timeout_s=END_TIMEOUT_S)
                await feeding.stop()
            return collected.result(shown(command), info)
        finally:
            await finish(partial(_forget, process), timeout_s=END_TIMEOUT_S)


class Process:
    """One process in the sandbox. As a context manager it is stopped at the end of the block."""

    def __init__(self, connection: Connection, info: ProcessInfo) -> None:
        self._connection = connection
        self._info = info

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self._info.status}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(ProcessNotFound):
            await finish(self.stop, timeout_s=END_TIMEOUT_S)

    @property
    def id(self) -> str:
        return self._info.id

    @property
    def info(self) -> ProcessInfo:
        """As it was when it was last asked for."""
        return self._info

    @property
    def is_running(self) -> bool:
        """As far as is known: `refresh` asks."""
        return self._info.status == "running"

    @property
    def pid(self) -> int | None:
        return self._info.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, and when a signal ended it (`info.signal`)."""
        return self._info.exit_code

    async def refresh(self) -> ProcessInfo:
        """Raises: ProcessNotFound."""
        self._info = await self._connection.call(calls.get(self.id))
        return self._info

    async def write(self, data: str | bytes) -> None:
        """Write to its stdin, or type into its terminal. Waits while it reads nothing and too much is unread.

        Raises:
            ProcessNotRunning: it has ended, or its stdin is closed.
        """
        rest = bytes_of(data)
        while rest:
            await self._write(rest[:INPUT_BYTES])
            rest = rest[INPUT_BYTES:]

    async def close_stdin(self) -> None:
        """No more comes; on a terminal ^D is typed. Closing it twice does nothing."""
        with suppress(ProcessNotRunning):
            await self._write(b"", eof=True)

    async def resize(self, *, cols: int, rows: int) -> None:
        """Set the size of its terminal.

        Raises:
            Conflict: it is on no terminal. ProcessNotRunning: it has ended.
        """
        await self._connection.call(calls.resize(self.id, cols=cols, rows=rows))

    async def logs(
        self,
        *,
        follow: bool = False,
        since: int = 0,
        tail: int | None = None,
        stream: ProcessLogsStream = "combined",
    ) -> AsyncGenerator[OutputChunk, None]:
        """What it has written, from the oldest that is kept; with `follow` also what comes, to its end.

            async for chunk in process.logs(follow=True):
                print(chunk.text, end="")

        `since` is the `sequence` of a chunk, `tail` the last so many. A stream that breaks off is taken up again
        where it was. `gap` of a chunk says that output before it was dropped.

        Raises:
            ProcessNotFound: it is forgotten.
            ServerUnreachable: it did not come back within `reconnect_timeout`.
        """
        decoders = Decoders()
        found = self._followed(since, tail, stream) if follow else self._pages(since, tail, stream)
        async with aclosing(found):
            async for one in found:
                if isinstance(one, ProcessLogEntry):
                    yield decoders.chunk(one)
                else:
                    decoders.missing(one)

    async def wait(self, timeout: float | None = None) -> ProcessInfo:
        """How it ended. `timeout` is in seconds; it runs on after it.

        Raises:
            Timeout: it has not ended in time.
            ProcessNotFound: it is forgotten.
        """
        left = timeout
        while self.is_running:
            wait_s = WAIT_S if left is None else min(left, WAIT_S)
            self._info = await self._connection.call(calls.get(self.id, wait_s=wait_s))
            if left is not None and self.is_running:
                left -= wait_s
                if left <= 0:
                    raise Timeout(f"{self.id} has not ended within {timeout:g} s.")
        return self._info

    async def stop(self, *, wait: float | None = None) -> ProcessInfo:
        """End it and all that came from it: SIGTERM, and 5 s later SIGKILL. Returns when it has ended, or after
        `wait` seconds. Raises: ProcessNotFound."""
        self._info = await self._connection.call(calls.stop(self.id, wait_s=wait))
        return self._info

    async def kill(self) -> ProcessInfo:
        """End it and all that came from it at once: SIGKILL. Raises: ProcessNotFound."""
        self._info = await self._connection.call(calls.kill(self.id, wait_s=None))
        return self._info

    async def delete(self) -> None:
        """Forget it and its output. Raises: ProcessRunning."""
        await self._connection.call(calls.delete(self.id))

    async def _write(self, data: bytes, *, eof: bool = False) -> None:
        while True:
            try:
                await self._connection.call(calls.write(self.id, data, eof=eof))
            except LimitReached as exc:
                # The server has waited for it to be read, and asks to be asked again.
                if exc.details.get("limit") != "max_unread_input_bytes":
                    raise
            else:
                return

    async def _pages(
        self, since: int, tail: int | None, stream: ProcessLogsStream
    ) -> AsyncGenerator[ProcessLogEntry | ProcessGap, None]:
        while True:
            page = await self._connection.call(
                calls.logs(self.id, since=since, tail=tail, stream=stream)
            )
            if page.gap is not None:
                yield page.gap
            for entry in page.entries:
                yield entry
            if page.next_cursor <= since or tail is not None:
                return
            since = page.next_cursor

    async def _followed(
        self, since: int, tail: int | None, stream: ProcessLogsStream
    ) -> AsyncGenerator[ProcessLogEntry | ProcessGap, None]:
        reconnection = Reconnection(timeout_s=self._connection.reconnect_timeout_s)
        while True:
            call = calls.follow(self.id, since=since, tail=tail, stream=stream)
            failure: SandboxAgentError = ServerUnreachable("The stream ended early.")
            try:
                async with aclosing(self._connection.transport.events(call)) as events:
                    reconnection.connected()
                    async for event in events:
                        one = calls.read_log_event(event)
                        if isinstance(one, ProcessInfo):
                            self._info = one
                            return
                        if one is not None:
                            reconnection.alive()
                            since = one.sequence - (1 if isinstance(one, ProcessGap) else 0)
                            tail = None
                            yield one
            except (ServerUnreachable, Timeout) as exc:
                failure = exc
            delay_s = reconnection.delay_after(failure)
            logger.info("the log of %s broke off, going on in %.1f s", self.id, delay_s)
            await Event().wait(delay_s)


async def _feed(process: Process, data: bytes) -> None:
    # A command that does not read all of its input ends before it is written.
    with suppress(ProcessNotRunning, ProcessNotFound):
        await process.write(data)
        await process.close_stdin()


async def _forget(process: Process) -> None:
    with suppress(SandboxAgentError):
        await process.delete()


def _path(path: str | PathLike[str] | None) -> str | None:
    return None if path is None else fspath(path)
