"""OpenCode and Kilo, natively: the HTTP API and the events of their server, translated to ACP frames."""

from __future__ import annotations

from functools import partial

from sandbox_agent_core.agent_options import KiloOptions, OpenCodeOptions
from sandbox_agent_core.spi.agent import AgentDefinition

from sandbox_agent_server.agents.opencode.adapter import OpenCodeAdapter
from sandbox_agent_server.agents.opencode.launch import env_names, find
from sandbox_agent_server.agents.opencode.variant import KILO, OPENCODE, Variant

__all__ = ["KILO_DEFINITION", "OPENCODE_DEFINITION"]


def _definition(variant: Variant, options: type[OpenCodeOptions]) -> AgentDefinition:
    return AgentDefinition(
        name=variant.name,
        title=variant.title,
        create=partial(OpenCodeAdapter, variant=variant),
        find=partial(find, variant),
        takes_system_prompt=True,
        takes_skills=True,
        session_options=options,
        install_hint=variant.install_hint,
        login_hint=variant.login_hint,
        env_names=env_names(variant),
        permission_modes={"ask": variant.default_agent, "plan": "plan"},
        base_url_env={
            "anthropic": "ANTHROPIC_BASE_URL",
            "openai": "OPENAI_BASE_URL",
            "google": "GOOGLE_GEMINI_BASE_URL",
        },
    )


OPENCODE_DEFINITION = _definition(OPENCODE, OpenCodeOptions)
KILO_DEFINITION = _definition(KILO, KiloOptions)
