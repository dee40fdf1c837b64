"""Codex's skills, which are what it has of commands: offered by name, and called in a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox_agent_core.lenient import as_dict, as_text, dicts_in

from sandbox_agent_server.agents.native.offers import command
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Skills"]


class Skills:
    def __init__(self) -> None:
        self._known: Mapping[str, Native] = {}

    def read(self, listed: Native) -> bool:
        """The answer to `skills/list`; True when there are others than before."""
        before = self._known
        self._known = {
            name: skill
            for folder in dicts_in(listed.get("data"))
            for skill in dicts_in(folder.get("skills"))
            if skill.get("enabled") is not False
            and (name := as_text(skill.get("name"))) is not None
            and as_text(skill.get("path")) is not None
        }
        return self._known != before

    def commands(self) -> list[dict[str, Any]]:
        return [
            command(name, _about(skill), hint="what for") for name, skill in self._known.items()
        ]

    def called(self, content: Sequence[Native]) -> list[Native]:
        """The `input` of a turn, with the skill that a prompt calls as `/NAME`."""
        first = as_text(content[0].get("text")) if content else None
        if first is None or not first.startswith("/"):
            return list(content)
        name = first[1:].split(maxsplit=1)[0] if first[1:].strip() else ""
        skill = self._known.get(name)
        if skill is None:
            return list(content)
        # A text calls it by a dollar sign; the item says which one is meant.
        text = content[0] | {"text": f"${first[1:]}"}
        return [{"type": "skill", "name": name, "path": skill["path"]}, text, *content[1:]]


def _about(skill: Native) -> str:
    short = as_text(as_dict(skill.get("interface")).get("shortDescription"))
    return short or as_text(skill.get("description")) or ""
