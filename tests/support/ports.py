"""Ports for tests that must name one beforehand."""

from __future__ import annotations

import os
import random
import socket
from itertools import count

__all__ = ["free_port"]

# Below what the kernel gives to connections, which would take it while its server is stopped for a moment; above what Ray
# takes for its workers.
_FIRST, _COUNT = 20_000, 12_000
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_OF_EACH = _COUNT // max(int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")), 1)
_numbers = count(random.randrange(_OF_EACH))


def free_port() -> int:
    """Of the loopback. No test of this run is given it again soon."""
    for _ in range(_OF_EACH):
        port = _FIRST + _WORKER * _OF_EACH + next(_numbers) % _OF_EACH
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no port is free")
