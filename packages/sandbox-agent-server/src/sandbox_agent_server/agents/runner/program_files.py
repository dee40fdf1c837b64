"""The files of a program: itself, what it is a link to, the interpreter of its first line, what it is installed in."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

__all__ = ["program_files"]

_SHEBANG_BYTES: Final = 256
_PACKAGES: Final = "node_modules"


def program_files(program: Path, env: Mapping[str, str]) -> Iterator[Path]:
    """Files, links and directories. What is in the user's home is not taken for an installation as a whole."""
    seen: set[Path] = set()
    waiting = [program]
    while waiting:
        path = waiting.pop()
        if path in seen or not os.path.lexists(path):
            continue
        seen.add(path)
        yield _installation(path, env) or path
        if path.is_symlink():
            waiting.append(Path(os.path.normpath(path.parent / path.readlink())))
            # A directory on the way may be a link, too.
            waiting.append(path.resolve())
        elif (interpreter := _interpreter(path, env)) is not None:
            waiting.append(interpreter)


def _installation(path: Path, env: Mapping[str, str]) -> Path | None:
    """The directory that a program needs as a whole: its packages, or the prefix of its `bin`."""
    if _PACKAGES in path.parts:
        return Path(*path.parts[: path.parts.index(_PACKAGES) + 1])
    prefix = path.parent.parent
    home = Path(env.get("HOME") or "/")
    if path.parent.name != "bin" or prefix in {Path("/"), home, home / ".local"}:
        return None
    # Others than those of Python and Node.js, as `~/.cargo`, hold more than programs.
    return prefix if (prefix / "lib").is_dir() else None


def _interpreter(path: Path, env: Mapping[str, str]) -> Path | None:
    try:
        with path.open("rb") as file:
            start = file.read(_SHEBANG_BYTES)
    except OSError:
        return None
    if not start.startswith(b"#!"):
        return None
    try:
        words = shlex.split(start[2:].split(b"\n")[0].decode("utf-8", "surrogateescape"))
    except ValueError:
        return None
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    found = shutil.which(words[0], path=env.get("PATH") or "") if words else None
    return Path(found) if found else None
