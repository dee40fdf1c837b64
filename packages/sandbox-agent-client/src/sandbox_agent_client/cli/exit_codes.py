"""What the exit status means, and how a command comes to one. Part of the interface: scripts depend on it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from enum import IntEnum
from typing import Any

import typer

from sandbox_agent_client import errors
from sandbox_agent_client.cli.plain import plain

__all__ = ["EXIT_HELP", "ExitCode", "finish", "of_error", "of_stop_reason"]


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1
    """Anything that has no code of its own."""
    USAGE = 2
    STOPPED = 3
    """The agent refused, or came to the end of its tokens or steps."""
    AGENT = 4
    """The agent failed, ended, is not installed, could not be installed, or has no credentials."""
    SANDBOX = 5
    """The sandbox or the server could not be started or reached."""
    DENIED = 6
    """The turn ended, but something that the agent asked was not answered: nobody could be asked, or nothing that
    it offered was a yes."""
    TOKEN = 7
    """The server takes another token, or one that may do more."""
    TIMEOUT = 124
    CANCELLED = 130


EXIT_HELP = """\
\b
Exit status:
  0    the agent ended its turn
  1    anything that is not below
  2    usage: an option, an agent, a mode or a session that does not exist
  3    the agent refused, or came to the end of its tokens, steps or budget
  4    the agent failed, is not installed or has no credentials
  5    the sandbox or the server could not be started or reached
  6    a permission or question was not answered, because nobody could be asked
  7    the server refused the token
  124  --timeout
  130  cancelled
"""

# In this order: the first that fits decides.
_BY_ERROR = (
    (errors.AgentError, ExitCode.AGENT),
    (errors.AgentNotInstalled, ExitCode.AGENT),
    (errors.AgentAuthRequired, ExitCode.AGENT),
    (errors.InstallFailed, ExitCode.AGENT),
    (errors.InstallForbidden, ExitCode.AGENT),
    (errors.ProviderError, ExitCode.SANDBOX),
    (errors.ServerStartFailed, ExitCode.SANDBOX),
    (errors.ServerUnreachable, ExitCode.SANDBOX),
    (errors.StreamGap, ExitCode.SANDBOX),
    (errors.Timeout, ExitCode.SANDBOX),
    (errors.TokenInvalid, ExitCode.TOKEN),
    (errors.PermissionDenied, ExitCode.TOKEN),
    (errors.Unavailable, ExitCode.SANDBOX),
    (errors.InvalidRequest, ExitCode.USAGE),
    (errors.NotFound, ExitCode.USAGE),
)
_BY_STOP_REASON = {
    "end_turn": ExitCode.OK,
    "max_tokens": ExitCode.STOPPED,
    "max_turn_requests": ExitCode.STOPPED,
    "refusal": ExitCode.STOPPED,
    "cancelled": ExitCode.CANCELLED,
    "interrupted": ExitCode.AGENT,
    "error": ExitCode.AGENT,
}


def of_error(error: errors.SandboxAgentError) -> ExitCode:
    return next((code for cls, code in _BY_ERROR if isinstance(error, cls)), ExitCode.FAILED)


def of_stop_reason(reason: str) -> ExitCode:
    return _BY_STOP_REASON.get(reason, ExitCode.FAILED)


def finish(command: Coroutine[Any, Any, int | None]) -> None:
    """Raises: typer.Exit with the status that the outcome stands for."""
    try:
        code = asyncio.run(command) or ExitCode.OK
    except errors.SandboxAgentError as exc:
        print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
        code = of_error(exc)
    except (KeyboardInterrupt, asyncio.CancelledError):
        code = ExitCode.CANCELLED
    except BrokenPipeError:
        # The reader has left (`| head`). Python would complain again when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.FAILED
    except OSError as exc:
        # A disk that is full, a HOME that is a file: it happens in many places, and is never a bug.
        print(f"sandbox-agent: {plain(str(exc))}", file=sys.stderr)
        code = ExitCode.FAILED
    raise typer.Exit(int(code))
