"""The earlier conversation as text, for an agent that cannot load it by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.content import CONTEXT_META
from sandbox_agent_core.view import render_context

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.sessions.folding import fold_log

__all__ = [
    "REPLAY_MAX_CHARS",
    "REPLAY_MAX_EVENTS",
    "context_block",
    "instructions_text",
    "replay_text",
    "schema_text",
]

REPLAY_MAX_EVENTS = 200
REPLAY_MAX_CHARS = 24_000


def context_block(text: str) -> dict[str, object]:
    """A block that a person did not type: it is not shown as part of the prompt."""
    return {"type": "text", "text": text, "_meta": {CONTEXT_META: True}}


def instructions_text(system_prompt: str) -> str:
    """A system prompt for an agent that has no place for one."""
    return (
        "Whoever set up this session gave these instructions. They hold for all of it:\n\n"
        f"<instructions>\n{system_prompt}\n</instructions>"
    )


def schema_text(schema: Mapping[str, Any]) -> str:
    """What an answer is to be, for an agent that has no place for it."""
    return (
        "Your last message must be JSON that is valid by this JSON schema, and nothing else: no explanation before "
        f"or after it.\n\n<json-schema>\n{dumps(schema).decode()}\n</json-schema>"
    )


async def replay_text(log: SessionLog, *, until_seq: int | None = None) -> str:
    """The newest part of the conversation, bounded in events and characters; empty when there is none."""
    transcript = await fold_log(log, until_seq=until_seq)
    return render_context(transcript, max_events=REPLAY_MAX_EVENTS, max_chars=REPLAY_MAX_CHARS)
