"""The client's side of Claude Code's adapter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.claude import ClaudeAdapter
from support.adapter_driver import WAIT_S, AdapterDriver, Answer, leave_open, option

__all__ = ["WAIT_S", "Answer", "ClaudeDriver", "StartClaude", "leave_open", "option"]


class ClaudeDriver(AdapterDriver):
    def __init__(self, context: AgentContext) -> None:
        super().__init__(ClaudeAdapter(context), context)


StartClaude = Callable[..., Awaitable[ClaudeDriver]]
"""Starts one; more of its environment, and other fields of its context, by keyword."""
