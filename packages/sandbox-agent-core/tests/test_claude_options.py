"""Options of Claude Code: what is refused, and which rules the allowed tools become."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from sandbox_agent_core.agent_options import ClaudeOptions


def rules(*tools: str) -> list[tuple[str | None, str | None, str | None]]:
    found = ClaudeOptions(allowed_tools=list(tools)).allow_rules()
    assert {rule.action for rule in found} <= {"allow"}
    return [(rule.tool_name, rule.command, rule.path) for rule in found]


def test_allowed_tools_become_rules() -> None:
    assert rules("Read", "mcp__files__*") == [("Read", None, None), ("mcp__files__*", None, None)]
    assert rules("Bash(git *)") == [("Bash", "git *", None)]
    assert rules("Bash(git:*)") == [("Bash", "git", None), ("Bash", "git *", None)]
    assert rules("Edit(src/*)", "Write(//tmp/x)") == [("Edit", None, "src/*"), ("Write", None, "/tmp/x")]  # fmt: skip
    assert ClaudeOptions().allow_rules() == []


@pytest.mark.parametrize("tool", ["", "Bash(", "WebFetch(domain:x.test)", "Bash git"])
def test_what_is_no_rule_is_refused(tool: str) -> None:
    with pytest.raises(ValidationError):
        ClaudeOptions(allowed_tools=[tool])


@pytest.mark.parametrize(
    "given",
    [
        {"tools": ["Bash,Read"]},
        {"disallowed_tools": ["--settings=x"]},
        {"betas": ["a b, c"]},
        {"output_schema": {"type": "array"}},
        {"max_turns": 0},
        {"max_budget_usd": 0},
        {"setting_sources": ["managed"]},
        {"agents": {"x": {"description": "d", "prompt": "p", "permissionMode": "bypass"}}},
    ],
)
def test_what_claude_would_misread_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ClaudeOptions.model_validate(given)


def test_what_runs_by_itself_is_risky() -> None:
    assert ClaudeOptions.risky_names() == {"plugins"}
