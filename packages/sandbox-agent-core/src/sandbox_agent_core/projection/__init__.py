"""From log entries to universal events: pure, stateless, total. One module for each family."""

from __future__ import annotations

from sandbox_agent_core.events.parsing import is_delta
from sandbox_agent_core.projection.answers import (
    TOKENS,
    stop_reason,
    token_usage,
    turn_cost,
    turn_use,
)
from sandbox_agent_core.projection.background import task_kind
from sandbox_agent_core.projection.parts import is_apart
from sandbox_agent_core.projection.project import project, project_wire
from sandbox_agent_core.projection.tools import closed_tool_call
from sandbox_agent_core.projection.turns import prompt_data, turn_data

__all__ = [
    "TOKENS",
    "closed_tool_call",
    "is_apart",
    "is_delta",
    "project",
    "project_wire",
    "prompt_data",
    "stop_reason",
    "task_kind",
    "token_usage",
    "turn_cost",
    "turn_data",
    "turn_use",
]
