"""A command that is run to its end: what it wrote, and how it ended."""

from __future__ import annotations

import asyncio
import base64
import functools
import time
from typing import Final

from sandbox_agent_core.api.processes import (
    ProcessConfig,
    ProcessRunRequest,
    ProcessRunResponse,
    decode_input,
)
from sandbox_agent_core.errors import InvalidRequest

from sandbox_agent_server.host.processes.command import Command
from sandbox_agent_server.host.processes.process import signal_name
from sandbox_agent_server.runtime.ledger import ProcessLedger
from sandbox_agent_server.runtime.pipe_ends import PipeReader, PipeWriter
from sandbox_agent_server.runtime.process import Process

__all__ = ["run"]

_NOTE_AFTER_S: Final = 0.05
"""A command that takes longer is written down for a later server; one that does not is over before it is."""


class _Collected:
    """The first bytes of a stream."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._parts: list[bytes] = []
        self.is_truncated = False

    def feed(self, data: bytes) -> None:
        if len(data) > self._left:
            self.is_truncated = True
            data = data[: self._left]
        if data:
            self._left -= len(data)
            self._parts.append(data)

    def text(self, encoding: str) -> str:
        data = b"".join(self._parts)
        if encoding == "base64":
            return base64.b64encode(data).decode("ascii")
        return data.decode("utf-8", "replace")


class _Run:
    """One process, from its start to the end of all its output."""

    def __init__(self, process: Process, max_output_bytes: int) -> None:
        self.process = process
        self.stdout, self.stderr = _Collected(max_output_bytes), _Collected(max_output_bytes)
        self.over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Whether it has ended; False: `give_up`."""
        self._open = 3
        assert process.stderr is not None
        self._readers = [
            PipeReader(pipe, process.exited, on_data=collected.feed, on_end=self._on_one_end)
            for pipe, collected in ((process.stdout, self.stdout), (process.stderr, self.stderr))
        ]
        self._stdin = PipeWriter(process.stdin, on_overflow=lambda: None)
        process.exited.add_done_callback(lambda _exited: self._on_one_end())

    def feed(self, data: bytes) -> None:
        if data:
            self._stdin.write(data)
        self._stdin.end()

    def give_up(self) -> None:
        if not self.over.done():
            self.over.set_result(False)

    async def end(self) -> None:
        """Kill all of it, at once."""
        try:
            await self.process.end()
        finally:
            self.release()

    def release(self) -> None:
        self._stdin.close()
        for reader in self._readers:
            reader.close()

    def _on_one_end(self) -> None:
        self._open -= 1
        if self._open == 0 and not self.over.done():
            self.over.set_result(True)


async def run(
    command: Command, body: ProcessRunRequest, config: ProcessConfig, ledger: ProcessLedger
) -> ProcessRunResponse:
    """What it leaves running goes on, as it does behind a shell; at the timeout and when this is cancelled
    everything is killed.

    Raises:
        InvalidRequest, ProcessStartFailed.
    """
    try:
        given = decode_input(body.input, body.input_encoding)
    except ValueError as exc:
        raise InvalidRequest(f"input: {exc}") from exc
    began = time.monotonic()
    process = await command.start()
    running = _Run(process, _at_most(body.max_output_bytes, config.max_output_bytes))
    owner = f"run {process.pid}"
    loop = asyncio.get_running_loop()
    noting = loop.call_later(_NOTE_AFTER_S, functools.partial(ledger.note, process.pid, owner))
    timeout = loop.call_later(_timeout_s(body, config), running.give_up)
    timed_out = False
    try:
        running.feed(given)
        timed_out = not await running.over
        if timed_out:
            await running.end()
        else:
            process.reap()
            running.release()
    except BaseException:
        await running.end()
        raise
    finally:
        if noting.when() <= loop.time():
            ledger.forget(owner)
        noting.cancel()
        timeout.cancel()
    status = process.exited.result() if process.exited.done() else None
    is_known = status is not None and not timed_out
    return ProcessRunResponse(
        exit_code=status.exit_code if status is not None and is_known else None,
        signal=signal_name(status.signal if status is not None else None),
        timed_out=timed_out,
        stdout=running.stdout.text(body.output_encoding),
        stderr=running.stderr.text(body.output_encoding),
        stdout_truncated=running.stdout.is_truncated,
        stderr_truncated=running.stderr.is_truncated,
        duration_ms=round((time.monotonic() - began) * 1000),
        output_encoding=body.output_encoding,
    )


def _timeout_s(body: ProcessRunRequest, config: ProcessConfig) -> float:
    asked_ms = config.default_run_timeout_ms if body.timeout_ms is None else body.timeout_ms
    return (min(asked_ms, config.max_run_timeout_ms) or config.max_run_timeout_ms) / 1000


def _at_most(asked: int | None, limit: int) -> int:
    return limit if asked is None else min(asked, limit)
