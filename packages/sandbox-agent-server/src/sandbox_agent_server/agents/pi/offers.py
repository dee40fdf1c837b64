"""What a running Pi lets one switch: models and how hard they think; and its commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, dicts_in

from sandbox_agent_server.agents.native import offers
from sandbox_agent_server.agents.native.offers import Choice, Option, command, with_names
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["OWN_COMMANDS", "Offers"]

OWN_COMMANDS: Final = "sandbox-agent-"
"""Begins the names of commands that our extensions have for us."""
_LEVELS: Final = ("off", "minimal", "low", "medium", "high", "xhigh", "max")
# Only of models that say so; the others are of every model that reasons.
_SPECIAL_LEVELS: Final = frozenset({"xhigh", "max"})


class Offers(offers.Offers):
    """Read from `get_state`, `get_available_models` and `get_commands`."""

    def __init__(self, *, state: Native, models: Native, commands: Native) -> None:
        self._models = [
            model
            for model in dicts_in(models.get("models"))
            if isinstance(model.get("id"), str) and isinstance(model.get("provider"), str)
        ]
        self._commands = [
            command(item.get("name"), item.get("description"))
            for item in dicts_in(commands.get("commands"))
            if not str(item.get("name")).startswith(OWN_COMMANDS)
        ]
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

    def options(self) -> list[Option]:
        models = [
            Choice(_name(model), str(model.get("name") or model["id"])) for model in self._models
        ]
        current = self.model
        options = [
            Option(
                "model",
                "Model",
                current,
                with_names(models, [current]),
                description="Model to use",
            )
        ]
        if levels := self._levels():
            choices = [Choice(level, level.capitalize()) for level in levels]
            options.append(
                Option(
                    "thinking",
                    "Thinking",
                    self._level,
                    choices,
                    "thought_level",
                    "How hard to think",
                )
            )
        return options

    def commands(self) -> list[dict[str, Any]]:
        return self._commands

    def change(self, option: str, value: str) -> tuple[str, Native]:
        """The command that sets an option, and its fields. Raises: InvalidParams."""
        # Checked here: Pi takes any level, and then another that the model has.
        self.option(option).check(value)
        if option == "thinking":
            return "set_thinking_level", {"level": value}
        provider, _, model = value.partition("/")
        return "set_model", {"provider": provider, "modelId": model}

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
