"""Copilot's modes by names that a person can read: the ends of the addresses that are their ids."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.normalising import AsItIs
from sandbox_agent_server.agents.acp.reading import wire

__all__ = ["CopilotModes"]

_ADDRESS: Final = "https://agentclientprotocol.com/protocol/session-modes#"
_MARK: Final = _ADDRESS.encode()
_MEMBERS: Final = frozenset({"currentModeId", "currentValue", "id", "value"})


class CopilotModes(AsItIs):
    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return [wire(_read(each.frame)) if _MARK in each.raw else each for each in batch]

    def to_agent(self, frame: Frame) -> Frame:
        params = as_dict(frame.get("params"))
        if frame.get("method") == acp.SESSION_SET_MODE:
            member = "modeId"
        elif (
            frame.get("method") == acp.SESSION_SET_CONFIG_OPTION
            and params.get("configId") == "mode"
        ):
            member = "value"
        else:
            return frame
        address = _ADDRESS + str(params.get(member)).removeprefix(_ADDRESS)
        return {**frame, "params": {**params, member: address}}


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(item) for item in value]
    if isinstance(value, dict):
        return {
            name: item.removeprefix(_ADDRESS)
            if name in _MEMBERS and isinstance(item, str)
            else _read(item)
            for name, item in value.items()
        }
    return value
