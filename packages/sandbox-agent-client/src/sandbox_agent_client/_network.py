"""Cutting a connection that somebody else is reading from: the one way that works from any thread and task."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

__all__ = ["cut", "is_loopback", "socket_of", "tls_for"]


def socket_of(stream: Any) -> Any | None:
    """The socket under a network stream of httpcore; None for a transport without one (tests)."""
    if stream is None:
        return None
    return stream.get_extra_info("socket")


def cut(connection: Any) -> None:
    """End both directions, so that a blocked read returns. The owner still has to close it."""
    # A duplicate, because SSLSocket.shutdown() and uvloop's PseudoSocket.shutdown() are not the
    # system call, and because the owner may close the original meanwhile.
    with contextlib.suppress(OSError, ValueError):
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        with duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)


def is_loopback(url: str) -> bool:
    """True when the URL's host is this machine by name or address: no proxy belongs in between."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def tls_for(url: str) -> ssl.SSLContext | bool:
    """`verify` for httpx. Loading the trusted certificates takes 50 to 100 ms, and plain HTTP needs none."""
    # Without certificates it trusts nobody: should the URL ever become https, that fails, not passes.
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if url.startswith("http://") else True
