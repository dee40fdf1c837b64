"""The connection to an agent: one life of its process, from its start to its end."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.jsonrpc import RequestId, request_id
from sandbox_agent_core.spi.agent import AgentAdapter, AgentExit, HasLastWords, WireFrame

from sandbox_agent_server.agents.runner.failed_start import StartOutput
from sandbox_agent_server.agents.runner.failures import exit_error
from sandbox_agent_server.agents.runner.redaction import Redaction
from sandbox_agent_server.runtime.tasks import TaskOwner

__all__ = ["HELD_AT_MOST_S", "AgentConnection", "ConnectionOwner"]

HELD_AT_MOST_S: Final = 5.0
"""After an agent's last word, until a piece of text that may begin a secret is shown after all."""


class ConnectionOwner(Protocol):
    def receive(self, batch: list[WireFrame]) -> None:
        """What the agent wrote; with nothing in it that must not be seen. Must not raise."""
        ...

    async def gone(self, connection: AgentConnection, ended: AgentExit) -> None:
        """The agent is gone, and all that it wrote was received. Called once."""
        ...


class AgentConnection:
    """Sends in order, delivers in order, and tells when the agent is gone, exactly once."""

    def __init__(
        self, name: str, adapter: AgentAdapter, redaction: Redaction, owner: ConnectionOwner
    ) -> None:
        self._name = name
        self._adapter = adapter
        self._redaction = redaction
        self._owner = owner
        self._waiting: dict[RequestId, asyncio.Future[Frame]] = {}
        self._tasks = TaskOwner(name)
        self._failure: SandboxAgentError | None = None
        self._gone = asyncio.Event()
        self._output: StartOutput | None = StartOutput()
        self._held: asyncio.TimerHandle | None = None
        self._exit = AgentExit()
        self.is_gone = False
        self.is_expected_to_end = False

    @property
    def failure(self) -> SandboxAgentError | None:
        """Why it is gone; None while it is not."""
        return self._failure

    async def start(self) -> None:
        """Raises: AgentNotInstalled, AgentStartFailed."""
        try:
            await self._adapter.start(self)
        except SandboxAgentError as exc:
            await self._adapter.close()
            # Not `from exc`: the traceback in a log would show what was taken out.
            raise self._redaction.error(exc) from None
        except BaseException:
            await self._adapter.close()
            raise

    def opened(self) -> None:
        """It is ready: what else it writes is no reason for anything."""
        self._output = None

    def failed_to_start(self, error: SandboxAgentError, login_hint: str) -> SandboxAgentError:
        """The error with what the agent said meanwhile; once it is stopped."""
        if self._output is None:
            return error
        stderr_tail = self._exit.stderr_tail
        return self._output.explain(error, stderr_tail=stderr_tail, login_hint=login_hint)

    def check(self) -> None:
        """Raises: AgentProcessExited, or what it was killed for: it is gone."""
        if self.is_gone and self._failure is not None:
            raise self._failure

    def send(self, frame: Frame) -> None:
        """A frame that was logged already; dropped when the agent is gone."""
        self._adapter.send(frame)

    def expect(self, id: RequestId) -> asyncio.Future[Frame]:
        """The frame that will answer this request; fails with AgentProcessExited."""
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[id] = future
        future.add_done_callback(lambda _: self._waiting.pop(id, None))
        return future

    def resolve(self, id: object, frame: Frame) -> None:
        """The agent answered, and the answer is logged."""
        asked = request_id(id)
        future = self._waiting.get(asked) if asked is not None else None
        if future is not None and not future.done():
            future.set_result(frame)

    @property
    def last_words(self) -> str:
        """The end of what the agent wrote to stderr, with nothing in it that must not be seen."""
        if not isinstance(self._adapter, HasLastWords):
            return ""
        return self._redaction.text(self._adapter.last_words)

    def pause(self) -> None:
        """Hold the agent back: what it writes stays in its pipe."""
        self._adapter.pause()

    def resume(self) -> None:
        self._adapter.resume()

    async def stop(self) -> None:
        """Stop the process tree and wait until its end was told."""
        self.is_expected_to_end = True
        await self._adapter.close()
        await self._gone.wait()

    def kill_soon(self, failure: SandboxAgentError | None = None) -> None:
        """Stop it without waiting; who waits for an answer of it gets the failure."""
        self._failure = self._failure or failure
        self._tasks.spawn(self._adapter.close(), name="kill")

    # FrameReceiver

    def frames(self, batch: list[WireFrame]) -> None:
        if self._redaction.is_needed:
            batch = self._redaction.batch(batch)
            self._let_go_later()
        self._receive(batch)

    def _receive(self, batch: list[WireFrame]) -> None:
        if not batch:
            return
        if self._output is not None:
            self._output.see(batch)
        self._owner.receive(batch)

    def _let_go_later(self) -> None:
        """A piece of text that may begin a secret is not held back for ever."""
        if self._held is not None:
            self._held.cancel()
            self._held = None
        if self._redaction.is_holding:
            loop = asyncio.get_running_loop()
            self._held = loop.call_later(HELD_AT_MOST_S, self._let_go)

    def _let_go(self) -> None:
        self._receive(self._redaction.let_go())

    def ended(self) -> None:
        self._tasks.spawn(self._end(), name="end")

    async def _end(self) -> None:
        if self._held is not None:
            self._held.cancel()
        self._let_go()
        self._exit = ended = self._redaction.exit(await self._adapter.close())
        self._failure = error = self._failure or exit_error(ended)
        self.is_gone = True
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(error)
                future.exception()  # who asked may have left, which is no bug
        try:
            await self._owner.gone(self, ended)
        finally:
            self._gone.set()
