"""What a thread lets one switch: modes, models, reasoning effort; and as what it is set now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sandbox_agent_core.lenient import as_text, dicts_in

from sandbox_agent_server.agents.codex.modes import (
    CUSTOM,
    DEFAULT,
    MODES,
    collaboration,
    name_of,
    sandbox_policy,
)
from sandbox_agent_server.agents.codex.skills import Skills
from sandbox_agent_server.agents.native import offers
from sandbox_agent_server.agents.native.offers import Choice, Option, with_names
from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Offers"]


class Offers(offers.Offers):
    """Read from the answer to `thread/start` and from `model/list`, kept up to date by
    `thread/settings/updated`."""

    def __init__(
        self,
        thread: Native,
        models: Any,
        *,
        workspace: Any = None,
        directories: Sequence[str] = (),
        more_models: Iterable[str] = (),
        plans_anyway: bool = False,
    ) -> None:
        """`plans_anyway`: in every mode."""
        self._models = [item for item in dicts_in(models) if as_text(item.get("model"))]
        self._more_models = tuple(more_models)
        self._workspace = workspace
        self._directories = directories
        self._plans_anyway = plans_anyway
        self.mode = name_of(thread, plans_anyway=plans_anyway)
        self._custom = thread if self.mode == CUSTOM else None
        self.model = as_text(thread.get("model")) or ""
        self._effort = as_text(thread.get("reasoningEffort"))
        self._is_reviewing = False
        self.skills = Skills()

    @property
    def may_ask(self) -> bool:
        """Codex asks for some of what it does."""
        mode = MODES.get(self.mode)
        return mode is None or mode.approval_policy != "never"

    @property
    def effort(self) -> str | None:
        """The level in force: Codex says None for the model's own."""
        return self._effort or as_text(self._entry(self.model).get("defaultReasoningEffort"))

    def options(self) -> list[Option]:
        modes = [Choice(name, mode.name, mode.description) for name, mode in MODES.items()]
        if self._custom is not None:
            modes.append(Choice(CUSTOM, "Custom", "As the configuration of Codex says"))
        models = [
            Choice(
                item["model"],
                as_text(item.get("displayName")) or item["model"],
                as_text(item.get("description")),
            )
            for item in self._models
        ]
        models = with_names(models, [*self._more_models, self.model])
        options = [
            Option("mode", "Mode", self.mode, modes, description="Approvals and sandbox"),
            Option("model", "Model", self.model, models, description="Model to use", is_open=True),
        ]
        if levels := [
            Choice(level, level.capitalize(), as_text(item.get("description")))
            for item in self._levels(self.model)
            if (level := as_text(item.get("reasoningEffort"))) is not None
        ]:
            current = self.effort or levels[0].value
            options.append(
                Option(
                    "effort",
                    "Reasoning effort",
                    current,
                    levels,
                    "thought_level",
                    "How hard to think",
                )
            )
        return options

    def commands(self) -> list[dict[str, Any]]:
        return self.skills.commands()

    def change(self, option: str, value: str) -> Native:
        """The fields of `thread/settings/update`, checked here: Codex says yes to any value.

        Raises: InvalidParams.
        """
        match option:
            case "mode":
                self.option("mode").check(value)
                return self._mode_change(value)
            case "model":
                # Any name is taken (a gateway may serve what Codex has not heard of); a wrong one
                # fails at the next prompt.
                return self._model_change(value)
            case "effort":
                self.option("effort").check(value)
                return {"effort": value}
            case _:
                self.option(option)
                raise InvalidParams(f"the option {option!r} cannot be set")

    def apply(self, settings: Native) -> bool:
        """Settings that were sent, or that Codex says are in force; True when they are new here."""
        before = (self.mode, self.model, self._effort)
        self.model = as_text(settings.get("model")) or self.model
        if "effort" in settings:
            self._effort = as_text(settings["effort"])
        if "approvalPolicy" in settings:
            name = name_of(settings, plans_anyway=self._plans_anyway)
            # The mode in which a review runs is none that anybody set.
            self.mode = self.mode if self._is_reviewing and name == CUSTOM else name
        return before != (self.mode, self.model, self._effort)

    def begin_review(self) -> Native | None:
        """Settings to make before a review, if any: nobody is asked about what it runs. Where everything else is
        asked for, it only reads."""
        self._is_reviewing = self.mode == DEFAULT
        if not self._is_reviewing:
            return None
        return {"sandboxPolicy": {"type": "readOnly", "networkAccess": False}}

    def end_review(self) -> Native | None:
        """Settings to make after it, if any."""
        if not self._is_reviewing:
            return None
        self._is_reviewing = False
        return {"sandboxPolicy": self._mode_change(self.mode)["sandboxPolicy"]}

    def _mode_change(self, name: str) -> Native:
        """To a mode of ours, or to the one that the configuration has."""
        if name == CUSTOM and self._custom is not None:
            approval, policy = self._custom.get("approvalPolicy"), self._custom.get("sandbox")
            plans = self._plans_anyway
        else:
            mode = MODES[name]
            approval, plans = mode.approval_policy, mode.plans or self._plans_anyway
            policy = sandbox_policy(mode, self._workspace, self._directories)
        return {
            "approvalPolicy": approval,
            "sandboxPolicy": policy,
            **self._collaboration(plans=plans),
        }

    def at_start(self) -> Native | None:
        """Settings that cannot be said with what opens a thread, if any."""
        return self._collaboration(plans=True) if self._plans_anyway else None

    def _collaboration(self, *, plans: bool) -> Native:
        how = collaboration(plans=plans, model=self.model, effort=self._effort)
        return {"collaborationMode": how}

    def _model_change(self, model: str) -> Native:
        """With another effort, when the model has not the one in force."""
        levels = [item.get("reasoningEffort") for item in self._levels(model)]
        if self._effort is None or not levels or self._effort in levels:
            return {"model": model}
        return {"model": model, "effort": self._entry(model).get("defaultReasoningEffort")}

    def _levels(self, model: str) -> list[Native]:
        """None for a model that Codex does not know."""
        return dicts_in(self._entry(model).get("supportedReasoningEfforts"))

    def _entry(self, model: str) -> Native:
        return next((item for item in self._models if item["model"] == model), {})
