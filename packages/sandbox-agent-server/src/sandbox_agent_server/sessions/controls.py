"""What can be switched on an agent: modes, models, thought levels and options, as the agent states them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sandbox_agent_core.api.policy import PERMISSION_MODES, PermissionMode
from sandbox_agent_core.errors import ModeNotSupported, ValueNotSupported
from sandbox_agent_core.frames import acp

__all__ = ["Call", "Controls", "ModeChange", "agent_session_id_of"]

Call = tuple[str, dict[str, Any], dict[str, Any]]
"""`(method, params, annotations for the answer)` of the request that sets something."""


class ModeChange(NamedTuple):
    call: Call | None
    """What to ask of the agent. None: it has no mode for it, our policy alone enforces it."""
    permission_mode: PermissionMode | None
    native: str | None


_SWITCH_UPDATES = frozenset({acp.CURRENT_MODE_UPDATE, acp.CONFIG_OPTION_UPDATE})


class Controls:
    def __init__(
        self,
        snapshot: Mapping[str, Any] | None = None,
        *,
        permission_modes: Mapping[str, str] | None = None,
    ) -> None:
        snapshot = snapshot or {}
        self._native_modes = permission_modes or {}
        self.permission_mode: PermissionMode | None = snapshot.get("permissionMode")
        self._first_mode: str | None = snapshot.get("firstMode")
        self.mode: str | None = snapshot.get("mode")
        self.modes: list[dict[str, Any]] = snapshot.get("modes", [])
        self.model: str | None = snapshot.get("model")
        self._models: list[dict[str, Any]] = snapshot.get("models", [])
        self.options: list[dict[str, Any]] = snapshot.get("options", [])

    def snapshot(self) -> dict[str, Any]:
        """What the store keeps, so that a dormant session can be shown and checked against."""
        return {
            "permissionMode": self.permission_mode,
            "firstMode": self._first_mode,
            "mode": self.mode,
            "modes": self.modes,
            "model": self.model,
            "models": self._models,
            "options": self.options,
        }

    @property
    def models(self) -> list[dict[str, Any]]:
        return _choices(self._option("model")) or self._models

    @property
    def thought_level(self) -> str | None:
        option = self._option("thought_level")
        return None if option is None else option.get("currentValue")

    @property
    def thought_levels(self) -> list[dict[str, Any]]:
        return _choices(self._option("thought_level"))

    # Reading what the agent says

    def read_session(self, result: Any) -> None:
        """The result of `session/new`, `session/load` or `session/resume`."""
        if not isinstance(result, dict):
            return
        modes = result.get("modes")
        if isinstance(modes, dict):
            self.mode = modes.get("currentModeId")
            self.modes = _dicts(modes.get("availableModes"))
        models = result.get("models")
        if isinstance(models, dict):
            self.model = models.get("currentModelId")
            self._models = [
                {**model, "id": model.get("modelId", model.get("id"))}
                for model in _dicts(models.get("availableModels"))
            ]
        self._read_options(result.get("configOptions"))
        self._first_mode = self.mode
        self._follow_mode()

    def read_update(self, frame: Mapping[str, Any]) -> bool:
        """A `session/update`; True when it changed something here."""
        try:
            update = frame["params"]["update"]
            kind = update["sessionUpdate"]
            if kind not in _SWITCH_UPDATES:
                return False
            if kind == acp.CURRENT_MODE_UPDATE:
                self.mode = update["currentModeId"]
            else:
                self._read_options(update["configOptions"])
        except (KeyError, TypeError):
            return False
        self._follow_mode()
        return True

    def read_answer(self, method: str, annotations: Mapping[str, Any] | None, result: Any) -> None:
        """The answer to a request that `set_*` made."""
        annotations = annotations or {}
        if method == acp.SESSION_SET_MODE:
            self.mode = annotations.get("modeId", self.mode)
        elif method == acp.SESSION_SET_MODEL:
            self.model = annotations.get("modelId", self.model)
        elif method == acp.SESSION_SET_CONFIG_OPTION:
            if isinstance(result, dict) and "configOptions" in result:
                self._read_options(result["configOptions"])
            else:
                for option in self.options:
                    if option.get("id") == annotations.get("configId"):
                        option["currentValue"] = annotations.get("value")

    # Setting; the agent's own words decide what is offered

    def setter(self, key: str) -> Callable[[str], Call]:
        """By the name that the API gives it: `mode`, `model` or `thoughtLevel`."""
        return {"model": self.set_model, "thoughtLevel": self.set_thought_level}[key]

    def change_mode(self, mode: str) -> ModeChange:
        """To a permission mode, which every agent has, or to a mode of the agent's own.

        Raises:
            ModeNotSupported: neither.
        """
        offered = self._mode_ids()
        if (common := _permission_mode(mode)) is not None:
            native = self._native_mode(common)
        elif mode in offered:
            common, native = self._permission_mode_of(mode), mode
        else:
            offered = list(dict.fromkeys([*offered, *PERMISSION_MODES]))
            raise ModeNotSupported(
                f"the agent has no mode {mode!r}; " + _offers(offered), offered=offered
            )
        # Also when it is in that mode as far as we know: telling it again is cheaper than being wrong.
        return ModeChange(None if native is None else self._mode_call(native), common, native)

    def _mode_ids(self) -> list[str]:
        listed = [item.get("id") for item in self.modes] or [
            choice["id"] for choice in _choices(self._option("mode"))
        ]
        return [mode for mode in listed if isinstance(mode, str)]

    def _mode_call(self, mode: str) -> Call:
        if any(item.get("id") == mode for item in self.modes):
            return acp.SESSION_SET_MODE, {"modeId": mode}, {"modeId": mode}
        return self._set("mode", mode)

    def _native_mode(self, common: PermissionMode) -> str | None:
        """The agent's own mode for it; else one in which it asks, so that our policy can decide."""
        offered = self._mode_ids()
        candidates = (
            self._native_modes.get(common),
            common,
            self._native_modes.get("ask"),
            self._first_mode,
        )
        return next((mode for mode in candidates if mode in offered), None)

    def _permission_mode_of(self, native: str) -> PermissionMode | None:
        found = [mode for mode in PERMISSION_MODES if self._native_modes.get(mode) == native]
        # An agent that goes planning by itself may also leave by itself: `plan`, not `read-only`.
        return "plan" if "plan" in found else next(iter(found), None)

    def _follow_mode(self) -> None:
        """The agent says which mode it is in: a permission mode that goes with another is over."""
        current = self.permission_mode
        if self.mode is not None and (current is None or self._native_mode(current) != self.mode):
            self.permission_mode = self._permission_mode_of(self.mode)

    def set_model(self, model: str) -> Call:
        """Raises: ValueNotSupported."""
        if self._option("model") is not None:
            return self._set("model", model)
        offered = [item.get("id") for item in self._models]
        if model in offered:
            return acp.SESSION_SET_MODEL, {"modelId": model}, {"modelId": model}
        raise ValueNotSupported(
            f"the agent has no model {model!r}; " + _offers(offered), offered=offered
        )

    def set_thought_level(self, level: str) -> Call:
        """Raises: ValueNotSupported."""
        if self._option("thought_level") is None:
            raise ValueNotSupported("the agent has no thought levels to choose from", offered=[])
        return self._set("thought_level", level)

    def set_option(self, option_id: str, value: str | bool) -> Call:
        """Raises: ValueNotSupported."""
        for option in self.options:
            if option.get("id") == option_id:
                return _set_option(option, value)
        offered = [option.get("id") for option in self.options]
        raise ValueNotSupported(
            f"the agent has no option {option_id!r}; " + _offers(offered), offered=offered
        )

    def _set(self, category: str, value: str) -> Call:
        option = self._option(category)
        assert option is not None
        return _set_option(option, value)

    def _option(self, category: str) -> dict[str, Any] | None:
        for option in self.options:
            if option.get("category") == category:
                return option
        # The category is optional in ACP; the id is what agents without it go by.
        for option in self.options:
            if option.get("id") == category:
                return option
        return None

    def _read_options(self, options: Any) -> None:
        if not isinstance(options, list):
            return
        self.options = _dicts(options)
        if (model := self._option("model")) is not None:
            self.model = model.get("currentValue")
        if (mode := self._option("mode")) is not None:
            self.mode = mode.get("currentValue")


