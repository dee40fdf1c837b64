"""What an agent's refusal, or its end, means: as an error of ours."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.errors import (
    AgentAuthRequired,
    AgentError,
    AgentProcessExited,
    AgentRateLimited,
)
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.projection.faults import fault_of
from sandbox_agent_core.spi.agent import AgentExit

__all__ = ["error_of_frame", "exit_error", "result_of_frame", "with_last_words"]

_KINDS: Final[dict[str, type[AgentError | AgentAuthRequired]]] = {
    AgentAuthRequired.code: AgentAuthRequired,
    AgentRateLimited.code: AgentRateLimited,
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
    if ended.signal is not None:
        how = f"was ended by signal {ended.signal}"
    elif ended.exit_code is not None:
        how = f"exited with code {ended.exit_code}"
    else:
        how = "is gone"
    last = ended.stderr_tail.strip().splitlines()[-1:]
    return AgentProcessExited(
        f"the agent's process {how}" + (f": {last[0]}" if last else ""),
        exitCode=ended.exit_code,
        signal=ended.signal,
        stderrTail=ended.stderr_tail or None,
    )
