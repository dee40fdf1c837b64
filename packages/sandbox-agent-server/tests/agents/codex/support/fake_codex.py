"""A Codex that says what it is told to: `FAKE_CODEX` has the messages that it writes, by method asked.

A message with `result` or `error` and no `id` answers; other texts are written as they are. `exit` ends it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

SAYS: dict[str, list[Any]] = {
    "initialize": [{"result": {"userAgent": "fake/1.2.3 (test)"}}],
    "account/read": [{"result": {"account": None, "requiresOpenaiAuth": False}}],
    "thread/start": [{"result": {"thread": {"id": "main"}, "model": "sol"}}],
} | json.loads(os.environ["FAKE_CODEX"])


def say(message: Any, id: Any) -> None:
    if message == "exit":
        sys.exit(3)
    if isinstance(message, dict) and "method" not in message and "id" not in message:
        message = {"id": id, **message}
    text = message.replace('"id":ID', f'"id":{id}') if isinstance(message, str) else None
    print(json.dumps(message) if text is None else text)


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        for message in SAYS.get(asked["method"], [{"result": {}}] if "id" in asked else []):
            say(message, asked.get("id"))
        sys.stdout.flush()
