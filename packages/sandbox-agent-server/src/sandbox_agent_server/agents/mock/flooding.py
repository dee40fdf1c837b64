"""Scenarios with many chunks, or for a long time. Each chunk starts with its number, from 0."""

from __future__ import annotations

import asyncio
import re
from itertools import count

from sandbox_agent_server.agents.mock.telling import END
from sandbox_agent_server.agents.mock.turn import Turn, message

__all__ = ["burst", "slow", "stream"]

_BATCH_CHUNKS = 512
_BATCH_CHARS = 256 * 1024
_SLOW_S = 0.02


async def stream(turn: Turn, words: list[str]) -> str:
    if not words:
        raise ValueError("expected a number")
    delay_ms = float(words[1]) if len(words) > 1 else 0
    for index in range(int(words[0])):
        await turn.send(message(f"{index} "))
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)
    return END


async def burst(turn: Turn, words: list[str]) -> str:
    """Made as it is read, batch by batch: a burst of a gigabyte takes no memory."""
    found = re.fullmatch(r"(\d+)x(\d+)", words[0].lower() if words else "")
    if found is None:
        raise ValueError("expected NxSIZE")
    total, size = int(found[1]), int(found[2])
    step = max(1, min(_BATCH_CHUNKS, _BATCH_CHARS // max(1, size)))
    for start in range(0, total, step):
        chunks = (f"{index} ".ljust(size, "x") for index in range(start, min(start + step, total)))
        await turn.send(*map(message, chunks))
    return END


async def slow(turn: Turn, words: list[str]) -> str:
    seconds = float(words[0]) if words else float("inf")
    for index in count():
        if index * _SLOW_S >= seconds:
            break
        await turn.send(message(f"{index} "))
        await asyncio.sleep(_SLOW_S)
    return END
