"""What Amp runs to ask about a tool call: it puts the question to the adapter and exits with the answer.

A program of its own, started by Amp once for each call, so it imports little. Amp's contract: the
call's arguments on stdin, its name in `AGENT_TOOL_NAME`; exit code 0 allows, 2 rejects with stderr.
"""

from __future__ import annotations

import json
import os
import socket
import sys

_REJECT = 2


def main(path: str) -> int:
    asked = {"tool": os.environ.get("AGENT_TOOL_NAME", ""), "input": sys.stdin.read()}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(path)
            connection.sendall(json.dumps(asked).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer = json.loads(stream.readline())
    except (OSError, ValueError):
        answer = {"reason": "Nobody could be asked whether this tool may run."}
    if answer.get("allow") is True:
        return 0
    sys.stderr.write(str(answer.get("reason")))
    return _REJECT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
