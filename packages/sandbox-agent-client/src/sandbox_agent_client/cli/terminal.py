"""Asking the person at the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import typer

from sandbox_agent_client.cli.exit_codes import ExitCode

__all__ = ["choose", "confirmed", "is_terminal", "read_line"]

CHUNK_BYTES = 4096


async def read_line(fd: int) -> str | None:
    """The next line; None at the end of input. Does not block: Ctrl-C and events get through."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    line = b""
    loop.add_reader(fd, readable.set)
    try:
        while not line.endswith(b"\n"):
            await readable.wait()
            readable.clear()
            # The terminal hands over one line at a time.
            chunk = os.read(fd, CHUNK_BYTES)
            if not chunk:
                break
            line += chunk
    finally:
        loop.remove_reader(fd)
    return line.decode("utf-8", "replace").strip() if line else None


def choose(answer: str, offered: Sequence[str]) -> str | None:
    """The offered word that an answer stands for, by its beginning."""
    found = [word for word in offered if answer and word.startswith(answer.lower())]
    return found[0] if len(found) == 1 else None


def confirmed(question: str, *, otherwise: str) -> bool:
    """For what cannot be undone. `otherwise` says what to do where nobody can be asked."""
    if not is_terminal():
        print(f"sandbox-agent: nobody can be asked here; {otherwise}", file=sys.stderr)
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline().strip().lower() in {"y", "yes"}
    except KeyboardInterrupt:
        print(file=sys.stderr)
        raise typer.Exit(int(ExitCode.CANCELLED)) from None


def is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
