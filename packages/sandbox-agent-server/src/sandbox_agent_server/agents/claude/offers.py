"""What a running Claude Code lets one switch: permission modes, models, effort; and its commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.lenient import as_list, as_text, dicts_in

from sandbox_agent_server.agents.native import offers
from sandbox_agent_server.agents.native.offers import Choice, Option, command, with_names
from sandbox_agent_server.agents.native.refusals import InvalidParams

__all__ = ["BYPASS", "DEFAULT_EFFORT", "Change", "Offers"]

BYPASS: Final = "bypassPermissions"
DEFAULT_EFFORT: Final = "default"

_MODES: Final = (
    Choice("default", "Ask", "Ask before edits and commands"),
    Choice("acceptEdits", "Accept edits", "Accept file edits, ask before other commands"),
    Choice("plan", "Plan", "Read and plan, change nothing"),
    Choice("auto", "Auto", "A model decides what needs to be asked"),
    Choice(BYPASS, "Bypass permissions", "Ask nothing"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """What to ask Claude for, and what is different once it agreed."""

    subtype: str
    fields: Mapping[str, Any]
    apply: Callable[[], None]


class Offers(offers.Offers):
    """Read from the answer to the `initialize` handshake, kept up to date from what follows."""

    def __init__(
        self, handshake: Mapping[str, Any], *, model: str | None, can_bypass: bool
    ) -> None:
        self._models = [item for item in dicts_in(handshake.get("models")) if item.get("value")]
        self._can_bypass = can_bypass
        self.mode = as_text(handshake.get("current_permission_mode")) or "default"
        self.model = model or self._first_model()
        self.effort = DEFAULT_EFFORT
        self._commands = [_command(item) for item in dicts_in(handshake.get("commands"))]
        self._command_names = {command["name"] for command in self._commands}

    def options(self) -> list[Option]:
        modes = [mode for mode in _MODES if self._has_mode(mode.value)]
        options = [
            Option(
                "mode",
                "Mode",
                self.mode,
                with_names(modes, [self.mode]),
                description="Permission mode",
            ),
            Option(
                "model",
                "Model",
                self.model,
                self._model_choices(),
                description="Model to use",
                is_open=True,
            ),
        ]
        if efforts := self.efforts():
            levels = [Choice(level, level.capitalize()) for level in efforts]
            options.append(
                Option(
                    "effort", "Effort", self.effort, levels, "thought_level", "How hard to think"
                )
            )
        return options

    def efforts(self) -> list[str]:
        """Levels of the current model, its default first; none when it has no levels."""
        levels = as_list((self._entry(self.model) or {}).get("supportedEffortLevels"))
        names = [level for level in levels if isinstance(level, str)]
        return [DEFAULT_EFFORT, *names] if names else []

    def commands(self) -> list[dict[str, Any]]:
        return self._commands

    def has_command(self, name: str) -> bool:
        return name in self._command_names

    def change(self, option: str, value: str) -> Change:
        """Raises: InvalidParams."""
        match option:
            case "mode":
                # Claude knows which modes there are, also those that it does not tell: it refuses
                # the others.
                return Change("set_permission_mode", {"mode": value}, lambda: self._set_mode(value))
            case "model":
                # Any name is taken (a gateway may serve what Claude Code has not heard of); a wrong
                # one fails at the next prompt.
                return Change("set_model", {"model": value}, lambda: self.set_model(value))
            case "effort":
                return self._effort_change(value)
            case _:
                self.option(option)
                raise InvalidParams(f"the option {option!r} cannot be set")

    def _set_mode(self, mode: str) -> None:
        self.mode = mode

    def _effort_change(self, effort: str) -> Change:
        # Checked here: Claude says yes to any value, and then ignores it.
        self.option("effort").check(effort)

        def apply() -> None:
            self.effort = effort

        level = None if effort == DEFAULT_EFFORT else effort
        return Change("apply_flag_settings", {"settings": {"effortLevel": level}}, apply)

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
        self._commands = [described.get(name) or command(name) for name in listed]
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

    def _model_choices(self) -> list[Choice]:
        choices = [
            Choice(
                item["value"],
                item.get("displayName") or item["value"],
                item.get("description") or None,
            )
            for item in self._models
        ]
        # Full names are what people put into scripts; Claude takes them as well as its short ones.
        full = [item.get("resolvedModel") for item in self._models]
        return with_names(choices, [*full, self.model])


def _command(item: Mapping[str, Any]) -> dict[str, Any]:
    return command(item.get("name"), item.get("description"), hint=item.get("argumentHint"))
