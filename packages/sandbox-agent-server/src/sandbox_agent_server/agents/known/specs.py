"""Agents that are a launch command and a few facts: nothing that they say has to be put into other words."""

from __future__ import annotations

from typing import Final

from sandbox_agent_core.spi.agent import AgentContext

from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.acp.launch import Launch, Prepare
from sandbox_agent_server.agents.repository import around, files_in, refuse_untrusted

__all__ = ["AUGGIE", "CLINE", "DROID", "FAST_AGENT", "QODER", "refusing"]

_PROVIDERS: Final = ("OPENAI_*", "ANTHROPIC_*", "GEMINI_*", "GOOGLE_*", "OPENROUTER_*")


def refusing(title: str, *patterns: str, arguments: tuple[str, ...] = ()) -> Prepare:
    """For an agent that starts, or is allowed things by, what fits in a workspace, and has no switch against it."""

    def prepare(context: AgentContext) -> Launch:
        if not context.trust_workspace:
            directories = around(context.cwd, home=context.env.get("HOME"))
            refuse_untrusted(title, files_in(directories, patterns))
        return Launch(arguments=arguments)

    return prepare


DROID = acp_definition(
    "droid",
    "Factory Droid",
    command=["droid", "exec", "--output-format", "acp"],
    install_hint="Run `sandbox-agent-server install-agent droid`, or `npm install -g @factory/cli`.",
    login_hint="Set FACTORY_API_KEY, or run `droid` and log in.",
    env_names=("FACTORY_*",),
    environment=lambda env: {"FACTORY_DROID_AUTO_UPDATE_ENABLED": "false", **env},
    prepare=refusing(
        "Factory Droid", ".factory/settings*.json", ".factory/hooks*", ".factory/mcp.json"
    ),
    permission_modes={
        "ask": "normal",
        "plan": "spec",
        "read-only": "spec",
        "bypass": "auto-high",
    },
)

CLINE = acp_definition(
    "cline",
    "Cline",
    command=["cline", "--acp"],
    install_hint="Run `sandbox-agent-server install-agent cline`, or `npm install -g cline`.",
    login_hint="Run `cline auth` and log in.",
    env_names=("CLINE_*",),
    prepare=refusing("Cline", ".cline/hooks", ".clinerules/hooks", ".cline/*.json"),
)

AUGGIE = acp_definition(
    "auggie",
    "Auggie",
    command=["auggie", "--acp"],
    install_hint=(
        "Run `sandbox-agent-server install-agent auggie`, or `npm install -g @augmentcode/auggie`."
    ),
    login_hint="Set AUGMENT_SESSION_AUTH, or run `auggie login`.",
    env_names=("AUGMENT_*",),
    environment=lambda env: {"AUGMENT_DISABLE_AUTO_UPDATE": "1", **env},
    prepare=refusing("Auggie", ".augment/settings*.json", ".augment/hooks"),
)

QODER = acp_definition(
    "qoder",
    "Qoder CLI",
    command=["qodercli", "--acp"],
    install_hint=(
        "Run `sandbox-agent-server install-agent qoder`, or `npm install -g @qoder-ai/qodercli`."
    ),
    login_hint="Set QODER_PERSONAL_ACCESS_TOKEN, or run `qodercli` and log in.",
    env_names=("QODER_*",),
    prepare=refusing("Qoder CLI", ".qoder/settings*.json", ".qoder/hooks", ".mcp.json"),
)

FAST_AGENT = acp_definition(
    "fast-agent",
    "fast-agent",
    command=["fast-agent", "acp"],
    install_hint=(
        "Run `sandbox-agent-server install-agent fast-agent`, or `uv tool install fast-agent-mcp`."
    ),
    login_hint="Set the key of a provider (OPENAI_API_KEY, ANTHROPIC_API_KEY, …) and FAST_AGENT_MODEL.",
    env_names=("FAST_AGENT_*", *_PROVIDERS),
    # Commands of its own shell are run without asking anybody.
    prepare=refusing(
        "fast-agent",
        "fastagent.config.yaml",
        "fastagent.secrets.yaml",
        "fast-agent.yaml",
        ".fast-agent",
        arguments=("--no-shell",),
    ),
    base_url_env={"openai": "OPENAI_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL"},
)
