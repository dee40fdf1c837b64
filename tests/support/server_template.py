"""A program that has imported the server and forks one for each order: `python server_template.py FD`.

Importing is most of what a start costs, a second of a processor, and tests start hundreds. What comes of the fork is a
process as any other: of its own environment, arguments, directory and descriptors, with the program's own `main`.
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import sys
import tempfile
import time
from importlib import import_module
from typing import Any

# What `main` imports late, and what uvicorn loads by name.
_LATE = (
    "sandbox_agent_server.app", "sandbox_agent_server.cli.logs", "sandbox_agent_server.cli.serving",
    "sandbox_agent_server.store.index", "uvicorn.loops.auto", "uvicorn.lifespan.off",
)  # fmt: skip


def take_orders(channel_fd: int) -> dict[str, Any] | None:
    """In a server to be: its order. In this program: None, when nobody is there any more to give orders.

    An order is a byte with two descriptors, of the log and of a connection. From the connection come the arguments and
    the rest; into it go the id of the process and, when that has ended, its exit code.
    """
    channel = socket.socket(fileno=channel_fd)
    waiting: dict[int, tuple[int, socket.socket]] = {}
    poll = select.poll()
    poll.register(channel_fd, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd in waiting:
                poll.unregister(fd)
                pid, connection = waiting.pop(fd)
                os.close(fd)
                _tell(connection, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                connection.close()
                continue
            byte, fds, _, _ = socket.recv_fds(channel, 1, 2)
            if not byte:
                return None
            log, connection = fds[0], socket.socket(fileno=fds[1])
            with connection.makefile("rb") as reader:
                line = reader.readline()
            if not line.endswith(b"\n"):
                # Whoever ordered was interrupted: the next one is served.
                os.close(log)
                connection.close()
                continue
            order: dict[str, Any] = json.loads(line)
            pid = os.fork()
            if pid == 0:
                # No object here may close a number that is another file's by then.
                for left in (channel, connection, *(each for _, each in waiting.values())):
                    left.detach()
                _take_descriptors(log)
                return order
            os.close(log)
            _tell(connection, pid)
            watch = os.pidfd_open(pid)
            waiting[watch] = pid, connection
            poll.register(watch, select.POLLIN)


def _tell(connection: socket.socket, number: int) -> None:
    try:
        connection.sendall(f"{number}\n".encode())
    except OSError:
        return  # whoever ordered it is gone


def _take_descriptors(log: int) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def become(order: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    time.tzset()
    tempfile.tempdir = None  # found once, from the environment before
    sys.argv = order["arguments"]


if __name__ == "__main__":
    from sandbox_agent_server.cli.main import main

    for name in _LATE:
        import_module(name)
    gc.collect()
    gc.freeze()
    given = take_orders(int(sys.argv[1]))
    if given is not None:
        become(given)
        sys.exit(main())
