"""From a command that is a coroutine to the exit status of the program."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any

import typer

from sandbox_agent_client.cli.exit_codes import ExitCode, of_error
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.errors import SandboxAgentError

__all__ = ["finish"]


def finish(command: Coroutine[Any, Any, ExitCode | None]) -> None:
    """Raises: typer.Exit with the status that the outcome stands for."""
    try:
        code = asyncio.run(command) or ExitCode.OK
    except SandboxAgentError as exc:
        print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
        code = of_error(exc)
    except (KeyboardInterrupt, asyncio.CancelledError):
        code = ExitCode.CANCELLED
    except BrokenPipeError:
        # The reader has left (`| head`). Python would complain again when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.FAILED
    raise typer.Exit(int(code))
