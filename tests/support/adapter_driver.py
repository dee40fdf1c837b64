"""The client's side of one adapter, for tests: sends frames, keeps what comes back, answers requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.jsonrpc import notification, request, response
from sandbox_agent_core.spi.agent import AgentAdapter, AgentContext, AgentExit, WireFrame

__all__ = ["WAIT_S", "AdapterDriver", "Answer", "StartAdapter", "leave_open", "option"]

WAIT_S = 60

Answer = Callable[[Frame], dict[str, Any] | None]
"""The result for a request of the agent; None leaves it open."""


def option(kind: str) -> Answer:
    """Answers permissions with the first option of a kind."""

    def answer(asked: Frame) -> dict[str, Any]:
        options = asked["params"]["options"]
        chosen = next(item["optionId"] for item in options if item["kind"] == kind)
        return {"outcome": {"outcome": "selected", "optionId": chosen}}

    return answer


def leave_open(asked: Frame) -> None:
    return None


class _Receiver:
    """The driver's `FrameReceiver`; it also sees to it that the adapter keeps the contract."""

    def __init__(self, on_frame: Callable[[Frame], None], on_change: Callable[[], None]) -> None:
        self._on_frame = on_frame
        self._on_change = on_change
        self.has_ended = False

    def frames(self, batch: list[WireFrame]) -> None:
        assert batch
        assert not self.has_ended, "frames after the end"
        for item in batch:
            self._on_frame(item.frame)
        self._on_change()

    def ended(self) -> None:
        assert not self.has_ended, "the second end"
        self.has_ended = True
        self._on_change()


class AdapterDriver:
    """Entered: the adapter runs and is initialised. `open` a session, then `prompt`."""

    def __init__(self, adapter: AgentAdapter, context: AgentContext) -> None:
        self.context = context
        self.adapter = adapter
        self.frames: list[Frame] = []
        self.answer: Answer = option("allow_once")
        self.session_id = ""
        self.opened: dict[str, Any] = {}
        self._next_id = 0
        self._changed = asyncio.Event()
        self._receiver = _Receiver(self._take, self._changed.set)
        self._has_started = False

    @property
    def has_ended(self) -> bool:
        return self._receiver.has_ended

    async def __aenter__(self) -> Self:
        await self.adapter.start(self._receiver)
        self._has_started = True
        await self.ask("initialize", {"protocolVersion": 1, "clientCapabilities": {}})
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> AgentExit:
        ended = await asyncio.wait_for(self.adapter.close(), WAIT_S)
        assert self.has_ended or not self._has_started, "closed, and not told of the end"
        return ended

    async def open(self, method: str = "session/new", **params: Any) -> dict[str, Any]:
        frame = await self.ask(method, {"cwd": str(self.context.cwd), "mcpServers": [], **params})
        assert "result" in frame, frame
        self.opened = frame["result"]
        self.session_id = self.opened.get("sessionId") or params["sessionId"]
        return self.opened

    async def ask(self, method: str, params: dict[str, Any]) -> Frame:
        """The response, error or not."""
        self._next_id += 1
        id = self._next_id
        self.adapter.send(request(id, method, params))
        return await self.wait_for(lambda frame: frame.get("id") == id and "method" not in frame)

    async def set(self, method: str, **params: Any) -> Frame:
        return await self.ask(method, {"sessionId": self.session_id, **params})

    async def prompt(self, *content: str | dict[str, Any]) -> Frame:
        return await self.wait_for_prompt(await self.start_prompt(*content))

    async def start_prompt(self, *content: str | dict[str, Any]) -> int:
        self._next_id += 1
        blocks = [
            {"type": "text", "text": item} if isinstance(item, str) else item for item in content
        ]
        params = {"sessionId": self.session_id, "prompt": blocks}
        self.adapter.send(request(self._next_id, "session/prompt", params))
        return self._next_id

    async def wait_for_prompt(self, id: int) -> Frame:
        return await self.wait_for(lambda frame: frame.get("id") == id and "method" not in frame)

    async def cancel(self) -> None:
        self.adapter.send(notification("session/cancel", {"sessionId": self.session_id}))

    async def respond(self, asked: Frame, result: dict[str, Any]) -> None:
        self.adapter.send(response(asked["id"], result))

    async def wait_for(self, matches: Callable[[Frame], bool]) -> Frame:
        """The first frame that matches, among those so far or to come."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for frame in self.frames:
                    if matches(frame):
                        return frame
                if self.has_ended:
                    raise AssertionError(f"the agent is gone; the last frames: {self.frames[-3:]}")
                self._changed.clear()
                await self._changed.wait()

    async def wait_for_method(self, method: str) -> Frame:
        return await self.wait_for(lambda frame: frame.get("method") == method)

    async def wait_for_update(self, kind: str) -> dict[str, Any]:
        def matches(frame: Frame) -> bool:
            update = frame.get("params", {}).get("update", {})
            return bool(update.get("sessionUpdate") == kind)

        update: dict[str, Any] = (await self.wait_for(matches))["params"]["update"]
        return update

    # What has come so far

    def updates(self, kind: str | None = None) -> list[dict[str, Any]]:
        updates = [
            frame["params"]["update"]
            for frame in self.frames
            if frame.get("method") == "session/update"
        ]
        return [item for item in updates if kind is None or item["sessionUpdate"] == kind]

    def text(self, kind: str = "agent_message_chunk", *, parent: str | None = None) -> str:
        return "".join(
            update["content"]["text"]
            for update in self.updates(kind)
            if update.get("_meta", {}).get("parentToolCallId") == parent
        )

    def asked(self, method: str = "session/request_permission") -> list[Frame]:
        return [frame for frame in self.frames if frame.get("method") == method]

    def tool(self, tool_call_id: str) -> dict[str, Any]:
        """All that was told of a call, folded."""
        folded: dict[str, Any] = {}
        for update in self.updates():
            if update.get("toolCallId") == tool_call_id:
                folded |= update
        return folded

    def last_tool(self) -> dict[str, Any]:
        return self.tool(self.updates("tool_call")[-1]["toolCallId"])

    def forget(self) -> None:
        self.frames.clear()

    def _take(self, frame: Frame) -> None:
        self.frames.append(frame)
        if "method" in frame and "id" in frame:
            result = self.answer(frame)
            if result is not None:
                self.adapter.send(response(frame["id"], result))


StartAdapter = Callable[..., Awaitable[AdapterDriver]]
"""Starts one; more of its environment, and other fields of its context, by keyword."""
