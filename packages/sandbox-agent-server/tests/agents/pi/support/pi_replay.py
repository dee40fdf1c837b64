"""Plays a recorded transcript through the translator: what goes to the client and to Pi, in order.

A transcript is JSON lines: `{"pi": message}` that Pi wrote, `{"client": frame}` that the client sent; a
prompt also has the id of the `command` that it was to the recorded Pi.
"""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

from sandbox_agent_server.agents.native.translator import Output
from sandbox_agent_server.agents.pi.content import prompt_content
from sandbox_agent_server.agents.pi.offers import Offers
from sandbox_agent_server.agents.pi.translate import Translator
from sandbox_agent_server.agents.pi.turns import Prompt

__all__ = ["STATE", "Replay", "play"]

SONNET = {"id": "sonnet", "name": "Sonnet", "provider": "anthropic", "reasoning": True}
HAIKU = {"id": "haiku", "name": "Haiku", "provider": "anthropic", "reasoning": False}
STATE: dict[str, Any] = {
    "sessionId": "s",
    "model": SONNET,
    "thinkingLevel": "medium",
    "isStreaming": False,
    "isCompacting": False,
}


class Replay:
    """A translator, and all that came out of it."""

    def __init__(self, *, says_settled: bool = False, hooks: frozenset[str] = frozenset()) -> None:
        ids = count(1)
        offers = Offers(
            state=STATE,
            models={"models": [SONNET, HAIKU]},
            commands={"commands": [{"name": "ask", "description": "Asks", "source": "extension"}]},
        )
        self.translator = Translator(
            session_id="s",
            cwd="/repo",
            offers=offers,
            says_settled=says_settled,
            hooks=hooks,
            new_id=lambda: f"message-{next(ids)}",
        )
        self.out: list[dict[str, Any]] = []

    @property
    def to_client(self) -> list[dict[str, Any]]:
        return [item["to_client"] for item in self.out if "to_client" in item]

    @property
    def to_pi(self) -> list[dict[str, Any]]:
        return [item["to_pi"] for item in self.out if "to_pi" in item]

    @property
    def updates(self) -> list[dict[str, Any]]:
        return [
            frame["params"]["update"]
            for frame in self.to_client
            if frame.get("method") == "session/update"
        ]

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [frame for frame in self.to_client if "method" not in frame]

    def pi(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self._put_out(self.translator.feed(message))

    def prompt(self, text: str = "hello", *, id: int = 1, command: str = "p1") -> None:
        content = prompt_content([{"type": "text", "text": text}])
        line = self.translator.prompt(Prompt(id, command), content.message, content.images)
        self._put_out(Output([], [line]))

    def accepted_prompt(self, id: int = 1) -> None:
        """A prompt that Pi took, and that runs."""
        self.prompt(id=id, command=f"p{id}")
        self.pi(
            {"type": "response", "id": f"p{id}", "command": "prompt", "success": True},
            {"type": "agent_start"},
        )

    def answer_fence(self, **data: Any) -> None:
        """Pi's response to what it was asked last."""
        asked = [line for line in self.to_pi if line.get("id", "").startswith("fence")][-1]
        self.pi(
            {
                "type": "response",
                "id": asked["id"],
                "command": asked["type"],
                "success": True,
                "data": STATE | data,
            }
        )

    def cancel(self) -> None:
        self._put_out(self.translator.cancel())

    def client(self, frame: dict[str, Any], command: str | None) -> None:
        match frame:
            case {"method": "session/prompt", "id": id, "params": {"prompt": [{"text": text}]}}:
                self.prompt(text, id=id, command=command or f"prompt-{id}")
            case {"method": "session/cancel"}:
                self.cancel()
            case {"id": id, "result": result}:
                self._put_out(self.translator.answer(id, result))
            case _:
                raise AssertionError(f"a transcript cannot have {frame}")

    def _put_out(self, output: Output) -> None:
        self.out += [{"to_client": frame} for frame in output.frames]
        self.out += [{"to_pi": reply} for reply in output.replies]


def play(path: Path) -> Replay:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    replay = Replay(says_settled=path.name.startswith("0.87"))
    for item in lines:
        if "client" in item:
            replay.client(item["client"], item.get("command"))
        else:
            replay.pi(item["pi"])
    return replay
