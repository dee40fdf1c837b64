"""The scenarios of the mock agent, by the first word of the prompt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sandbox_agent_server.agents.mock import (
    asking,
    background,
    failing,
    flooding,
    long_work,
    spending,
    telling,
)
from sandbox_agent_server.agents.mock.turn import Turn

__all__ = ["SCENARIOS", "play"]


@dataclass(frozen=True, slots=True)
class _Scenario:
    play: Callable[[Turn, list[str]], Awaitable[str]]
    """Given the other words, answers the stop reason. Raises ValueError when the words do not fit."""
    about: str
    words: str = ""


async def _help(turn: Turn, _words: list[str]) -> str:
    lines = [
        f"- `{f'{name} {scenario.words}'.rstrip()}`: {scenario.about}"
        for name, scenario in SCENARIOS.items()
    ]
    await turn.say("\n".join(["Start a prompt with one of these words:", *lines]))
    return "end_turn"


SCENARIOS: Final[dict[str, _Scenario]] = {
    "help": _Scenario(_help, "prints this list"),
    "text": _Scenario(telling.text, "a short answer, word by word"),
    "reasoning": _Scenario(telling.reasoning, "thoughts, then an answer"),
    "tool": _Scenario(telling.tool, "a command with its output and exit code"),
    "edit": _Scenario(telling.edit, "an edit with a diff; nothing is really written"),
    "diff": _Scenario(telling.edit, "the same"),
    "terminal": _Scenario(telling.terminal, "a command whose terminal is streamed"),
    "plan": _Scenario(telling.plan, "a plan that is worked off in three updates"),
    "usage": _Scenario(telling.usage, "two states of the context window, with cost"),
    "work": _Scenario(
        spending.work,
        "rounds of a model that runs a tool, each told of with its tokens and its cost",
        "[ROUNDS] [USD]",
    ),
    "substeps": _Scenario(telling.substeps, "a sub-agent with tool calls and words of its own"),
    "unknown": _Scenario(telling.unknown, "an update of a type that does not exist"),
    "history": _Scenario(telling.history, "what it remembers of the session"),
    "late": _Scenario(telling.late, "doubled tool updates, and some after the turn has ended"),
    "background": _Scenario(
        background.background,
        "a command that goes on after the turn, then a turn that nobody prompted",
        "[SECONDS]",
    ),
    "permission": _Scenario(
        asking.permission, "asks before a command, unless told `always` or in mode bypass"
    ),
    "question": _Scenario(asking.question, "asks two questions"),
    "stream": _Scenario(flooding.stream, "N chunks, one by one", "N [DELAY_MS]"),
    "burst": _Scenario(
        flooding.burst, "N chunks of SIZE characters, as fast as they are read", "NxSIZE"
    ),
    "slow": _Scenario(flooding.slow, "a chunk every 20 ms until cancelled", "[SECONDS]"),
    "wait": _Scenario(long_work.wait, "waits until something is said into the turn"),
    "error": _Scenario(failing.error, "a JSON-RPC error instead of an answer", "[CODE]"),
    "refusal": _Scenario(failing.refusal, "stops with `refusal`"),
    "max-tokens": _Scenario(failing.max_tokens, "stops with `max_tokens`"),
    "crash": _Scenario(failing.crash, "dies mid-turn with exit code 7, a tool call open"),
    "hang": _Scenario(failing.hang, "never answers and ignores a cancel"),
    "garbage": _Scenario(failing.garbage, "lines that are no messages, amid chunks"),
}


async def play(turn: Turn) -> str:
    """Run the scenario that the prompt names and answer its stop reason; echo when it names none."""
    first, *words = turn.text.split() or [""]
    scenario = SCENARIOS.get(first.lower())
    if scenario is not None:
        try:
            return await scenario.play(turn, words)
        except ValueError:
            pass  # `stream of consciousness` is no scenario
    return await telling.echo(turn)
