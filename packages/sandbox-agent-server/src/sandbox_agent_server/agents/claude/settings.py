"""`session/set_*` as control requests: what to ask Claude for, and what is different once it agreed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox_agent_core.frames import acp

from sandbox_agent_server.agents.claude.offers import DEFAULT_EFFORT, Offers
from sandbox_agent_server.agents.native.refusals import InvalidParams

__all__ = ["Change", "change_of"]


@dataclass(frozen=True, slots=True)
class Change:
    subtype: str
    fields: Mapping[str, Any]
    apply: Callable[[], None]
    is_mode: bool = False


def change_of(method: str, params: Mapping[str, Any], offers: Offers) -> Change:
    """Raises: InvalidParams."""
    if method == acp.SESSION_SET_MODE:
        return _mode(_text(params, "modeId"), offers)
    if method == acp.SESSION_SET_MODEL:
        return _model(_text(params, "modelId"), offers)
    config_id, value = params.get("configId"), _text(params, "value")
    match config_id:
        case "mode":
            return _mode(value, offers)
        case "model":
            return _model(value, offers)
        case "effort":
            return _effort(value, offers)
        case _:
            offered = [option["id"] for option in offers.config_options()]
            raise InvalidParams(f"no option {config_id!r}; there are {', '.join(offered)}")


def _text(params: Mapping[str, Any], key: str) -> str:
    value = params.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidParams(f"`{key}` must be a text, not {value!r}")
    return value


def _mode(mode: str, offers: Offers) -> Change:
    # Claude knows which modes there are, also those that it does not tell: it refuses the others.
    def apply() -> None:
        offers.mode = mode

    return Change("set_permission_mode", {"mode": mode}, apply, is_mode=True)


def _model(model: str, offers: Offers) -> Change:
    # Any name is taken (a gateway may serve what Claude Code has not heard of); a wrong one fails
    # at the next prompt.
    return Change("set_model", {"model": model}, lambda: offers.set_model(model))


def _effort(effort: str, offers: Offers) -> Change:
    # Checked here: Claude says yes to any value, and then ignores it.
    if effort not in offers.efforts():
        offered = ", ".join(offers.efforts()) or "none for this model"
        raise InvalidParams(f"no effort {effort!r}; there are: {offered}")

    def apply() -> None:
        offers.effort = effort

    level = None if effort == DEFAULT_EFFORT else effort
    return Change("apply_flag_settings", {"settings": {"effortLevel": level}}, apply)
