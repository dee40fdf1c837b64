"""Where `delegate.py` asks: a Unix socket in a private directory, with the program that Amp runs."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.amp import delegate

__all__ = ["Ask", "AskSocket"]

Ask = Callable[[str, Any], Awaitable[str | None]]
"""`(tool name, its input)` -> None to allow it, or the reason why not."""

_PREFIX: Final = "sandbox-agent-amp-"
_SOCKET: Final = "socket"
# The kernel's limit is 108, on macOS 104.
_MAX_SOCKET_PATH: Final = 100
_MAX_QUESTION_BYTES: Final = 32 * 1024 * 1024


class AskSocket:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.directory = _private_directory()
        self._server: asyncio.Server | None = None

    @property
    def program(self) -> Path:
        """What Amp is told to run."""
        return self.directory / "ask"

    async def start(self) -> None:
        """Raises: OSError."""
        path = self.directory / _SOCKET
        self._server = await asyncio.start_unix_server(
            self._serve, str(path), limit=_MAX_QUESTION_BYTES
        )
        # -I: nothing of the project that Amp works in is imported.
        command = [sys.executable, "-I", str(Path(delegate.__file__)), str(path)]
        self.program.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n", encoding="utf-8")
        self.program.chmod(0o700)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question = jsonio.loads(await reader.readline())
            given = question["input"]
            with suppress(ValueError):
                given = jsonio.loads(given)
            reason = await self._ask(str(question["tool"]), given)
            answer = {"allow": True} if reason is None else {"allow": False, "reason": reason}
            writer.write(jsonio.dumps(answer) + b"\n")
            await writer.drain()
        except (OSError, ValueError, KeyError, TypeError):
            pass  # Killed while it asked, or not our program: what is not answered is a no.
        finally:
            writer.close()


def _private_directory() -> Path:
    """Mode 0700, by mkdtemp: who can connect can ask, and who can write could answer."""
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    if len(str(directory / _SOCKET)) > _MAX_SOCKET_PATH:
        directory.rmdir()
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
    return directory
