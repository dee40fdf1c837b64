"""Turns: a prompt, or an agent that starts by itself, and everything up to the end of that."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sandbox_agent_core.changes import ChangedFile, ChangeTotals
from sandbox_agent_core.content import ContentBlock
from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.events.fault import Fault
from sandbox_agent_core.events.tokens import TokenUsage
from sandbox_agent_core.events.usage import Cost
from sandbox_agent_core.wire.model import WireModel

__all__ = [
    "LimitKind",
    "StopReason",
    "TokenUsage",
    "TurnDiff",
    "TurnDropped",
    "TurnEnded",
    "TurnLimits",
    "TurnOrigin",
    "TurnQueued",
    "TurnStarted",
    "TurnSteered",
]

StopReason = (
    Literal[
        "end_turn",
        "max_tokens",
        "max_turn_requests",
        "refusal",
        "cancelled",
        "interrupted",
        "error",
        "unknown",
    ]
    | str
)
"""Those that have a meaning here. Agents may have others, which are passed on as they are."""

TurnOrigin = Literal["prompt", "agent", "compact", "review"]


LimitKind = Literal["timeout", "max_turns", "max_cost"]
"""What stopped a turn that was given limits."""


class TurnLimits(WireModel):
    """What a turn may take, as it was asked for with its prompt."""

    timeout_seconds: float | None = None
    """From its acceptance, the wait in the queue and for people included."""
    max_turns: int | None = None
    """Round trips to the model."""
    max_cost: float | None = None
    """In USD."""


class TurnQueued(UniversalEvent):
    """A prompt waits for the turns before it. Not sent for a prompt that starts at once."""

    type: Literal["turn.queued"] = "turn.queued"
    origin: TurnOrigin = "prompt"
    """Absent: `prompt`. As in `turn.started`."""
    text: str = ""
    """The prompt's text, or what else is asked for."""
    content: list[ContentBlock] = Field(default_factory=list)
    """The prompt's blocks."""
    position: int | None = None
    """Its place in the queue; 1 is next."""
    limits: TurnLimits | None = None
    """`{timeoutSeconds?, maxTurns?, maxCost?}` that the prompt was given."""


class TurnStarted(UniversalEvent):
    """The prompt was given to the agent, or the agent began by itself. Exactly one `turn.ended` follows."""

    type: Literal["turn.started"] = "turn.started"
    origin: TurnOrigin = "prompt"
    """Absent: `prompt`. `agent`: nobody prompted it. It goes on because a background task ended, or follows a goal.
    `compact`, `review`: it was asked for that."""
    emulated: bool = False
    """The agent has no such operation: it was asked in words of ours."""
    task_id: str | None = None
    """The background task that made the agent begin, if it says."""
    text: str = ""
    """The prompt's text."""
    content: list[ContentBlock] = Field(default_factory=list)
    """The prompt's blocks."""
    limits: TurnLimits | None = None
    """As in `turn.queued`."""


class TurnSteered(UniversalEvent):
    """The agent took something into the turn while it ran. What it did not take is a turn of its own."""

    type: Literal["turn.steered"] = "turn.steered"
    text: str = ""
    """Its text."""
    content: list[ContentBlock] = Field(default_factory=list)
    """Its blocks."""


class TurnEnded(UniversalEvent):
    """The turn is over, by the agent's answer or because it could not answer any more."""

    type: Literal["turn.ended"] = "turn.ended"
    stop_reason: StopReason
    """Why. `interrupted`: the agent or the server died; `error`: see `error`; `unknown`: the agent did not say;
    the others are ACP's, or whatever the agent said. Only `end_turn` is success."""
    error: Fault | None = None
    """What failed."""
    limit: LimitKind | None = None
    """Which of its limits stopped it: `timeout`, `max_turns` or `max_cost`."""
    usage: TokenUsage | None = None
    """Tokens of this turn, if the agent says."""
    model_calls: int | None = None
    """Round trips to the model, if the agent tells of each; those of sub-agents are not in it."""
    cost: Cost | None = None
    """`{amount, currency, estimated?}` of this turn, if the agent says, or the price of its model is known."""
    output: Any = None
    """What it answered by the JSON schema that the prompt asked for, when it keeps to schemas by itself."""


class TurnDiff(UniversalEvent):
    """What became of the files while a turn ran, whoever wrote them and by what means. It follows `turn.ended`; a turn
    that left everything as it was has none."""

    type: Literal["turn.diff"] = "turn.diff"
    path: str = ""
    """The root of the repository, or the workspace: what the files are relative to."""
    files: list[ChangedFile] = Field(default_factory=list)
    """`{path, oldPath?, status, additions?, deletions?, binary, oldMode?, mode?}` of each. Ignored files are not in it."""
    totals: ChangeTotals = Field(default_factory=ChangeTotals)
    """`{files, additions, deletions}` of all, also of those that are not listed."""
    patch: str = ""
    """Unified, as `git diff` writes it. `GET …/diff` has more of one that is truncated."""
    truncated: bool = False
    """There are more files than are listed, or the patch ends before its end."""
    skipped: str | None = None
    """Why nothing is known of the files: `slow`, `too_much`, `no_git` or `failed`."""
    detail: str | None = None
    """The same in words."""
    before: str | None = None
    """The tree of git that the files were before. The server keeps it with the session."""
    after: str | None = None
    """The same, after."""


class TurnDropped(UniversalEvent):
    """A queued prompt will never start."""

    type: Literal["turn.dropped"] = "turn.dropped"
    reason: str
    """`cancelled`, `interrupted` or `session_ended`."""
    limit: LimitKind | None = None
    """`timeout`: its time was over before it began."""
