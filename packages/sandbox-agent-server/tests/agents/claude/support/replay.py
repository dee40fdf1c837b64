"""Plays a recorded transcript through the translator: what goes to the client and to Claude, in order.

A transcript is JSON lines: `{"claude": message}` that Claude Code wrote, `{"client": frame}` that the
client sent; a prompt also has the `uuid` that the recorded Claude Code knew it by, if it had one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox_agent_server.agents.claude.marks import Marks
from sandbox_agent_server.agents.claude.offers import Offers
from sandbox_agent_server.agents.claude.translate import Translator
from sandbox_agent_server.agents.claude.turns import Prompt
from sandbox_agent_server.agents.native.translator import Output

__all__ = ["HANDSHAKE", "Replay", "play"]

HANDSHAKE: dict[str, Any] = {
    "commands": [
        {"name": "verify", "description": "Verify a change", "argumentHint": ""},
        {"name": "compact", "description": "Compact the history", "argumentHint": "<hint>"},
        {"name": "context", "description": "Show the context", "argumentHint": ""},
    ],
    "models": [
        {
            "value": "default",
            "resolvedModel": "claude-opus-5-5",
            "displayName": "Default",
            "supportedEffortLevels": ["low", "high"],
            "supportsAutoMode": True,
        },
        {"value": "haiku", "resolvedModel": "claude-haiku-5-5", "displayName": "Haiku"},
    ],
    "current_permission_mode": "default",
}


class Replay:
    """A translator, and all that came out of it."""

    def __init__(self, *, session_id: str = "s", mode: str = "default") -> None:
        handshake = {**HANDSHAKE, "current_permission_mode": mode}
        offers = Offers(handshake, model=None, can_bypass=True)
        marks = Marks(new_id=lambda: "00000000-0000-4000-8000-00000000000f")
        self.translator = Translator(session_id=session_id, cwd="/repo", offers=offers, marks=marks)
        self.out: list[dict[str, Any]] = []

    @property
    def to_client(self) -> list[dict[str, Any]]:
        return [item["to_client"] for item in self.out if "to_client" in item]

    @property
    def to_claude(self) -> list[dict[str, Any]]:
        return [item["to_claude"] for item in self.out if "to_claude" in item]

    @property
    def updates(self) -> list[dict[str, Any]]:
        return [
            frame["params"]["update"]
            for frame in self.to_client
            if frame.get("method") == "session/update"
        ]

    def claude(self, message: dict[str, Any]) -> None:
        self._put_out(self.translator.feed(message))

    def prompt(self, text: str = "hello", *, id: int = 1, uuid: str = "u1") -> None:
        self.translator.begin_prompt(Prompt(id, uuid, text.startswith("/")))

    def cancel(self) -> None:
        self._put_out(Output([], [self.translator.cancel()]))

    def client(self, frame: dict[str, Any], uuid: str | None) -> None:
        match frame:
            case {"method": "session/prompt", "id": id, "params": {"prompt": [{"text": text}, *_]}}:
                self.prompt(text, id=id, uuid=uuid or f"prompt-{id}")
            case {"method": "session/cancel"}:
                self.cancel()
            case {"id": id, "result": result}:
                self._put_out(self.translator.answer(id, result))
            case _:
                raise AssertionError(f"a transcript cannot have {frame}")

    def _put_out(self, output: Output) -> None:
        self.out += [{"to_client": frame} for frame in output.frames]
        self.out += [{"to_claude": reply} for reply in output.replies]


def play(path: Path) -> Replay:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    init = next(item["claude"] for item in lines if item.get("claude", {}).get("subtype") == "init")
    replay = Replay(session_id=init["session_id"], mode=init["permissionMode"])
    for item in lines:
        if "client" in item:
            replay.client(item["client"], item.get("uuid"))
        else:
            replay.claude(item["claude"])
    return replay
