"""An agent that plays one scene for the pictures of the Inspector: it speaks the Agent Client Protocol on stdio, and really
changes the files that it says it changes. Stdlib only: a server runs it as a program."""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

OLD = """    def refresh(self) -> None:
        if self.expires_at < self.clock.now():
            self.token = self.issue()
"""
NEW = """    def refresh(self) -> None:
        # Ask a little early: the clocks of two machines differ.
        if self.expires_at <= self.clock.now() + SKEW:
            self.token = self.issue()
"""
SESSION_PY = f'''"""Sessions of a signed-in user."""

from shop.clock import Clock

SKEW = 5


class Session:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.expires_at = clock.now() + 3600

{OLD}'''
FAILED = """\x1b[1m============ test session starts ============\x1b[0m
collected 48 items

tests/test_session.py \x1b[32m......\x1b[31mF\x1b[32m.....\x1b[0m
tests/test_cart.py \x1b[32m....................................\x1b[0m

\x1b[31m\x1b[1mFAILED\x1b[0m tests/test_session.py::\x1b[1mtest_refresh_at_the_edge\x1b[0m
\x1b[31m1 failed\x1b[0m, \x1b[32m47 passed\x1b[0m in 2.41s
"""
PASSED = "\x1b[32m\x1b[1m48 passed\x1b[0m\x1b[32m in 2.38s\x1b[0m\n"
STEPS = [
    "Reproduce the failure",
    "Find where the token is refreshed",
    "Fix it",
    "Run all tests",
    "Push the branch",
]

_ids = itertools.count(1000)
_cwd: dict[str, Path] = {}


def send(**members: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **members}) + "\n")
    sys.stdout.flush()


class Turn:
    def __init__(self, session: str) -> None:
        self.session = session
        self.cwd = _cwd[session]
        self.calls = 0

    def update(self, what: str, seconds: float = 0.12, /, **fields: Any) -> None:
        time.sleep(seconds)
        send(
            method="session/update",
            params={"sessionId": self.session, "update": {"sessionUpdate": what, **fields}},
        )

    def text(self, kind: str, text: str) -> None:
        for word in text.split(" "):
            self.update(kind, 0.01, content={"type": "text", "text": word + " "})

    def plan(self, done: int) -> None:
        states = ["completed"] * done + ["in_progress"] + ["pending"] * len(STEPS)
        entries = [
            {"content": step, "priority": "medium", "status": status}
            for step, status in zip(STEPS, states, strict=False)
        ]
        self.update("plan", entries=entries)

    def call(self, title: str, kind: str, *, seconds: float = 0.3, **fields: Any) -> str:
        self.calls += 1
        call_id = f"call_{self.calls}"
        begun = {name: fields[name] for name in ("rawInput", "locations") if name in fields}
        self.update(
            "tool_call", toolCallId=call_id, title=title, kind=kind, status="in_progress", **begun
        )
        status = fields.pop("status", "completed")
        self.update("tool_call_update", seconds, toolCallId=call_id, status=status, **fields)
        return call_id

    def read(self, path: str) -> None:
        full = str(self.cwd / path)
        self.call(f"Read {path}", "read", rawInput={"path": full}, locations=[{"path": full}])

    def run(self, command: str, output: str, code: int) -> None:
        self.call(
            command, "execute", seconds=1.1, rawInput={"command": command},
            rawOutput={"stdout": output, "exitCode": code}, status="failed" if code else "completed",
        )  # fmt: skip


def fix(turn: Turn) -> None:
    turn.text(
        "agent_thought_chunk",
        "The failure is in test_refresh_at_the_edge, so it depends on the very second. I should see how the session "
        "compares its times before I change anything.",
    )
    turn.plan(0)
    turn.text(
        "agent_message_chunk",
        "I'll run the tests first, then look at how a session refreshes its token.",
    )
    turn.run("make test", FAILED, 1)
    turn.plan(1)
    turn.read("tests/test_session.py")
    turn.read("shop/session.py")
    turn.read("shop/clock.py")
    turn.call("expires_at", "search", rawInput={"pattern": "expires_at"})
    turn.plan(2)
    turn.text(
        "agent_message_chunk",
        "The comparison leaves out the second in which the token expires: `<` should be `<=`. Two machines also differ "
        "by a few seconds, so I ask for a new one **a little early**.",
    )
    path = turn.cwd / "shop" / "session.py"
    path.write_text(SESSION_PY.replace(OLD, NEW), encoding="utf-8")
    diff = {
        "type": "diff",
        "path": str(path),
        "oldText": SESSION_PY,
        "newText": SESSION_PY.replace(OLD, NEW),
    }
    turn.call("Edit shop/session.py", "edit", content=[diff], locations=[{"path": str(path)}])
    turn.plan(3)
    turn.run("make test", PASSED, 0)
    turn.plan(4)
    turn.text(
        "agent_message_chunk",
        "All 48 tests pass. I'd like to push the branch, so that CI can run it.",
    )
    command = "git push origin fix/session-refresh"
    call = {
        "toolCallId": "call_push",
        "title": command,
        "kind": "execute",
        "rawInput": {"command": command},
    }
    turn.update("tool_call", status="pending", **call)
    options = [
        {"optionId": "once", "name": "Allow once", "kind": "allow_once"},
        {"optionId": "always", "name": "Always allow", "kind": "allow_always"},
        {"optionId": "no", "name": "Deny", "kind": "reject_once"},
    ]
    send(
        id=next(_ids),
        method="session/request_permission",
        params={"sessionId": turn.session, "toolCall": call, "options": options},
    )


def explain(turn: Turn) -> None:
    turn.read("shop/clock.py")
    turn.text(
        "agent_message_chunk",
        "A `Clock` tells the time of the server, in seconds. Tests pass one that stands still:\n\n"
        "```python\nclock = FixedClock(at=1_700_000_000)\nsession = Session(clock)\n```\n\nNothing else reads the time.",
    )


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        method, params, rpc_id = (
            message.get("method"),
            message.get("params") or {},
            message.get("id"),
        )
        if method == "initialize":
            send(
                id=rpc_id, result={"protocolVersion": 1, "agentCapabilities": {}, "authMethods": []}
            )
        elif method == "session/new":
            session = f"scene-{next(_ids)}"
            _cwd[session] = Path(params["cwd"])
            send(id=rpc_id, result={"sessionId": session})
        elif method == "session/prompt":
            turn = Turn(params["sessionId"])
            if "fix" in json.dumps(params["prompt"]).lower():
                fix(turn)  # and waits for the answer, for as long as the pictures are taken
            else:
                explain(turn)
                usage = {"inputTokens": 18420, "outputTokens": 611, "totalTokens": 19031}
                send(id=rpc_id, result={"stopReason": "end_turn", "usage": usage})


if __name__ == "__main__":
    main()
