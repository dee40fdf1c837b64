"""Writing to a process: in order, with an end, and with room that can be waited for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from sandbox_agent_server.runtime.pipe_ends import PipeWriter

MORE_THAN_A_PIPE_HOLDS = 1_000_000


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    yield reading, writing
    os.close(reading)


def writer_of(descriptor: int) -> PipeWriter:
    return PipeWriter(os.fdopen(descriptor, "wb", buffering=0), on_overflow=lambda: None)


async def read_all(descriptor: int) -> bytes:
    def read() -> bytes:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)

    return await asyncio.to_thread(read)


async def test_an_end_comes_after_all_that_was_written(pipe: tuple[int, int]) -> None:
    writer = writer_of(pipe[1])
    writer.write(b"x" * MORE_THAN_A_PIPE_HOLDS)
    writer.end()
    writer.write(b"too late")
    assert writer.is_closed
    assert await read_all(pipe[0]) == b"x" * MORE_THAN_A_PIPE_HOLDS


async def test_room_is_waited_for_until_the_reader_has_made_some(pipe: tuple[int, int]) -> None:
    writer = writer_of(pipe[1])
    await writer.has_room(10 * MORE_THAN_A_PIPE_HOLDS, in_all=1)  # an idle one takes anything
    writer.write(b"x" * MORE_THAN_A_PIPE_HOLDS)
    waiting = asyncio.ensure_future(writer.has_room(10, in_all=1000))
    await asyncio.sleep(0)
    assert not waiting.done()
    reading = asyncio.ensure_future(read_all(pipe[0]))
    async with asyncio.timeout(30):
        await waiting
    writer.end()
    await reading


async def test_nobody_waits_for_a_pipe_that_is_closed(pipe: tuple[int, int]) -> None:
    writer = writer_of(pipe[1])
    writer.write(b"x" * MORE_THAN_A_PIPE_HOLDS)
    waiting = asyncio.ensure_future(writer.has_room(10, in_all=1000))
    await asyncio.sleep(0)
    writer.close()
    async with asyncio.timeout(30):
        await waiting
