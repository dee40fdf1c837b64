"""What an agent's refusal, or its end, means: as an error of ours."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.errors import AgentAuthRequired, AgentError, AgentProcessExited
from sandbox_agent_core.frames import Frame
from sandbox_agent_core.frames.jsonrpc import AUTH_REQUIRED
from sandbox_agent_core.spi.agent import AgentExit

__all__ = ["error_of_frame", "exit_error", "result_of_frame"]


def result_of_frame(frame: Frame) -> Any:
    """Of a response. Raises: AgentError, AgentAuthRequired when it is an error."""
    if "error" in frame:
        raise error_of_frame(frame)
    return frame.get("result")


def error_of_frame(frame: Frame) -> AgentError | AgentAuthRequired:
    """A JSON-RPC error as ours; the agent's code and data ride in the details."""
    error = frame.get("error")
    error = error if isinstance(error, dict) else {"message": repr(error)}
    kind = AgentAuthRequired if error.get("code") == AUTH_REQUIRED else AgentError
    return kind(
        str(error.get("message") or "the agent answered with an error"),
        agentCode=error.get("code"),
        data=error.get("data"),
    )


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
