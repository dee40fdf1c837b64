"""A log in memory and its stamper: what an agent wrote goes in, entries as readers get them come out.

The only place of these tests that knows how the stamper is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sandbox_agent_core.frames import Frame, LogEntry, acp, extensions
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.frames.jsonrpc import request, response
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.sessions.stamping import COMPLETION_BYTES, Stamper
from sandbox_agent_server.store.entry import Draft, LineEncoder, StoredEntry

__all__ = ["COMPLETION_BYTES", "SESSION_ID", "StampedLog"]

SESSION_ID = "ses_1"
_NOON = rfc3339(1_795_435_200_000).encode()
_FOR_A_PERSON = frozenset({acp.SESSION_REQUEST_PERMISSION, acp.ELICITATION_CREATE})


class StampedLog:
    def __init__(self, entries: Sequence[LogEntry] = ()) -> None:
        self.entries = list(entries)
        self._stamper = Stamper(lambda: len(self.entries) + 1)
        self._encoder = LineEncoder()
        self._prompt_id = 0

    @property
    def turn_id(self) -> str | None:
        return self._stamper.turn_id

    def begin_turn(self, turn_id: str) -> None:
        out = self._stamper.begin_turn(turn_id)
        self._prompt_id = len(self.entries) + 1 + len(out)
        prompt = request(self._prompt_id, acp.SESSION_PROMPT, {"prompt": []})
        self._commit([*out, self._stamper.client_frame(prompt)])

    def agent_writes(self, frames: Iterable[Frame], *, is_history: bool = False) -> None:
        """One batch; as `is_history` while `session/load` repeats what was."""
        out: list[Draft] = []
        self._stamper.is_replaying = is_history
        for frame in frames:
            self._route(frame, out)
        self._stamper.is_replaying = False
        if self._stamper.turn_id is None:
            self._stamper.close_items(out)
        self._commit(out)

    def end_of_the_prompt(self) -> Frame:
        """What the agent answers when its turn is over."""
        return response(self._prompt_id, {"stopReason": "end_turn"})

    def interrupt(self) -> None:
        """The server ends the turn, because the agent cannot."""
        out: list[Draft] = []
        self._stamper.close_turn(out)
        params = {"turnId": self._stamper.turn_id, "stopReason": "interrupted"}
        out.append(self._stamper.fact(extensions.TURN_ENDED, params))
        self._stamper.end_turn()
        self._commit(out)

    def lose_the_agent(self) -> None:
        """Its process is gone, and with it whatever it was asked."""
        self._stamper.forget_asked()

    def restored(self) -> StampedLog:
        """The same, read from its entries by another process in the middle of its turn."""
        twin = StampedLog(self.entries)
        assert self.turn_id is not None
        twin._stamper.restore(self.turn_id, self.entries[self._prompt_id - 1 :])
        twin._prompt_id = self._prompt_id
        return twin

    def _route(self, frame: Frame, out: list[Draft]) -> None:
        stamper, raw, method = self._stamper, dumps(frame), frame.get("method")
        if method == acp.SESSION_UPDATE:
            stamper.update(raw, frame, out)
        elif not isinstance(method, str):
            stamper.agent_response(raw, frame.get("id"), out)
        elif frame.get("id") is None:
            stamper.agent_notification(raw, method, out)
        elif method in _FOR_A_PERSON:
            stamper.agent_request(
                raw,
                method,
                out,
                request_id=f"req_{len(self.entries) + len(out)}",
                annotations={"kind": "permission"},
                tool_call=as_dict(as_dict(frame.get("params")).get("toolCall")),
            )
        else:
            stamper.agent_request(raw, method, out)

    def _commit(self, drafts: Iterable[Any]) -> None:
        for draft in drafts:
            seq = len(self.entries) + 1
            line = self._encoder.encode(draft, seq, _NOON)
            self.entries.append(StoredEntry(seq, line).to_log_entry(SESSION_ID))
