"""Programs on this machine: where they are, and which version, without asking them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from sandbox_agent_core.spi.agent import AgentInstallation

__all__ = ["find_program", "installed_version"]

_PARENTS_SEARCHED = 4
"""From the program up to the `package.json` of its package: `bin/` and `dist/` lie between."""


def find_program(
    program: str, env: Mapping[str, str], *, at_home: Sequence[str] = ()
) -> AgentInstallation | None:
    """Where `program`, a name or a path, is on the PATH of `env`. None when it is not, or not executable.

    `at_home`: where its own installer puts it, which a login shell has on its PATH and a server may not.
    """
    home = env.get("HOME")
    for candidate in (program, *(str(Path(home, path)) for path in at_home if home)):
        # An empty PATH must not become the server's own, as None would.
        if found := shutil.which(candidate, path=env.get("PATH") or ""):
            return AgentInstallation(path=str(Path(found).absolute()))
    return None


def installed_version(program: str, *packages: str) -> str | None:
    """Of the npm package that the program is part of; when `packages` are given, of one of those (patterns).

    Read from where it is installed: asking the program itself can take seconds.
    """
    for directory in list(Path(program).resolve().parents)[:_PARENTS_SEARCHED]:
        try:
            package = json.loads((directory / "package.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        package = package if isinstance(package, dict) else {}
        version, name = package.get("version"), str(package.get("name"))
        is_meant = not packages or any(fnmatch(name, pattern) for pattern in packages)
        if is_meant and isinstance(version, str):
            return version
    return None
