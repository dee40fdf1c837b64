"""Gemini CLI, by its own `gemini --acp`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.known.gemini_calls import GeminiToolCalls

__all__ = ["DEFINITION"]

_OURS: Final = {
    # Who starts a session here has chosen the directory; nobody is there to answer the question.
    "GEMINI_CLI_TRUST_WORKSPACE": "true",
    "GEMINI_CLI_NO_RELAUNCH": "true",
}


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    return {**_OURS, **env}


DEFINITION = acp_definition(
    "gemini",
    "Gemini CLI",
    command=["gemini", "--acp"],
    install_hint=(
        "Run `sandbox-agent-server install-agent gemini`, or `npm install -g @google/gemini-cli`."
    ),
    login_hint="Set GEMINI_API_KEY, or run `gemini` and log in.",
    env_names=("GEMINI_*", "GOOGLE_*"),
    environment=_environment,
    normaliser=GeminiToolCalls,
    base_url_env={"google": "GOOGLE_GEMINI_BASE_URL"},
    permission_modes={
        "ask": "default",
        "accept-edits": "autoEdit",
        "plan": "plan",
        "read-only": "plan",
        "bypass": "yolo",
    },
)
