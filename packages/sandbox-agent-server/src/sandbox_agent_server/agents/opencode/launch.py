"""Finding OpenCode and starting its server: command line and environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox_agent_core.spi.agent import AgentInstallation

from sandbox_agent_server.agents.installation import find_program, installed_version
from sandbox_agent_server.agents.opencode.config import config_content
from sandbox_agent_server.agents.opencode.variant import Variant

__all__ = ["USER", "command_line", "env_names", "environment", "find"]

USER = "sandbox-agent"


def env_names(variant: Variant) -> tuple[str, ...]:
    # Not all of PREFIX_*: a server that was itself started by the agent has its own password there.
    own = (
        "API_KEY",
        "CONFIG",
        "CONFIG_CONTENT",
        "CONFIG_DIR",
        "DISABLE_*",
        "ENABLE_*",
        "EXPERIMENTAL_*",
    )
    return (
        *(variant.prefix + name for name in own),
        "ANTHROPIC_*",
        "AWS_*",
        "AZURE_*",
        "CEREBRAS_API_KEY",
        "DEEPSEEK_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_*",
        "GROQ_API_KEY",
        "MISTRAL_API_KEY",
        "OPENAI_*",
        "OPENROUTER_API_KEY",
        "XAI_API_KEY",
        "ZAI_API_KEY",
    )


def find(variant: Variant, env: Mapping[str, str]) -> AgentInstallation | None:
    candidates = [variant.name]
    if home := env.get("HOME"):
        # Where its own installer puts it, which a login shell has on its PATH and a server may not.
        candidates.append(str(Path(home, f".{variant.name}", "bin", variant.name)))
    for candidate in candidates:
        if (found := find_program(candidate, env)) is not None:
            return AgentInstallation(path=found.path, version=installed_version(found.path))
    return None


def command_line(command: Sequence[str]) -> list[str]:
    # Port 0 takes the usual port when it is free, and any other when it is not.
    return [*command, "serve", "--hostname", "127.0.0.1", "--port", "0"]


def environment(variant: Variant, env: Mapping[str, str], *, password: str) -> dict[str, str]:
    """The environment of the process: what the session gave, and what running here takes."""
    prefix = variant.prefix
    quiet = {
        # A program that replaces itself, or fetches parts of itself, during a session is nobody's wish.
        f"{prefix}DISABLE_AUTOUPDATE": "1",
        f"{prefix}DISABLE_LSP_DOWNLOAD": "1",
        f"{prefix}DISABLE_MODELS_FETCH": "1",
    }
    ours = {
        f"{prefix}CONFIG_CONTENT": config_content(variant, env),
        f"{prefix}SERVER_USERNAME": USER,
        f"{prefix}SERVER_PASSWORD": password,
    }
    return {**quiet, **env, **ours}
