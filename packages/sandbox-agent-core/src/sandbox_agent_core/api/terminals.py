"""Frames of `/v1/processes/{id}/terminal/ws`. Output is binary frames, everything else JSON in text frames."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sandbox_agent_core.api.base import RequestBody, ResponseBody
from sandbox_agent_core.api.processes import InputEncoding

__all__ = ["TerminalError", "TerminalExit", "TerminalInput", "TerminalReady"]


class TerminalInput(RequestBody):
    """What is typed."""

    data: str = Field(repr=False)
    encoding: InputEncoding = "text"


class TerminalReady(ResponseBody):
    """The first frame."""

    type: Literal["ready"] = "ready"
    process_id: str
    offset: int = Field(
        default=0,
        description="Where in all the output of the process the next bytes are, behind the scrollback. Come back "
        "with `?offset=` this and the bytes since.",
    )
    scrollback_bytes: int = Field(
        default=0, description="So many bytes come first, of what was there before."
    )


class TerminalExit(ResponseBody):
    """The last frame: the process has ended, and all its output was sent."""

    type: Literal["exit"] = "exit"
    exit_code: int | None = Field(default=None, description="None when a signal ended it.")
    signal: str | None = None


class TerminalError(ResponseBody):
    """A frame that was refused, or output that was not shown. The connection goes on."""

    type: Literal["error"] = "error"
    message: str
    code: str = "invalid_request"
    skipped_bytes: int | None = Field(
        default=None, description="Output that this viewer was too slow for, or that is dropped."
    )
    offset: int | None = Field(default=None, description="Where the output goes on then.")
