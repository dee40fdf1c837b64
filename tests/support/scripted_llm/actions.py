"""What a scripted model can do in one answer; `apis/` says it in each provider's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Say:
    """Text in deltas, `pause_s` after each. A thought becomes the provider's reasoning block."""

    chunks: Sequence[str]
    pause_s: float = 0.01
    is_thought: bool = False

    @property
    def text(self) -> str:
        return "".join(self.chunks)


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: JSON = field(default_factory=dict)
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class FreeformCall:
    """OpenAI's custom tools take text, not JSON (Codex's `apply_patch`)."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class LocalShell:
    argv: Sequence[str]


@dataclass(frozen=True, slots=True)
class WebSearch:
    """OpenAI's own search tool: the provider runs it, the agent only hears of it."""

    query: str


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing more but keep the connection alive with comments."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the TCP connection in the middle of the answer."""


@dataclass(frozen=True, slots=True)
class Fail:
    status: int
    message: str | None = None


Action = Say | Call | FreeformCall | LocalShell | WebSearch | Hang | Drop | Fail


def calls_a_tool(actions: Sequence[Action]) -> bool:
    return any(isinstance(action, Call | FreeformCall | LocalShell) for action in actions)
