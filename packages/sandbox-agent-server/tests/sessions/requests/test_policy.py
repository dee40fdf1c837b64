"""Which permission mode allows and forbids what, and where the rules of a policy stand between."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.api.policy import PermissionMode, PermissionPolicy, PermissionRule
from sandbox_agent_server.sessions.requests.policy import decide

INSIDE: dict[str, Any] = {"kind": "edit", "locations": [{"path": "/w/src/a.py"}]}
OUTSIDE: dict[str, Any] = {"kind": "edit", "locations": [{"path": "/w/../etc/passwd"}]}
SHELL: dict[str, Any] = {"kind": "execute", "rawInput": {"command": "make"}}
READ: dict[str, Any] = {"kind": "read", "locations": [{"path": "/w/a"}]}
LEAVE: dict[str, Any] = {"kind": "switch_mode"}
TOOL: dict[str, Any] = {"kind": "other", "name": "mcp__db__query"}


@pytest.mark.parametrize(
    ("mode", "call", "expected"),
    [
        (None, INSIDE, "ask"),
        ("ask", INSIDE, "ask"),
        ("accept-edits", INSIDE, "allow"),
        ("accept-edits", OUTSIDE, "ask"),
        ("accept-edits", {"kind": "edit"}, "ask"),
        ("accept-edits", {"kind": "edit", "locations": [{"path": "/w-not"}]}, "ask"),
        ("accept-edits", SHELL, "ask"),
        ("read-only", INSIDE, "deny"),
        ("read-only", SHELL, "deny"),
        ("read-only", {"kind": "delete"}, "deny"),
        ("read-only", {"kind": "move"}, "deny"),
        ("read-only", LEAVE, "deny"),
        ("read-only", READ, "ask"),
        ("read-only", TOOL, "ask"),
        ("plan", INSIDE, "deny"),
        ("plan", SHELL, "deny"),
        ("plan", LEAVE, "ask"),
        ("bypass", SHELL, "allow"),
        ("bypass", OUTSIDE, "allow"),
        ("bypass", TOOL, "allow"),
    ],
)
def test_a_mode_decides(mode: PermissionMode | None, call: dict[str, Any], expected: str) -> None:
    decision = decide(PermissionPolicy(), call, cwd="/w", mode=mode)

    assert decision.action == expected
    assert decision.rule == ("default" if expected == "ask" else f"mode {mode}")


def test_a_rule_stands_above_what_a_mode_allows_and_below_what_it_forbids() -> None:
    no_make = PermissionPolicy(rules=[PermissionRule(action="deny", command="make")])
    yes_make = PermissionPolicy(rules=[PermissionRule(action="allow", command="make")])

    assert decide(no_make, SHELL, cwd="/w", mode="bypass").action == "deny"
    assert decide(yes_make, SHELL, cwd="/w", mode="read-only").action == "deny"
