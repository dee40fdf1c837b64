"""GitHub Copilot CLI, by its own `copilot --acp`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbox_agent_server.agents.acp import acp_definition

__all__ = ["DEFINITION"]

_OURS: Final = {"COPILOT_AUTO_UPDATE": "false"}

_MODE: Final = "https://agentclientprotocol.com/protocol/session-modes#"

_GATEWAY: Final = "COPILOT_PROVIDER_BASE_URL"
_PROVIDERS: Final = ("openai", "anthropic")


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    return {**_OURS, **_gateway(env), **env}


def _gateway(env: Mapping[str, str]) -> dict[str, str]:
    """Copilot's own variables for a model provider, from those that every agent here understands."""
    if env.get(_GATEWAY):
        return {}
    for provider in _PROVIDERS:
        if url := env.get(f"{provider.upper()}_BASE_URL"):
            return {
                _GATEWAY: url,
                "COPILOT_PROVIDER_TYPE": provider,
                "COPILOT_PROVIDER_API_KEY": env.get(f"{provider.upper()}_API_KEY", ""),
                # With a provider of one's own GitHub is asked nothing.
                "COPILOT_OFFLINE": "true",
            }
    return {}


DEFINITION = acp_definition(
    "copilot",
    "GitHub Copilot CLI",
    command=["copilot", "--acp"],
    install_hint=(
        "Run `sandbox-agent-server install-agent copilot`, or `npm install -g @github/copilot`."
    ),
    login_hint="Set GH_TOKEN, or run `copilot login`; or bring a model of your own with COPILOT_PROVIDER_BASE_URL.",
    env_names=("COPILOT_*", "GH_TOKEN", "GITHUB_TOKEN", "OPENAI_*", "ANTHROPIC_*"),
    environment=_environment,
    base_url_env={"openai": "OPENAI_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL"},
    # Others it drops without a word.
    mcp_transports=("http", "sse"),
    permission_modes={"ask": f"{_MODE}agent", "plan": f"{_MODE}plan"},
)
