"""Kimi Code, by its own `kimi acp`."""

from __future__ import annotations

from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.known.kimi.writes import KimiWrites

__all__ = ["DEFINITION"]

DEFINITION = acp_definition(
    "kimi",
    "Kimi Code",
    command=["kimi", "acp"],
    install_hint=(
        "Run `sandbox-agent-server install-agent kimi`, or `npm install -g @moonshot-ai/kimi-code`."
    ),
    login_hint=(
        "Set KIMI_MODEL_NAME, KIMI_MODEL_API_KEY and KIMI_MODEL_BASE_URL, or run `kimi login`."
    ),
    env_names=("KIMI_*",),
    environment=lambda env: {"KIMI_CODE_NO_AUTO_UPDATE": "1", **env},
    normaliser=KimiWrites,
    base_url_env={"openai": "KIMI_MODEL_BASE_URL"},
    permission_modes={"ask": "default", "plan": "plan", "read-only": "plan", "bypass": "yolo"},
    lacks=(),
)
