"""What listens on this machine's TCP ports, from `/proc/net`."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

from sandbox_agent_core.errors import OperationNotSupported

__all__ = ["Listener", "Owner", "listeners", "owners"]

_PROC: Final = Path("/proc")
_LISTENS: Final = "0A"
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


class Listener(NamedTuple):
    port: int
    address: str
    inode: int
    """Of its socket."""


class Owner(NamedTuple):
    pid: int
    program: str


def listeners(proc: Path = _PROC) -> list[Listener]:
    """By port and address. Several that share one are one. Blocks for as long as a small file takes.

    Raises: OperationNotSupported on a machine without `/proc/net`.
    """
    found: dict[tuple[int, str], Listener] = {}
    tables = [table for name in ("tcp", "tcp6") if (table := _read(proc / "net" / name))]
    if not tables:
        raise OperationNotSupported(
            "this machine does not say what listens: it has no /proc/net/tcp (it is not Linux); ports are reached "
            "by their numbers all the same"
        )
    for table in tables:
        for listener in _rows(table):
            found.setdefault((listener.port, listener.address), listener)
    return [found[key] for key in sorted(found)]


def owners(inodes: set[int], proc: Path = _PROC) -> Mapping[int, Owner]:
    """Whose sockets these are, as far as the server may see. Blocks: it looks at every process."""
    found: dict[int, Owner] = {}
    for pid in _pids(proc):
        for inode in _sockets_of(proc / str(pid)):
            if inode in inodes and inode not in found:
                found[inode] = Owner(pid, _program(proc / str(pid)))
        if len(found) == len(inodes):
            break
    return found


def _rows(table: str) -> Iterator[Listener]:
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[3] != _LISTENS:
            continue
        address, _, port = fields[1].partition(":")
        yield Listener(int(port, 16), _address(address), int(fields[9]))


def _address(text: str) -> str:
    """Words of 32 bits, each in the byte order of the machine."""
    raw = b"".join(
        int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)
    )
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    return str(ip_address(raw))


def _pids(proc: Path) -> Iterator[int]:
    """The newest first: those that a user started, mostly."""
    try:
        names = os.listdir(proc)  # noqa: PTH208 - thousands of them
    except OSError:
        return
    yield from sorted((int(name) for name in names if name.isdigit()), reverse=True)


def _sockets_of(process: Path) -> Iterator[int]:
    try:
        entries = list(os.scandir(process / "fd"))
    except OSError:
        return  # it has ended, or is somebody else's
    for entry in entries:
        try:
            target = os.readlink(entry.path)  # noqa: PTH115 - thousands of them
        except OSError:
            continue
        if match := _SOCKET.fullmatch(target):
            yield int(match[1])


def _program(process: Path) -> str:
    return _read(process / "comm").strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
