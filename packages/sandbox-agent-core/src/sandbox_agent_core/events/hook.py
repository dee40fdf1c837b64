"""What the session's own hooks are asked before and after a tool, and what they said."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.events.request import DecidedBy
from sandbox_agent_core.events.tool import ToolCallFields

__all__ = ["HookRequested", "HookResolved"]


class HookRequested(UniversalEvent):
    """The agent waits for a hook of the session, before or after a tool. Exactly one `hook.resolved` follows.

    An agent without hooks is asked through its permissions instead: `permission.requested` with `hook`.
    """

    type: Literal["hook.requested"] = "hook.requested"
    request_id: str
    """The request, to answer it by."""
    hook: str
    """`before_tool` or `after_tool`."""
    tool_call: ToolCallFields | None = None
    """The tool call that it is about."""
    command: str | None = None
    """The command line that it is about."""
    paths: list[str] = Field(default_factory=list)
    """The files that it is about, as the agent names them."""
    output: Any = None
    """After a tool: what came of it, as the agent tells it."""
    asked_at: datetime | None = None
    """When the agent sent it."""
    expires_at: datetime | None = None
    """When it is answered by `default` if nobody does."""
    default: str | None = None
    """The answer that is given at `expires_at`: `deny`, or `none`, which leaves it to what would be without a hook."""


class HookResolved(UniversalEvent):
    """The hook was answered, or it need not be any more. Of one that was asked through a permission: that goes on now."""

    type: Literal["hook.resolved"] = "hook.resolved"
    request_id: str
    """The request."""
    outcome: Literal["decided", "cancelled"]
    """What became of it."""
    decision: Literal["allow", "deny", "ask"] | None = None
    """`ask`: a person decides; absent: no opinion, so it is as without a hook."""
    message: str | None = None
    """Why, for the model."""
    updated_input: dict[str, Any] | None = None
    """What the tool gets instead of its input."""
    context: str | None = None
    """What the model is told besides."""
    decided_by: DecidedBy | None = None
    """`user`, `policy`, `timeout` or `cancel` (of the turn)."""
    rule: str | None = None
    """The rule of the policy that decided."""
    actor: str | None = None
    """Who answered, if the server knows."""
