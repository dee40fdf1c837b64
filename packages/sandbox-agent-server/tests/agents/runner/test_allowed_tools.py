"""What options of an agent allow, beside the policy of the session."""

from __future__ import annotations

import pytest
from sandbox_agent_core.agent_options import ClaudeOptions
from sandbox_agent_core.api.policy import MAX_RULES, PermissionPolicy, PermissionRule
from sandbox_agent_core.errors import AgentOptionsInvalid
from sandbox_agent_server.agents.runner.session_options import allowing
from sandbox_agent_server.sessions.requests.policy import decide

OPTIONS = ClaudeOptions(allowed_tools=["Bash(touch *)"])


def decided(policy: PermissionPolicy, command: str, mode: str | None = None) -> str:
    call = {"kind": "execute", "name": "Bash", "rawInput": {"command": command}}
    return decide(allowing(policy, OPTIONS), call, cwd="/repo", mode=mode).action  # type: ignore[arg-type]


def test_an_allowed_tool_is_not_asked_for() -> None:
    assert decided(PermissionPolicy(), "touch x") == "allow"
    assert decided(PermissionPolicy(default="deny"), "touch x") == "allow"
    assert decided(PermissionPolicy(), "touch x && rm y") == "ask"


def test_what_is_forbidden_is_not_allowed_by_an_option() -> None:
    denying = PermissionPolicy(rules=[PermissionRule(action="deny", command="touch *")])
    asking = PermissionPolicy(rules=[PermissionRule(action="ask", tool_name="Bash")])
    assert decided(denying, "touch x") == "deny"
    assert decided(asking, "touch x") == "ask"
    assert decided(PermissionPolicy(), "touch x", mode="read-only") == "deny"


def test_a_policy_has_only_so_many_rules() -> None:
    full = PermissionPolicy(rules=[PermissionRule(action="deny", command="x")] * MAX_RULES)
    with pytest.raises(AgentOptionsInvalid):
        allowing(full, OPTIONS)
    assert allowing(full, None) is full
