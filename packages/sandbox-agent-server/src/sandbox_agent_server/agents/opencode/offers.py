"""What a running OpenCode lets one switch: agents as modes, models, and how hard they think. Pure."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_int, as_text, dicts_in

from sandbox_agent_server.agents.native import offers
from sandbox_agent_server.agents.native.offers import Choice, Option, command
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["DEFAULT_EFFORT", "Offers"]

DEFAULT_EFFORT: Final = "default"
_PRIMARY: Final = frozenset({"primary", "all"})


class Offers(offers.Offers):
    """`agents`, `providers`, `commands` and `config` are answers of its API.

    What nobody chose is not sent with a prompt: OpenCode has its own ideas of a default, which may
    depend on the agent.
    """

    def __init__(
        self, *, agents: Any, providers: Any, commands: Any, config: Any, default_agent: str
    ) -> None:
        self._modes = [
            _choice(agent["name"], agent.get("description"))
            for agent in dicts_in(agents)
            if agent.get("mode") in _PRIMARY
            and not agent.get("hidden")
            and as_text(agent.get("name"))
        ]
        self._models = _models(as_dict(providers))
        self._commands = [
            command(
                item["name"],
                item.get("description"),
                hint="arguments" if item.get("hints") else None,
            )
            for item in dicts_in(commands)
            if as_text(item.get("name"))
        ]
        config, names = as_dict(config), [mode.value for mode in self._modes]
        wanted = as_text(config.get("default_agent")) or default_agent
        self.mode: str = wanted if wanted in names or not names else names[0]
        self.model = as_text(config.get("model")) or _first_model(as_dict(providers))
        self.effort = DEFAULT_EFFORT
        self._is_model_chosen = False

    @property
    def has_models(self) -> bool:
        return bool(self._models)

    def commands(self) -> list[dict[str, Any]]:
        return self._commands

    def has_command(self, name: str) -> bool:
        return any(item["name"] == name for item in self._commands)

    def context_size(self, model: str) -> int | None:
        """In tokens."""
        size = as_int(as_dict(self._models.get(model, {}).get("limit")).get("context"))
        return size if size is not None and size > 0 else None

    def settings(self) -> Native:
        """What goes with every prompt."""
        settings: Native = {"agent": self.mode}
        if self._is_model_chosen and self.model is not None:
            provider, _, model = self.model.partition("/")
            settings["model"] = {"providerID": provider, "modelID": model}
        if self.effort != DEFAULT_EFFORT:
            settings["variant"] = self.effort
        return settings

    def read_used(self, message: Native) -> bool:
        """A message of the user says what answers it; True when that was not known."""
        model = as_dict(message.get("model"))
        provider, name = as_text(model.get("providerID")), as_text(model.get("modelID"))
        used = f"{provider}/{name}" if provider and name else self.model
        mode = as_text(message.get("agent")) or self.mode
        if (used, mode) == (self.model, self.mode):
            return False
        self.model, self.mode = used, mode
        return True

    def choose(self, option: str, value: Any) -> None:
        """Raises: InvalidParams."""
        self.option(option).check(value)
        if option == "mode":
            self.mode = value
        elif option == "model":
            self.model, self._is_model_chosen = value, True
            if self.effort not in self._efforts():
                self.effort = DEFAULT_EFFORT
        else:
            self.effort = value

    def options(self) -> list[Option]:
        models = [Choice(model, _label(entry)) for model, entry in self._models.items()]
        options = [
            Option("mode", "Mode", self.mode, self._modes),
            Option("model", "Model", self.model, models),
        ]
        if efforts := [_choice(effort) for effort in self._efforts()]:
            options.append(Option("effort", "Effort", self.effort, efforts, "thought_level"))
        return options

    def _efforts(self) -> list[str]:
        """Of the current model, the default first; none when it has none."""
        variants = as_dict(self._models.get(self.model or "", {}).get("variants"))
        names = [name for name, entry in variants.items() if not as_dict(entry).get("disabled")]
        return [DEFAULT_EFFORT, *names] if names else []


def _choice(name: str, description: Any = None) -> Choice:
    return Choice(name, name.capitalize(), as_text(description))


def _models(answer: Native) -> dict[str, Native]:
    return {
        f"{provider['id']}/{name}": {**model, "provider": as_text(provider.get("name"))}
        for provider in dicts_in(answer.get("providers"))
        if as_text(provider.get("id"))
        for name, model in as_dict(provider.get("models")).items()
        if isinstance(model, dict)
    }


def _first_model(answer: Native) -> str | None:
    defaults = as_dict(answer.get("default"))
    for provider in dicts_in(answer.get("providers")):
        if (model := as_text(defaults.get(str(provider.get("id"))))) is not None:
            return f"{provider['id']}/{model}"
    return None


def _label(model: Native) -> str:
    name = as_text(model.get("name")) or str(model.get("id"))
    provider = as_text(model.get("provider"))
    return f"{provider}: {name}" if provider else name
