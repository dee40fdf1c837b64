"""What a running OpenCode lets one switch: agents as modes, models, and how hard they think. Pure."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.opencode.native import Native, as_dict, dicts, text_in

__all__ = ["DEFAULT_VARIANT", "Offers"]

DEFAULT_VARIANT: Final = "default"
_PRIMARY: Final = frozenset({"primary", "all"})


class Offers:
    """`agents`, `providers`, `commands` and `config` are answers of its API.

    What nobody chose is not sent with a prompt: OpenCode has its own ideas of a default, which may
    depend on the agent.
    """

    def __init__(
        self, *, agents: Any, providers: Any, commands: Any, config: Any, default_agent: str
    ) -> None:
        self._agents = [
            agent
            for agent in dicts(agents)
            if agent.get("mode") in _PRIMARY and not agent.get("hidden") and text_in(agent, "name")
        ]
        answer = as_dict(providers)
        self._models = _models(answer)
        self._commands = [item for item in dicts(commands) if text_in(item, "name")]
        names = [agent["name"] for agent in self._agents]
        wanted = text_in(config, "default_agent") or default_agent
        self.mode: str = wanted if wanted in names or not names else names[0]
        self.model = text_in(config, "model") or _first_model(answer)
        self.variant = DEFAULT_VARIANT
        self._chosen: set[str] = set()

    @property
    def has_models(self) -> bool:
        return bool(self._models)

    @property
    def commands(self) -> list[dict[str, Any]]:
        return [
            {
                "name": item["name"],
                "description": text_in(item, "description") or "",
                "input": {"hint": "arguments"} if item.get("hints") else None,
            }
            for item in self._commands
        ]

    def has_command(self, name: str) -> bool:
        return any(item["name"] == name for item in self._commands)

    def context_size(self, model: str | None) -> int | None:
        """In tokens."""
        size = as_dict(self._models.get(model or "", {}).get("limit")).get("context")
        return size if isinstance(size, int) and size > 0 else None

    def settings(self) -> Native:
        """What goes with every prompt."""
        settings: Native = {"agent": self.mode}
        if "model" in self._chosen and self.model is not None:
            provider, _, model = self.model.partition("/")
            settings["model"] = {"providerID": provider, "modelID": model}
        if self.variant != DEFAULT_VARIANT:
            settings["variant"] = self.variant
        return settings

    def read_used(self, message: Native) -> bool:
        """A message of the user says what answers it; True when that was not known."""
        model = as_dict(message.get("model"))
        provider, name = text_in(model, "providerID"), text_in(model, "modelID")
        used = f"{provider}/{name}" if provider and name else self.model
        mode = text_in(message, "agent") or self.mode
        if (used, mode) == (self.model, self.mode):
            return False
        self.model, self.mode = used, mode
        return True

    def choose(self, option: str, value: Any) -> None:
        """Raises: InvalidParams."""
        offered = {choice["value"] for item in self.config_options() if item["id"] == option
                   for choice in item["options"]}  # fmt: skip
        if not offered:
            raise InvalidParams(f"there is no option {option!r}")
        if value not in offered:
            raise InvalidParams(f"option {option!r} has no value {value!r}")
        self._chosen.add(option)
        if option == "mode":
            self.mode = value
        elif option == "model":
            self.model = value
            if self.variant not in self._variants():
                self.variant = DEFAULT_VARIANT
        else:
            self.variant = value

    def modes(self) -> dict[str, Any]:
        listed = [_described(agent, "id") for agent in self._agents]
        return {"currentModeId": self.mode, "availableModes": listed}

    def config_options(self) -> list[dict[str, Any]]:
        modes = [_described(agent, "value") for agent in self._agents]
        models = [{"value": model, "name": _label(entry)} for model, entry in self._models.items()]
        options = [
            _select("mode", "mode", "Mode", self.mode, modes),
            _select("model", "model", "Model", self.model, models),
        ]
        if variants := self._variants():
            choices = [{"value": name, "name": name.capitalize()} for name in variants]
            options.append(_select("effort", "thought_level", "Effort", self.variant, choices))
        return options

    def _variants(self) -> list[str]:
        """Of the current model, the default first; none when it has none."""
        variants = as_dict(self._models.get(self.model or "", {}).get("variants"))
        names = [name for name, entry in variants.items() if not as_dict(entry).get("disabled")]
        return [DEFAULT_VARIANT, *names] if names else []


def _models(answer: Native) -> dict[str, Native]:
    return {
        f"{provider['id']}/{name}": {**model, "provider": text_in(provider, "name")}
        for provider in dicts(answer.get("providers"))
        if text_in(provider, "id")
        for name, model in as_dict(provider.get("models")).items()
        if isinstance(model, dict)
    }


def _first_model(answer: Native) -> str | None:
    defaults = as_dict(answer.get("default"))
    for provider in dicts(answer.get("providers")):
        if (model := text_in(defaults, str(provider.get("id")))) is not None:
            return f"{provider['id']}/{model}"
    return None


def _label(model: Native) -> str:
    name = text_in(model, "name") or str(model.get("id"))
    provider = text_in(model, "provider")
    return f"{provider}: {name}" if provider else name


def _described(agent: Native, key: str) -> dict[str, Any]:
    described = {key: agent["name"], "name": agent["name"].capitalize()}
    description = text_in(agent, "description")
    return described | ({"description": description} if description else {})


def _select(
    id: str, category: str, name: str, current: str | None, choices: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "id": id,
        "name": name,
        "category": category,
        "type": "select",
        "currentValue": current,
        "options": choices,
    }
