"""The option `confine`: read, tried on this machine, and said to the server."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from sandbox_agent_core.spi.confinement import PROGRAM, TRIAL, Confinement, unavailable

__all__ = ["as_confinement", "check", "server_flags"]

TRIAL_TIMEOUT_S = 20.0
_HOMES = ("hidden", "read-only")


def as_confinement(given: bool | Confinement | Mapping[str, Any]) -> Confinement | None:
    """Raises: TypeError, ValueError."""
    if isinstance(given, Mapping):
        unknown = given.keys() - {one.name for one in fields(Confinement)}
        if unknown:
            raise ValueError(f"`confine` has no {', '.join(map(repr, sorted(unknown)))}")
        given = Confinement(**given)
    if isinstance(given, bool):
        return Confinement() if given else None
    if not isinstance(given, Confinement):
        raise TypeError("`confine` is True, False or a Confinement")
    if given.home not in _HOMES:
        raise ValueError(f"`home` of `confine` is one of {_HOMES}, not {given.home!r}")
    if not isinstance(given.network, bool):
        raise TypeError("`network` of `confine` is True or False")
    for paths in (given.writable, given.readable):
        if isinstance(paths, str) or not all(isinstance(path, str | os.PathLike) for path in paths):
            raise TypeError("`writable` and `readable` of `confine` are lists of paths")
    return given


def check(env: Mapping[str, str]) -> str:
    """Where the program is. Blocks. Raises: ConfinementUnavailable."""
    program = shutil.which(PROGRAM, path=env.get("PATH"))
    if program is None:
        raise unavailable(None)
    try:
        tried = subprocess.run(  # noqa: S603 - a fixed command
            [program, *TRIAL], capture_output=True, timeout=TRIAL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise unavailable(str(exc)) from exc
    if tried.returncode != 0:
        raise unavailable(tried.stderr.decode("utf-8", "replace"))
    return program


def server_flags(confinement: Confinement, *, hidden: list[Path]) -> list[str]:
    """`hidden`: what is this client's own, with the tokens of its sandboxes."""
    flags = ["--confine", f"--confine-home={confinement.home}"]
    if not confinement.network:
        flags.append("--no-confine-network")
    for name, paths in (
        ("writable", confinement.writable),
        ("readable", confinement.readable),
        ("hidden", hidden),
    ):
        flags += [f"--confine-{name}={Path(path).expanduser().absolute()}" for path in paths]
    return flags
