"""An agent that speaks ACP on stdio and tells what it is told: the text of a prompt names a file of updates, in JSON.
Stdlib only: it is run as a program."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def say(**members: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **members}) + "\n")
    sys.stdout.flush()


def tell(session: str, path: str) -> None:
    for update in json.loads(Path(path).read_text(encoding="utf-8")):
        say(method="session/update", params={"sessionId": session, "update": update})


def main() -> None:
    for line in sys.stdin:
        frame = json.loads(line)
        params = frame.get("params", {})
        match frame.get("method"):
            case "initialize":
                say(id=frame["id"], result={"protocolVersion": 1, "agentCapabilities": {}})
            case "session/new":
                say(id=frame["id"], result={"sessionId": "told"})
            case "session/prompt":
                tell(params["sessionId"], params["prompt"][0]["text"])
                say(id=frame["id"], result={"stopReason": "end_turn"})
            case _ if "id" in frame:
                say(id=frame["id"], error={"code": -32601, "message": "not here"})


if __name__ == "__main__":
    main()
