"""What a workspace brings along for Codex, and whether Codex is told to trust it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from sandbox_agent_server.agents.repository import (
    around,
    files_in,
    memory_of,
    refuse_answering,
    repository_of,
)

__all__ = ["check_workspace", "has_settings", "memory", "trust_setting"]

_FOLDER: Final = ".codex"
_MEMORIES: Final = ("AGENTS.md",)


def has_settings(workspace: Path, *, home: str | None) -> bool:
    """An empty folder is none: Codex makes such itself, where its sandbox may write."""
    return bool(files_in(around(workspace, home=home), [_FOLDER]))


def check_workspace(workspace: Path, *, home: str | None) -> None:
    """For one that is trusted. Raises: WorkspaceNotTrusted."""
    directories = around(workspace, home=home)
    hooks = files_in(directories, [f"{_FOLDER}/hooks.json", f"{_FOLDER}/config.toml"])
    refuse_answering(hooks, ["PermissionRequest"])
    refuse_answering(files_in(directories, [f"{_FOLDER}/rules"]), ["allow"])


def memory(workspace: Path) -> str | None:
    """Codex reads none in a workspace that it does not trust."""
    return memory_of(repository_of(workspace), _MEMORIES)


def trust_setting(workspace: Path, *, is_trusted: bool) -> str:
    """For `-c`. Said in any case: Codex would otherwise trust a workspace that it may write in, and
    note that in the user's own configuration."""
    level = "trusted" if is_trusted else "untrusted"
    names = {str(path) for at in repository_of(workspace) for path in (at, at.resolve())}
    tables: list[Any] = [
        # Strings of JSON are strings of TOML.
        f"{json.dumps(name)}={{trust_level={json.dumps(level)}}}"
        for name in sorted(names)
    ]
    return f"projects={{{','.join(tables)}}}"
