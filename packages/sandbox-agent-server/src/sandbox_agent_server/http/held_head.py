"""The head of an answer goes out with the beginning of its body: one write, and a client that is woken once."""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

__all__ = ["HeldHead"]


class HeldHead:
    """Stands in for the transport of an answer until its head is out, which is in this turn of the loop or at the
    beginning of the next: a stream's head does not wait for its first event."""

    def __init__(self, cycle: RequestResponseCycle, loop: asyncio.AbstractEventLoop) -> None:
        self._cycle = cycle
        self._loop = loop
        self._transport = cycle.transport
        self._head = b""
        self._timer: asyncio.Handle | None = None
        cycle.transport = cast(asyncio.Transport, self)

    def write(self, data: bytes) -> None:
        if not self._cycle.response_started:
            self._transport.write(data)  # `100 Continue`
        elif self._timer is None:
            self._head = data
            self._timer = self._loop.call_soon(self._let_go)
        elif data:
            self._stand_back()
            self._transport.writelines((self._head, data))
        else:
            self._let_go()

    def close(self) -> None:
        if self._timer is not None:
            self._let_go()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _let_go(self) -> None:
        self._stand_back()
        if not self._transport.is_closing():
            self._transport.write(self._head)

    def _stand_back(self) -> None:
        assert self._timer is not None, "there is a head"
        self._timer.cancel()
        self._cycle.transport = self._transport
