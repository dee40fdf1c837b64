"""Runs a fake provider's ASGI application in a thread, on a loopback port of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

__all__ = ["serve"]

DEADLINE_S = 10.0


@contextmanager
def serve(app: Any) -> Iterator[str]:
    """The base URL, while inside."""
    listener = socket.create_server(("127.0.0.1", 0))
    # uvloop hears of the end of processes in the main thread only.
    config = uvicorn.Config(
        app, loop="asyncio", log_level="error", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        listener.close()
        assert not thread.is_alive()
