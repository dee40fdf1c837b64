"""Ports for tests that must name one beforehand."""

from __future__ import annotations

import socket

__all__ = ["free_port"]


def free_port() -> int:
    """Of the loopback. The kernel does not give it out again soon."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
