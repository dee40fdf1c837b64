"""OpenCode and Kilo, natively: the HTTP API and the events of their server, translated to ACP frames."""

from __future__ import annotations

from functools import partial

from sandbox_agent_core.spi.agent import AgentDefinition

from sandbox_agent_server.agents.opencode.adapter import OpenCodeAdapter
from sandbox_agent_server.agents.opencode.flavour import KILO, OPENCODE, Flavour
from sandbox_agent_server.agents.opencode.launch import env_names, find

__all__ = ["KILO_DEFINITION", "OPENCODE_DEFINITION"]


def _definition(flavour: Flavour) -> AgentDefinition:
    return AgentDefinition(
        name=flavour.name,
        title=flavour.title,
        create=partial(OpenCodeAdapter, flavour=flavour),
        find=partial(find, flavour),
        takes_system_prompt=True,
        install_hint=flavour.install_hint,
        login_hint=flavour.login_hint,
        env_names=env_names(flavour),
        permission_modes={"ask": flavour.default_agent, "plan": "plan"},
        base_url_env={
            "anthropic": "ANTHROPIC_BASE_URL",
            "openai": "OPENAI_BASE_URL",
            "google": "GOOGLE_GEMINI_BASE_URL",
        },
    )


OPENCODE_DEFINITION = _definition(OPENCODE)
KILO_DEFINITION = _definition(KILO)
