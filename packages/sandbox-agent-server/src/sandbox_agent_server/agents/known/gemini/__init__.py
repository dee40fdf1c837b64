"""Gemini CLI, by its own `gemini --acp`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sandbox_agent_core.agent_options import GeminiOptions
from sandbox_agent_core.lenient import as_dict, as_list
from sandbox_agent_core.spi.agent import AgentContext

from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.acp.launch import Launch
from sandbox_agent_server.agents.known.dotenv import without_dotenv
from sandbox_agent_server.agents.known.gemini.calls import GeminiToolCalls
from sandbox_agent_server.agents.private_file import PrivateFile
from sandbox_agent_server.agents.repository import memory_of, refuse_untrusted, repository_of
from sandbox_agent_server.agents.settings_files import read_settings

__all__ = ["DEFINITION", "prepare"]

_TRUST: Final = "GEMINI_CLI_TRUST_WORKSPACE"
_OURS: Final = {
    # Nobody is there to answer the question; and in a workspace that it does not trust Gemini reads no
    # memory and starts no MCP server, also not one of the session.
    _TRUST: "true",
    "GEMINI_CLI_NO_RELAUNCH": "true",
}
# Of the highest rank: no setting, hook, mode or policy of a workspace is above it. A file for each rule,
# because a file with one rule that is not understood is left out whole.
_ASKING: Final = (
    'toolName = ["run_shell_command", "write_file", "replace", "web_fetch"]',
    'toolName = "*"\nmcpName = "*"',
)
# The only ones that Gemini itself takes from a workspace that it does not trust.
_FROM_DOTENV: Final = (
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_CLOUD_PROJECT",
)
_MEMORY: Final = "GEMINI.md"


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    return {**_OURS, **env}


def prepare(context: AgentContext) -> Launch:
    folder = context.cwd / ".gemini"
    if context.trust_workspace:
        return _asking() if folder.exists() else Launch()
    env = without_dotenv(
        context.cwd, context.env, names=(".gemini/.env", ".env"), let_in=_FROM_DOTENV
    )
    settings = [path for path in (folder / "settings.json", folder / "policies") if path.exists()]
    if not settings:
        return Launch(env=env)
    if context.mcp_server_names:
        refuse_untrusted(
            "Gemini CLI, for which MCP servers of the session take a trusted workspace,", settings
        )
    return Launch(
        env={**env, _TRUST: "false"},
        # It refuses them where it does not trust, and then the session's policy does it.
        modes={"autoEdit": "default", "yolo": "default"},
        preface=memory_of(repository_of(context.cwd), _memory_names(context.env)),
    )


def _asking() -> Launch:
    files = [
        PrivateFile(
            f'[[rule]]\n{what}\ndecision = "ask_user"\npriority = 998\n',
            name="policy",
            suffix=".toml",
        )
        for what in _ASKING
    ]
    policies = [f"--admin-policy={file.path}" for file in files]
    return Launch(arguments=["--approval-mode=default", *policies], files=files)


def _memory_names(env: Mapping[str, str]) -> list[str]:
    home = env.get("GEMINI_CLI_HOME") or env.get("HOME") or "~"
    own = as_dict(read_settings(Path(home, ".gemini", "settings.json")).get("context"))
    named = own.get("fileName")
    names = [name for name in as_list(named) or [named] if isinstance(name, str)]
    return names or [_MEMORY]


DEFINITION = acp_definition(
    "gemini",
    "Gemini CLI",
    # What came of a command it tells to nobody but its model otherwise.
    command=["gemini", "--acp", "--debug"],
    install_hint=(
        "Run `sandbox-agent-server install-agent gemini`, or `npm install -g @google/gemini-cli`."
    ),
    login_hint="Set GEMINI_API_KEY, or run `gemini` and log in.",
    env_names=("GEMINI_*", "GOOGLE_*"),
    environment=_environment,
    prepare=prepare,
    normaliser=GeminiToolCalls,
    session_options=GeminiOptions,
    option_flags={
        "extensions": "--extensions",
        "allowed_mcp_servers": "--allowed-mcp-server-names",
    },
    directory_flag="--include-directories",
    base_url_env={"google": "GOOGLE_GEMINI_BASE_URL"},
    permission_modes={
        "ask": "default",
        "accept-edits": "autoEdit",
        "plan": "plan",
        "read-only": "plan",
        "bypass": "yolo",
    },
)
