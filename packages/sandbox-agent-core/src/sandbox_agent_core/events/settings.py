"""What can be set in a session, and what it is set to."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.wire.model import OpenWireModel

__all__ = [
    "Command",
    "CommandsUpdated",
    "ConfigChanged",
    "ConfigOption",
    "ModeChanged",
    "PermissionModeChanged",
]


class ConfigOption(OpenWireModel):
    """A setting that the agent offers."""

    id: str
    name: str = ""
    description: str | None = None
    category: str | None = None
    """`mode`, `model`, `model_config`, `thought_level` or the agent's own."""
    type: str = "select"
    current_value: Any = None
    options: list[Any] = Field(default_factory=list)
    """The values of a `select`, flat or in groups."""


class Command(OpenWireModel):
    """A slash command that prompts may start with."""

    name: str
    description: str = ""
    input: Any = None
    """`{hint}` when it takes arguments."""


class ModeChanged(UniversalEvent):
    """The session's mode is another, by the agent or because a client set it."""

    type: Literal["mode.changed"] = "mode.changed"
    mode_id: str
    """The mode from now on."""


class PermissionModeChanged(UniversalEvent):
    """Permissions are decided in another way, whichever mode of its own the agent is in."""

    type: Literal["permission_mode.changed"] = "permission_mode.changed"
    permission_mode: str | None = None
    """`ask`, `accept-edits`, `read-only`, `plan` or `bypass`; None: the agent's own mode says what is asked."""
    mode_id: str | None = None
    """The agent's own mode that goes with it; None: the server's policy alone enforces it."""
    by: Literal["agent", "server"] | None = None
    """`agent`: it went into a stricter mode by itself; `server`: it was put back; None: a client chose it."""
    reason: str | None = None
    """Why, when no client chose it."""


class ConfigChanged(UniversalEvent):
    """Settings changed. Changing one may change others."""

    type: Literal["config.changed"] = "config.changed"
    config_id: str | None = None
    """The one that a client set, if it was one."""
    value: Any = None
    """What the client set it to."""
    options: list[ConfigOption] | None = None
    """All settings as they are now, when the agent sends them: replaces the list before."""


class CommandsUpdated(UniversalEvent):
    """The slash commands that the agent takes now: replaces the list before."""

    type: Literal["commands.updated"] = "commands.updated"
    commands: list[Command]
    """`{name, description, input?}`."""
