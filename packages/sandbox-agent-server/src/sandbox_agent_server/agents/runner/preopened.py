"""An agent that is started and opened before there is a session for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sandbox_agent_core.errors import AgentError
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.jsonrpc import RequestId, request
from sandbox_agent_core.spi.agent import (
    AgentAdapter,
    AgentExit,
    FrameReceiver,
    HasLastWords,
    WireFrame,
)

from sandbox_agent_server.agents.runner.failed_start import StartOutput
from sandbox_agent_server.agents.runner.failures import error_of_frame, exit_error
from sandbox_agent_server.agents.runner.handshake import Handshake, Opened
from sandbox_agent_server.jsonio import dumps

__all__ = ["PreopenedAgent"]

MAX_EARLY_FRAMES = 1000
"""That are kept of what an agent writes before it has a session."""

_TOO_MUCH = f"the agent wrote more than {MAX_EARLY_FRAMES} messages before its session was open"


class PreopenedAgent:
    """An `AgentAdapter`: what the agent answered ahead of time is answered again when a session asks.

    The session must be one that would have asked the same: same workspace and environment, no MCP
    servers, no system prompt.
    """

    def __init__(
        self,
        adapter: AgentAdapter,
        *,
        cwd: Path,
        client_version: str,
        pids: Sequence[int] = (),
    ) -> None:
        """`pids`: of what the adapter starts; whoever takes the agent owns those processes."""
        self.pids = pids
        self._adapter = adapter
        self._cwd = cwd
        self._client_version = client_version
        self._receiver: FrameReceiver | None = None
        self._on_gone: Callable[[], None] = lambda: None
        self._asked: RequestId | None = None
        self._answer: asyncio.Future[Frame | None] | None = None
        self._answers: dict[str, Frame] = {}
        self._early: list[WireFrame] = []
        self.output = StartOutput()
        """For whoever opens it in vain."""
        self._is_paused = False
        self._is_gone = False

    async def open(self) -> Opened:
        """Start and open it.

        Raises:
            AgentNotInstalled, AgentStartFailed, AgentAuthRequired, AgentError, AgentProcessExited.
        """
        try:
            await self._adapter.start(self)
            return await Handshake(
                self._ask,
                cwd=str(self._cwd),
                mcp_servers=[],
                meta={},
                client_version=self._client_version,
            ).open(None)
        except BaseException:
            await self._adapter.close()
            raise

    def watch(self, on_gone: Callable[[], None]) -> None:
        """Tell when it is gone before a session took it."""
        self._on_gone = on_gone
        if self._is_gone:
            on_gone()

    # AgentAdapter

    async def start(self, receiver: FrameReceiver) -> None:
        """It runs already."""
        self._receiver = receiver

    def send(self, frame: Frame) -> None:
        answer = self._answers.pop(frame.get("method", ""), None)
        if answer is None:
            self._adapter.send(frame)
            return
        repeated = {**answer, "id": frame["id"]}
        self._deliver([WireFrame(dumps(repeated), repeated)])
        if not self._answers:
            self._hand_over()

    def pause(self) -> None:
        self._is_paused = True
        self._adapter.pause()

    def resume(self) -> None:
        self._is_paused = False
        self._adapter.resume()

    @property
    def last_words(self) -> str:
        return self._adapter.last_words if isinstance(self._adapter, HasLastWords) else ""

    async def close(self) -> AgentExit:
        if self._answers:
            self._answers.clear()
            self._hand_over()
        return await self._adapter.close()

    def _deliver(self, batch: list[WireFrame]) -> None:
        if self._receiver is not None and batch:
            self._receiver.frames(batch)

    def _hand_over(self) -> None:
        """From now on the session hears the agent itself."""
        early, self._early = self._early, []
        self._deliver(early)
        if self._is_gone:
            self.ended()
        elif not self._is_paused:
            self._adapter.resume()

    # FrameReceiver

    def frames(self, batch: list[WireFrame]) -> None:
        if self._receiver is not None and not self._answers:
            self._receiver.frames(batch)
            return
        self.output.see(batch)
        for wire in batch:
            if "method" not in wire.frame and wire.frame.get("id") == self._asked:
                self._settle(wire.frame)
            else:
                self._early.append(wire)
        if len(self._early) >= MAX_EARLY_FRAMES:
            # One that talks without being asked is held back through its pipe; one that should answer
            # cannot be.
            self._adapter.pause()
            self._settle({"error": {"message": _TOO_MUCH}})

    def ended(self) -> None:
        self._is_gone = True
        self._settle(None)
        if self._receiver is None:
            self._on_gone()
        elif not self._answers:
            self._receiver.ended()

    # Opening

    async def _ask(self, method: str, params: dict[str, Any], _logged: Any) -> Any:
        if len(self._early) >= MAX_EARLY_FRAMES:
            raise AgentError(_TOO_MUCH)
        asked = request(f"preopen-{method}", method, params)
        self._asked = asked["id"]
        self._answer = asyncio.get_running_loop().create_future()
        self._adapter.send(asked)
        answer = None if self._is_gone else await self._answer
        if answer is None:
            raise exit_error(await self._adapter.close())
        if "error" in answer:
            raise error_of_frame(answer)
        self._answers[method] = answer
        return answer.get("result")

    def _settle(self, answer: Frame | None) -> None:
        self._asked = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)
