"""What a workspace brings along for OpenCode and its forks: settings, programs and memory files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sandbox_agent_server.agents.opencode.variant import Variant
from sandbox_agent_server.agents.repository import around, files_in, repository_of

__all__ = ["has_settings", "memory_files", "programs", "rules"]

_ASKING: Final[Sequence[dict[str, Any]]] = [
    {"permission": permission, "pattern": "*", "action": "ask"}
    for permission in ("bash", "edit", "webfetch", "external_directory")
]
"""Rules of a session come last, and so are above those of any agent or file."""
# Of every project that it looks through, the files of the first name there are.
_MEMORIES: Final = ("AGENTS.md", "CLAUDE.md", "CONTEXT.md")
_PROGRAMS: Final = ("plugin", "plugins", "tool", "tools")


def rules(
    *, has_settings: bool, directories: Sequence[str] = (), disabled_tools: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """For the session. `directories`: others than the workspace, which it may look into unasked."""
    places = [
        _rule("external_directory", f"{directory.rstrip('/')}/*", "allow")
        for directory in directories
    ]
    return [
        *(_ASKING if has_settings else ()),
        *places,
        *(_rule(tool, "*", "deny") for tool in disabled_tools),
    ]


def _rule(permission: str, pattern: str, action: str) -> dict[str, Any]:
    return {"permission": permission, "pattern": pattern, "action": action}


def has_settings(variant: Variant, workspace: Path, *, home: str | None) -> bool:
    names = [*variant.folders, *_settings_patterns(variant)]
    return any(
        (directory / name).exists() for directory in around(workspace, home=home) for name in names
    )


def programs(variant: Variant, workspace: Path, *, home: str | None) -> list[Path]:
    """JavaScript that runs in the agent itself as soon as it looks at the workspace, and settings that
    name some."""
    directories = around(workspace, home=home)
    patterns = [f"{folder}/{name}" for folder in variant.folders for name in _PROGRAMS]
    settings = files_in(directories, _settings_patterns(variant))
    return [*files_in(directories, patterns), *filter(_may_name_plugins, settings)]


def _settings_patterns(variant: Variant) -> list[str]:
    names = [f"{name}.{ending}" for name in variant.files for ending in ("json", "jsonc")]
    return [*names, *(f"{folder}/{name}" for folder in variant.folders for name in names)]


def _may_name_plugins(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace").lower()
    except OSError:
        return False
    # A letter can be written as an escape: nobody does that in good faith.
    return '"plugin' in text or "'plugin" in text or "plugin:" in text or "\\u" in text


def memory_files(workspace: Path) -> list[str]:
    """Those that it would read by itself, for when it does not look at the workspace."""
    directories = repository_of(workspace)
    for name in _MEMORIES:
        found = [directory / name for directory in directories if (directory / name).is_file()]
        if found:
            # A link could lead to what it would have to ask for.
            return [
                str(path) for path in found if path.resolve().is_relative_to(path.parent.resolve())
            ]
    return []
