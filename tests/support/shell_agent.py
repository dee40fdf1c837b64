"""An ACP agent that does at once what it is told: each prompt is a line of shell, run in the session's directory.

python shell_agent.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def main() -> None:
    cwd = "."
    for line in sys.stdin:
        frame = json.loads(line)
        if "id" not in frame or "method" not in frame:
            continue
        params = frame.get("params", {})
        result: dict[str, Any] = {}
        match frame["method"]:
            case "initialize":
                result = {"protocolVersion": 1, "agentCapabilities": {}}
            case "session/new":
                cwd = params["cwd"]
                result = {"sessionId": "s1"}
            case "session/prompt":
                # The server may put the conversation so far before it.
                text = params["prompt"][-1].get("text", "")
                subprocess.run(["sh", "-c", text], cwd=cwd, check=False, stdout=subprocess.DEVNULL)
                result = {"stopReason": "end_turn"}
        print(json.dumps({"jsonrpc": "2.0", "id": frame["id"], "result": result}), flush=True)


if __name__ == "__main__":
    main()
