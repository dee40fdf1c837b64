"""Plays a recorded transcript through the translator: what goes to the client and to Codex, in order.

A transcript is JSON lines: first `{"thread": result}`, the answer that made the thread; then
`{"codex": message}` that Codex wrote, `{"client": frame}` that the client sent, and `{"taken": result}`,
the answer to a prompt's `turn/start`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox_agent_server.agents.codex.offers import Offers
from sandbox_agent_server.agents.codex.translate import Translator
from sandbox_agent_server.agents.codex.turns import Prompt
from sandbox_agent_server.agents.native.translator import Output

__all__ = ["MODELS", "THREAD", "Replay", "item", "play", "read"]

THREAD: dict[str, Any] = {
    "thread": {"id": "main"},
    "model": "sol",
    "reasoningEffort": None,
    "approvalPolicy": "untrusted",
    "sandbox": {"type": "workspaceWrite"},
}
MODELS = [
    {
        "model": "sol",
        "displayName": "Sol",
        "description": "The workhorse",
        "supportedReasoningEfforts": [
            {"reasoningEffort": "low", "description": "Fast"},
            {"reasoningEffort": "high", "description": "Slow"},
        ],
        "defaultReasoningEffort": "low",
    },
    {
        "model": "luna",
        "displayName": "Luna",
        "supportedReasoningEfforts": [{"reasoningEffort": "medium"}],
        "defaultReasoningEffort": "medium",
    },
]


class Replay:
    """A translator, and all that came out of it."""

    def __init__(self, thread: dict[str, Any] = THREAD) -> None:
        self.translator = Translator(
            session_id=thread["thread"]["id"],
            cwd=str(thread.get("cwd", "/repo")),
            offers=Offers(thread, MODELS),
        )
        self.out: list[dict[str, Any]] = []

    @property
    def to_client(self) -> list[dict[str, Any]]:
        return [entry["to_client"] for entry in self.out if "to_client" in entry]

    @property
    def to_codex(self) -> list[dict[str, Any]]:
        return [entry["to_codex"] for entry in self.out if "to_codex" in entry]

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [message for message in self.to_codex if "method" in message]

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

    def codex(self, method: str, /, **params: Any) -> None:
        """A notification of the main thread, unless `threadId` says otherwise."""
        self.feed({"method": method, "params": {"threadId": "main", "turnId": "t1", **params}})

    def ask(self, id: int, method: str, /, **params: Any) -> None:
        params = {"threadId": "main", "turnId": "t1", **params}
        self.feed({"id": id, "method": method, "params": params})

    def feed(self, message: dict[str, Any]) -> None:
        self._put_out(self.translator.feed(message))

    def started(self, item: dict[str, Any], **params: Any) -> None:
        self.codex("item/started", item=item, **params)

    def completed(self, item: dict[str, Any], **params: Any) -> None:
        self.codex("item/completed", item=item, **params)

    def prompt(self, id: int = 1, turn: str = "t1") -> None:
        """A prompt that runs."""
        self.translator.begin_prompt(Prompt(id))
        self.translator.prompt_taken({"turn": {"id": turn}})
        self.codex("turn/started", turn={"id": turn})

    def end(self, status: str = "completed", turn: str = "t1", **fields: Any) -> None:
        self.codex("turn/completed", turn={"id": turn, "status": status, **fields})

    def client(self, frame: dict[str, Any]) -> None:
        method = frame.get("method")
        if method == "session/prompt":
            self.translator.begin_prompt(Prompt(frame["id"]))
        elif method == "session/cancel":
            self.translator.cancel()
            self._put_out(Output())
        else:
            self._put_out(self.translator.answer(frame["id"], frame.get("result")))

    def select(self, id: int, option_id: str) -> None:
        outcome = {"outcome": "selected", "optionId": option_id}
        self.client({"id": id, "result": {"outcome": outcome}})

    def _put_out(self, output: Output) -> None:
        self.out += [{"to_client": frame} for frame in output.frames]
        self.out += [{"to_codex": reply} for reply in output.replies]
        due = self.translator.take_due()
        for thread_id, turn_id in due.interrupts:
            self._call("turn/interrupt", threadId=thread_id, turnId=turn_id)
        if due.lists_skills:
            self._call("skills/list")
        if due.pauses_goal:
            self._call("thread/goal/set", threadId="main", status="paused")
        for thread_id in due.left_by:
            self._call("thread/backgroundTerminals/list", threadId=thread_id)

    def _call(self, method: str, **params: str) -> None:
        self.out.append({"to_codex": {"method": method, "params": params}})


def item(type: str, /, id: str = "i1", **fields: Any) -> dict[str, Any]:
    return {"type": type, "id": id, **fields}


def read(transcript: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in transcript.read_text(encoding="utf-8").splitlines()]


def play(transcript: Path) -> Replay:
    first, *rest = read(transcript)
    replay = Replay(first["thread"])
    for entry in rest:
        if "codex" in entry:
            replay.feed(entry["codex"])
        elif "taken" in entry:
            replay.translator.prompt_taken(entry["taken"])
        else:
            replay.client(entry["client"])
    return replay
