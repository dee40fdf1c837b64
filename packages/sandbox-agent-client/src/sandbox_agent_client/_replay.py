"""Making a stored session again in a sandbox that has never seen it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.api.sessions import CreateSession
from sandbox_agent_core.spi.persistence import TranscriptStore
from sandbox_agent_core.view import render_context

from sandbox_agent_client.persistence.reading import read_transcript

__all__ = ["REPLAY_MAX_CHARS", "REPLAY_MAX_EVENTS", "new_context", "settings_of"]

REPLAY_MAX_EVENTS = 200
"""How much of the history a resumed agent is told: the newest messages, tool calls and so on …"""
REPLAY_MAX_CHARS = 24_000
"""… and not more than this, about 6 000 tokens."""

# `env` and `mcp_servers` can hold keys; `context` is made again from the log; the others have fields.
_NOT_STORED = {"env", "mcp_servers", "context", "id", "agent", "cwd"}


def settings_of(request: CreateSession) -> dict[str, Any]:
    """What the store keeps of how a session was made."""
    return request.model_dump(mode="json", exclude_unset=True, exclude=_NOT_STORED)


async def new_context(store: TranscriptStore, session_id: str) -> dict[str, Any] | None:
    """The members of the `CreateSession` that continues a stored session; None when it is not stored."""
    record = await store.get_session(session_id)
    if record is None:
        return None
    transcript = await read_transcript(store, session_id)
    context = render_context(transcript, max_events=REPLAY_MAX_EVENTS, max_chars=REPLAY_MAX_CHARS)
    members: dict[str, Any] = {"id": session_id, "agent": record.agent, "cwd": record.cwd}
    members |= _settings(record.settings)
    return {
        name: value for name, value in (members | {"context": context or None}).items() if value
    }


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    known = CreateSession.model_fields.keys() - _NOT_STORED
    return {name: value for name, value in settings.items() if name in known}
