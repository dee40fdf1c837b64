"""An ACP agent that writes what its prompt tells it to, byte for byte.

A prompt that is a JSON list is a script: a text is a line to write, `{"ask": line}` is written too and then
answered by the client before the script goes on. `$TURN` is the id of the prompt. Anything else is said back.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["asks", "config", "says"]

MAX_SESSIONS = 10_000


def config(directory: Path) -> Path:
    """A server's configuration with this agent in it, as `verbatim`, and room for the sessions of all tests."""
    file = directory / "verbatim.toml"
    command = json.dumps([sys.executable, __file__])
    plain = json.dumps([sys.executable, "-m", "sandbox_agent_server.agents.mock", "--plain"])
    file.write_text(
        f"[limits]\nmax_sessions = {MAX_SESSIONS}\n\n[agents.verbatim]\ncommand = {command}\n\n[agents.plain]\ncommand = {plain}\n",
        encoding="utf-8",
    )
    return file


def says(text: str, *, kind: str = "agent_message_chunk", **fields: Any) -> str:
    """The line of a chunk. Halves of characters are escaped, as `JSON.stringify` does it."""
    update = {"sessionUpdate": kind, "content": {"type": "text", "text": text}, **fields}
    return _update(update)


def asks(id: int, options: Any, **call: Any) -> dict[str, str]:
    """A request for a permission, which the script waits for."""
    params = {
        "sessionId": "s",
        "toolCall": {"toolCallId": f"call_{id}", **call},
        "options": options,
    }
    frame = {"jsonrpc": "2.0", "id": id, "method": "session/request_permission", "params": params}
    return {"ask": json.dumps(frame)}


def _update(update: dict[str, Any]) -> str:
    params = {"sessionId": "s", "update": update}
    return json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": params})


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _result(id: Any, result: dict[str, Any]) -> None:
    _write(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}))


def _script(text: str) -> list[Any]:
    try:
        script = json.loads(text)
    except ValueError:
        script = None
    return script if isinstance(script, list) else [says(text)]


def _play(frame: dict[str, Any]) -> None:
    for action in _script(frame["params"]["prompt"][-1]["text"]):
        if isinstance(action, str):
            _write(action.replace("$TURN", json.dumps(frame["id"])))
            continue
        _write(action["ask"])
        answer = json.loads(sys.stdin.readline())
        if answer.get("method") == "session/cancel":
            _result(frame["id"], {"stopReason": "cancelled"})
            return
        _write(says(json.dumps(answer.get("result"))))
    _result(frame["id"], {"stopReason": "end_turn"})


def _serve() -> None:
    while line := sys.stdin.readline():
        frame = json.loads(line)
        match frame.get("method"):
            case "initialize":
                _result(frame["id"], {"protocolVersion": 1})
            case "session/new":
                _result(frame["id"], {"sessionId": "s"})
            case "session/prompt":
                _play(frame)


if __name__ == "__main__":
    _serve()
