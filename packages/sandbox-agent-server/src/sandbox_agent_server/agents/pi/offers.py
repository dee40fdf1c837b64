"""What a running Pi lets one switch: models and how hard they think; and its commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, dicts_in

from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Offers"]

_LEVELS: Final = ("off", "minimal", "low", "medium", "high", "xhigh", "max")
# Only of models that say so; the others are of every model that reasons.
_SPECIAL_LEVELS: Final = frozenset({"xhigh", "max"})


class Offers:
    """Read from `get_state`, `get_available_models` and `get_commands`."""

    def __init__(self, *, state: Native, models: Native, commands: Native) -> None:
        self._models = [
            model
            for model in dicts_in(models.get("models"))
            if isinstance(model.get("id"), str) and isinstance(model.get("provider"), str)
        ]
        self._commands = [_command(item) for item in dicts_in(commands.get("commands"))]
        self._model: Native = {}
        self._level: str | None = None
        self.read_state(state)

    @property
    def has_models(self) -> bool:
        """Pi offers the models that it has credentials for."""
        return bool(self._models)

    @property
    def model(self) -> str | None:
        """`provider/id`."""
        return _name(self._model) if self._model else None

    def read_state(self, state: Mapping[str, Any]) -> bool:
        """True when something is different now."""
        before = (self.model, self._level)
        model, level = state.get("model"), state.get("thinkingLevel")
        if isinstance(model, dict) and "provider" in model and "id" in model:
            self._model = model
        if isinstance(level, str):
            self._level = level
        return before != (self.model, self._level)

    def config_options(self) -> list[dict[str, Any]]:
        choices = [
            {"value": _name(model), "name": str(model.get("name") or model["id"])}
            for model in self._models
        ]
        current = self.model
        if current is not None and current not in {choice["value"] for choice in choices}:
            choices.append({"value": current, "name": current})
        options = [_select("model", "model", "Model", "Model to use", current, choices)]
        if levels := self._levels():
            thinking = [{"value": level, "name": level.capitalize()} for level in levels]
            options.append(
                _select(
                    "thinking",
                    "thought_level",
                    "Thinking",
                    "How hard to think",
                    self._level,
                    thinking,
                )
            )
        return options

    def commands(self) -> list[dict[str, Any]]:
        return self._commands

    def change(self, config_id: Any, value: Any) -> tuple[str, Native]:
        """The command that sets an option, and its fields. Raises: InvalidParams."""
        if config_id == "model":
            return self._change_model(value)
        if config_id == "thinking":
            return self._change_level(value)
        offered = ", ".join(option["id"] for option in self.config_options())
        raise InvalidParams(f"no option {config_id!r}; there are: {offered}")

    def _change_model(self, value: Any) -> tuple[str, Native]:
        for model in self._models:
            if _name(model) == value:
                return "set_model", {"provider": model["provider"], "modelId": model["id"]}
        raise InvalidParams(
            f"no model {value!r}; there are: {', '.join(_name(model) for model in self._models)}"
        )

    def _change_level(self, value: Any) -> tuple[str, Native]:
        # Checked here: Pi takes any level, and then another that the model has.
        levels = self._levels()
        if value not in levels:
            offered = ", ".join(levels) or "none for this model"
            raise InvalidParams(f"no thinking level {value!r}; there are: {offered}")
        return "set_thinking_level", {"level": value}

    def _levels(self) -> list[str]:
        """Of the current model; none when it does not reason."""
        if self._model.get("reasoning") is not True:
            return []
        mapped = as_dict(self._model.get("thinkingLevelMap"))
        levels = [
            level
            for level in _LEVELS
            if (level not in _SPECIAL_LEVELS if level not in mapped else mapped[level] is not None)
        ]
        return levels if self._level in levels or self._level is None else [*levels, self._level]


def _name(model: Mapping[str, Any]) -> str:
    return f"{model['provider']}/{model['id']}"


def _select(
    id: str,
    category: str,
    name: str,
    description: str,
    current: str | None,
    choices: list[dict[str, Any]],
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
    return {
        "name": str(item.get("name") or ""),
        "description": str(item.get("description") or ""),
        "input": None,
    }
