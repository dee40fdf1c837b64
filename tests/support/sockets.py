"""What a socket gives, read without a thought of how the bytes came in pieces."""

from __future__ import annotations

import socket

__all__ = ["read_until"]


def read_until(connection: socket.socket, *marks: bytes, begun: bytes = b"") -> bytes:
    """`begun`, and what comes until one of the marks is in it, with what came in the same piece."""
    said = begun
    while not any(mark in said for mark in marks):
        piece = connection.recv(65536)
        assert piece, said[-1000:]
        said += piece
    return said
