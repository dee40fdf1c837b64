"""Plays a recorded transcript through the translator: what the client would have got, and what was posted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox_agent_core.frames import Frame
from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.opencode.offers import Offers
from sandbox_agent_server.agents.opencode.translate import ASK_STATUS, Translator
from sandbox_agent_server.agents.opencode.variant import OPENCODE

__all__ = ["Played", "make_offers", "make_translator", "play"]

AGENTS = [
    {"name": "build", "mode": "primary", "description": "Works"},
    {"name": "plan", "mode": "primary"},
    {"name": "general", "mode": "subagent"},
    {"name": "title", "mode": "primary", "hidden": True},
]
PROVIDERS = {
    "default": {"anthropic": "claude-sonnet-4-6"},
    "providers": [
        {
            "id": "anthropic",
            "name": "Anthropic",
            "models": {
                "claude-sonnet-4-6": {
                    "name": "Sonnet",
                    "limit": {"context": 200_000},
                    "variants": {"high": {}, "max": {}, "off": {"disabled": True}},
                },
                "claude-haiku-4-5": {"name": "Haiku", "limit": {"context": 100_000}},
            },
        }
    ],
}
COMMANDS = [{"name": "init", "description": "Set up", "template": "…", "hints": ["$ARGUMENTS"]}]


@dataclass(slots=True)
class Played:
    out: list[dict[str, Any]] = field(default_factory=list)
    """`{frame}` for the client and `{post}` for OpenCode, in order."""

    def frames(self, method: str) -> list[Frame]:
        return [item["frame"] for item in self.out if item.get("frame", {}).get("method") == method]

    @property
    def answers(self) -> list[Frame]:
        return [
            item["frame"] for item in self.out if "frame" in item and "method" not in item["frame"]
        ]

    @property
    def updates(self) -> list[dict[str, Any]]:
        return [frame["params"]["update"] for frame in self.frames("session/update")]

    @property
    def posts(self) -> list[dict[str, Any]]:
        return [item["post"] for item in self.out if "post" in item]


def make_offers(**given: Any) -> Offers:
    parts = {"agents": AGENTS, "providers": PROVIDERS, "commands": COMMANDS, "config": {}}
    return Offers(**(parts | given), default_agent="build")


def make_translator(session: dict[str, Any] | None = None) -> Translator:
    return Translator(OPENCODE, session=session or {"id": "ses_1"}, offers=make_offers())


def play(transcript: Path) -> Played:
    items = [json.loads(line) for line in transcript.read_text(encoding="utf-8").splitlines()]
    translator = make_translator(items[0]["session"])
    played = Played()
    for item in items[1:]:
        if "event" in item:
            output = translator.feed(item["event"])
            played.out += [{"frame": frame} for frame in output.frames]
            played.out += [{"post": reply} for reply in output.replies if reply != ASK_STATUS]
        else:
            played.out += [{"post": reply} for reply in _client(translator, item["client"])]
    return played


def _client(translator: Translator, frame: Frame) -> list[Native]:
    match frame.get("method"):
        case "session/prompt":
            translator.begin_turn(frame["id"])
            return []
        case "session/cancel":
            return translator.cancel()
    return translator.answer(frame["id"], frame["result"])
