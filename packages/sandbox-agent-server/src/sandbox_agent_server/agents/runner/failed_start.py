"""Why an agent did not start: the error, with what the program said instead."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Final

from sandbox_agent_core.errors import (
    AgentAuthRequired,
    AgentError,
    AgentProcessExited,
    SandboxAgentError,
    Timeout,
)
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.lenient import as_dict, as_str
from sandbox_agent_core.spi.agent import WireFrame

__all__ = ["StartOutput"]

MAX_LINES: Final = 20
"""So many lines that are no messages are kept; an error quotes the last of them."""
_QUOTED_LINES: Final = 3
_MAX_LINE_CHARS: Final = 300

_ESCAPE: Final = re.compile(
    r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-~]|.)|[\x00-\x08\x0b-\x1f\x7f]"
)
_LOGIN: Final = re.compile(
    r"\b(?:log|sign)[ -]?in\b|authenticat|api[ _-]?key|oauth|(?:device|verification) code|credential|password",
    re.IGNORECASE,
)
_SCREEN: Final = re.compile(
    r"\x1b\[\?(?:1049|25|2004|1000)[hl]|\x1b\[[0-9;]*H|\x1b\[2J|[\u2500-\u257f]{3}|press (?:any key|enter|return)",
    re.IGNORECASE,
)


class StartOutput:
    """What an agent wrote that is no message, until it was ready."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_LINES)

    def see(self, batch: Iterable[WireFrame]) -> None:
        for wire in batch:
            if wire.frame.get("method") == extensions.AGENT_UNPARSED:
                text = as_str(as_dict(wire.frame.get("params")).get("text"))
                if text:
                    self._lines.append(text[: 4 * _MAX_LINE_CHARS])

    def explain(
        self, error: SandboxAgentError, *, stderr_tail: str = "", login_hint: str = ""
    ) -> SandboxAgentError:
        """The same error: its details have the output, and the message of one without a reason has its end."""
        if not isinstance(error, Timeout | AgentError | AgentAuthRequired):
            return error
        lines = [line for text in self._lines if (line := _printable(text))]
        details = {**error.details, "output": lines or None}
        details.setdefault("stderrTail", stderr_tail or None)
        parts = [error.message]
        if isinstance(error, Timeout | AgentProcessExited):
            if lines:
                parts.append(f"it wrote: {' | '.join(lines[-_QUOTED_LINES:])}")
            last = stderr_tail.strip().splitlines()[-_QUOTED_LINES:]
            if last and isinstance(error, Timeout):
                parts.append(f"on stderr: {' | '.join(_printable(line) for line in last)}")
            parts += self._hints("\n".join([*self._lines, stderr_tail]), login_hint)
        return type(error)("; ".join(parts), **details)

    def _hints(self, text: str, login_hint: str) -> Iterable[str]:
        if _LOGIN.search(text):
            yield f"it seems to ask for a login. {login_hint}".strip()
        elif _SCREEN.search(text):
            yield (
                "it seems to show a terminal interface: its command must start the mode that speaks ACP on stdio, "
                "often `--acp` or `acp`"
            )


def _printable(text: str) -> str:
    return _ESCAPE.sub("", text).strip()[:_MAX_LINE_CHARS]
