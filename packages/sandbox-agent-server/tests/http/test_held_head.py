"""One write for a head and the beginning of its body, and none that comes late or twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from sandbox_agent_server.http.held_head import HeldHead


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed
        self.written.append(data)

    def writelines(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def answer(transport: Transport) -> Any:
    """As much of uvicorn's answer as looks at the transport."""
    return SimpleNamespace(transport=transport, response_started=False)


def begin(answer: Any) -> None:
    HeldHead(answer, asyncio.get_running_loop())
    answer.response_started = True
    answer.transport.write(b"head ")


async def test_a_head_waits_for_what_comes_at_once(answer: Any, transport: Transport) -> None:
    begin(answer)
    assert transport.written == []
    answer.transport.write(b"body")
    assert transport.written == [b"head body"]
    assert answer.transport is transport
    answer.transport.write(b" more")
    await asyncio.sleep(0)
    assert transport.written == [b"head body", b" more"]


async def test_a_head_waits_for_nothing_else(answer: Any, transport: Transport) -> None:
    begin(answer)
    await asyncio.sleep(0)
    assert transport.written == [b"head "]
    answer.transport.write(b"body")
    assert transport.written == [b"head ", b"body"]


async def test_an_answer_without_a_body_is_its_head(answer: Any, transport: Transport) -> None:
    begin(answer)
    answer.transport.write(b"")
    assert transport.written == [b"head "]


async def test_what_comes_before_the_answer_is_not_held(answer: Any, transport: Transport) -> None:
    HeldHead(answer, asyncio.get_running_loop())
    answer.transport.write(b"HTTP/1.1 100 Continue")
    assert transport.written == [b"HTTP/1.1 100 Continue"]


async def test_who_closes_lets_the_head_go_first(answer: Any, transport: Transport) -> None:
    begin(answer)
    answer.transport.close()
    assert transport.written == [b"head "]
    assert answer.transport.is_closing()


async def test_nothing_is_written_to_what_others_have_closed(
    answer: Any, transport: Transport
) -> None:
    begin(answer)
    transport.close()
    await asyncio.sleep(0)
    assert transport.written == []
