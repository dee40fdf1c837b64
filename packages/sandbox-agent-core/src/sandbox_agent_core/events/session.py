"""A session's life: made, changed, picked up again, over."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.wire.model import WireModel

__all__ = [
    "Continuity",
    "ForkedFrom",
    "LogDamaged",
    "LogRepaired",
    "SessionCreated",
    "SessionEnded",
    "SessionResumed",
    "SessionRewound",
    "SessionUpdated",
]

Continuity = Literal["native", "replayed", "lost"]


class ForkedFrom(WireModel):
    """Where a session comes from that was not begun anew."""

    session_id: str
    """The session that was forked."""
    seq: int
    """Of the last entry of its log that the fork begins with."""
    before_turn_id: str | None = None
    """The fork has what was before this turn; absent: all."""
    how: Literal["native", "transcript"]
    """`native`: the agent copied its own memory. `transcript`: the conversation is given to it as text."""
    reason: str | None = None
    """Why it is not native, for an agent that can."""
    prompts: int = 0
    """How many prompts of that session are in the agent's own memory."""


class SessionCreated(UniversalEvent):
    """The session exists. The first event of a session, with all its settings but the secret ones."""

    type: Literal["session.created"] = "session.created"
    agent: str
    """Name of the agent, as in the catalogue."""
    cwd: str | None = None
    """Working directory of the agent."""
    additional_directories: list[str] | None = None
    """Directories that it works on besides."""
    model: str | None = None
    """Model that the session starts with."""
    mode: str | None = None
    """Mode that the session starts with."""
    thought_level: str | None = None
    """Thought level that the session starts with."""
    config_options: dict[str, Any] | None = None
    """Other settings of the agent that it starts with, by their ids."""
    system_prompt: str | None = None
    """What was added to the agent's own instructions."""
    base_url: str | dict[str, str] | None = None
    """Where model requests go instead of to the provider; an object names providers."""
    trust_workspace: bool = False
    """Somebody trusts what the workspace brings along: its hooks, plugins and MCP programs run."""
    permission_policy: dict[str, Any] | None = None
    """Who decides when the agent asks."""
    hooks: dict[str, bool] | None = None
    """Which hooks are asked: `beforeTool`, `afterTool`."""
    on_reject: str | None = None
    """Whether a turn goes on after a refusal: `continue` or `stop`."""
    agent_options: dict[str, Any] | None = None
    """What was asked of this agent alone (`agentOptions`)."""
    metadata: dict[str, Any] | None = None
    """What the creator of the session attached to it."""
    title: str | None = None
    """What people call it, if somebody said."""
    diffs: bool | None = None
    """Whether `turn.diff` tells what each turn has done to the files; null: as the server is set."""
    forked_from: ForkedFrom | None = None
    """The session that it is a fork of."""
    context: str | None = None
    """An earlier conversation, as text, that the agent is given with the first prompt; one that has it in its own
    memory (`forkedFrom.how` is `native`) only when it has lost that."""


class SessionUpdated(UniversalEvent):
    """Settings of the session were changed, by its API. Carries those alone, as they are now."""

    type: Literal["session.updated"] = "session.updated"
    model: str | None = None
    """Model, from now on."""
    mode: str | None = None
    """The requested mode: one that every agent has, or the agent's own."""
    thought_level: str | None = None
    """Thought level, from now on."""
    config_options: dict[str, Any] | None = None
    """The options that were set, by their ids. Others stay as they are."""
    permission_policy: dict[str, Any] | None = None
    """Who decides when the agent asks; replaces the whole."""
    metadata: dict[str, Any] | None = None
    """What is attached to the session; replaces the whole."""
    title: str | None = None
    """What people call it; empty: as the agent says."""


class SessionResumed(UniversalEvent):
    """A new agent process took the session over, after a restart of the agent or of the server."""

    type: Literal["session.resumed"] = "session.resumed"
    continuity: Continuity
    """What the agent remembers: `native` everything, `replayed` a transcript we gave it, `lost` nothing."""
    agent_session_id: str | None = None
    """The agent's own id of the session, from now on."""
    reason: str | None = None
    """Why it had to be resumed, or why it could not be resumed natively."""


class SessionRewound(UniversalEvent):
    """The session went back to before one of its turns. The log keeps what was; the fold marks it `rewound`."""

    type: Literal["session.rewound"] = "session.rewound"
    before_turn_id: str
    """The turn that it went back to before."""
    turn_ids: list[str] = Field(default_factory=list)
    """Turns that are no part of the conversation any more, oldest first: that one and all after it."""
    conversation: bool = False
    """The agent has forgotten them."""
    how: Literal["native", "transcript"] | None = None
    """How it forgot: by itself, or it begins anew and is given what was before as text. Absent: it forgot nothing."""
    files: bool = False
    """The files are as they were before them."""
    files_changed: list[str] | None = None
    """Files that were put back, if the agent says."""


class SessionEnded(UniversalEvent):
    """The session was ended. It takes no prompts, unless it is resumed."""

    type: Literal["session.ended"] = "session.ended"
    reason: str
    """`deleted`, `ended` or `error`."""
    detail: str | None = None
    """A sentence for people."""


class LogRepaired(UniversalEvent):
    """The last line of the log was torn (a power cut), and was cut off. Its content is lost."""

    type: Literal["log.repaired"] = "log.repaired"
    dropped_bytes: int
    """How much was cut off."""
    reason: str
    """What was wrong with it."""


class LogDamaged(UniversalEvent):
    """A line inside the log cannot be read (a bad disk): its content is lost, what follows it is not."""

    type: Literal["log.damaged"] = "log.damaged"
    lost_bytes: int
    """How long the line is; 0 when it is missing."""
    reason: str
    """What is wrong with it."""
