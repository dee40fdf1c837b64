"""When a prompt is over. Pi ends a run, and then may retry, compact and go on: only then comes the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox_agent_core.frames import RequestId

from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.pi.native import command

__all__ = ["Prompt", "Turns"]


@dataclass(slots=True)
class Prompt:
    id: RequestId
    """Of the `session/prompt` that it answers to."""
    command_id: str
    has_begun: bool = False
    is_cancelled: bool = False
    is_compaction: bool = False


class Turns:
    """After a run has ended, Pi is asked something: it answers only after it has said what comes next.

    `says_settled`: this Pi (0.80.6 and later) says itself when nothing comes any more.
    """

    def __init__(self, *, says_settled: bool) -> None:
        self.prompt: Prompt | None = None
        self._says_settled = says_settled
        self._fences = 0
        self._fence: str | None = None

    def begin(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self._fence = None

    def end(self) -> None:
        self.prompt = None
        self._fence = None

    def read(self, event: Native) -> Native | None:
        """A line for Pi: the question whose answer may be the end, or the abort that came too early."""
        prompt = self.prompt
        if prompt is None:
            return None
        match event:
            case {"type": "agent_start"}:
                self._fence = None
                prompt.has_begun = True
                # Aborted before there was anything to abort.
                return command("abort", "abort") if prompt.is_cancelled else None
            case {"type": "auto_retry_start" | "compaction_start"}:
                self._fence = None
            case {"type": "agent_settled"} if prompt.has_begun:
                return self._ask("get_session_stats")
            case {"type": "agent_end" | "compaction_end", "willRetry": True}:
                self._fence = None
            case {"type": "agent_end" | "compaction_end"} | {
                "type": "auto_retry_end",
                "success": False,
            } if prompt.has_begun and not self._says_settled:
                return self._ask("get_session_stats")
        return None

    def accepted(self) -> Native:
        """Pi took the prompt. A command of an extension is done already, with no run to come."""
        return self._ask("get_state")

    def is_over(self, response: Native) -> bool:
        """Whether this is the answer to the last question, and nothing came between."""
        if self.prompt is None or response.get("id") != self._fence or self._fence is None:
            return False
        self._fence = None
        if response.get("command") != "get_state":
            return True
        data: Any = response.get("data")
        is_running = isinstance(data, dict) and (
            data.get("isStreaming") or data.get("isCompacting")
        )
        if is_running:
            # It was queued behind a run that an extension had started.
            self.prompt.has_begun = True
        return not is_running

    def _ask(self, type: str) -> Native:
        self._fences += 1
        self._fence = f"fence-{self._fences}"
        return command(self._fence, type)
