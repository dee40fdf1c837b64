"""Stands in for Claude Code where the real one does not do what a test needs. `FAKE` says what it does."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

FAKE = os.environ["FAKE"]


def say(message: dict[str, Any] | str) -> None:
    sys.stdout.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
    sys.stdout.flush()


def control(message: dict[str, Any]) -> None:
    request_id, subtype = message["request_id"], message["request"]["subtype"]
    response: dict[str, Any] = {"subtype": "success", "request_id": request_id, "response": {}}
    if FAKE == "bad_handshake" and subtype == "initialize":
        response = {"subtype": "error", "request_id": request_id, "error": "no"}
    if FAKE == "long_answer" and subtype == "set_model":
        response["response"] = {"junk": "x" * 2_000_000}
    if FAKE == "early" and subtype == "initialize":
        say({"type": "system", "subtype": "hook_started"})
    if FAKE == "dies" and "--session-id" in sys.argv and not Path("again").exists():
        Path("again").touch()
        sys.stderr.write("cannot go on\n")
        raise SystemExit(3)
    say({"type": "control_response", "response": response})


def prompted() -> None:
    match FAKE:
        case "garbage":
            say("this is not JSON")
            say("[1, 2]")
            say("")
        case "long":
            say({"type": "assistant", "junk": "x" * 2_000_000})
        case "long_result":
            say({"type": "result", "subtype": "success", "result": "x" * 2_000_000})
            return
        case "deep_request":
            deep = "[" * 500 + "]" * 500
            request = (
                f'{{"subtype":"can_use_tool","tool_name":"Bash","input":{{"command":{deep}}}}}'
            )
            say(f'{{"type":"control_request","request_id":"asked","request":{request}}}')
            answer = json.loads(sys.stdin.readline())
            say({"type": "system", "subtype": "answered", "by": answer})
    say({"type": "assistant", "message": {"id": "m", "content": [{"type": "text", "text": "hi"}]}})
    if FAKE != "silent":
        say({"type": "result", "subtype": "success", "is_error": False})


for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "control_request":
        control(message)
    elif message["type"] == "user":
        prompted()
