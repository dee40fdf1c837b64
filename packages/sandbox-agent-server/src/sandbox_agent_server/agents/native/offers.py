"""What a running agent lets one switch, as ACP's modes and configuration options; and its commands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import compact
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META

from sandbox_agent_server.agents.native.refusals import InvalidParams

__all__ = ["Choice", "Offers", "Option", "command", "read_setting", "with_names"]


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Option:
    id: str
    name: str
    current: str | None
    choices: Sequence[Choice]
    category: str | None = None
    """When it is not `id`."""
    description: str | None = None
    is_open: bool = False
    """Any other text is taken, too: what it comes to shows when it is used."""

    def as_config_option(self) -> dict[str, Any]:
        more = {"_meta": {CAPABILITIES_META: {"takesAny": True}}} if self.is_open else {}
        return more | {
            "id": self.id,
            "name": self.name,
            **compact(description=self.description),
            "category": self.category or self.id,
            "type": "select",
            "currentValue": self.current,
            "options": [
                {
                    "value": choice.value,
                    "name": choice.name,
                    **compact(description=choice.description),
                }
                for choice in self.choices
            ],
        }

    def as_modes(self) -> dict[str, Any]:
        modes = [
            {"id": choice.value, "name": choice.name, **compact(description=choice.description)}
            for choice in self.choices
        ]
        return {"currentModeId": self.current, "availableModes": modes}

    def check(self, value: Any) -> None:
        """Raises: InvalidParams for what is not offered."""
        values = [choice.value for choice in self.choices]
        if value not in values:
            offered = ", ".join(values)
            raise InvalidParams(f"no {self.name.lower()} {value!r}; there are: {offered}")


class Offers(ABC):
    """Kept up to date from what the agent says."""

    @abstractmethod
    def options(self) -> list[Option]:
        """Those of the agent as it is now. `mode`, if there are modes, and `model` have these ids."""

    def commands(self) -> list[dict[str, Any]]:
        return []

    def config_options(self) -> list[dict[str, Any]]:
        return [option.as_config_option() for option in self.options()]

    def modes(self) -> dict[str, Any]:
        return self.option("mode").as_modes()

    def option(self, id: Any) -> Option:
        """Raises: InvalidParams."""
        options = {option.id: option for option in self.options()}
        if id not in options:
            raise InvalidParams(f"no option {id!r}; there are: {', '.join(options)}")
        return options[id]


def read_setting(method: str, params: Mapping[str, Any]) -> tuple[str, str]:
    """The option that a `session/set_*` names, and its value. Raises: InvalidParams."""
    if method == acp.SESSION_SET_MODE:
        return "mode", _text(params, "modeId")
    if method == acp.SESSION_SET_MODEL:
        return "model", _text(params, "modelId")
    return _text(params, "configId"), _text(params, "value")


def _text(params: Mapping[str, Any], key: str) -> str:
    value = params.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidParams(f"`{key}` must be a text, not {value!r}")
    return value


def with_names(choices: Iterable[Choice], names: Iterable[Any]) -> list[Choice]:
    """With those `names` that no choice has: the agent takes them, or is set to them."""
    listed = {choice.value: choice for choice in choices}
    for name in names:
        if isinstance(name, str) and name:
            listed.setdefault(name, Choice(name, name))
    return list(listed.values())


def command(name: Any, description: Any = None, *, hint: Any = None) -> dict[str, Any]:
    """As ACP's `availableCommands` have it."""
    return {
        "name": str(name or ""),
        "description": str(description or ""),
        "input": {"hint": hint} if isinstance(hint, str) and hint else None,
    }
