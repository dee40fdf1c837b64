"""A tiny MCP server on stdio with one tool, `stamp`, that returns what it is given with a mark on it. Stdlib only."""

from __future__ import annotations

import json
import sys
from typing import Any

PROTOCOL_VERSION = "2025-06-18"
MARK = "stamped-by-mcp:"
TOOL = {
    "name": "stamp",
    "description": "Puts a stamp on a text.",
    "inputSchema": {
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
    },
}


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        answer = _answer(message.get("method"), message.get("params") or {})
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)


def _answer(method: str | None, params: dict[str, Any]) -> dict[str, Any]:
    match method:
        case "initialize":
            result = {
                "protocolVersion": params.get("protocolVersion", PROTOCOL_VERSION),
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "stamper", "version": "1"},
            }
            return {"result": result}
        case "tools/list":
            return {"result": {"tools": [TOOL]}}
        case "tools/call":
            text = MARK + str(params.get("arguments", {}).get("text"))
            return {"result": {"content": [{"type": "text", "text": text}]}}
        case "ping":
            return {"result": {}}
    return {"error": {"code": -32601, "message": f"no {method}"}}


if __name__ == "__main__":
    main()
