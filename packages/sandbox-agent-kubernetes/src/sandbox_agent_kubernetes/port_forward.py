"""Ports of Pods as ports of this machine's loopback: the API server carries each connection, so that a Pod needs no address
that can be reached from here.

Anybody on this machine may connect to such a port, and gets as far as the server in the Pod, which asks for its token.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sandbox_agent_core.errors import SandboxAgentError

from sandbox_agent_kubernetes.cluster import Cluster
from sandbox_agent_kubernetes.pods import PODS

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

__all__ = ["PortForwards"]

logger = logging.getLogger(__name__)

BACKLOG: Final = 128
PIECE_BYTES: Final = 64 * 1024
HALF_CLOSED_S: Final = 10.0
"""How long the Pod may be silent after the client's last byte. A client that has left looks like one that waits for the rest
of an answer, and the protocol tells the Pod of neither."""
STOP_TIMEOUT_S: Final = 5.0
_PROTOCOLS: Final = ("v4.channel.k8s.io",)
_DATA, _ERROR = 0, 1

T = TypeVar("T")
Key = tuple[str, str, int]
"""Namespace, Pod, port."""


class PortForwards:
    """They end with this object, and with the process.

    A provider is used from several event loops, one after the other; so they live on one of their own, in a thread.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._starting = threading.Lock()
        self._thread: _ForwardingThread | None = None

    async def port(self, namespace: str, pod: str, port: int, *, sandbox: str) -> int:
        """Of this machine, which leads to that port of the Pod until the sandbox is forgotten."""
        with self._starting:
            if self._thread is None:
                self._thread = _ForwardingThread()
                weakref.finalize(self, self._thread.stop)
        return await self._thread.run(
            self._thread.open(self._cluster, (namespace, pod, port), sandbox)
        )

    async def forget(self, namespace: str, sandbox: str) -> None:
        """Close what leads to one that is gone."""
        if self._thread is not None:
            await self._thread.run(self._thread.forget(namespace, sandbox))


class _ForwardingThread:
    def __init__(self) -> None:
        self._open: dict[Key, _Listener] = {}
        # With a factory it leaves alone which loop is the current one of this thread.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._is_over = asyncio.Event()
        self._thread = threading.Thread(
            target=self._serve, name="sandbox-agent-kubernetes-forwards", daemon=True
        )
        self._thread.start()

    async def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(doing, self._loop))

    async def open(self, cluster: Cluster, key: Key, sandbox: str) -> int:
        if (listener := self._open.get(key)) is None:
            listener = self._open[key] = _Listener(cluster, key, sandbox)
            await listener.start()
        return listener.port

    async def forget(self, namespace: str, sandbox: str) -> None:
        for key in [
            (space, pod, port)
            for (space, pod, port), listener in self._open.items()
            if (space, listener.sandbox) == (namespace, sandbox)
        ]:
            await self._open.pop(key).close()

    def stop(self) -> None:
        """Blocks for a moment."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._is_over.set)
        if self._thread is not threading.current_thread():
            self._thread.join(STOP_TIMEOUT_S)

    def _serve(self) -> None:
        with self._runner:
            self._runner.run(self._until_over())

    async def _until_over(self) -> None:
        await self._is_over.wait()
        while self._open:
            await self._open.popitem()[1].close()


class _Listener:
    """One port of one Pod. Each connection is a WebSocket of its own, so what breaks one is over with the next."""

    def __init__(self, cluster: Cluster, key: Key, sandbox: str) -> None:
        self.sandbox = sandbox
        self._cluster = cluster
        self._namespace, self._pod, self._inside = key
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._accept, sock=self._socket, limit=PIECE_BYTES
        )

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = PODS.path(self._namespace, self._pod, "portforward")
        try:
            async with self._cluster.websocket(
                path, [("ports", str(self._inside))], protocols=_PROTOCOLS, sandbox=self._pod
            ) as connection:
                await _exchange(connection, reader, writer)
            writer.close()
            await writer.wait_closed()
        except (SandboxAgentError, _Refused) as exc:
            # Whoever has connected sees a reset, and asks the provider what has become of the Pod.
            logger.info("port %d of the Pod %s: %s", self._inside, self._pod, exc)
        except OSError:
            pass  # the client has left
        finally:
            writer.transport.abort()  # nothing, where it is closed


class _Refused(Exception):
    """The node says why it carries nothing: nobody listens, say."""


async def _exchange(
    connection: ClientConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Bytes both ways until the Pod has closed its side, or the client its own and nothing comes any more. Neither side is
    read faster than the other takes it.

    Raises:
        _Refused: on the error channel.
        OSError: the client has left.
    """
    up = asyncio.ensure_future(_send(connection, reader))
    down = asyncio.ensure_future(_receive(connection, writer, up))
    try:
        await down
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


async def _send(connection: ClientConnection, reader: asyncio.StreamReader) -> None:
    while piece := await reader.read(PIECE_BYTES):
        await connection.send(bytes((_DATA,)) + piece)


async def _receive(
    connection: ClientConnection, writer: asyncio.StreamWriter, up: asyncio.Future[None]
) -> None:
    clock = asyncio.get_running_loop().time
    greeted: set[int] = set()

    def no_more_comes(_up: asyncio.Future[None]) -> None:
        is_broken = up.cancelled() or up.exception() is not None
        silence.reschedule(clock() + (0 if is_broken else HALF_CLOSED_S))

    try:
        async with asyncio.timeout(None) as silence:
            up.add_done_callback(no_more_comes)
            async for frame in connection:
                data = frame.encode() if isinstance(frame, str) else frame
                channel = data[0]
                if channel not in greeted:  # the first of each channel says the port again
                    greeted.add(channel)
                elif channel == _ERROR:
                    raise _Refused(data[1:].decode("utf-8", "replace"))
                else:
                    writer.write(data[1:])
                    await writer.drain()
                if up.done():
                    no_more_comes(up)
    except TimeoutError:
        return
    finally:
        up.remove_done_callback(no_more_comes)
