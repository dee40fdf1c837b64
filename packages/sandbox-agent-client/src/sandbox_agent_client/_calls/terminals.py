"""The frames of a terminal, and what it is opened with."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.api.terminals import TerminalError, TerminalExit, TerminalReady

from sandbox_agent_client._calls.call import path, query, reads
from sandbox_agent_client._failures import read_json

__all__ = [
    "SHELL",
    "SLICE_BYTES",
    "input_frame",
    "read_frame",
    "resize_frame",
    "terminal_env",
    "terminal_path",
    "terminal_query",
]

SHELL: Final = (
    "sh",
    "-c",
    'for shell in "$SHELL" bash; do shell=$(command -v "$shell") && [ -x "$shell" ] && exec "$shell" -l; done; '
    "exec sh -i",
)
"""The login shell of the sandbox's user, or what there is."""
SLICE_BYTES: Final = 32 * 1024
"""Of input, in one frame."""
_TERM: Final = {"TERM": "xterm-256color"}

_READERS: Final[Mapping[str, Any]] = {
    "ready": reads(TerminalReady),
    "exit": reads(TerminalExit),
    "error": reads(TerminalError),
}


def terminal_path(process_id: str) -> str:
    """Raises: InvalidRequest."""
    return path("processes", process_id, "terminal", "ws")


def terminal_query(*, offset: int | None, scrollback: bool) -> dict[str, str | int]:
    return query(offset=offset, scrollback=None if scrollback else False)


def terminal_env(env: Mapping[str, str] | None) -> dict[str, str]:
    """With what programs ask for before they draw anything."""
    return {**_TERM, **(env or {})}


def input_frame(data: bytes) -> str:
    return json.dumps(
        {"type": "input", "data": base64.b64encode(data).decode("ascii"), "encoding": "base64"}
    )


def resize_frame(*, cols: int, rows: int) -> str:
    return json.dumps({"type": "resize", "cols": cols, "rows": rows})


def read_frame(text: str) -> TerminalReady | TerminalExit | TerminalError | None:
    """None for one of a kind that this version does not know."""
    document = read_json(text, "A frame of the terminal")
    kind = document.get("type") if isinstance(document, dict) else None
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    frame: TerminalReady | TerminalExit | TerminalError | None = reader and reader(document)
    return frame
