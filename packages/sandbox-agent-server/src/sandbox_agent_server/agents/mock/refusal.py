"""A request that is answered with an error."""

from __future__ import annotations

__all__ = ["Refused"]


class Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
