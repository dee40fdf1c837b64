"""What a session of the mock agent offers and is set to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["AGENT_INFO", "CAPABILITIES", "LONG_WORK", "MORE", "MockSession"]

AGENT_INFO: Final = {"name": "mock", "title": "Mock agent", "version": "1"}
CAPABILITIES: Final = {
    "loadSession": True,
    "promptCapabilities": {"image": True, "audio": False, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": True},
}
MORE: Final[dict[str, Any]] = {"sessionCapabilities": {"additionalDirectories": {}}}
LONG_WORK: Final = {
    "steer": True,
    "compact": True,
    "review": True,
    "fork": {"at": True},
    "rewind": {"files": True, "conversation": True},
    "rename": True,
    "native": True,
    "permissionAnswers": ["message", "updatedInput"],
    "hooks": ["before_tool", "after_tool"],
    "usage": "cost",
}
"""What it announces beside ACP, unless it is to be a plain ACP agent."""

_MODES: Final = (
    {"id": "default", "name": "Default", "description": "Asks before it runs a command"},
    {"id": "plan", "name": "Plan", "description": "Looks and plans"},
    {"id": "bypass", "name": "Bypass", "description": "Runs commands without asking"},
)
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "model": {
        "name": "Model",
        "category": "model",
        "options": [
            {"value": "mock-fast", "name": "Mock Fast", "description": "Quick and simple"},
            {
                "value": "mock-smart",
                "name": "Mock Smart",
                "description": "Quick and simple, but dearer",
            },
        ],
    },
    "thought_level": {
        "name": "Thought level",
        "category": "thought_level",
        "options": [
            {"value": "low", "name": "Low"},
            {"value": "medium", "name": "Medium"},
            {"value": "high", "name": "High"},
        ],
    },
}


@dataclass(slots=True)
class MockSession:
    id: str
    cwd: str
    reply: str | None = None
    """Instead of an echo."""
    mode: str = "default"
    values: dict[str, str] = field(
        default_factory=lambda: {"model": "mock-fast", "thought_level": "medium"}
    )
    hooks: frozenset[str] = frozenset()
    """Which it asks: `before_tool`, `after_tool`."""
    is_plain: bool = False
    """It says nothing that is not in ACP."""
    is_trusted: bool = False
    """The person said `always`: it asks no more."""
    turns: int = 0
    title: str | None = None
    origin: str = "begun here"
    prompts: list[str] = field(default_factory=list)
    """What it was asked, and has not been made to forget."""
    edits: list[list[str]] = field(default_factory=list)
    """Of each prompt: the files that it edited, in its imagination."""

    def describe(self) -> dict[str, Any]:
        """What `session/new` and `session/load` answer, but for the id."""
        return {
            "modes": {"currentModeId": self.mode, "availableModes": list(_MODES)},
            "configOptions": self.config_options(),
        }

    def config_options(self) -> list[dict[str, Any]]:
        """All of them: changing one may change others, so clients replace their whole list."""
        return [
            {"id": id, "type": "select", "currentValue": self.values[id], **option}
            for id, option in _OPTIONS.items()
        ]

    def set_mode(self, mode: object) -> None:
        """Raises: ValueError."""
        _check("mode", mode, [offered["id"] for offered in _MODES])
        self.mode = str(mode)

    def set_option(self, id: object, value: object) -> None:
        """Raises: ValueError."""
        _check("configId", id, list(_OPTIONS))
        _check(str(id), value, [offered["value"] for offered in _OPTIONS[str(id)]["options"]])
        self.values[str(id)] = str(value)


def _check(what: str, value: object, offered: list[str]) -> None:
    if value not in offered:
        raise ValueError(f"{what} {value!r} is not offered; offered: {', '.join(offered)}")
