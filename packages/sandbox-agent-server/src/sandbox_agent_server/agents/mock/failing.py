"""Scenarios that go wrong, each in its own way."""

from __future__ import annotations

import asyncio

from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR

from sandbox_agent_server.agents.mock.telling import END, tool_started
from sandbox_agent_server.agents.mock.turn import Crashed, PromptFailed, Turn

__all__ = ["crash", "error", "garbage", "hang", "max_tokens", "refusal"]

_GARBAGE = (
    b"Warning: this line is no JSON",
    b"",
    b'["an array"]',
    b'{"jsonrpc":"2.0"}',
    b'{"jsonrpc":"2.0","method":"x","params":{"value":nan}}',
    b'{"jsonrpc":"2.0","method":"x","params":\xff\xfe}',
    b'{"jsonrpc":"2.0","method":"sess',
)
"""One of them is blank, the others are six ways not to be a message."""


async def error(turn: Turn, words: list[str]) -> str:
    code = int(words[0]) if words else INTERNAL_ERROR
    await turn.say("This will not end well.")
    raise PromptFailed("The mock agent was asked to fail.", code=code)


async def refusal(turn: Turn, _words: list[str]) -> str:
    await turn.say("I would rather not.")
    return "refusal"


async def max_tokens(turn: Turn, _words: list[str]) -> str:
    await turn.say("This sentence is not")
    return "max_tokens"


async def crash(turn: Turn, _words: list[str]) -> str:
    await turn.say("I do not feel well.")
    await turn.send(tool_started(turn.new_call_id(), "sleep 9", "execute", {"command": "sleep 9"}))
    raise Crashed(7, "mock agent: asked to crash\nmock agent: exit code 7\n")


async def hang(turn: Turn, _words: list[str]) -> str:
    turn.is_deaf = True
    await turn.say("Wait for it.")
    await asyncio.Event().wait()
    return END


async def garbage(turn: Turn, _words: list[str]) -> str:
    await turn.say("Before.")
    for line in _GARBAGE:
        await turn.write(line)
    await turn.say(" After.")
    return END
