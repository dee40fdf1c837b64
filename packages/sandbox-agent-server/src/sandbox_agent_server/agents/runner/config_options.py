"""What can be switched on an agent: modes, models, thought levels and options, as the agent states them. Pure.

A value: reading what the agent says gives a new one, so that it can be part of a state that is folded
from the log.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sandbox_agent_core.api.policy import PERMISSION_MODES, PermissionMode
from sandbox_agent_core.errors import ModeNotSupported, ValueNotSupported
from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import as_dict, as_str, dicts_in
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META

__all__ = ["NATIVE", "ConfigOptions", "ModeChange", "Setting", "agent_session_id_of"]

_OPENINGS: Final = frozenset(
    {acp.SESSION_NEW, acp.SESSION_FORK, acp.SESSION_LOAD, acp.SESSION_RESUME}
)


@dataclass(frozen=True, slots=True)
class Setting:
    """The request that sets something; the id of the session is for the caller to add."""

    method: str
    params: dict[str, Any]
    annotations: dict[str, Any]
    """Of the entry of its answer: what was set, which the answer does not repeat."""


NATIVE: Final = "native:"
"""Before the id of a mode: it is the agent's own, also where a permission mode has the same name."""
_STRICTNESS: Final[tuple[PermissionMode, ...]] = (
    "bypass",
    "accept-edits",
    "ask",
    "plan",
    "read-only",
)


