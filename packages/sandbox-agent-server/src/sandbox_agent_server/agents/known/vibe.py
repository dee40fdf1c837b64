"""Mistral Vibe, by its own `vibe-acp`. It opens in `accept-edits`; a session puts it into `ask`."""

from __future__ import annotations

from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.known.specs import refusing
from sandbox_agent_server.agents.known.vibe_calls import VibeToolCalls

__all__ = ["DEFINITION"]

DEFINITION = acp_definition(
    "vibe",
    "Mistral Vibe",
    command=["vibe-acp"],
    install_hint=(
        "Run `sandbox-agent-server install-agent vibe`, or `uv tool install mistral-vibe`."
    ),
    login_hint="Set MISTRAL_API_KEY, or run `vibe --setup`.",
    env_names=("MISTRAL_*", "VIBE_*"),
    prepare=refusing("Mistral Vibe", ".vibe/*.toml", ".vibe/tools", ".vibe/hooks*"),
    normaliser=VibeToolCalls,
    permission_modes={
        "ask": "ask",
        "accept-edits": "accept-edits",
        "bypass": "auto-approve",
    },
)
