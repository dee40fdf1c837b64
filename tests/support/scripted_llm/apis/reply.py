"""What an encoder needs to know about the answer it writes, and what it yields."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from support.scripted_llm.actions import JSON, Action, Drop, Hang

INPUT_TOKENS = 100
OUTPUT_TOKENS = 20
ARGUMENT_CHUNK = 24


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event, then a pause of `pause_s`."""

    data: JSON | str
    name: str | None = None
    pause_s: float = 0


Step = Event | Hang | Drop


@dataclass(frozen=True, slots=True)
class Reply:
    body: JSON
    actions: Sequence[Action]
    new_id: Callable[[str], str]
    created_s: int = field(default_factory=lambda: int(time.time()))

    @property
    def model(self) -> str:
        return str(self.body.get("model", "scripted-1"))


class Encoder(Protocol):
    @property
    def stream(self) -> Callable[[Reply], Iterator[Step]]: ...

    @property
    def whole(self) -> Callable[[Reply], JSON]: ...


def chunked(text: str) -> Iterator[str]:
    """Tool arguments arrive in pieces from real models, cut anywhere."""
    for start in range(0, len(text), ARGUMENT_CHUNK):
        yield text[start : start + ARGUMENT_CHUNK]
