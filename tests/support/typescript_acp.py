"""The official TypeScript SDK of ACP as a client, in a Node.js that has what it needs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from support.acp_wire import WORKSPACE
from support.agents import installed_binary, load_pins, node_folder
from support.optional import skip_without

__all__ = ["TYPESCRIPT_STEPS", "run_typescript"]

_SCRIPTS = Path(__file__).parents[1] / "clients"
TIMEOUT_S = 100
TYPESCRIPT_STEPS: dict[str, Any] = {
    "version": 1,
    "modes": 3,
    "prompt": "end_turn",
    "text": "You said: Grüße 🎉 hello",
    "permission": "end_turn",
    "asked": 1,
    "cancel": "cancelled",
    "mode": {},
    "listed": True,
    "vendor": -32601,
    "unknown": -32601,
    "nowhere": -32002,
    "crash": -32603,
    "revived": "end_turn",
    "load": ["Grüße 🎉 hello", "You said: load"],
    "resume": ["", "u said: resume"],
}


def run_typescript(
    transport: str, target: str, token: str = "", *, script: str = "acp_typescript_sdk.mjs"
) -> dict[str, Any]:
    """What its steps came to."""
    pin = load_pins()["acp-sdk"]
    entry, node = installed_binary(pin), node_folder()
    if entry is None or node is None:
        skip_without(f"{pin.spec} is not installed: make agents")
    command = [node / "node", _SCRIPTS / script, entry.parents[3], transport, target, token]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
        cwd=WORKSPACE,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    steps: dict[str, Any] = json.loads(done.stdout)
    return steps
