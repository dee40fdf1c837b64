"""What can be set in a session, as version 2 has it: one list, in which modes and models are options too. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_str, compact, dicts_in, dicts_with

from sandbox_agent_server.agents.runner.config_options import ConfigOptions

__all__ = ["MODE", "MODEL", "config_options", "is_own"]

MODE: Final = "mode"
MODEL: Final = "model"


def config_options(options: ConfigOptions) -> list[dict[str, Any]]:
    told = [_told(item) for item in dicts_with(list(options.options), "id")]
    if not is_own(options, MODEL) and options.listed_models and options.model is not None:
        models = ({"id": item.get("modelId"), **item} for item in options.listed_models)
        told.insert(0, _select(MODEL, "Model", options.model, models))
    if not is_own(options, MODE) and options.modes and options.mode is not None:
        told.insert(0, _select(MODE, "Mode", options.mode, options.modes))
    return told


def is_own(options: ConfigOptions, config_id: str) -> bool:
    """The agent has an option for it itself, by this id or for this purpose."""
    return any(config_id in (item.get("id"), item.get("category")) for item in options.options)


def _select(
    config_id: str, name: str, current: str, choices: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        "configId": config_id,
        "name": name,
        "category": config_id,
        "type": "select",
        "currentValue": current,
        "options": [
            compact(
                value=item["id"],
                name=as_str(item.get("name")) or item["id"],
                description=as_str(item.get("description")),
            )
            for item in choices
            if isinstance(item.get("id"), str)
        ],
    }


def _told(item: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in item.items() if name != "id" and value is not None}
    told = {"configId": item["id"], "name": item["id"], "type": "select", **told}
    if isinstance(told.get("options"), list):
        told["options"] = [_choice(choice) for choice in dicts_in(told["options"])]
    return told


def _choice(item: dict[str, Any]) -> dict[str, Any]:
    """A value, or a group of them."""
    if not isinstance(item.get("options"), list):
        return item
    kept = {name: value for name, value in as_dict(item).items() if name != "group"}
    return {"groupId": item.get("group"), **kept}
