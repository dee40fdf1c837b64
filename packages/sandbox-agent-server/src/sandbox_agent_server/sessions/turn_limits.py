"""Looks at a turn that was given limits, step by step, and says when one is reached.

A model that has answered with tool calls will be asked again with their results: that is the moment to stop a turn. An
answer without any is its end, which needs no stopping. Until an agent has told of an answer of its model, answers are
counted by what it does: what it says or calls after the results of tools is a new one.
"""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.events import LimitKind
from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.projection.messages import parent_of

from sandbox_agent_server.log.entry import Draft
from sandbox_agent_server.log.step import Step
from sandbox_agent_server.sessions.metering import TurnMeter

__all__ = ["LimitWatch"]

_SAYS: Final = frozenset({acp.AGENT_MESSAGE_CHUNK, acp.AGENT_THOUGHT_CHUNK})
_CALLS: Final = frozenset({acp.TOOL_CALL, acp.TOOL_CALL_UPDATE})
_FINAL: Final = ("completed", "failed")


class LimitWatch:
    """Of one turn. Only what its main agent does counts, but for the cost."""

    def __init__(
        self,
        turn_id: str,
        meter: TurnMeter,
        *,
        max_turns: int | None,
        max_cost: float | None,
    ) -> None:
        self._turn_id = turn_id
        self._meter = meter
        self._max_turns = max_turns
        self._max_cost = max_cost
        self._tells_calls = False
        """It has told of an answer in this turn."""
        self._calls = 0
        self._open_tools: set[str] = set()
        self._has_called = False
        """The last that the model did is a call of a tool, so it will go on."""
        self._is_at_results = False
        """All results of tools are there, and the model has said nothing since."""

    def reached(self, step: Step) -> LimitKind | None:
        """What a step that is written has brought the turn to."""
        for draft in step.drafts:
            if draft.sender == "agent" and draft.turn_id == self._turn_id:
                self._read(draft)
        if self._max_turns is not None and self._is_out_of_turns(self._max_turns):
            return "max_turns"
        if self._max_cost is not None and self._is_out_of_money(self._max_cost):
            return "max_cost"
        return None

    def _is_out_of_turns(self, most: int) -> bool:
        if self._calls > most:
            return True
        return self._calls == most and self._goes_on and not self._open_tools

    def _is_out_of_money(self, most: float) -> bool:
        if not self._tells_calls:
            # An agent of ACP tells what its session has cost, when it likes.
            return self._meter.cost is not None and self._meter.cost >= most
        # Unknown is not within a budget.
        return self._goes_on and (self._meter.cost is None or self._meter.cost >= most)

    @property
    def _goes_on(self) -> bool:
        return self._has_called or bool(self._open_tools)

    def _read(self, draft: Draft) -> None:
        if draft.method == extensions.MODEL_RESPONDED:
            self._tells_calls = True
            self._calls = self._meter.model_calls
            return
        if draft.method != acp.SESSION_UPDATE or "otherSession" in (draft.annotations or {}):
            return
        update = as_dict(as_dict(draft.frame.get("params")).get("update"))
        kind = update.get("sessionUpdate")
        if kind in _SAYS and parent_of(update) is None:
            self._acts()
            self._has_called = False
        elif kind in _CALLS and parent_of(update) is None:
            self._tool(update)

    def _tool(self, update: dict[str, Any]) -> None:
        id, status = str(update.get("toolCallId")), update.get("status")
        if id not in self._open_tools and update["sessionUpdate"] == acp.TOOL_CALL:
            self._acts()
            self._has_called = True
            self._open_tools.add(id)
        if status in _FINAL:
            self._open_tools.discard(id)
            self._is_at_results = not self._open_tools

    def _acts(self) -> None:
        """The model says or calls something: in a new answer, when it had the results of the last."""
        if not self._tells_calls and (self._is_at_results or not self._calls):
            self._calls += 1
        self._is_at_results = False
