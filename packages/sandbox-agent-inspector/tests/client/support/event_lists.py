"""Random lists of universal events: sessions as they are, and events in whatever order and of whatever turn."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

__all__ = ["golden_events", "shuffled", "streamed"]

_GOLDEN = Path(__file__).parents[4] / "sandbox-agent-core" / "tests" / "golden" / "events"
_TURNS = ["t1", "t2", "__proto__", None]
_IDS = ["a", "b", "__proto__", "constructor"]
_ID_MEMBERS = {"messageId", "toolCallId", "requestId", "taskId", "parentToolCallId"}
_TEXT_MEMBERS = {"text", "title", "server", "reason", "terminalOutput", "summary"}
_FLAGS = ("late", "expected", "conversation")
_TEXTS = ["", "x", "Hello, ", "wörld", "\u202e", "'", '"', "a\nb\t\\", "\U0001f600"]

Wire = dict[str, Any]


def golden_events() -> list[Wire]:
    """Every event of the golden files of core."""
    return [
        case["event"]
        for path in sorted(_GOLDEN.glob("*.json"))
        for case in json.loads(path.read_text(encoding="utf-8"))
    ]


def shuffled(random: Random, events: list[Wire], *, count: int) -> list[Wire]:
    """Golden events, drawn at random, with few ids and turns, so that they meet; members that may be absent are."""
    found: list[Wire] = []
    seq = 0
    for _ in range(count):
        event = deepcopy(random.choice(events))
        # Now and then one comes again, or comes too late to be taken in.
        seq += random.choice([1, 1, 1, 1, 2, 5, 0, -1])
        event |= {"seq": seq, "id": f"s:{seq}", "sessionId": "s"}
        _set(event, "turnId", random.choice(_TURNS))
        _vary(random, event["data"])
        found.append(event)
    return found


def _set(event: Wire, name: str, value: str | None) -> None:
    event.pop(name, None)
    if value is not None:
        event[name] = value


def _vary(random: Random, data: Wire) -> None:
    for name in sorted(data.keys() & _ID_MEMBERS):
        data[name] = random.choice(_IDS)
    if isinstance(call := data.get("toolCall"), dict):
        call["toolCallId"] = random.choice(_IDS)
    for name in sorted(data.keys() & _TEXT_MEMBERS):
        data[name] = random.choice([*_TEXTS, data[name]])
    for name in _FLAGS:
        if random.random() < 0.2:
            data[name] = random.random() < 0.5
    if "turnIds" in data:
        data["turnIds"] = random.sample(["t1", "t2", "t3"], k=2)
    for name in list(data):
        if random.random() < 0.1:
            del data[name]


def streamed(random: Random, *, count: int) -> list[Wire]:
    """A session in which texts are streamed at the same time, and every run of deltas is completed, or still open."""
    session = _Session(random)
    steps = [session.say] * 6 + [session.complete] * 3 + [session.use_tool] * 2 + [session.turn]
    for _ in range(count):
        random.choice(steps)()
    return session.events


class _Session:
    def __init__(self, random: Random) -> None:
        self.events: list[Wire] = []
        self._random = random
        self._open: dict[tuple[str, str], tuple[str | None, str]] = {}
        """Of each text the turn in which it is said, and what was said since its last completion."""
        self._turn: str | None = None

    def say(self) -> None:
        key = self._random.choice(["message", "reasoning"]), self._random.choice("ab")
        turn, said = self._open.get(key, (self._turn, ""))
        if turn != self._turn:
            return  # as long as it is being streamed an item is of one turn
        text = self._random.choice(_TEXTS)
        self._open[key] = turn, said + text
        self._add(f"{key[0]}.delta", {"messageId": key[1], "text": text})

    def complete(self) -> None:
        if self._open:
            key = self._random.choice(list(self._open))
            _, said = self._open.pop(key)
            self._add(f"{key[0]}.completed", {"messageId": key[1], "text": said})

    def use_tool(self) -> None:
        status = self._random.choice(["pending", "in_progress", "completed", "failed"])
        data = {"toolCallId": self._random.choice("tu"), "status": status}
        data["terminalOutput"] = self._random.choice(_TEXTS)
        is_over = status in ("completed", "failed")
        self._add("tool.completed" if is_over else "tool.updated", data)

    def turn(self) -> None:
        while self._open:
            self.complete()
        if self._turn is not None:
            self._add("turn.ended", {"stopReason": "end_turn"})
            self._turn = None
            return
        self._turn = f"turn_{len(self.events)}"
        self._add("turn.started", {"content": [{"type": "text", "text": "Go"}]})

    def _add(self, kind: str, data: Wire) -> None:
        seq = len(self.events) + 1
        event = {"seq": seq, "id": f"s:{seq}", "sessionId": "s", "type": kind, "sender": "agent"}
        event |= {"time": f"2026-11-23T12:00:00.{seq % 1000:03}Z", "data": data}
        _set(event, "turnId", self._turn)
        self.events.append(event)
