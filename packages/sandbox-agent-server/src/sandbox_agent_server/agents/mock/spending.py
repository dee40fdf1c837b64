"""Work that costs: rounds of a model that calls a tool, each told of with what it cost."""

from __future__ import annotations

import asyncio
from typing import Final

from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.jsonrpc import notification

from sandbox_agent_server.agents.mock.telling import END, tool_done, tool_started
from sandbox_agent_server.agents.mock.turn import Turn

__all__ = ["work"]

_ROUNDS: Final = 3
_USD: Final = 0.01
_TOOL_S: Final = 0.02
_TOKENS: Final = {"inputTokens": 100, "outputTokens": 10, "totalTokens": 110}


async def work(turn: Turn, words: list[str]) -> str:
    """Raises: ValueError."""
    rounds = int(words[0]) if words else _ROUNDS
    usd = float(words[1]) if len(words) > 1 else _USD
    for number in range(1, rounds):
        id = turn.new_call_id()
        await turn.send(tool_started(id, f"step {number}", "execute", {"command": "make"}))
        await _responded(turn, usd)
        await asyncio.sleep(_TOOL_S)
        await turn.send(tool_done(id, "ok\n"))
    await turn.say(f"Done in {rounds} rounds.")
    await _responded(turn, usd)
    return END


async def _responded(turn: Turn, usd: float) -> None:
    if turn.session.is_plain:
        return
    cost = {"amount": usd, "currency": "USD"}
    fields = {"sessionId": turn.session.id, "usage": _TOKENS, "cost": cost}
    await turn.put(notification(extensions.MODEL_RESPONDED, fields))
