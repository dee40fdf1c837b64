"""A transcript as one conversation: who said what in which step, each call beside its result.

Both formats want that, and neither has a place for a turn: what is known of one is told of its last step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, get_args

from sandbox_agent_core.content import ContentBlock, text_block, text_of
from sandbox_agent_core.lenient import compact
from sandbox_agent_core.view.model import (
    Item,
    MessageItem,
    NoticeItem,
    PlanItem,
    ReasoningItem,
    RequestItem,
    ToolItem,
    Transcript,
    Turn,
)

__all__ = ["MAX_DEPTH", "Call", "Step", "conversation", "facts_about"]

MAX_DEPTH: Final = 12
"""Of sub-agents in sub-agents: what is said further inside is told beside the call that it belongs to."""
_REQUESTS: Final = get_args(RequestItem)
_OF_A_TURN: Final = (
    "id", "origin", "taskId", "emulated", "rewound", "stopReason", "limit", "usage", "cost", "modelCalls", "changes",
    "startedAt", "endedAt",
)  # fmt: skip
_OF_A_SESSION: Final = (
    "sessionId", "agent", "model", "cwd", "title", "mode", "permissionMode", "metadata", "tasks", "queued", "usage", "ended",
)  # fmt: skip

Source: TypeAlias = Literal["user", "agent", "system"]


@dataclass(slots=True, kw_only=True)
class Call:
    item: ToolItem
    steps: list[Step] = field(default_factory=list)
    """What the sub-agent that it started said and did."""


@dataclass(slots=True, kw_only=True)
class Step:
    """`system` is what happened to the session: its agent's process died, its context was compacted."""

    source: Source
    time: datetime | None = None
    content: list[ContentBlock] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    """What no format has a field for, in the words of our API."""
    ends: Turn | None = None
    """The turn whose last step this is: its use and its end are told here."""


def conversation(transcript: Transcript) -> list[Step]:
    """The steps of the session's agent, in order; those of its sub-agents are inside of the calls that started them."""
    agent = _Speaker([], depth=0)
    inside: dict[str, _Speaker] = {}
    for turn in transcript.turns:
        before = len(agent.steps)
        for happened in _in_order(turn):
            if isinstance(happened, Step):
                agent.steps.append(happened)
                continue
            if _is_echo(happened, turn):
                continue
            # Only of a call that is known already, so that no call is inside of itself, by whatever detour.
            speaker = inside.get(getattr(happened, "parent_tool_call_id", None) or "", agent)
            call = speaker.take(happened)
            if call is not None:
                inside[call.item.tool_call_id] = speaker.inside(call)
        _end(turn, agent.steps, before)
    return agent.steps


def facts_about(transcript: Transcript) -> dict[str, Any]:
    """What is known of the session beside what was said in it, in the words of our API."""
    wire = transcript.to_wire()
    return {name: wire[name] for name in _OF_A_SESSION if wire.get(name)}


def _in_order(turn: Turn) -> Iterator[Step | Item]:
    """What a turn's person said, between what its agent did."""
    if turn.prompt:
        yield Step(source="user", time=turn.started_at, content=turn.prompt)
    steered = [
        Step(source="user", time=one.time, content=one.content, facts={"steered": True})
        for one in turn.steered
    ]
    for item in turn.items:
        while steered and steered[0].time is not None and steered[0].time < item.time:
            yield steered.pop(0)
        yield item
    yield from steered
    if turn.error is not None:
        text = f"{turn.error.code}: {turn.error.message}"
        facts = {"error": turn.error.to_wire()}
        yield Step(source="system", time=turn.ended_at, content=[text_block(text)], facts=facts)


def _is_echo(item: Item, turn: Turn) -> bool:
    """Some agents repeat what they were asked."""
    if not isinstance(item, MessageItem) or item.role != "user" or item.attachments:
        return False
    return item.parent_tool_call_id is None and item.text == text_of(turn.prompt or [])


def _end(turn: Turn, steps: list[Step], before: int) -> None:
    own = steps[before:]
    last = next(
        (step for step in reversed(own) if step.source == "agent"), own[-1] if own else None
    )
    if last is None:
        return
    last.ends = turn
    wire = turn.to_wire()
    if told := {name: wire[name] for name in _OF_A_TURN if name in wire}:
        last.facts["turn"] = told


class _Speaker:
    """An agent or a sub-agent. A step of it is what it thought and said, and the calls that it made then."""

    def __init__(self, steps: list[Step], *, depth: int) -> None:
        self.steps = steps
        self._depth = depth

    def inside(self, call: Call) -> _Speaker:
        return self if self._depth == MAX_DEPTH else _Speaker(call.steps, depth=self._depth + 1)

    def take(self, item: Item) -> Call | None:
        """The call, if it is one."""
        match item:
            case MessageItem():
                self._says(item)
            case ReasoningItem():
                step = self._step(item, is_new=lambda last: bool(last.content or last.calls))
                step.reasoning += [item.text] if item.text else []
                if item.attachments:
                    step.facts.setdefault("reasoning", []).extend(_wires(item.attachments))
            case ToolItem():
                call = Call(item=item)
                self._step(item).calls.append(call)
                return call
            case PlanItem():
                self._step(item).facts["plan"] = _wires(item.entries)
            case NoticeItem():
                text = "\n".join(filter(None, (item.text or item.code, item.detail)))
                facts = compact(notice=item.notice, code=item.code)
                notice = Step(
                    source="system", time=item.time, content=[text_block(text)], facts=facts
                )
                self.steps.append(notice)
            case _:
                assert isinstance(item, _REQUESTS)
                # A request may come before the call that it is about, and begins the step of it then.
                self._step(item).facts.setdefault("requests", []).append(item.to_wire())
        return None

    def _says(self, item: MessageItem) -> None:
        content = [*([text_block(item.text)] if item.text else []), *item.attachments]
        if item.role == "user":
            self.steps.append(Step(source="user", time=item.time, content=content))
            return
        step = self._step(item, is_new=lambda last: bool(last.content or last.calls))
        step.content += content
        step.facts |= compact(messageId=item.id, late=item.late or None)

    def _step(self, item: Item, *, is_new: Any = None) -> Step:
        last = self.steps[-1] if self.steps else None
        if last is None or last.source != "agent" or last.ends or (is_new and is_new(last)):
            last = Step(source="agent", time=item.time)
            self.steps.append(last)
        return last


def _wires(models: list[Any]) -> list[dict[str, Any]]:
    return [model.to_wire() for model in models]
