"""Grok Build, by its own `grok agent stdio`. It asks the trust of its user before a repository's settings count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.known.grok.calls import GrokToolCalls
from sandbox_agent_server.agents.known.own_home import AskingRule, OwnHome

__all__ = ["DEFINITION"]

_URL: Final = "GROK_XAI_API_BASE_URL"
_MODELS_URL: Final = "GROK_MODELS_BASE_URL"

# Whatever its mode, it runs commands that it takes for harmless, and `touch` is one. A rule that asks comes before
# that, and before what was allowed for good.
_HOME: Final = OwnHome(
    title="Grok Build",
    variable="GROK_HOME",
    default=".grok",
    shared=("AGENTS.md", "auth.json", "hooks", "plugins", "skills", "trusted_folders.toml"),
    rules=[
        AskingRule(short=short, members={"action": "ask", "tool": tool})
        for short, tool in (("Bash", "bash"), ("Edit", "edit"), ("MCPTool", "mcp"))
    ],
)


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """With the place of the API also as that of the models, which it asks for elsewhere."""
    return {**({_MODELS_URL: env[_URL]} if env.get(_URL) else {}), **env}


DEFINITION = acp_definition(
    "grok",
    "Grok Build",
    # A leader would be shared with other sessions, which a session must not be.
    command=["grok", "agent", "--no-leader", "stdio"],
    install_hint=(
        "Run `sandbox-agent-server install-agent grok`, or `npm install -g @xai-official/grok`."
    ),
    login_hint="Set XAI_API_KEY, or run `grok` and log in.",
    env_names=("XAI_*", "GROK_*"),
    environment=_environment,
    prepare=_HOME.prepare,
    normaliser=GrokToolCalls,
    base_url_env={"xai": _URL},
    lacks=("images", "questions"),
)
