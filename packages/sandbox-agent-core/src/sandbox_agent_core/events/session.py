"""A session's life: made, picked up again, over."""

from __future__ import annotations

from typing import Any, Literal

from sandbox_agent_core.events.envelope import UniversalEvent

__all__ = ["Continuity", "SessionCreated", "SessionEnded", "SessionResumed"]

Continuity = Literal["native", "replayed", "lost"]


class SessionCreated(UniversalEvent):
    """The session exists. The first event of a session."""

    type: Literal["session.created"] = "session.created"
    agent: str
    """Name of the agent, as in the catalogue."""
    cwd: str | None = None
    """Working directory of the agent."""
    agent_session_id: str | None = None
    """The agent's own id of the session."""
    model: str | None = None
    """Model that the session starts with."""
    mode: str | None = None
    """Mode that the session starts with."""
    agent_info: dict[str, Any] | None = None
    """What the agent says it is: `{name, title?, version?}`."""
    metadata: dict[str, Any] | None = None
    """What the creator of the session attached to it."""


class SessionResumed(UniversalEvent):
    """A new agent process took the session over, after a restart of the agent or of the server."""

    type: Literal["session.resumed"] = "session.resumed"
    continuity: Continuity
    """What the agent remembers: `native` everything, `replayed` a transcript we gave it, `lost` nothing."""
    agent_session_id: str | None = None
    """The agent's own id of the session, from now on."""
    reason: str | None = None
    """Why it had to be resumed, or why it could not be resumed natively."""


class SessionEnded(UniversalEvent):
    """The session was ended. It takes no prompts, unless it is resumed."""

    type: Literal["session.ended"] = "session.ended"
    reason: str
    """`deleted`, `ended` or `error`."""
    detail: str | None = None
    """A sentence for people."""
