"""Runs the application under uvicorn, and stops it within seconds whatever the agents do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette

from sandbox_agent_server.cli.memory import FreeMemory
from sandbox_agent_server.http.admission import Admission, connection_limit
from sandbox_agent_server.http.connection import HttpConnection, WebSocketConnection
from sandbox_agent_server.http.services import Services
from sandbox_agent_server.runtime.children import the_children
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.settings import Settings

__all__ = ["bind", "raise_file_limit", "serve"]

logger = logging.getLogger(__name__)

_CONNECTIONS_GRACE_S = 1
_PARENT_POLL_S = 0.5
_BURY_EVERY_S = 1.0
_TICKS_BETWEEN_LOOKS = 50
"""Whether there was work whose memory can be given back."""
_WANTED_FILES = 65536


class _Server(uvicorn.Server):
    """Stops the sessions before it waits for connections: a stream ends when its session's log does."""

    def __init__(
        self, config: uvicorn.Config, services: Services, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._services = services
        self._on_ready = on_ready
        self._work_seen = (0, 0)
        self._memory = FreeMemory()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own raises the signal again when it is done; stopping on request is a success."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter % _TICKS_BETWEEN_LOOKS == 0:
            work = (self.server_state.total_requests, len(self.server_state.connections))
            if work != self._work_seen:
                self._work_seen = work
                self._memory.give_back()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self._services.sessions.recover()
        await self._services.acp.recover()
        await self._services.processes.recover()
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Sessions after processes: with those goes whatever still runs for the data directory.
        self._services.files.shut_down()
        await self._services.processes.shut_down()
        await self._services.sessions.shut_down()
        await self._services.acp.shut_down()
        await self._services.remote_acp.close()
        await super().shutdown(sockets=sockets)


async def serve(
    app: Starlette, settings: Settings, listener: socket.socket, on_ready: Callable[[], None]
) -> None:
    """Until SIGTERM or SIGINT (or, with `exit_with_parent`, until the parent is gone)."""
    limits = settings.limits
    admission = Admission(limits, max_connections=connection_limit(limits))
    config = uvicorn.Config(
        app,
        http=cast(Any, partial(HttpConnection, admission=admission)),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws=WebSocketConnection,
        ws_max_size=limits.max_body_bytes,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_CONNECTIONS_GRACE_S,
        backlog=2048,
    )
    server = _Server(config, app.state.services, on_ready)
    the_children.adopt_orphans()
    beside = TaskOwner("server")
    beside.spawn(_bury_orphans(), name="orphans")
    if settings.exit_with_parent:
        beside.spawn(_stop_with_parent(server), name="parent")
    try:
        await server.serve(sockets=[listener])
    finally:
        await beside.cancel()


async def _stop_with_parent(server: uvicorn.Server) -> None:
    parent = os.getppid()
    # Nothing tells a process that its parent is gone: looking is all there is.
    while os.getppid() == parent:  # noqa: ASYNC110
        await asyncio.sleep(_PARENT_POLL_S)
    logger.warning("the program that started this server is gone, stopping")
    server.should_exit = True


async def _bury_orphans() -> None:
    while True:
        await asyncio.sleep(_BURY_EVERY_S)
        await asyncio.to_thread(the_children.bury_orphans)


def bind(host: str, port: int) -> socket.socket:
    """Raises: OSError when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def raise_file_limit() -> None:
    """Every stream and every agent costs descriptors; the soft limit is often only 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
