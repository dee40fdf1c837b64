"""What an agent's refusal, or its end, means: as an error of ours."""

from __future__ import annotations

import re
from typing import Any, Final

from sandbox_agent_core.errors import (
    AgentAuthRequired,
    AgentError,
    AgentOverloaded,
    AgentProcessExited,
    AgentRateLimited,
    ContextOverflow,
    QuotaExceeded,
)
from sandbox_agent_core.events.agent import OUT_OF_MEMORY
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.projection.faults import fault_of
from sandbox_agent_core.spi.agent import AgentExit

__all__ = ["error_of_frame", "exit_error", "result_of_frame", "with_last_words"]

_ERROR: Final = re.compile(
    r"error|fatal|panic|exception|cannot|could not|failed|denied|not found|no such|E[A-Z]{4,}\b|refused",
    re.IGNORECASE,
)
_FRAME: Final = re.compile(r"at |\d+: |File \"|[{}^|\[\]]|code: |errno: |throw ")
"""Begins a line of a stack, or of the object behind an error."""
_KINDS: Final[dict[str, type[AgentError | AgentAuthRequired]]] = {
    kind.code: kind
    for kind in (
        AgentAuthRequired,
        AgentOverloaded,
        AgentRateLimited,
        ContextOverflow,
        QuotaExceeded,
    )
}


def result_of_frame(frame: Frame) -> Any:
    """Of a response. Raises: AgentError, AgentAuthRequired when it is an error."""
    if "error" in frame:
        raise error_of_frame(frame)
    return frame.get("result")


def error_of_frame(frame: Frame) -> AgentError | AgentAuthRequired:
    """A JSON-RPC error as ours; the agent's code and data ride in the details."""
    fault = fault_of(frame.get("error"))
    kind = _KINDS.get(fault["code"], AgentError)
    code = as_dict(frame.get("error")).get("code")
    return kind(fault["message"], agentCode=code, data=fault.get("data"))


def with_last_words(frame: Frame, last_words: str) -> Frame:
    """The response with a cause for an error that says nothing."""
    error = as_dict(frame.get("error"))
    return {**frame, "error": {**error, "data": {"stderr": last_words}}}


def exit_error(ended: AgentExit) -> AgentProcessExited:
    last = "" if ended.is_out_of_memory else _telling_line(ended.stderr_tail)
    return AgentProcessExited(
        f"the agent's process {ended.how}" + (f": {last}" if last else ""),
        exitCode=ended.exit_code,
        signal=ended.signal,
        stderrTail=ended.stderr_tail or None,
        reason=OUT_OF_MEMORY if ended.is_out_of_memory else None,
        memoryLimitBytes=ended.memory_limit_bytes,
    )


def _telling_line(stderr_tail: str) -> str:
    """The last line that speaks of an error; of a crash the very last is mostly the end of a stack."""
    lines = [line.strip() for line in stderr_tail.splitlines() if line.strip()]
    telling = [line for line in lines if _ERROR.search(line) and not _FRAME.match(line)]
    return (telling or lines or [""])[-1]
