"""A tiny MCP server on stdio: `shout` answers in capitals, `ask_word` asks the user first."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def receive() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        raise SystemExit
    message: dict[str, Any] = json.loads(line)
    return message


def ask_word() -> str:
    schema = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
    params = {"message": "Which word?", "requestedSchema": schema}
    send({"id": "ask", "method": "elicitation/create", "params": params})
    while (answer := receive()).get("id") != "ask":
        pass
    return f"You said {answer['result']['content']['word']}"


def tool(name: str, description: str, properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": description, "inputSchema": schema}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    match request["method"]:
        case "initialize":
            return {
                "protocolVersion": request["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "shout", "version": "1"},
            }
        case "tools/list":
            word = {"word": {"type": "string"}}
            return {"tools": [tool("shout", "Shout", word), tool("ask_word", "Ask for a word", {})]}
        case "tools/call" if request["params"]["name"] == "ask_word":
            return {"content": [{"type": "text", "text": ask_word()}]}
        case "tools/call":
            text = request["params"]["arguments"]["word"].upper()
            return {
                "content": [{"type": "text", "text": text + os.environ.get("SHOUT_SUFFIX", "")}]
            }
    return {}


while True:
    message = receive()
    if "id" in message and "method" in message:
        send({"id": message["id"], "result": answer(message)})