def agent_session_id_of(frame: Mapping[str, Any]) -> str | None:
    """The agent's own id, when a `session_info_update` says that it goes by another from now on."""
    try:
        update = frame["params"]["update"]
        if update["sessionUpdate"] != acp.SESSION_INFO_UPDATE:
            return None
        new_id = update["_meta"]["agentSessionId"]
    except (KeyError, TypeError):
        return None
    return new_id if isinstance(new_id, str) else None


def _set_option(option: dict[str, Any], value: str | bool) -> Call:
    offered = [choice["id"] for choice in _choices(option)]
    if option.get("type") == "boolean":
        offered = [True, False]
    if value not in offered:
        raise ValueNotSupported(
            f"option {option.get('id')!r} has no value {value!r}; " + _offers(offered),
            offered=offered,
        )
    annotations = {"configId": option.get("id"), "value": value}
    return acp.SESSION_SET_CONFIG_OPTION, dict(annotations), annotations


def _choices(option: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The values of a select option, flat or grouped, as `{id, name, description?}`."""
    found: list[dict[str, Any]] = []
    for item in _dicts(option.get("options") if option else None):
        if "options" in item:
            found.extend(_choices(item))
        elif "value" in item:
            rest = {key: value for key, value in item.items() if key != "value"}
            found.append({"id": item["value"], **rest})
    return found


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _permission_mode(mode: str) -> PermissionMode | None:
    return next((common for common in PERMISSION_MODES if common == mode), None)


def _offers(offered: list[Any]) -> str:
    return "it offers: " + ", ".join(map(str, offered)) if offered else "it offers none"
