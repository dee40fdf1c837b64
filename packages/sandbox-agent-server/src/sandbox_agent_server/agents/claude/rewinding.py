"""Back to before an earlier prompt: files from Claude's checkpoints, and the conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST
from sandbox_agent_core.lenient import as_int, as_list

from sandbox_agent_server.agents.claude.marks import Mark, Marks
from sandbox_agent_server.agents.native.refusals import InvalidParams, Refused

__all__ = ["rewind"]

Ask = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


async def rewind(ask: Ask, marks: Marks, params: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to `SESSION_REWIND`. Raises: Refused, AgentEnded."""
    index = as_int(params.get("promptIndex"))
    if index is None or index < 0:
        raise InvalidParams("`promptIndex` must be a number from 0")
    if not marks.has(index):
        why = f"Claude Code knows no prompt {index} of this session"
        raise Refused(INVALID_REQUEST, why)
    later = marks.since(index)
    is_dry = params.get("dryRun") is True
    answer: dict[str, Any] = {}
    if params.get("files") is True:
        # First: a checkpoint belongs to a message of the conversation.
        answer["filesChanged"] = await _rewind_files(ask, later, is_dry=is_dry)
    if params.get("conversation") is True and not is_dry:
        await _rewind_conversation(ask, later)
        marks.rewind(index)
    return answer


async def _rewind_files(ask: Ask, later: list[Mark], *, is_dry: bool) -> list[str]:
    """Those that differ from what they were. A prompt that made no checkpoint changed nothing: the next one's counts."""
    why = ""
    for mark in later:
        told = await ask("rewind_files", {"user_message_id": mark.uuid, "dry_run": True})
        if told.get("canRewind") is True:
            if not is_dry:
                await ask("rewind_files", {"user_message_id": mark.uuid, "dry_run": False})
            return [str(path) for path in as_list(told.get("filesChanged"))]
        why = str(told.get("error") or why)
    if later:
        raise Refused(INVALID_REQUEST, f"files cannot be rewound: {why}")
    return []


async def _rewind_conversation(ask: Ask, later: list[Mark]) -> None:
    # Claude takes back only the last one: others, and what it took into the turn of another, are a "stale target".
    told: Mapping[str, Any] = {"rewound": True}
    for mark in reversed(later):
        told = await ask("rewind_conversation", {"target_message_uuid": mark.uuid})
    if told.get("rewound") is not True:
        why = f"the conversation cannot be rewound to there: {told.get('error')}"
        raise Refused(INVALID_REQUEST, why)
