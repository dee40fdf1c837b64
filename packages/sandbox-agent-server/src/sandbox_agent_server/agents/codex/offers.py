"""What a thread lets one switch: modes, models, reasoning effort; and as what it is set now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox_agent_server.agents.codex.modes import (
    CUSTOM,
    MODES,
    collaboration,
    name_of,
    sandbox_policy,
)
from sandbox_agent_server.agents.codex.native import Native
from sandbox_agent_server.agents.codex.reading import dicts, text

__all__ = ["Offers"]


class Offers:
    """Read from the answer to `thread/start` and from `model/list`, kept up to date by
    `thread/settings/updated`."""

    def __init__(
        self,
        thread: Native,
        models: Any,
        *,
        workspace: Any = None,
        directories: tuple[str, ...] = (),
        more_models: Iterable[str] = (),
    ) -> None:
        self._models = [item for item in dicts(models) if text(item.get("model"))]
        self._more_models = tuple(more_models)
        self._workspace = workspace
        self._directories = directories
        self.mode = name_of(thread)
        self._custom = thread if self.mode == CUSTOM else None
        self.model = text(thread.get("model")) or ""
        self._effort = text(thread.get("reasoningEffort"))

    @property
    def effort(self) -> str | None:
        """The level in force: Codex says None for the model's own."""
        return self._effort or self._default_effort()

    def modes(self) -> dict[str, Any]:
        offered = [
            {"id": name, "name": mode.name, "description": mode.description}
            for name, mode in MODES.items()
        ]
        if self._custom is not None:
            described = "As the configuration of Codex says"
            offered.append({"id": CUSTOM, "name": "Custom", "description": described})
        return {"currentModeId": self.mode, "availableModes": offered}

    def config_options(self) -> list[dict[str, Any]]:
        modes = [
            {"value": mode["id"], "name": mode["name"], "description": mode["description"]}
            for mode in self.modes()["availableModes"]
        ]
        options = [
            _select("mode", "mode", "Mode", "Approvals and sandbox", self.mode, modes),
            _select("model", "model", "Model", "Model to use", self.model, self._model_choices()),
        ]
        if efforts := self.efforts():
            options.append(
                _select(
                    "effort",
                    "thought_level",
                    "Reasoning effort",
                    "How hard to think",
                    self.effort or efforts[0]["value"],
                    efforts,
                )
            )
        return options

    def efforts(self) -> list[dict[str, Any]]:
        """Levels of the current model; none for a model that Codex does not know."""
        entry = self._entry(self.model) or {}
        levels = dicts(entry.get("supportedReasoningEfforts"))
        return [
            {"value": level, "name": level.capitalize()}
            | ({"description": item["description"]} if text(item.get("description")) else {})
            for item in levels
            if (level := text(item.get("reasoningEffort"))) is not None
        ]

    def mode_change(self, mode: str) -> Native:
        """The settings of a mode of ours, or of the one that the configuration has."""
        custom = self._custom if mode == CUSTOM else None
        if custom is not None:
            approval, plans = custom.get("approvalPolicy"), False
            policy = custom.get("sandbox")
        else:
            chosen = MODES[mode]
            approval, plans = chosen.approval_policy, chosen.plans
            policy = sandbox_policy(chosen, self._workspace, self._directories)
        return {
            "approvalPolicy": approval,
            "sandboxPolicy": policy,
            "collaborationMode": collaboration(plans=plans, model=self.model, effort=self._effort),
        }

    def model_change(self, model: str) -> Native:
        """With another effort, when the model has not the one in force."""
        entry = self._entry(model) or {}
        levels = [
            item.get("reasoningEffort") for item in dicts(entry.get("supportedReasoningEfforts"))
        ]
        change: Native = {"model": model}
        if self._effort is not None and levels and self._effort not in levels:
            change["effort"] = entry.get("defaultReasoningEffort")
        return change

    def apply(self, settings: Native) -> bool:
        """Settings that were sent, or that Codex says are in force; True when they are new here."""
        before = (self.mode, self.model, self._effort)
        self.model = text(settings.get("model")) or self.model
        if "effort" in settings:
            self._effort = text(settings["effort"])
        if "approvalPolicy" in settings:
            self.mode = name_of(settings)
        return before != (self.mode, self.model, self._effort)

    def _default_effort(self) -> str | None:
        return text((self._entry(self.model) or {}).get("defaultReasoningEffort"))

    def _entry(self, model: str) -> Native | None:
        return next((item for item in self._models if item["model"] == model), None)

    def _model_choices(self) -> list[dict[str, Any]]:
        choices = [
            {"value": item["model"], "name": text(item.get("displayName")) or item["model"]}
            | ({"description": item["description"]} if text(item.get("description")) else {})
            for item in self._models
        ]
        listed = {choice["value"] for choice in choices}
        for name in (*self._more_models, self.model):
            if name and name not in listed:
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
