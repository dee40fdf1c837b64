"""`session/set_*` as the settings of a thread, checked here: Codex says yes to any value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.frames import acp

from sandbox_agent_server.agents.codex.native import Native
from sandbox_agent_server.agents.codex.offers import Offers
from sandbox_agent_server.agents.native.refusals import InvalidParams

__all__ = ["settings_of"]


def settings_of(method: str, params: Mapping[str, Any], offers: Offers) -> Native:
    """The fields of `thread/settings/update`. Raises: InvalidParams."""
    if method == acp.SESSION_SET_MODE:
        return _mode(_text(params, "modeId"), offers)
    if method == acp.SESSION_SET_MODEL:
        return offers.model_change(_text(params, "modelId"))
    config_id, value = params.get("configId"), _text(params, "value")
    match config_id:
        case "mode":
            return _mode(value, offers)
        case "model":
            # Any name is taken (a gateway may serve what Codex has not heard of); a wrong one fails at
            # the next prompt.
            return offers.model_change(value)
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


def _mode(mode: str, offers: Offers) -> Native:
    offered = [item["id"] for item in offers.modes()["availableModes"]]
    if mode not in offered:
        raise InvalidParams(f"no mode {mode!r}; there are: {', '.join(offered)}")
    return offers.mode_change(mode)


def _effort(effort: str, offers: Offers) -> Native:
    offered = [item["value"] for item in offers.efforts()]
    if effort not in offered:
        levels = ", ".join(offered) or "none for this model"
        raise InvalidParams(f"no effort {effort!r}; there are: {levels}")
    return {"effort": effort}
