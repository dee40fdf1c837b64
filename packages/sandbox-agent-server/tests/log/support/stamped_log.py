"""A log in memory and its stamper: what an agent wrote goes in, entries as readers get them come out.

The only place of these tests that knows how the stamper is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sandbox_agent_core.frames import Frame, LogEntry, acp, extensions
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.frames.jsonrpc import request, response
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Entry, LineEncoder
from sandbox_agent_server.log.open_items import COMPLETION_BYTES
from sandbox_agent_server.log.restoring import restored
from sandbox_agent_server.log.stamper import Stamper
from sandbox_agent_server.log.step import Step

__all__ = ["COMPLETION_BYTES", "SESSION_ID", "StampedLog"]

SESSION_ID = "ses_1"
_NOON = rfc3339(1_795_435_200_000).encode()
_FOR_A_PERSON = frozenset({acp.SESSION_REQUEST_PERMISSION, acp.ELICITATION_CREATE})


class StampedLog:
    def __init__(self, entries: Sequence[LogEntry] = ()) -> None:
        self.entries = list(entries)
        self._stamper = Stamper()
        self._encoder = LineEncoder()
        self._prompt_id = 0

    @property
    def turn_id(self) -> str | None:
        return self._stamper.turn_id

    def begin_turn(self, turn_id: str) -> None:
        step = self._step()
        self._stamper.begin_turn(step, turn_id)
        self._prompt_id = step.next_seq
        prompt = request(self._prompt_id, acp.SESSION_PROMPT, {"prompt": []})
        self._stamper.client_frame(step, prompt)
        self._commit(step)

    def agent_writes(self, frames: Iterable[Frame], *, is_history: bool = False) -> None:
        """One batch; as `is_history` while `session/load` repeats what was."""
        step = self._step()
        self._stamper.is_replaying = is_history
        for frame in frames:
            self._route(step, frame)
        self._stamper.is_replaying = False
        if self._stamper.turn_id is None:
            self._stamper.close_items(step)
        self._commit(step)

    def end_of_the_prompt(self) -> Frame:
        """What the agent answers when its turn is over."""
        return response(self._prompt_id, {"stopReason": "end_turn"})

    def interrupt(self) -> None:
        """The server ends the turn, because the agent cannot."""
        step = self._step()
        self._stamper.close_turn(step, self._stamper.turn_id)
        params = {"turnId": self._stamper.turn_id, "stopReason": "interrupted"}
        self._stamper.server_entry(step, extensions.TURN_ENDED, params)
        self._stamper.end_turn(self._stamper.turn_id)
        self._commit(step)

    def lose_the_agent(self) -> None:
        """Its process is gone, and with it whatever it was asked."""
        self._stamper.forget_asked()

    def restored(self) -> StampedLog:
        """The same, read from its entries by another process."""
        twin = StampedLog(self.entries)
        twin._stamper = restored(self.entries)
        twin._prompt_id = self._prompt_id
        return twin

    def _step(self) -> Step:
        return Step(len(self.entries) + 1)

    def _route(self, step: Step, frame: Frame) -> None:
        stamper, raw, method = self._stamper, dumps(frame), frame.get("method")
        if method == acp.SESSION_UPDATE:
            stamper.update(step, raw, frame)
        elif not isinstance(method, str):
            stamper.agent_response(step, raw, frame)
        elif frame.get("id") is None:
            stamper.agent_notification(step, raw, frame)
        elif method in _FOR_A_PERSON:
            stamper.agent_request(
                step,
                raw,
                frame,
                request_id=f"req_{step.next_seq}",
                annotations={"kind": "permission"},
                tool_call=as_dict(as_dict(frame.get("params")).get("toolCall")),
            )
        else:
            stamper.agent_request(step, raw, frame)

    def _commit(self, step: Step) -> None:
        for seq, draft in enumerate(step.drafts, start=step.first_seq):
            line = self._encoder.encode(draft, seq, _NOON)
            self.entries.append(Entry(seq, line).to_log_entry(SESSION_ID))
