"""A session's frames for the client: what every translator makes of an agent's messages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.lenient import compact

from sandbox_agent_server.agents.native.offers import Offers

__all__ = ["Announcement", "Native", "Output", "SessionTranslator", "Update"]

Native = dict[str, Any]
"""A message of the agent's own protocol."""

Update = dict[str, Any]
"""The `update` of a `session/update`."""


Announcement = tuple[str, Mapping[str, Any]]
"""What is said of background tasks and own turns: a method of `frames.extensions`, and its fields."""


@dataclass(slots=True)
class Output:
    frames: list[Frame] = field(default_factory=list)
    """For the client."""
    replies: list[Native] = field(default_factory=list)
    """For the agent, to be written after the message that caused them was read."""


class SessionTranslator(ABC):
    """One session, without I/O. Nothing is dropped: what ACP has no word for is an extension."""

    extension_prefix: ClassVar[str]
    offers: Offers
    """Of an agent that has something to switch."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id

    @property
    @abstractmethod
    def is_prompted(self) -> bool:
        """A `session/prompt` is not answered yet."""

    @abstractmethod
    def feed(self, message: Native) -> Output:
        """A message of the agent that answers none of the adapter's questions."""

    def update(self, update: Update) -> Frame:
        return notification(acp.SESSION_UPDATE, {"sessionId": self.session_id, "update": update})

    def updates(self, updates: Iterable[Update]) -> list[Frame]:
        return [self.update(update) for update in updates]

    def extension(self, kind: str, message: Mapping[str, Any]) -> Frame:
        params = {"sessionId": self.session_id, "message": message}
        return notification(self.extension_prefix + kind, params)

    def announce(self, method: str, fields: Mapping[str, Any]) -> Frame:
        return notification(method, {"sessionId": self.session_id, **fields})

    def model_responded(
        self,
        usage: Mapping[str, int],
        *,
        call_id: str | None = None,
        model: str | None = None,
        cost: float | None = None,
        parent: str | None = None,
    ) -> Frame:
        """What an answer of a model has used. `cost` in US dollars; `parent`: the call of the sub-agent."""
        told = None if cost is None else {"amount": cost, "currency": "USD"}
        fields = compact(
            callId=call_id, model=model, usage=dict(usage), cost=told, parentToolCallId=parent
        )
        return self.announce(extensions.MODEL_RESPONDED, fields)

    def commands_update(self) -> Frame:
        commands = self.offers.commands()
        return self.update(
            {"sessionUpdate": acp.AVAILABLE_COMMANDS_UPDATE, "availableCommands": commands}
        )

    def mode_update(self) -> Frame:
        mode = self.offers.option("mode").current
        return self.update({"sessionUpdate": acp.CURRENT_MODE_UPDATE, "currentModeId": mode})

    def config_update(self) -> Frame:
        options = self.offers.config_options()
        return self.update({"sessionUpdate": acp.CONFIG_OPTION_UPDATE, "configOptions": options})
