"""One life of an agent's process: what is asked of it, what it writes, and its end."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox_agent_core.errors import AgentProcessExited, SandboxAgentError
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.jsonrpc import RequestId
from sandbox_agent_core.spi.agent import AgentAdapter, AgentExit, WireFrame

from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.redaction import Redaction
from sandbox_agent_server.sessions.turns import error_of_frame

__all__ = ["AgentRun", "exit_error"]

logger = logging.getLogger(__name__)

OnBatch = Callable[["AgentRun", list[WireFrame]], Awaitable[None]]
OnGone = Callable[["AgentRun", AgentExit], Awaitable[None]]


class AgentRun:
    """Sends in order, delivers in order, and tells when the agent is gone, exactly once.

    Reading never waits for writing, else both ends could block on full pipes.
    """

    def __init__(
        self,
        name: str,
        adapter: AgentAdapter,
        redaction: Redaction,
        *,
        on_batch: OnBatch,
        on_gone: OnGone,
    ) -> None:
        self._adapter = adapter
        self._redaction = redaction
        self._on_batch = on_batch
        self._on_gone = on_gone
        self._outbox: deque[Frame] = deque()
        self._outbox_bell = asyncio.Event()
        self._waiting: dict[RequestId, asyncio.Future[Any]] = {}
        self._tasks = TaskOwner(name)
        self._is_gone = False
        self._gone = asyncio.Event()
        self.is_expected_to_end = False

    @property
    def is_gone(self) -> bool:
        return self._is_gone

    async def start(self) -> None:
        """Raises: AgentNotInstalled, AgentStartFailed."""
        try:
            await self._adapter.start()
        except SandboxAgentError as exc:
            await self._adapter.close()
            # Not `from exc`: the traceback in a log would show what was taken out.
            raise self._redaction.error(exc) from None
        except BaseException:
            await self._adapter.close()
            raise
        self._tasks.spawn(self._read(), name="reader")
        self._tasks.spawn(self._write(), name="writer")

    def post(self, frame: Frame) -> None:
        """Send a frame; it was logged already."""
        self._outbox.append(frame)
        self._outbox_bell.set()

    def expect(self, id: RequestId) -> asyncio.Future[Any]:
        """The result that will answer this request; fails with AgentError or AgentProcessExited."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[id] = future
        future.add_done_callback(lambda _: self._waiting.pop(id, None))
        return future

    def resolve(self, id: RequestId, frame: Frame) -> None:
        future = self._waiting.get(id)
        if future is None or future.done():
            return
        if "error" in frame:
            future.set_exception(error_of_frame(frame))
        else:
            future.set_result(frame.get("result"))

    async def stop(self) -> None:
        """Stop the process tree and wait until its end is in the log."""
        self.is_expected_to_end = True
        await self._adapter.close()
        await self._gone.wait()

    def kill_soon(self) -> None:
        """Stop it without waiting; for callers that are not allowed to wait."""
        self._tasks.spawn(self._adapter.close(), name="kill")

    async def _read(self) -> None:
        failure: SandboxAgentError | None = None
        try:
            async for batch in self._adapter.frames():
                await self._on_batch(self, self._redaction.batch(batch))
        except SandboxAgentError as exc:
            logger.error("%s: its log cannot take what it writes: %s", self, exc.message)
            failure = exc
        except Exception:
            logger.exception("%s: reading failed", self)
        ended = self._redaction.exit(await self._adapter.close())
        self._is_gone = True
        error = failure or exit_error(ended)
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(error)
        try:
            await self._on_gone(self, ended)
        finally:
            self._gone.set()
            # The writer ends with the run; nobody waits for this task itself.
            self._outbox_bell.set()

    async def _write(self) -> None:
        while not self._gone.is_set():
            await self._outbox_bell.wait()
            self._outbox_bell.clear()
            while self._outbox:
                await self._adapter.send(self._outbox.popleft())


def exit_error(ended: AgentExit) -> AgentProcessExited:
    if ended.signal is not None:
        how = f"was ended by signal {ended.signal}"
    elif ended.exit_code is not None:
        how = f"exited with code {ended.exit_code}"
    else:
        how = "is gone"
    last = ended.stderr_tail.strip().splitlines()[-1:]
    return AgentProcessExited(
        f"the agent's process {how}" + (f": {last[0]}" if last else ""),
        exitCode=ended.exit_code,
        signal=ended.signal,
        stderrTail=ended.stderr_tail or None,
    )
