"""Stands in for `cursor-agent acp`: its published protocol, without Cursor's servers.

A prompt is one word that says what the turn does: `text`, `tool`, `question`, `plan`, `todos`, `slow`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

MODES = ("agent", "plan", "ask")
MODELS = ("default[]", "composer-1")
OPTIONS = [
    {"optionId": "allow-once", "name": "Allow once", "kind": "allow_once"},
    {"optionId": "allow-always", "name": "Allow always", "kind": "allow_always"},
    {"optionId": "reject-once", "name": "Reject", "kind": "reject_once"},
]
QUESTION = {
    "id": "colour",
    "prompt": "Which colour?",
    "options": [{"id": "r", "label": "Red"}, {"id": "b", "label": "Blue"}],
    "allowMultiple": False,
}


class Agent:
    def __init__(self) -> None:
        self.next_id = 0
        self.mode = "agent"
        self.is_logged_in = bool(os.environ.get("CURSOR_API_KEY"))

    def serve(self) -> None:
        while line := sys.stdin.readline():
            frame = json.loads(line)
            if "id" in frame and "method" in frame:
                self.write({"jsonrpc": "2.0", "id": frame["id"], **self.answer(frame)})

    def answer(self, frame: dict[str, Any]) -> dict[str, Any]:
        params = frame["params"]
        match frame["method"]:
            case "initialize":
                login = {"id": "cursor_login", "name": "Cursor Login", "description": "agent login"}
                capabilities = {"loadSession": True, "promptCapabilities": {"image": True}}
                return {
                    "result": {
                        "protocolVersion": 1,
                        "agentCapabilities": capabilities,
                        "authMethods": [login],
                    }
                }
            case _ if not self.is_logged_in:
                return {"error": {"code": -32000, "message": "Authentication required"}}
            case "session/new" | "session/load":
                return {"result": {"sessionId": "cursor-session", **self.offers()}}
            case "session/set_mode":
                self.mode = params["modeId"]
                return {"result": {}}
            case "session/set_model":
                return {"result": {}}
            case "session/prompt":
                return {"result": {"stopReason": self.turn(params["prompt"][0]["text"])}}
        return {"error": {"code": -32601, "message": "Method not found"}}

    def offers(self) -> dict[str, Any]:
        modes = [{"id": mode, "name": mode.capitalize()} for mode in MODES]
        models = [{"modelId": model, "name": model} for model in MODELS]
        return {
            "modes": {"currentModeId": self.mode, "availableModes": modes},
            "models": {"currentModelId": MODELS[0], "availableModels": models},
        }

    def turn(self, prompt: str) -> str:
        match prompt:
            case "text":
                self.say(f"Hello from {self.mode} mode.")
            case "tool":
                self.tool()
            case "question":
                params = {"toolCallId": "q1", "title": "A choice", "questions": [QUESTION]}
                self.say(json.dumps(self.ask("cursor/ask_question", params)))
            case "plan":
                params = {
                    "toolCallId": "p1",
                    "name": "The plan",
                    "plan": "# Do it",
                    "todos": [todo("1", "one")],
                }
                self.say(json.dumps(self.ask("cursor/create_plan", params)))
            case "todos":
                first = {
                    "toolCallId": "t1",
                    "todos": [todo("1", "one"), todo("2", "two")],
                    "merge": False,
                }
                then = {"toolCallId": "t2", "todos": [todo("1", "one", "completed")], "merge": True}
                self.say(
                    json.dumps([self.ask("cursor/update_todos", each) for each in (first, then)])
                )
            case "slow":
                self.say("waiting")
                while json.loads(sys.stdin.readline()).get("method") != "session/cancel":
                    pass
                return "cancelled"
        return "end_turn"

    def tool(self) -> None:
        call = {
            "toolCallId": "c1",
            "title": "`touch made`",
            "kind": "execute",
            "rawInput": {"command": "touch made"},
        }
        self.update({"sessionUpdate": "tool_call", "status": "pending", **call})
        answer = self.ask(
            "session/request_permission",
            {"sessionId": "cursor-session", "toolCall": call, "options": OPTIONS},
        )
        is_allowed = str(answer["outcome"].get("optionId")).startswith("allow")
        status = "completed" if is_allowed else "failed"
        self.update({"sessionUpdate": "tool_call_update", "toolCallId": "c1", "status": status})

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """It waits for the answer, whatever the method."""
        id, self.next_id = self.next_id, self.next_id + 1
        self.write({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        while True:
            frame = json.loads(sys.stdin.readline())
            if frame.get("id") == id and "method" not in frame:
                return frame["result"]

    def say(self, text: str) -> None:
        content = {"type": "text", "text": text}
        self.update({"sessionUpdate": "agent_message_chunk", "content": content})

    def update(self, update: dict[str, Any]) -> None:
        params = {"sessionId": "cursor-session", "update": update}
        self.write({"jsonrpc": "2.0", "method": "session/update", "params": params})

    def write(self, frame: dict[str, Any]) -> None:
        print(json.dumps(frame), flush=True)


def todo(id: str, content: str, status: str = "pending") -> dict[str, str]:
    return {"id": id, "content": content, "status": status}


if __name__ == "__main__":
    if sys.argv[1:] != ["acp"]:
        sys.exit(f"unknown command {sys.argv[1:]}")
    Agent().serve()
