"""Tool calls: one entity by `tool_call_id`; every event patches it. A field that is absent did not change."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sandbox_agent_core.content import ContentBlock
from sandbox_agent_core.events.envelope import UniversalEvent
from sandbox_agent_core.frames.acp import TOOL_KINDS
from sandbox_agent_core.lenient import as_str
from sandbox_agent_core.wire.model import OpenWireModel, WireModel

__all__ = [
    "Diff",
    "Hunk",
    "Location",
    "ToolCallFields",
    "ToolCompleted",
    "ToolKind",
    "ToolStarted",
    "ToolStatus",
    "ToolUpdated",
]


def _known_kind(kind: Any) -> Any:
    return kind if as_str(kind) in TOOL_KINDS else "other"


ToolKind = Annotated[
    Literal[
        "read",
        "edit",
        "delete",
        "move",
        "search",
        "execute",
        "think",
        "fetch",
        "switch_mode",
        "other",
    ],
    BeforeValidator(_known_kind),
]
ToolStatus = Literal["pending", "in_progress", "completed", "failed"]


class Hunk(WireModel):
    """Lines that changed, with three unchanged ones around them where there are any."""

    old_start: int | None = None
    """The line of the file as it was at which it begins, from 1. Absent where the agent shows a piece of the file
    and not which."""
    new_start: int | None = None
    """The same in the file as it is now."""
    lines: list[str]
    """Each with its sign in front, as in a unified diff: a space, `-`, `+`, or `\\` before "No newline at end of
    file"."""


class Diff(WireModel):
    """A change of one file."""

    path: str
    old_text: str | None = None
    """Absent for a new file."""
    new_text: str
    is_whole_file: bool | None = None
    """Whether the texts are all of the file, or the piece of it that changed. Absent where the agent does not say."""
    hunks: list[Hunk] = Field(default_factory=list)
    """The lines that differ. None of a change that is larger than 1 MiB."""


class Location(OpenWireModel):
    """A file that the call works on."""

    path: str
    line: int | None = None


class ToolCallFields(WireModel):
    """What is known of a tool call."""

    tool_call_id: str
    """The call."""
    title: str = ""
    """What it does, for people."""
    kind: ToolKind = "other"
    """Its kind; one that we do not know is `other`."""
    name: str | None = None
    """The tool's own name, if the agent says: `Bash`, `exec_command`."""
    input: Any = None
    """The tool's arguments, as the agent gives them."""
    output: Any = None
    """Of a command `{stdout?, stderr?, exitCode?, durationMs?}`: agents that do not tell the streams apart have all in
    `stdout`. Of other tools the result as the agent gives it."""
    content: list[ContentBlock] = Field(default_factory=list)
    """What it shows: text, images, terminals. Replaces what was there."""
    diffs: list[Diff] = Field(default_factory=list)
    """Changes of files. Replaces what was there."""
    locations: list[Location] = Field(default_factory=list)
    """Files that it works on. Replaces what was there."""
    terminal_output: str | None = None
    """What its terminal printed since the last event of this call: append it."""
    exit_code: int | None = None
    """Of the command that it ran."""
    parent_tool_call_id: str | None = None
    """The tool call (a sub-agent) that made this one."""


class ToolStarted(UniversalEvent, ToolCallFields):
    """The agent announced a tool call. Agents may announce one twice, or late."""

    type: Literal["tool.started"] = "tool.started"
    status: ToolStatus = "pending"
    """`pending` or `in_progress`."""
    late: bool = False
    """It came after its turn had ended."""


class ToolUpdated(UniversalEvent, ToolCallFields):
    """More about a tool call. May come before its `tool.started`, or without one."""

    type: Literal["tool.updated"] = "tool.updated"
    status: ToolStatus | None = None
    """The new status, if it changed."""
    late: bool = False
    """It came after its turn had ended."""


class ToolCompleted(UniversalEvent, ToolCallFields):
    """The tool call is over. Carries all that is known of it, not only what is new."""

    type: Literal["tool.completed"] = "tool.completed"
    status: Literal["completed", "failed"]
    """How it ended. A command whose exit code is not 0 has failed."""
    reason: str | None = None
    """Why the server closed it: the turn ended and the agent left it open."""
    late: bool = False
    """It came after its turn had ended."""
