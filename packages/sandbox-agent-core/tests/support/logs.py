"""Sessions as the server logs them: every run of deltas of an item is followed by its completion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from entries import agent, answer, client, server, update
from hypothesis import strategies as st
from sandbox_agent_core.events import Event
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project

__all__ = ["Log", "logs"]

_CHUNKS = {"message": "agent_message_chunk", "reasoning": "agent_thought_chunk"}
_PICTURE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


class Log:
    """Writes entries one after the other, with the stamps that the server would give them."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []
        self._turn: str | None = None
        self._turns = 0

    def events(self, *, deltas: bool = True) -> list[Event]:
        found = [event for entry in self.entries if (event := project(entry)) is not None]
        return [event for event in found if deltas or not event.type.endswith(".delta")]

    def add(self, entry: LogEntry) -> None:
        self.entries.append(entry)

    def stamps(self, **more: Any) -> dict[str, Any]:
        return {"seq": len(self.entries) + 1, "turn_id": self._turn, **more}

    def begin(self, prompt: str = "Go") -> None:
        self._turns += 1
        self._turn = f"turn_{self._turns}"
        self.add(client("session/prompt", {"prompt": [_text(prompt)]}, **self.stamps()))

    def end(self, stop_reason: str = "end_turn") -> None:
        self.add(answer("session/prompt", {"stopReason": stop_reason}, **self.stamps()))
        self._turn = None

    def delta(self, kind: str, item: str, content: dict[str, Any]) -> None:
        stamps = self.stamps(item_id=f"{item}/{kind}")
        self.add(update(_CHUNKS[kind], content=content, stamps=stamps))

    def complete(self, kind: str, item: str, blocks: list[dict[str, Any]]) -> None:
        params = {"messageId": f"{item}/{kind}", "content": blocks, "role": "assistant"}
        stamps = self.stamps(item_id=f"{item}/{kind}")
        self.add(server(f"{kind}.completed", params, **stamps))

    def say(self, *texts: str, kind: str = "message", item: str = "m") -> None:
        """A run of deltas and its completion."""
        for text in texts:
            self.delta(kind, item, _text(text))
        self.complete(kind, item, [_text("".join(texts))])

    def tool(self, session_update: str, call: str, /, **fields: Any) -> None:
        stamps = self.stamps(item_id=call)
        self.add(update(session_update, toolCallId=call, stamps=stamps, **fields))

    def ask(self, request_id: str) -> None:
        options = [{"optionId": "y", "name": "Yes", "kind": "allow_once"}]
        params = {"toolCall": {"toolCallId": "t", "title": "rm"}, "options": options}
        stamps = self.stamps(item_id=request_id)
        self.add(agent("session/request_permission", params, id=0, **stamps))

    def allow(self, request_id: str) -> None:
        result = {"outcome": {"outcome": "selected", "optionId": "y"}}
        annotations = {"decidedBy": "user", "optionName": "Yes"}
        stamps = self.stamps(item_id=request_id, annotations=annotations)
        self.add(answer("session/request_permission", result, sender="client", **stamps))


_texts = st.lists(st.text(max_size=3), min_size=1, max_size=4)
_items = st.sampled_from(["a", "b"])
_kinds = st.sampled_from(["message", "reasoning"])


def _say(draw: st.DrawFn, log: Log) -> None:
    log.say(*draw(_texts), kind=draw(_kinds), item=draw(_items))


def _say_at_once(draw: st.DrawFn, log: Log) -> None:
    """Sub-agents speak at the same time; other things happen between their pieces."""
    said: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for _ in range(draw(st.integers(2, 6))):
        key = (draw(_kinds), draw(_items))
        block = draw(st.sampled_from([_text("x"), _text("y"), _PICTURE]))
        log.delta(*key, block)
        said.setdefault(key, []).append(block)
        if draw(st.booleans()):
            _tool(draw, log)
    for key in draw(st.permutations(list(said))):
        log.complete(*key, said[key])


def _tool(draw: st.DrawFn, log: Log) -> None:
    kind = draw(st.sampled_from(["tool_call", "tool_call_update"]))
    status = draw(st.sampled_from(["pending", "in_progress", "completed", "failed"]))
    log.tool(kind, draw(st.sampled_from(["t1", "t2"])), status=status, title=draw(_items))


def _turn(draw: st.DrawFn, log: Log) -> None:
    if draw(st.booleans()):
        log.begin()
    else:
        log.end()


def _request(draw: st.DrawFn, log: Log) -> None:
    draw(st.sampled_from([log.ask, log.allow]))(draw(st.sampled_from(["r1", "r2"])))


def _notice(draw: st.DrawFn, log: Log) -> None:
    log.add(server("agent.exited", {"exitCode": draw(st.integers(0, 1))}, **log.stamps()))


_STEPS: Sequence[Any] = [_say, _say, _say_at_once, _tool, _turn, _request, _notice]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    log = Log()
    for _ in range(draw(st.integers(0, 12))):
        draw(st.sampled_from(_STEPS))(draw, log)
    return log
