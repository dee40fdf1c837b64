"""What threads and asyncio do differently. Its twin is `_async/_backend.py`; both are written by hand."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as websocket_connect

from sandbox_agent_client._cancellation import outlast
from sandbox_agent_client._network import socket_of

__all__ = [
    "CALLBACKS_MAY_BE_ASYNC",
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
    "open_now",
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

STOP_GRACE_S = 5.0
"""How long to wait for a callback that is running: a thread cannot be cancelled."""

CALLBACKS_MAY_BE_ASYNC = False

Lock = threading.Lock


class Event:
    """A threading.Event with the names of its asynchronous twin."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def clear(self) -> None:
        self._event.clear()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """True when it is set, False when the time is over."""
        return self._event.wait(timeout_s)


class Background:
    """A thread with an owner: `stop` joins it."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        self._run = run
        # A daemon, so that a callback that waits for a person cannot hold up the end of the program.
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)
        self._thread.start()

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception:
            logger.exception("%s failed", self._thread.name)

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def stop(self) -> None:
        """The owner has told `run` to end."""
        if self._thread is threading.current_thread():
            return  # a callback closes its own session: the thread ends when the callback returns
        self._thread.join(STOP_GRACE_S)
        if self._thread.is_alive():
            logger.warning("%s: a callback did not return in time", self._thread.name)


class Portal:
    """An event loop in a thread: providers and stores are asynchronous. Started by its first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Its result. An interrupt (Ctrl-C) cancels it and waits until it has cleaned up."""
        done = threading.Event()
        tasks: list[asyncio.Task[T]] = []
        loop = self._running_loop()

        def start() -> None:
            task = loop.create_task(make())
            tasks.append(task)
            task.add_done_callback(lambda _task: done.set())

        loop.call_soon_threadsafe(start)
        try:
            done.wait()
        except BaseException:
            loop.call_soon_threadsafe(lambda: tasks[0].cancel())
            done.wait()
            raise
        if tasks[0].cancelled():
            raise CancelledError
        return tasks[0].result()

    def close(self) -> None:
        with self._lock:
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def lent(self, given_back: Callable[[], None]) -> Portal:
        """The same for one of several users: its `close` only tells."""
        return LentPortal(self, given_back)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                runner = asyncio.Runner()
                self._loop = runner.get_loop()
                self._thread = threading.Thread(
                    target=_serve,
                    args=(runner, self._loop),
                    name="sandbox-agent-portal",
                    daemon=True,
                )
                self._thread.start()
            return self._loop


def _serve(runner: asyncio.Runner, loop: asyncio.AbstractEventLoop) -> None:
    with runner:
        asyncio.set_event_loop(loop)
        loop.run_forever()


class LentPortal(Portal):
    def __init__(self, lender: Portal, given_back: Callable[[], None]) -> None:
        self._lender = lender
        self._given_back = given_back

    def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return self._lender.run(make)

    def close(self) -> None:
        self._given_back()


async def from_portal(make: Callable[[], T]) -> T:
    """Its result, for a coroutine of a portal that calls back: in a thread of its own, which may use the portal."""
    with ThreadPoolExecutor(1, thread_name_prefix="sandbox-agent-callback") as executor:
        work = asyncio.wrap_future(executor.submit(make))
        try:
            await outlast(work, timeout_s=math.inf)  # a thread cannot be cancelled
        except asyncio.CancelledError:
            work.exception()  # nobody else looks at it
            raise
        return work.result()


def open_now(make: Callable[[], T]) -> T:
    """The twin of `Opening`: there is nothing to wait for."""
    return make()


class Replies:
    """The answers that were given to one request."""

    def __init__(self) -> None:
        self.is_empty = True

    def begin(self, make: Callable[[], T]) -> T:
        self.is_empty = False
        return make()

    def finish(self) -> None:
        """The twin carries out what was only begun."""


def run_function(function: Callable[..., Any], arguments: dict[str, Any]) -> object:
    """What it returns. Raises: TypeError: it would have to be awaited."""
    return settle(function(**arguments))


def settle(result: object) -> object:
    """What a callback returned. The twin waits for it; here a callback has done its work.

    Raises:
        TypeError: it would have to be awaited.
    """
    if not inspect.isawaitable(result):
        return result
    if inspect.iscoroutine(result):
        result.close()
    raise TypeError(
        "The callback returned something to await, which the synchronous client cannot: "
        "do the work in the callback, or use `SandboxAgent`."
    )


def is_end_of_task(_exc: BaseException) -> bool:
    """Never: a thread cannot be cancelled, and no signal reaches it."""
    return False


def finish(make: Callable[[], object], *, timeout_s: float) -> None:
    """Run clean-up. `timeout_s` is for the twin: here every call has its own deadline."""
    make()


def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What blocks may do so here."""
    return work(*args, **kwargs)


def let_others_begin() -> None:
    """A stream that is left here is closed at once."""


def response_socket(response: Any) -> Any | None:
    return socket_of(response.extensions.get("network_stream"))


def websocket_socket(connection: ClientConnection) -> Any | None:
    return connection.socket


def websocket_receive(connection: ClientConnection, *, timeout_s: float | None) -> str | bytes:
    """Raises: TimeoutError, and what websockets raises."""
    return connection.recv(timeout=timeout_s)
