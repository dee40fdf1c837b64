"""Permission policies: who decides when an agent asks, before a person is asked."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from sandbox_agent_core.api.base import RequestBody

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "MAX_RULES",
    "PERMISSION_MODES",
    "PermissionAction",
    "PermissionMode",
    "PermissionPolicy",
    "PermissionRule",
]

PermissionAction = Literal["allow", "deny", "ask"]
PermissionMode = Literal["ask", "accept-edits", "read-only", "plan", "bypass"]
"""Understood for every agent, beside the modes of its own.

`ask`: whatever changes something is asked. `accept-edits`: reading and editing files in the workspace is
allowed. `read-only`: whatever changes something is denied. `plan`: as `read-only`, but the agent may ask to leave
it. `bypass`: everything is allowed.
"""
PERMISSION_MODES: tuple[PermissionMode, ...] = get_args(PermissionMode)

MAX_RULES = 256
DEFAULT_TIMEOUT_S = 3600.0
"""How long a permission or question waits for a person: one hour."""


class PermissionRule(RequestBody):
    """Applies when every member that is given matches. The first rule that applies decides.

    Patterns are shell globs (`*` also crosses `/` and spaces) over the whole text.
    """

    action: PermissionAction
    tool_kind: str | None = Field(
        default=None, description="ACP kind: read, edit, execute, fetch, …"
    )
    tool_name: str | None = Field(
        default=None, description="Glob over the tool's programmatic name."
    )
    command: str | None = Field(
        default=None,
        description="Glob over the command line; arguments given as a list are quoted for a shell. To allow, a "
        "command with shell syntax (`;`, `|`, `$(`, …) matches by its exact text only.",
    )
    path: str | None = Field(
        default=None,
        description="Glob over the tool call's paths, absolute or relative to the workspace; "
        "all of them must match for allow, one is enough for deny and ask.",
    )
    name: str | None = Field(default=None, description="Recorded as the decider; default `rule N`.")


class PermissionPolicy(RequestBody):
    rules: list[PermissionRule] = Field(default_factory=list, max_length=MAX_RULES)
    default: PermissionAction = Field(default="ask", description="When no rule applies.")
    timeout_s: float = Field(
        default=DEFAULT_TIMEOUT_S,
        gt=0,
        le=7 * 86400,
        description="Seconds a request waits for a person.",
    )
    on_timeout: Literal["deny", "allow"] = "deny"
