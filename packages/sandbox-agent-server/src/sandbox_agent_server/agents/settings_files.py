"""Settings files of agents: those of the user read, and one of the highest rank made for a session.

Most agents lay what the workspace says over what the user says. Above both is a file of the machine's
administrator: given the user's words there, the workspace cannot change them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict

__all__ = ["highest_settings", "laid_over", "parse_settings", "read_settings", "server_names"]

# A string, or a comment, or a comma before a closing bracket.
_JSONC: Final = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])', re.S)


def highest_settings(
    files: Iterable[Path], *, default: Mapping[str, Any], fixed: Mapping[str, Any]
) -> str:
    """JSON. `files` are the user's and the administrator's own; `default` is what the workspace shall not
    say where they do not, and `fixed` what holds whoever says otherwise."""
    settings = dict(default)
    for layer in (*map(read_settings, files), fixed):
        settings = laid_over(settings, layer)
    return json.dumps(settings)


def read_settings(path: Path) -> dict[str, Any]:
    """Nothing when there is none to be read, which the agent itself will say."""
    try:
        return parse_settings(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def server_names(files: Iterable[Path]) -> list[str]:
    """Of the MCP servers in them."""
    return [name for path in files for name in as_dict(read_settings(path).get("mcpServers"))]


def parse_settings(text: str) -> dict[str, Any]:
    """JSON with comments; nothing when it is none."""
    try:
        value = json.loads(_JSONC.sub(lambda found: found.group(1) or "", text))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = laid_over(merged[key], value) if both else value
    return merged
