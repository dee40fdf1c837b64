"""Which prompts of a session its agent has in its own memory, and where each of its turns begins: read from its log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sandbox_agent_core.errors import Conflict, InvalidRequest
from sandbox_agent_core.frames import LogEntry, acp, extensions, operations
from sandbox_agent_core.lenient import as_dict, as_list
from sandbox_agent_core.projection import is_apart

from sandbox_agent_server.agents.runner.config_options import agent_session_id_of

__all__ = ["SessionPrompts", "prompts_of"]


@dataclass(slots=True)
class SessionPrompts:
    turns: dict[str, int] = field(default_factory=dict)
    """The turns that are part of the conversation, oldest first: id -> seq of the entry that began it."""
    remembered: list[str] = field(default_factory=list)
    """Those of prompts that the agent itself was given and has not forgotten."""
    inherited: int = 0
    """How many prompts it has from before: of the session that this is a fork of."""

    @property
    def count(self) -> int:
        """Of the prompts in the agent's own memory."""
        return self.inherited + len(self.remembered)

    @property
    def last(self) -> str | None:
        return self.remembered[-1] if self.remembered else None

    def index_of(self, turn_id: str) -> int | None:
        """The number, from 0, that the prompt of a turn has for the agent. None: it does not know it."""
        if turn_id not in self.remembered:
            return None
        return self.inherited + self.remembered.index(turn_id)

    def since(self, turn_id: str) -> list[str]:
        """This turn and those after it."""
        ids = list(self.turns)
        return ids[ids.index(turn_id) :]

    def check(self, turn_id: str) -> None:
        """Raises: InvalidRequest, when it is no turn of the conversation."""
        if turn_id not in self.turns:
            raise InvalidRequest(
                f"{turn_id!r} is no turn of the conversation: it has never begun, or the session went back to "
                "before it",
                turnId=turn_id,
            )

    def known(self, turn_id: str) -> int:
        """As `index_of`. Raises: InvalidRequest, Conflict when the agent does not know the prompt."""
        self.check(turn_id)
        index = self.index_of(turn_id)
        if index is None:
            raise Conflict(
                f"turn {turn_id!r} is not in the agent's own memory: no prompt began it, or the agent has lost or "
                "cleared its memory since",
                turnId=turn_id,
            )
        return index

    def read(self, entry: LogEntry) -> None:
        if entry.sender == "client":
            self._asked(entry)
        elif entry.sender == "agent":
            self._said(entry)
        elif entry.method == extensions.SESSION_CREATED:
            origin = as_dict(as_dict(entry.payload.get("params")).get("forkedFrom"))
            self.inherited = origin.get("prompts", 0) if origin.get("how") == "native" else 0
        elif entry.method == extensions.SESSION_REWOUND:
            self._rewound(as_dict(entry.payload.get("params")))

    def _asked(self, entry: LogEntry) -> None:
        method, turn_id = entry.payload.get("method"), entry.turn_id
        if turn_id is None or method not in operations.BEGIN_A_TURN:
            return
        self.turns[turn_id] = entry.seq
        # Without the id of a session it was written for people alone: the agent could not be started.
        if method == acp.SESSION_PROMPT and as_dict(entry.payload.get("params")).get("sessionId"):
            self.remembered.append(turn_id)

    def _said(self, entry: LogEntry) -> None:
        if is_apart(entry):
            return
        if (entry.method == acp.SESSION_NEW and "result" in entry.payload) or (
            entry.method == acp.SESSION_UPDATE and agent_session_id_of(entry.payload) is not None
        ):
            self._begin_anew()
        elif entry.method == extensions.TURN_STARTED and entry.turn_id is not None:
            self.turns[entry.turn_id] = entry.seq

    def _rewound(self, params: dict[str, object]) -> None:
        if params.get("conversation") is not True:
            return
        gone = {id for id in as_list(params.get("turnIds")) if isinstance(id, str)}
        self.turns = {id: seq for id, seq in self.turns.items() if id not in gone}
        self.remembered = [id for id in self.remembered if id not in gone]
        if params.get("how") == "transcript":
            self._begin_anew()

    def _begin_anew(self) -> None:
        self.remembered, self.inherited = [], 0


def prompts_of(entries: Iterable[LogEntry]) -> SessionPrompts:
    """From all entries of a log."""
    prompts = SessionPrompts()
    for entry in entries:
        prompts.read(entry)
    return prompts
