"""How a tool call is read: its kind, and a name that is never empty."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.events import ToolCallFields
from sandbox_agent_core.tool_calls import kind_of, name_of, title_of


def test_a_kind_is_one_of_the_protocols() -> None:
    assert kind_of({"kind": "execute"}) == "execute"
    assert kind_of({"kind": "teleport"}) == "other"
    assert kind_of({"kind": 5}) is None


@pytest.mark.parametrize(
    "call",
    [
        {"name": "Bash", "_meta": {"toolName": "x"}},
        {"_meta": {"claudeCode": {"toolName": "Bash"}}},
        {"name": None, "_meta": {"claudeCode": [], "toolName": "Bash"}},
    ],
)
def test_a_name_is_found_where_agents_put_it(call: dict[str, Any]) -> None:
    assert name_of(call) == "Bash"


def test_a_title_is_never_empty() -> None:
    assert title_of(None) == "a tool call"
    assert title_of(ToolCallFields(tool_call_id="t")) == "a tool call"
    assert title_of(ToolCallFields(tool_call_id="t", kind="fetch")) == "fetch"
    assert title_of(ToolCallFields(tool_call_id="t", kind="fetch", name="Web")) == "Web"
    assert title_of(ToolCallFields(tool_call_id="t", name="Web", title="Look it up")) == (
        "Look it up"
    )
