"""Qwen Code, by its own `qwen --acp`."""

from __future__ import annotations

from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.known.implied_calls import ImpliedToolCalls

__all__ = ["DEFINITION"]

DEFINITION = acp_definition(
    "qwen",
    "Qwen Code",
    command=["qwen", "--acp"],
    install_hint=(
        "Run `sandbox-agent-server install-agent qwen`, or `npm install -g @qwen-code/qwen-code`."
    ),
    login_hint="Set OPENAI_API_KEY and OPENAI_BASE_URL.",
    env_names=("OPENAI_*", "QWEN_*", "DASHSCOPE_*"),
    normaliser=ImpliedToolCalls,
    base_url_env={"openai": "OPENAI_BASE_URL"},
    permission_modes={
        "ask": "default",
        "accept-edits": "auto-edit",
        "plan": "plan",
        "read-only": "plan",
        "bypass": "yolo",
    },
)
