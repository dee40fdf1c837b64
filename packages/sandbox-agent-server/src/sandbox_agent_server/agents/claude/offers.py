"""What a running Claude Code lets one switch: permission modes, models, effort; and its commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["BYPASS", "DEFAULT_EFFORT", "Offers"]

BYPASS: Final = "bypassPermissions"
DEFAULT_EFFORT: Final = "default"

_MODES: Final = {
    "default": ("Ask", "Ask before edits and commands"),
    "acceptEdits": ("Accept edits", "Accept file edits, ask before other commands"),
    "plan": ("Plan", "Read and plan, change nothing"),
    "auto": ("Auto", "A model decides what needs to be asked"),
    BYPASS: ("Bypass permissions", "Ask nothing"),
}


class Offers:
    """Read from the answer to the `initialize` handshake, kept up to date from what follows."""

    def __init__(
        self, handshake: Mapping[str, Any], *, model: str | None, can_bypass: bool
    ) -> None:
        self._models = [item for item in _dicts(handshake.get("models")) if item.get("value")]
        self._can_bypass = can_bypass
        self.mode = _text(handshake.get("current_permission_mode")) or "default"
        self.model = model or self._first_model()
        self.effort = DEFAULT_EFFORT
        self._commands = [_command(item) for item in _dicts(handshake.get("commands"))]
        self._command_names = {command["name"] for command in self._commands}

    def modes(self) -> dict[str, Any]:
        offered = [
            {"id": mode, "name": name, "description": description}
            for mode, (name, description) in _MODES.items()
            if self._has_mode(mode)
        ]
        if self.mode not in {mode["id"] for mode in offered}:
            offered.append({"id": self.mode, "name": self.mode})
        return {"currentModeId": self.mode, "availableModes": offered}

    def config_options(self) -> list[dict[str, Any]]:
        modes = [
            {**{key: mode[key] for key in mode if key != "id"}, "value": mode["id"]}
            for mode in self.modes()["availableModes"]
        ]
        options = [
            _select("mode", "mode", "Mode", "Permission mode", self.mode, modes),
            _select("model", "model", "Model", "Model to use", self.model, self._model_choices()),
        ]
        if efforts := self.efforts():
            choices = [{"value": level, "name": level.capitalize()} for level in efforts]
            options.append(
                _select(
                    "effort", "thought_level", "Effort", "How hard to think", self.effort, choices
                )
            )
        return options

    def efforts(self) -> list[str]:
        """Levels of the current model, its default first; none when it has no levels."""
        entry = self._entry(self.model)
        levels = entry.get("supportedEffortLevels") if entry else None
        names = [level for level in levels if isinstance(level, str)] if levels else []
        return [DEFAULT_EFFORT, *names] if names else []

    def commands(self) -> list[dict[str, Any]]:
        return self._commands

    def set_model(self, model: str) -> None:
        self.model = model
        if self.effort not in (self.efforts() or [DEFAULT_EFFORT]):
            self.effort = DEFAULT_EFFORT

    def read_model(self, resolved: Any) -> bool:
        """The model that a turn runs on, by its full name; True when that was not known."""
        entry = self._entry(self.model) or {}
        known = (self.model, entry.get("resolvedModel"))
        if not isinstance(resolved, str) or not resolved or resolved in known:
            return False
        named = [item["value"] for item in self._models if item.get("resolvedModel") == resolved]
        # "default" means what the account is given: only right when nothing else fits.
        self.set_model(max(named, key=lambda value: value != "default", default=resolved))
        return True

    def read_mode(self, mode: Any) -> bool:
        """True when it is another one than before."""
        if not isinstance(mode, str) or not mode or mode == self.mode:
            return False
        self.mode = mode
        return True

    def read_commands(self, names: Any) -> bool:
        """The names that `system/init` repeats on every turn; True when they changed."""
        if not isinstance(names, list):
            return False
        listed = [name for name in names if isinstance(name, str)]
        if set(listed) == self._command_names:
            return False
        described = {command["name"]: command for command in self._commands}
        self._commands = [described.get(name) or _command({"name": name}) for name in listed]
        self._command_names = set(listed)
        return True

    def _has_mode(self, mode: str) -> bool:
        if mode == BYPASS:
            return self._can_bypass
        if mode == "auto":
            return bool((self._entry(self.model) or {}).get("supportsAutoMode"))
        return True

    def _entry(self, model: str) -> dict[str, Any] | None:
        for key in ("value", "resolvedModel"):
            for item in self._models:
                if item.get(key) == model:
                    return item
        return None

    def _first_model(self) -> str:
        values = [item["value"] for item in self._models]
        return "default" if "default" in values or not values else str(values[0])

    def _model_choices(self) -> list[dict[str, Any]]:
        choices = [
            {"value": item["value"], "name": item.get("displayName") or item["value"]}
            | ({"description": item["description"]} if item.get("description") else {})
            for item in self._models
        ]
        listed = {choice["value"] for choice in choices}
        # Full names are what people put into scripts; Claude takes them as well as its short ones.
        for name in [*(item.get("resolvedModel") for item in self._models), self.model]:
            if isinstance(name, str) and name and name not in listed:
                listed.add(name)
                choices.append({"value": name, "name": name})
        return choices


def _select(
    id: str, category: str, name: str, description: str, current: str, choices: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "id": id,
        "name": name,
        "description": description,
        "category": category,
        "type": "select",
        "currentValue": current,
        "options": choices,
    }


def _command(item: Mapping[str, Any]) -> dict[str, Any]:
    hint = item.get("argumentHint")
    return {
        "name": str(item.get("name") or ""),
        "description": str(item.get("description") or ""),
        "input": {"hint": hint} if isinstance(hint, str) and hint else None,
    }


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
