"""Why a program could not be started, in words for the person who named it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox_agent_server.runtime.platforms import (
    describe_foreign_program,
    is_elf,
    this_platform,
)

__all__ = ["ProcessNotFound", "ProcessStartFailed", "located", "why_not_started"]


_NO_ROOM = {
    errno.EMFILE: "The server may open no more files: end some sessions, or raise its limit "
    "(RLIMIT_NOFILE, `ulimit -n`).",
    errno.ENFILE: "The machine has no file descriptors left: end something on it.",
    errno.EAGAIN: "There may be no more processes: end some sessions, or raise the limit (RLIMIT_NPROC, the "
    "container's `pids` limit).",
    errno.ENOMEM: "The machine has no memory left: end something on it.",
}


class ProcessStartFailed(Exception):
    """The program is there and cannot be run."""

    def __init__(self, message: str, **details: str) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class ProcessNotFound(ProcessStartFailed):
    """There is no such program; `details` carry `program`."""


def why_not_started(
    exc: OSError | ValueError, argv: Sequence[str], cwd: str | Path, env: Mapping[str, str]
) -> ProcessStartFailed:
    program = argv[0] if argv else ""
    if not Path(cwd).is_dir():
        return ProcessStartFailed(f"The working directory {str(cwd)!r} is not a directory.")
    if isinstance(exc, FileNotFoundError | NotADirectoryError):
        if (there := located(program, cwd, env)) is not None:
            return ProcessStartFailed(_what_is_missing(there))
        return ProcessNotFound(
            f"There is no program {program!r}. Install it, or give its full path in the configuration.",
            program=program,
        )
    if isinstance(exc, PermissionError):
        return ProcessStartFailed(f"{program!r} may not be executed. Try `chmod +x` on it.")
    if isinstance(exc, OSError) and exc.errno == errno.ENOEXEC:
        return ProcessStartFailed(_why_no_program(located(program, cwd, env) or Path(program)))
    if isinstance(exc, OSError) and exc.errno in _NO_ROOM:
        return ProcessStartFailed(
            f"{program!r} could not be started: {exc.strerror}. {_NO_ROOM[exc.errno]}"
        )
    reason = exc.strerror if isinstance(exc, OSError) else str(exc)
    return ProcessStartFailed(
        f"{program!r} could not be started: {reason}. Is it a program for this machine?"
    )


def located(program: str, cwd: str | Path, env: Mapping[str, str]) -> Path | None:
    """Where the program is, on the PATH of `env` or below `cwd`."""
    if os.sep in program:
        path = Path(cwd, program)
        return path if path.exists() else None
    found = shutil.which(program, path=env.get("PATH") or "")
    return Path(found) if found else None


def _what_is_missing(path: Path) -> str:
    if is_elf(path):
        return (
            f"{str(path)!r} is there, but the loader that it is linked for is not: it was made for another "
            f"C library (glibc or musl) than this machine ({this_platform()}) has. Install the one for it."
        )
    return f"{str(path)!r} is there, but the interpreter that its first line names is not. Install that."


def _why_no_program(path: Path) -> str:
    made_for = describe_foreign_program(path)
    if made_for is not None:
        return (
            f"{str(path)!r} is a program for {made_for}, and this machine is {this_platform()}. "
            "Install the one for it."
        )
    return (
        f"{str(path)!r} is no program: it has neither a format that this machine ({this_platform()}) "
        "knows, nor a first line that names an interpreter."
    )
