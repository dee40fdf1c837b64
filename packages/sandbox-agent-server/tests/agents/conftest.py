"""A client for one adapter: it asks, and keeps all that the agent said."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sandbox_agent_core.frames import Frame, FrameKind, acp
from sandbox_agent_core.frames.jsonrpc import kind_of, notification, request, response
from sandbox_agent_core.spi.agent import AgentAdapter, WireFrame

SESSION = "mock-session-1"
_MANY_FRAMES = 10_000


class _Inbox:
    """A `FrameReceiver` that holds the agent back while the test has much to look at."""

    def __init__(self, adapter: AgentAdapter) -> None:
        self._adapter = adapter
        self._unread: deque[Frame] = deque()
        self._has_ended = False
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._unread)

    def frames(self, batch: list[WireFrame]) -> None:
        assert batch
        assert not self._has_ended
        self._unread.extend(wire.frame for wire in batch)
        self._changed.set()
        if len(self._unread) > _MANY_FRAMES:
            self._adapter.pause()

    def ended(self) -> None:
        assert not self._has_ended
        self._has_ended = True
        self._changed.set()

    async def next(self) -> Frame:
        async with asyncio.timeout(30):
            while not self._unread:
                if self._has_ended:
                    raise StopAsyncIteration
                self._adapter.resume()
                self._changed.clear()
                await self._changed.wait()
        return self._unread.popleft()


class Client:
    def __init__(self, adapter: AgentAdapter) -> None:
        self.adapter = adapter
        self.frames: list[Frame] = []
        self.inbox = _Inbox(adapter)
        self._last_id = 0

    async def next(self) -> Frame:
        """The next frame. Raises: StopAsyncIteration."""
        frame = await self.inbox.next()
        self.frames.append(frame)
        return frame

    async def until(self, is_it: Callable[[Frame], object]) -> Frame:
        while not is_it(frame := await self.next()):
            pass
        return frame

    async def rest(self) -> list[Frame]:
        """Everything up to the end of the agent."""
        rest = []
        try:
            while True:
                rest.append(await self.next())
        except StopAsyncIteration:
            return rest

    async def ask(self, method: str, /, **params: Any) -> int:
        self._last_id += 1
        self.adapter.send(request(self._last_id, method, params))
        return self._last_id

    async def answer_of(self, id: int) -> Frame:
        return await self.until(lambda frame: "method" not in frame and frame["id"] == id)

    async def call(self, method: str, /, **params: Any) -> Frame:
        return await self.answer_of(await self.ask(method, **params))

    async def begin(self) -> Any:
        """A session; answers what `session/new` answered."""
        await self.adapter.start(self.inbox)
        await self.call(acp.INITIALIZE, protocolVersion=1)
        session = await self.call(acp.SESSION_NEW, cwd="/work", mcpServers=[])
        await self.until(lambda _frame: self.updates(acp.AVAILABLE_COMMANDS_UPDATE))
        return session["result"]

    async def start_prompt(self, text: str) -> int:
        block = {"type": "text", "text": text}
        return await self.ask(acp.SESSION_PROMPT, sessionId=SESSION, prompt=[block])

    async def prompt(self, text: str) -> Frame:
        """The answer to the prompt; what came before is in `frames`."""
        self.frames.clear()
        return await self.answer_of(await self.start_prompt(text))

    async def cancel(self) -> None:
        self.adapter.send(notification(acp.SESSION_CANCEL, {"sessionId": SESSION}))

    async def asked(self) -> Frame:
        """The agent's next request."""
        return await self.until(lambda frame: kind_of(frame) is FrameKind.REQUEST)

    async def reply(self, asked: Frame, result: Any) -> None:
        self.adapter.send(response(asked["id"], result))

    def updates(self, kind: str | None = None) -> list[Any]:
        """The updates seen so far, of one kind or of all."""
        updates = [
            f["params"]["update"] for f in self.frames if f.get("method") == acp.SESSION_UPDATE
        ]
        return [u for u in updates if kind is None or u["sessionUpdate"] == kind]

    def text(self) -> str:
        return "".join(u["content"]["text"] for u in self.updates(acp.AGENT_MESSAGE_CHUNK))


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[[AgentAdapter], Client]]:
    clients: list[Client] = []

    def client_of(adapter: AgentAdapter) -> Client:
        clients.append(Client(adapter))
        return clients[-1]

    yield client_of
    for client in clients:
        await client.adapter.close()