class ModeChange(NamedTuple):
    setting: Setting | None
    """What to ask of the agent. None: it has no mode for it, our policy alone enforces it."""
    permission_mode: PermissionMode | None
    native: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigOptions:
    permission_mode: PermissionMode | None = None
    """By which permissions are judged: what was chosen, or stricter when the agent says so."""
    chosen: PermissionMode | None = "ask"
    """What a person chose. None: a mode of the agent's own, of which we do not know what it allows."""
    chosen_native: str | None = None
    """The agent's own mode that goes with it."""
    may_become: PermissionMode | None = None
    """A person has just answered so that the agent may go into a mode as loose as this one by itself."""
    first_mode: str | None = None
    """The agent's own mode that its session opened in."""
    mode: str | None = None
    modes: tuple[dict[str, Any], ...] = ()
    model: str | None = None
    listed_models: tuple[dict[str, Any], ...] = ()
    """Of an agent that lists them beside its options; see `models`."""
    options: tuple[dict[str, Any], ...] = ()
    native_modes: Mapping[str, str] = field(default_factory=dict)
    """Permission mode -> the agent's own, from its definition; no part of what is stored."""

    @classmethod
    def from_wire(
        cls, wire: Mapping[str, Any], *, native_modes: Mapping[str, str]
    ) -> ConfigOptions:
        return cls(
            permission_mode=_permission_mode(wire.get("permissionMode")),
            chosen=_permission_mode(wire.get("chosen", "ask")),
            chosen_native=wire.get("chosenNative"),
            may_become=_permission_mode(wire.get("mayBecome")),
            first_mode=wire.get("firstMode"),
            mode=wire.get("mode"),
            modes=tuple(wire.get("modes", ())),
            model=wire.get("model"),
            listed_models=tuple(wire.get("models", ())),
            options=tuple(wire.get("options", ())),
            native_modes=native_modes,
        )

    def to_wire(self) -> dict[str, Any]:
        """What the store keeps, so that a dormant session can be shown and checked against."""
        return {
            "permissionMode": self.permission_mode,
            "chosen": self.chosen,
            "chosenNative": self.chosen_native,
            "mayBecome": self.may_become,
            "firstMode": self.first_mode,
            "mode": self.mode,
            "modes": list(self.modes),
            "model": self.model,
            "models": list(self.listed_models),
            "options": list(self.options),
        }

    @property
    def has_modes(self) -> bool:
        """Of its own."""
        return bool(self._mode_ids())

    @property
    def models(self) -> list[dict[str, Any]]:
        return _choices(self._option("model")) or list(self.listed_models)

    @property
    def thought_level(self) -> str | None:
        return as_dict(self._option("thought_level")).get("currentValue")

    @property
    def thought_levels(self) -> list[dict[str, Any]]:
        return _choices(self._option("thought_level"))

    # Reading what the agent says

    def after_session(self, result: Any) -> ConfigOptions:
        """With the result of `session/new`, `session/load` or `session/resume`."""
        if not isinstance(result, dict):
            return self
        read = self
        if isinstance(modes := result.get("modes"), dict):
            read = dataclasses.replace(
                read,
                mode=modes.get("currentModeId"),
                modes=tuple(dicts_in(modes.get("availableModes"))),
            )
        if isinstance(models := result.get("models"), dict):
            read = dataclasses.replace(
                read,
                model=models.get("currentModelId"),
                listed_models=tuple(
                    {**model, "id": model.get("modelId", model.get("id"))}
                    for model in dicts_in(models.get("availableModels"))
                ),
            )
        read = read._with_options(result.get("configOptions"))
        read = dataclasses.replace(read, first_mode=read.mode, permission_mode=self.chosen)
        return self._or(read._following_mode())

    def after_update(self, frame: Mapping[str, Any]) -> ConfigOptions:
        """With a `session/update`; itself when that says nothing new of what is here."""
        update = as_dict(as_dict(frame.get("params")).get("update"))
        match update.get("sessionUpdate"):
            case acp.CURRENT_MODE_UPDATE if "currentModeId" in update:
                read = dataclasses.replace(self, mode=update["currentModeId"])
            case acp.CONFIG_OPTION_UPDATE:
                read = self._with_options(update.get("configOptions"))
            case _:
                return self
        return self._or(read._following_mode())

    def after_answer(
        self, method: str, annotations: Mapping[str, Any] | None, result: Any
    ) -> ConfigOptions:
        """With what answered a request that opened the session or that a `Setting` made."""
        annotations = annotations or {}
        if method in _OPENINGS:
            return self.after_session(result)
        if method == acp.SESSION_SET_MODE:
            mode = annotations.get("modeId", self.mode)
            return self._or(dataclasses.replace(self, mode=mode))
        if method == acp.SESSION_SET_MODEL:
            model = annotations.get("modelId", self.model)
            return self._or(dataclasses.replace(self, model=model))
        if method == acp.SESSION_SET_CONFIG_OPTION:
            # An agent need not repeat all of them.
            options = as_dict(result).get("configOptions", self._options_with(annotations))
            return self._or(self._with_options(options))
        return self

    def with_permission_mode(self, mode: object, *, native: object = None) -> ConfigOptions:
        """A person chose it. `native` is the agent's own mode that goes with it."""
        chosen = _permission_mode(mode)
        return self._or(
            dataclasses.replace(
                self,
                permission_mode=chosen,
                chosen=chosen,
                chosen_native=as_str(native),
                may_become=None,
            )
        )

    def judged_by(self, mode: object) -> ConfigOptions:
        """What was chosen stays."""
        return self._or(dataclasses.replace(self, permission_mode=_permission_mode(mode)))

    def allowing(self, mode: PermissionMode | None) -> ConfigOptions:
        """A mode as loose as this one may be announced once."""
        return self._or(dataclasses.replace(self, may_become=mode))

    def _options_with(self, set_: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [
            {**option, "currentValue": set_.get("value")}
            if option.get("id") == set_.get("configId")
            else option
            for option in self.options
        ]

    def _with_options(self, options: Any) -> ConfigOptions:
        if not isinstance(options, list):
            return self
        read = dataclasses.replace(self, options=tuple(dicts_in(options)))
        if (model := read._option("model")) is not None:
            read = dataclasses.replace(read, model=model.get("currentValue"))
        if (mode := read._option("mode")) is not None:
            read = dataclasses.replace(read, mode=mode.get("currentValue"))
        return read

    def _following_mode(self) -> ConfigOptions:
        """The agent says which mode it is in: that may tighten what was chosen, and never loosen it."""
        announced = None if self.mode is None else self._permission_mode_of(self.mode)
        if announced is not None and self._is_allowed(announced):
            return self.with_permission_mode(announced, native=self.mode)
        judged = self.chosen if self.permission_mode is not None else None
        is_as_chosen = self.mode == self.chosen_native or (
            judged is not None and self._native_mode(judged) == self.mode
        )
        if announced is not None and not is_as_chosen and _is_stricter(announced, judged):
            judged = announced
        return dataclasses.replace(self, permission_mode=judged)

    def _is_allowed(self, announced: PermissionMode) -> bool:
        may_become = self.may_become
        is_looser = _is_stricter(self.chosen or "ask", announced)
        return may_become is not None and is_looser and not _is_stricter(may_become, announced)

    @property
    def is_loosened(self) -> bool:
        """The agent is in a mode of its own that allows more than what was chosen, or may do so."""
        if self.mode is None or self.mode == self.chosen_native:
            return False
        if (announced := self._permission_mode_of(self.mode)) is not None:
            return _is_stricter(self.permission_mode or "ask", announced)
        # Where modes are about permissions, one that we do not know may allow anything.
        about_permissions = not {"accept-edits", "bypass"}.isdisjoint(self.native_modes)
        return about_permissions and self.mode != self._native_mode(self.permission_mode or "ask")

    @property
    def is_asking(self) -> bool:
        """It is known to ask: by the mode of its own that it is in, or, without any, because our policy is all there is."""
        return not self._mode_ids() or (self.mode is not None and self.mode == self._asking_mode())

    @property
    def can_ask(self) -> bool:
        return not self._mode_ids() or self._asking_mode() is not None

    def _asking_mode(self) -> str | None:
        offered = self._mode_ids()
        candidates = (self.native_modes.get("ask"), "ask", "default")
        return next((mode for mode in candidates if mode in offered), None)

    def _or(self, read: ConfigOptions) -> ConfigOptions:
        return self if read == self else read

    # Setting; the agent's own words decide what is offered

    def change_mode(self, mode: str, *, keeps_asking: bool = False) -> ModeChange:
        """To a permission mode, which every agent has, or to a mode of the agent's own. `keeps_asking`: in `bypass`,
        too, so that rules are asked.

        Raises:
            ModeNotSupported: neither.
        """
        offered = self._mode_ids()
        own = mode if mode in offered else mode.removeprefix(NATIVE)
        if (common := _permission_mode(mode)) is not None:
            asks = keeps_asking and common == "bypass"
            native = self._native_mode("ask" if asks else common)
        elif own in offered:
            common, native = self._permission_mode_of(own), own
        else:
            offered = list(dict.fromkeys([*offered, *PERMISSION_MODES]))
            raise ModeNotSupported(
                f"the agent has no mode {mode!r}; " + _offers(offered), offered=offered
            )
        # Also when it is in that mode as far as we know: telling it again is cheaper than being wrong.
        return ModeChange(None if native is None else self._set_mode(native), common, native)

    def change_back(self) -> ModeChange:
        """To the agent's own mode that goes with how permissions are judged."""
        judged = self.permission_mode
        native = self.chosen_native if judged == self.chosen else None
        if native is None:
            native = self._native_mode(judged or "ask")
        return ModeChange(None if native is None else self._set_mode(native), judged, native)

    def is_mode_option(self, option_id: str) -> bool:
        return as_dict(self._option("mode")).get("id") == option_id

    def set_model(self, model: str) -> Setting:
        """Raises: ValueNotSupported."""
        if (option := self._option("model")) is not None:
            return _set_option(option, model)
        offered = [item.get("id") for item in self.listed_models]
        if model in offered:
            return Setting(acp.SESSION_SET_MODEL, {"modelId": model}, {"modelId": model})
        raise ValueNotSupported(
            f"the agent has no model {model!r}; " + _offers(offered), offered=offered
        )

    def set_thought_level(self, level: str) -> Setting:
        """Raises: ValueNotSupported."""
        if (option := self._option("thought_level")) is not None:
            return _set_option(option, level)
        raise ValueNotSupported("the agent has no thought levels to choose from", offered=[])

    def set_option(self, option_id: str, value: str | bool) -> Setting:
        """Raises: ValueNotSupported."""
        for option in self.options:
            if option.get("id") == option_id:
                return _set_option(option, value)
        offered = [option.get("id") for option in self.options]
        raise ValueNotSupported(
            f"the agent has no option {option_id!r}; " + _offers(offered), offered=offered
        )

    def _set_mode(self, mode: str) -> Setting:
        option = self._option("mode")
        if option is None or any(item.get("id") == mode for item in self.modes):
            return Setting(acp.SESSION_SET_MODE, {"modeId": mode}, {"modeId": mode})
        return _set_option(option, mode)

    def _mode_ids(self) -> list[str]:
        listed = [item.get("id") for item in self.modes] or [
            choice["id"] for choice in _choices(self._option("mode"))
        ]
        return [mode for mode in listed if isinstance(mode, str)]

    def _native_mode(self, common: PermissionMode) -> str | None:
        """The agent's own mode for it; else one in which it asks, so that our policy can decide."""
        offered = self._mode_ids()
        own = (self.native_modes.get(common), common)
        # An agent that accepts edits by itself asks of none whether a rule denies it, and Claude accepts some
        # commands with them.
        candidates = (
            *(own if common != "accept-edits" else ()),
            self.native_modes.get("ask"),
            *own,
            self.first_mode,
        )
        return next((mode for mode in candidates if mode in offered), None)

    def _permission_mode_of(self, native: str) -> PermissionMode | None:
        found = [mode for mode in PERMISSION_MODES if self.native_modes.get(mode) == native]
        # An agent that goes planning by itself may also leave by itself: `plan`, not `read-only`.
        return "plan" if "plan" in found else next(iter(found), None)

    def _option(self, category: str) -> dict[str, Any] | None:
        # The category is optional in ACP; the id is what agents without it go by.
        return next(
            (
                option
                for key in ("category", "id")
                for option in self.options
                if option.get(key) == category
            ),
            None,
        )


def agent_session_id_of(frame: Mapping[str, Any]) -> str | None:
    """The agent's own id, when a `session_info_update` says that it goes by another from now on."""
    update = as_dict(as_dict(frame.get("params")).get("update"))
    if update.get("sessionUpdate") != acp.SESSION_INFO_UPDATE:
        return None
    return as_str(as_dict(update.get("_meta")).get("agentSessionId"))


def _set_option(option: dict[str, Any], value: str | bool) -> Setting:
    offered = [choice["id"] for choice in _choices(option)]
    if option.get("type") == "boolean":
        offered = [True, False]
    if value not in offered and not (_takes_any(option) and isinstance(value, str) and value):
        raise ValueNotSupported(
            f"option {option.get('id')!r} has no value {value!r}; " + _offers(offered),
            offered=offered,
        )
    annotations = {"configId": option.get("id"), "value": value}
    return Setting(acp.SESSION_SET_CONFIG_OPTION, dict(annotations), annotations)


def _takes_any(option: dict[str, Any]) -> bool:
    own = as_dict(as_dict(option.get("_meta")).get(CAPABILITIES_META))
    return own.get("takesAny") is True


def _choices(option: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The values of a select option, flat or grouped, as `{id, name, description?}`."""
    found: list[dict[str, Any]] = []
    for item in dicts_in(option.get("options") if option else None):
        if "options" in item:
            found.extend(_choices(item))
        elif "value" in item:
            rest = {key: value for key, value in item.items() if key != "value"}
            found.append({"id": item["value"], **rest})
    return found


def _permission_mode(mode: Any) -> PermissionMode | None:
    return next((common for common in PERMISSION_MODES if common == mode), None)


def _is_stricter(mode: PermissionMode, than: PermissionMode | None) -> bool:
    return _STRICTNESS.index(mode) > _STRICTNESS.index(than or "ask")


def _offers(offered: list[Any]) -> str:
    return "it offers: " + ", ".join(map(str, offered)) if offered else "it offers none"
