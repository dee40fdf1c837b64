#!/usr/bin/env python3
"""A stand-in for Amp, whose server cannot be reached from a test.

It follows what Amp publishes: the options of `--execute --stream-json --stream-json-input`, threads
that are continued, Claude-like messages, and permission rules with `delegate` (checked against the
real program's `amp permissions test` in test_real_amp.py). The prompt says what its model does:
`say TEXT`, `run TOOL JSON`, `two`, `wait`, `fail`, `crash`, `banner`, `memory`,
`flags`.
"""

from __future__ import annotations

import fnmatch
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 1,
    "cache_read_input_tokens": 2,
    "output_tokens": 5,
    "max_tokens": 1000,
}


class Amp:
    def __init__(self, argv: list[str]) -> None:
        self.thread = None
        if argv[:2] == ["threads", "continue"]:
            self.thread, argv = argv[2], argv[3:]
        self.flags = set(argv)
        self.settings = self._file(argv, "--settings-file")
        self.servers = self._file(argv, "--mcp-config")
        self.history = Path(os.environ["HOME"], "amp-threads.json")
        self.turns = 0

    def main(self) -> int:
        if not os.environ.get("AMP_API_KEY"):
            print("No API key found. Starting login flow...", flush=True)
            sys.stdin.read()
            return 1
        if os.environ["AMP_API_KEY"] == "wrong":
            sys.stderr.write(
                "Error: Invalid or missing API key. Run 'amp login' to authenticate.\n"
            )
            return 1
        needed = {"--execute", "--stream-json", "--stream-json-input"}
        if not needed <= self.flags:
            sys.stderr.write(f"Error: {needed - self.flags}\n")
            return 1
        threads = json.loads(self.history.read_text()) if self.history.exists() else {}
        if self.thread is not None and self.thread not in threads:
            sys.stderr.write(f"Error: Thread {self.thread} not found\n")
            return 1
        self.thread = self.thread or f"T-{uuid.uuid4()}"
        said = threads.setdefault(self.thread, [])
        servers = [{"name": name, "status": "connected"} for name in self.servers]
        self.put({"type": "system", "subtype": "init", "cwd": str(Path.cwd()), "tools": ["Bash"],
                  "mcp_servers": servers})  # fmt: skip
        for line in sys.stdin:
            text = json.loads(line)["message"]["content"][0]["text"]
            said.append(text)
            self.history.write_text(json.dumps(threads))
            self.put({"type": "user", "parent_tool_use_id": None,
                      "message": {"role": "user", "content": [{"type": "text", "text": text}]}})  # fmt: skip
            if (code := self.turn(text, said)) is not None:
                return code
        return 0

    def turn(self, text: str, said: list[str]) -> int | None:
        word, _, rest = text.partition(" ")
        if word == "run":
            name, _, arguments = rest.partition(" ")
            said_of_it = self.run([(name, json.loads(arguments))])
        elif word == "two":
            said_of_it = self.run([("Bash", {"cmd": "echo 1"}), ("Bash", {"cmd": "echo 2"})])
        elif word in ("memory", "settings", "flags", "mcp"):
            told = {"memory": said[:-1], "settings": self.settings, "flags": sorted(self.flags)}
            said_of_it = json.dumps(told.get(word, self.servers))
        elif word == "wait":
            self.assistant({"type": "text", "text": "waiting"})
            return subprocess.call(["sleep", "60"])
        elif word == "banner":
            print("A banner, not JSON", flush=True)
            said_of_it = "after the banner"
        elif word == "fail":
            self.put({"type": "result", "subtype": "error_during_execution", "is_error": True,
                      "error": "Out of credits", "duration_ms": 1, "num_turns": 1})  # fmt: skip
            return None
        elif word == "crash":
            sys.stderr.write("Error: something broke\n")
            return 3
        else:
            said_of_it = rest
        self.assistant({"type": "thinking", "thinking": "hm"}, {"type": "text", "text": said_of_it})
        self.put({"type": "result", "subtype": "success", "is_error": False, "result": said_of_it,
                  "duration_ms": 1, "num_turns": 1})  # fmt: skip
        return None

    def run(self, calls: list[tuple[str, Any]]) -> str:
        uses = [
            {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex}", "name": name, "input": given}
            for name, given in calls
        ]
        early = "ASK_FIRST" in os.environ
        if not early:
            self.assistant({"type": "text", "text": "I will."}, *uses)
        texts = []
        for use in uses:
            refused = self.refused(use["name"], use["input"])
            if early:
                self.assistant(use)
            texts.append(refused or self.result_of(use))
            block = {"type": "tool_result", "tool_use_id": use["id"], "content": texts[-1],
                     "is_error": refused is not None}  # fmt: skip
            self.put({"type": "user", "parent_tool_use_id": None,
                      "message": {"role": "user", "content": [block]}})  # fmt: skip
        return "; ".join(texts)

    def result_of(self, use: dict[str, Any]) -> str:
        given = use["input"]
        if use["name"] == "Bash":
            done = subprocess.run(["sh", "-c", given["cmd"]], capture_output=True, text=True)
            return json.dumps({"output": done.stdout, "exitCode": done.returncode})
        if use["name"] == "create_file":
            Path(given["path"]).write_text(given["content"])
            return "Created"
        return "Done"

    def refused(self, name: str, given: Any) -> str | None:
        for rule in self.settings.get("amp.permissions", []):
            if not fnmatch.fnmatchcase(name, rule["tool"]):
                continue
            if rule["action"] == "delegate":
                env = os.environ | {"AGENT": "amp", "AGENT_TOOL_NAME": name}
                done = subprocess.run([rule["to"]], input=json.dumps(given), text=True,
                                      capture_output=True, env=env)  # fmt: skip
                return None if done.returncode == 0 else f"error: {done.stderr}"
            return None if rule["action"] == "allow" else rule.get("message", "rejected")
        return "nobody to ask"

    def assistant(self, *content: dict[str, Any]) -> None:
        message = {"type": "message", "role": "assistant", "content": list(content), "usage": USAGE}
        self.put({"type": "assistant", "parent_tool_use_id": None, "message": message})

    def put(self, message: dict[str, Any]) -> None:
        print(json.dumps(message | {"session_id": self.thread}), flush=True)

    def _file(self, argv: list[str], option: str) -> dict[str, Any]:
        if option not in argv:
            return {}
        path = Path(argv[argv.index(option) + 1])
        assert path.stat().st_mode & 0o077 == 0, f"{path} is readable by others"
        return json.loads(path.read_text())


if __name__ == "__main__":
    sys.exit(Amp(sys.argv[1:]).main())
