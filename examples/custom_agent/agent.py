"""An agent of your own: JSON-RPC lines on stdin and stdout, by the Agent Client Protocol. This one counts words."""

import itertools
import json
import sys
from typing import Any

sessions: dict[str, int] = {}


def send(**message: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def update(session_id: str, **fields: Any) -> None:
    send(method="session/update", params={"sessionId": session_id, "update": fields})


def initialize(params: dict[str, Any]) -> dict[str, Any]:
    return {
        "protocolVersion": 1,
        "agentCapabilities": {},
        "agentInfo": {"name": "counter", "version": "1"},
    }


def new_session(params: dict[str, Any]) -> dict[str, Any]:
    session_id = f"counter-{len(sessions) + 1}"
    sessions[session_id] = 0
    return {"sessionId": session_id}


def prompt(params: dict[str, Any]) -> dict[str, Any]:
    session_id = params["sessionId"]
    words = [word for block in params["prompt"] for word in block.get("text", "").split()]
    call = f"call-{next(calls)}"
    update(
        session_id, sessionUpdate="tool_call", toolCallId=call, title="Count", status="in_progress"
    )
    sessions[session_id] += len(words)
    update(session_id, sessionUpdate="tool_call_update", toolCallId=call, status="completed")
    text = f"{len(words)} words, {sessions[session_id]} in all."
    update(session_id, sessionUpdate="agent_message_chunk", content={"type": "text", "text": text})
    return {"stopReason": "end_turn"}


calls = itertools.count(1)
METHODS = {"initialize": initialize, "session/new": new_session, "session/prompt": prompt}

for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:  # a notification, such as session/cancel
        continue
    if method := METHODS.get(request["method"]):
        send(id=request["id"], result=method(request["params"]))
    else:
        send(id=request["id"], error={"code": -32601, "message": f"no method {request['method']}"})
