"""Slash commands that every agent has, because the server knows what they mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sandbox_agent_core.api.long_work import ReviewTarget

__all__ = ["Command", "command_in", "common_commands", "review_target"]

_COMPACT: Final = {
    "name": "compact",
    "description": "Put a summary in place of the conversation so far",
    "input": {"hint": "what to keep"},
}
_REVIEW: Final = {
    "name": "review",
    "description": "Review the changes in the workspace",
    "input": {"hint": "branch NAME | commit SHA | what to look at"},
}
_COMMAND: Final = re.compile(r"/(compact|review)(?:\s+(.*))?", re.DOTALL)


class Command(NamedTuple):
    name: str
    words: str | None
    """What follows the name."""


def common_commands(*, can_compact: bool) -> list[dict[str, Any]]:
    """As ACP's `availableCommands`. Every agent can be asked for a review."""
    return [_COMPACT, _REVIEW] if can_compact else [_REVIEW]


def command_in(blocks: Sequence[dict[str, Any]]) -> Command | None:
    """The command that a prompt is, if it is one of these and nothing else."""
    if len(blocks) != 1 or blocks[0].get("type") != "text":
        return None
    found = _COMMAND.fullmatch(str(blocks[0].get("text")).strip())
    return Command(found[1], found[2] or None) if found else None


def review_target(words: str | None) -> ReviewTarget:
    """`branch NAME` and `commit SHA` are what they say, anything else is what to look at."""
    match (words or "").split():
        case []:
            return ReviewTarget()
        case ["branch", name]:
            return ReviewTarget(type="branch", branch=name)
        case ["commit", sha]:
            return ReviewTarget(type="commit", sha=sha)
    return ReviewTarget(type="custom", instructions=words)
