"""GitHub Copilot CLI, by its own `copilot --acp`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sandbox_agent_core.agent_options import CopilotOptions
from sandbox_agent_core.lenient import as_list
from sandbox_agent_core.spi.agent import AgentContext

from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.acp.launch import Launch
from sandbox_agent_server.agents.acp.normalising import chain
from sandbox_agent_server.agents.known.copilot.calls import CopilotCalls
from sandbox_agent_server.agents.known.copilot.modes import CopilotModes
from sandbox_agent_server.agents.known.copilot.turns import CopilotTurns
from sandbox_agent_server.agents.known.copilot.verbs import CAPABILITIES, VERBS
from sandbox_agent_server.agents.repository import (
    around,
    files_in,
    refuse_answering,
    refuse_untrusted,
)
from sandbox_agent_server.agents.settings_files import read_settings

__all__ = ["DEFINITION", "prepare"]

_OURS: Final = {"COPILOT_AUTO_UPDATE": "false"}

_GATEWAY: Final = "COPILOT_PROVIDER_BASE_URL"
_HOOKS: Final = ".github/hooks"
_IN_TRUSTED_FOLDERS: Final = (
    ".github/copilot/settings*.json",
    ".claude/settings*.json",
    ".mcp.json",
    ".github/mcp.json",
    ".vscode/mcp.json",
    ".github/lsp.json",
    ".github/extensions",
)
"""What it starts, or takes hooks from, in a folder that its user has trusted."""
_OF_ADDED_DIRECTORIES: Final = (".github/skills", ".github/agents")
"""What is there of these it takes for configuration that its user trusts."""
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


def prepare(context: AgentContext) -> Launch:
    """No option and no setting keeps Copilot from running these hooks, and theirs is the last word."""
    home = context.env.get("HOME") or "~"
    own = Path(context.env.get("COPILOT_HOME") or Path(home, ".copilot"))
    patterns = [_HOOKS]
    if _is_trusted_by_user(context.cwd, own):
        patterns += _IN_TRUSTED_FOLDERS
    files = files_in(around(context.cwd, home=home), patterns)
    files += files_in(context.additional_directories, [_HOOKS])
    if context.trust_workspace:
        refuse_answering(files, ["preToolUse", "permissionRequest"])
    else:
        added = files_in(context.additional_directories, _OF_ADDED_DIRECTORIES)
        refuse_untrusted("GitHub Copilot CLI", [*files, *added])
    return Launch()


def _is_trusted_by_user(workspace: Path, own: Path) -> bool:
    """Copilot's own list of what it may run more in. It is not that of the session."""
    config = read_settings(own / "config.json")
    trusted = [*as_list(config.get("trustedFolders")), *as_list(config.get("trusted_folders"))]
    real = workspace.resolve()
    return any(real.is_relative_to(Path(str(folder)).resolve()) for folder in trusted)


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
    prepare=prepare,
    base_url_env={"openai": "OPENAI_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL"},
    # Others it drops without a word.
    mcp_transports=("http", "sse"),
    normaliser=chain(CopilotModes, CopilotTurns, CopilotCalls),
    verbs=VERBS,
    capabilities=CAPABILITIES,
    session_options=CopilotOptions,
    option_flags={
        "model": "--model",
        "reasoning_effort": "--reasoning-effort",
        "context": "--context",
        "agent": "--agent",
        "available_tools": "--available-tools",
        "excluded_tools": "--excluded-tools",
        "denied_tools": "--deny-tool",
        "allowed_tools": "--allow-tool",
        "denied_urls": "--deny-url",
        "disabled_mcp_servers": "--disable-mcp-server",
        "disable_builtin_mcp_servers": "--disable-builtin-mcps",
        "ignore_custom_instructions": "--no-custom-instructions",
        "max_ai_credits": "--max-ai-credits",
    },
    directory_flag="--add-dir",
    skills_flag="--plugin-dir",
    permission_modes={"ask": "agent", "plan": "plan"},
)
