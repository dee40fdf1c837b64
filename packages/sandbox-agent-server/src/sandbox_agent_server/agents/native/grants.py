"""Permissions of agents that have none of their own: the options, what "always" covers, and when.

Such an agent asks through a gate of ours. What was allowed for good is answered here, without asking
again; in the mode `read-only` it is asked about all the same, so that the session's policy can refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sandbox_agent_server.agents.native.refusals import InvalidParams

__all__ = ["PERMISSION_MODES", "Decision", "Grants", "Scope"]

Decision = Literal["allow", "reject", "cancel"]

ALLOW_ONCE: Final = "allow_once"
ALLOW_ALWAYS: Final = "allow_always"
REJECT_ONCE: Final = "reject_once"

ASK: Final = "ask"
READ_ONLY: Final = "read-only"
PERMISSION_MODES: Final = {"ask": ASK, "read-only": READ_ONLY, "plan": READ_ONLY}
"""For `AgentDefinition.permission_modes`."""

_MODES: Final = (
    {"id": ASK, "name": "Ask", "description": "Ask before edits, commands and unknown tools"},
    {
        "id": READ_ONLY,
        "name": "Read only",
        "description": "Ask every time, also for what was allowed for good",
    },
)
_SHOWN_CHARS: Final = 60


@dataclass(frozen=True, slots=True)
class Scope:
    """What an "always" covers: all edits, one very command, or a tool."""

    kind: Literal["edits", "command", "tool"]
    what: str = ""

    @property
    def always_name(self) -> str:
        if self.kind == "edits":
            return "Accept all edits in this session"
        long = len(self.what) > _SHOWN_CHARS
        shown = self.what[: _SHOWN_CHARS - 1] + "…" if long else self.what
        return f"Always allow `{shown}` in this session"


class Grants:
    """Of one session, for as long as its adapter lives."""

    def __init__(self) -> None:
        self._mode = ASK
        self._given: set[Scope] = set()

    def modes(self) -> dict[str, Any]:
        return {"currentModeId": self._mode, "availableModes": [dict(mode) for mode in _MODES]}

    @property
    def is_read_only(self) -> bool:
        return self._mode == READ_ONLY

    def set_mode(self, mode: Any) -> None:
        """Raises: InvalidParams."""
        known = [item["id"] for item in _MODES]
        if mode not in known:
            raise InvalidParams(f"no mode {mode!r}; there are: {', '.join(known)}")
        self._mode = mode

    def covers(self, scope: Scope) -> bool:
        return self._mode == ASK and scope in self._given

    def options(self, scope: Scope) -> list[dict[str, Any]]:
        return [
            _option(ALLOW_ONCE, "Allow once"),
            _option(ALLOW_ALWAYS, scope.always_name),
            _option(REJECT_ONCE, "Reject"),
        ]

    def read_answer(self, scope: Scope, result: Mapping[str, Any] | None) -> Decision:
        """The client's answer to `session/request_permission`; None is an error.

        Everything that is not a known way to say yes is a no.
        """
        outcome = result.get("outcome") if result is not None else None
        if not isinstance(outcome, Mapping) or outcome.get("outcome") != "selected":
            return "cancel"
        chosen = outcome.get("optionId")
        if chosen == ALLOW_ALWAYS:
            self._given.add(scope)
        return "allow" if chosen in (ALLOW_ONCE, ALLOW_ALWAYS) else "reject"


def _option(kind: str, name: str) -> dict[str, Any]:
    return {"optionId": kind, "name": name, "kind": kind}
