"""What asyncio and threads do differently. Its twin is `_sync/_backend.py`; both are written by hand."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect

from sandbox_agent_client._network import socket_of

__all__ = [
    "CALLBACKS_MAY_BE_ASYNC",
    "AwaitableContext",
    "Background",
    "ClientConnection",
    "Event",
    "Lock",
    "Portal",
    "Replies",
    "finish",
    "from_portal",
    "in_thread",
    "is_end_of_task",
    "let_others_begin",
    "response_socket",
    "run_function",
    "settle",
    "websocket_connect",
    "websocket_receive",
    "websocket_socket",
]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

STOP_GRACE_S = 1.0
"""How long a callback that is running may go on after its session was closed."""

STEPS_TO_CLOSE = 8
"""More than it takes: a few callbacks and the nested generators of a stream."""

CALLBACKS_MAY_BE_ASYNC = True

Lock = asyncio.Lock


class Event:
    """An asyncio.Event whose `wait` has a deadline."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    def clear(self) -> None:
        self._event.clear()

    def is_set(self) -> bool:
        return self._event.is_set()

    async def wait(self, timeout_s: float | None = None) -> bool:
        """True when it is set, False when the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._event.wait()
        except TimeoutError:
            return False


class Background:
    """A task with an owner: `stop` waits until it has ended."""

    def __init__(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._task = asyncio.create_task(run(), name=name)

    @property
    def is_done(self) -> bool:
        return self._task.done()

    async def stop(self) -> None:
        """The owner has told `run` to end; what goes on after the grace time is cancelled."""
        if self._task is asyncio.current_task():
            return  # a callback closes its own session: the task ends when the callback returns
        await asyncio.wait([self._task], timeout=STOP_GRACE_S)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        if not self._task.cancelled() and (exc := self._task.exception()):
            logger.error("%s failed", self._task.get_name(), exc_info=exc)


class Portal:
    """Runs coroutines of providers and stores. Here that is nothing special."""

    async def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await make()

    async def close(self) -> None:
        pass

    def lent(self, given_back: Callable[[], Coroutine[Any, Any, None]]) -> Portal:
        """The same for one of several users: its `close` only tells."""
        return LentPortal(given_back)


class LentPortal(Portal):
    def __init__(self, given_back: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._given_back = given_back

    async def close(self) -> None:
        await self._given_back()


async def from_portal(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Its result, for a coroutine of a portal that calls back. Here that is nothing special."""
    return await make()


class Client(Protocol):
    async def __aenter__(self) -> Any: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


C = TypeVar("C", bound=Client)

_HOW_TO_OPEN = "`await` it, or enter it with `async with`"


class AwaitableContext(Generic[C]):
    """A client that is not open yet: `await` it, or enter it with `async with`."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, C]]) -> None:
        self._make = make
        self._client: C | None = None

    def __repr__(self) -> str:
        return f"<a SandboxAgent that is not open yet: {_HOW_TO_OPEN}>"

    if not TYPE_CHECKING:  # whose checkers then find a forgotten `await` by themselves

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(f"There is no client yet to ask for `{name}`: {_HOW_TO_OPEN}.")

        def __enter__(self) -> Any:
            raise TypeError(
                "This client is asynchronous: `async with`, or `with SandboxAgentSync.start(…)`."
            )

        def __exit__(self, *_exc: object) -> None:
            pass

    def __await__(self) -> Generator[Any, None, C]:
        return self._make().__await__()

    async def __aenter__(self) -> C:
        self._client = await self._make()
        await self._client.__aenter__()
        return self._client

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.__aexit__(exc_type, exc, traceback)


class Replies:
    """The answers that were begun to one request."""

    def __init__(self) -> None:
        self._begun: list[Coroutine[Any, Any, Any]] = []

    @property
    def is_empty(self) -> bool:
        return not self._begun

    def begin(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Coroutine[Any, Any, T]:
        answer = make()
        self._begun.append(answer)
        return answer

    async def finish(self) -> None:
        """Carry out what a callback began and did not await: an ordinary function cannot."""
        await asyncio.sleep(0)  # a task that was made of one has begun it after this
        for answer in self._begun:
            if inspect.iscoroutine(answer) and inspect.getcoroutinestate(answer) == "CORO_CREATED":
                await answer


async def settle(result: Awaitable[object] | object) -> object:
    """What a callback returned, after waiting for it if it can be waited for."""
    return await result if inspect.isawaitable(result) else result


async def run_function(function: Callable[..., Any], arguments: dict[str, Any]) -> object:
    """What it returns. An ordinary function runs in a thread, so that everything else goes on."""
    if inspect.iscoroutinefunction(function):
        return await function(**arguments)
    return await settle(await asyncio.to_thread(function, **arguments))


def is_end_of_task(exc: BaseException) -> bool:
    """True when it is no failure of a callback: its task is cancelled, or the program is interrupted."""
    task = asyncio.current_task()
    return isinstance(exc, KeyboardInterrupt) or (task is not None and task.cancelling() > 0)


async def finish(make: Callable[[], Coroutine[Any, Any, object]], *, timeout_s: float) -> None:
    """Run clean-up to its end even when the caller is cancelled meanwhile, but not for ever."""
    task = asyncio.create_task(make())
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=timeout_s)
        raise
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        elif not task.cancelled():
            task.exception()  # the caller was cancelled: nobody else looks at it


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What blocks, such as a file of this machine, while the loop goes on."""
    return await asyncio.to_thread(work, *args, **kwargs)


async def let_others_begin() -> None:
    """The event loop closes a stream that was left by `break` in a task of its own, which begins a few steps later."""
    for _ in range(STEPS_TO_CLOSE):
        await asyncio.sleep(0)


def response_socket(response: Any) -> Any | None:
    return socket_of(response.extensions.get("network_stream"))


def websocket_socket(connection: ClientConnection) -> Any | None:
    return connection.transport.get_extra_info("socket")


async def websocket_receive(
    connection: ClientConnection, *, timeout_s: float | None
) -> str | bytes:
    """Raises: TimeoutError, and what websockets raises."""
    async with asyncio.timeout(timeout_s):
        return await connection.recv()
