"""An agent that speaks ACP on stdio and does what its prompts say. It numbers its sessions and requests from the same
start in every process, as agents do. Stdlib only: it is run as a program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

ODD = (
    '{"params" : {"update":{"content":{"text":"\\u00e4 1.0 \\/","type":"text"},'
    '"sessionUpdate":"agent_message_chunk","_n":123456789012345678901234567890,"_f":1.0},'
    '"sessionId":"SESSION"},  "method":"session/update","jsonrpc":"2.0"}'
)
"""Valid, and as nobody's encoder would write it."""
_sessions = 0
_requests = 1000
_waiting: dict[Any, Callable[[dict[str, Any]], None]] = {}
_turn: dict[str, Any] = {}


def write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(**members: Any) -> None:
    write(json.dumps({"jsonrpc": "2.0", **members}))


def chunk(session: str, text: str) -> None:
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
    say(method="session/update", params={"sessionId": session, "update": update})


def ask(method: str, params: dict[str, Any], then: Callable[[dict[str, Any]], None]) -> None:
    global _requests
    _requests += 1
    _waiting[_requests] = then
    say(id=_requests, method=method, params=params)


def answer(id: Any, result: Any) -> None:
    say(id=id, result=result)


def fail(id: Any, code: int, message: str) -> None:
    say(id=id, error={"code": code, "message": message})


def prompt(id: Any, params: dict[str, Any]) -> None:
    session = params["sessionId"]
    text = " ".join(block.get("text", "") for block in params["prompt"])
    words = text.split()
    match words:
        case ["burst", number, size]:
            for index in range(int(number)):
                chunk(session, f"{index:06d}" + "x" * int(size))
        case ["odd"]:
            write(ODD.replace("SESSION", session))
        case ["garbage"]:
            write("this is no message")
        case ["exit", code]:
            sys.stderr.write("fatal: bye\n")
            sys.stderr.flush()
            os._exit(int(code))
        case ["child"]:
            child = subprocess.Popen(["sleep", "777"])
            chunk(session, f"pids {os.getpid()} {child.pid}")
        case ["wait"]:
            _turn.update(id=id, session=session)
            chunk(session, "waiting")
            return
        case ["permission"]:
            options = [
                {"optionId": "yes", "name": "Allow", "kind": "allow_once"},
                {"optionId": "no", "name": "Reject", "kind": "reject_once"},
            ]
            call = {"toolCallId": "t1", "title": "touch it", "kind": "execute"}
            params = {"sessionId": session, "toolCall": call, "options": options}
            ask("session/request_permission", params, lambda frame: told(id, session, frame))
            return
        case ["ask", method]:
            ask(method, {"sessionId": session, "n": 1.0}, lambda frame: told(id, session, frame))
            return
        case _:
            chunk(session, "echo: ")
            chunk(session, text if len(text) < 1000 else str(len(text)))
    answer(id, {"stopReason": "end_turn"})


def told(id: Any, session: str, frame: dict[str, Any]) -> None:
    said = {name: frame[name] for name in ("result", "error") if name in frame}
    chunk(session, "answer: " + json.dumps(said))
    answer(id, {"stopReason": "end_turn"})


def request(frame: dict[str, Any]) -> None:
    global _sessions
    id, method, params = frame["id"], frame["method"], frame.get("params") or {}
    match method:
        case "initialize":
            info = {"name": "plain", "version": "0"}
            can = {"loadSession": True}
            answer(
                id,
                {
                    "protocolVersion": 1,
                    "agentInfo": info,
                    "agentCapabilities": can,
                    "authMethods": [],
                },
            )
        case "session/new":
            if params.get("mcpServers") == "bad":
                fail(id, -32602, "bad servers")
                return
            _sessions += 1
            modes = [{"id": "code", "name": "Code"}, {"id": "plan", "name": "Plan"}]
            answer(
                id,
                {
                    "sessionId": f"ses-{_sessions}",
                    "modes": {"currentModeId": "code", "availableModes": modes},
                    "_meta": {"hello": os.environ.get("HOME")},
                },
            )
        case "session/load":
            if params["sessionId"] == "gone":
                fail(id, -32002, "no such session")
                return
            chunk(params["sessionId"], "from the past")
            answer(id, {})
        case "session/prompt":
            prompt(id, params)
        case "session/set_mode":
            answer(id, {})
        case "_plain/echo":
            answer(id, {"params": params, "said": frame})
        case "_plain/never":
            pass
        case _:
            fail(id, -32601, "Method not found")


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "--stubborn" in sys.argv else signal.SIG_DFL)
    while True:
        line = sys.stdin.readline()
        if not line:
            if "--stubborn" in sys.argv:
                signal.pause()
            return
        frame = json.loads(line)
        if "method" not in frame:
            _waiting.pop(frame.get("id"), lambda _frame: None)(frame)
        elif "id" in frame:
            request(frame)
        elif frame["method"] == "session/cancel" and _turn:
            answer(_turn.pop("id"), {"stopReason": "cancelled"})


if __name__ == "__main__":
    main()
