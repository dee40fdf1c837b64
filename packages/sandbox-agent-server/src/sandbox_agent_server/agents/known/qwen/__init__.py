"""Qwen Code, by its own `qwen --acp`."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.agent_options import QwenOptions
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import AgentContext

from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.acp.launch import Launch
from sandbox_agent_server.agents.acp.normalising import chain
from sandbox_agent_server.agents.known.dotenv import without_dotenv
from sandbox_agent_server.agents.known.qwen.calls import QwenCalls
from sandbox_agent_server.agents.known.qwen.questions import QwenQuestions
from sandbox_agent_server.agents.known.qwen.steering import QwenSteering
from sandbox_agent_server.agents.known.qwen.tasks import QwenTasks
from sandbox_agent_server.agents.known.qwen.turns import QwenTurns
from sandbox_agent_server.agents.known.qwen.usage import QwenUsage
from sandbox_agent_server.agents.known.qwen.verbs import CAPABILITIES, VERBS
from sandbox_agent_server.agents.private_file import PrivateFile
from sandbox_agent_server.agents.repository import files_in, refuse_answering
from sandbox_agent_server.agents.settings_files import (
    highest_settings,
    laid_over,
    read_settings,
    server_names,
)

__all__ = ["DEFINITION", "prepare"]

_HIGHEST: Final = "QWEN_CODE_SYSTEM_SETTINGS_PATH"
_OF_ADMINISTRATOR: Final = (
    "/Library/Application Support/QwenCode/settings.json"
    if sys.platform == "darwin"
    else "/etc/qwen-code/settings.json"
)
# A rule that asks beats what settings, modes and front matter allow.
_ASKING: Final[Mapping[str, Any]] = {
    "tools": {"approvalMode": "default", "allowed": [], "autoAccept": False},
    "permissions": {
        "ask": ["Bash", "Edit", "Write", "NotebookEdit", "WebFetch", "mcp__*"],
        "defaultMode": "default",
    },
}
_DEFAULT_SETTINGS: Final[Mapping[str, Any]] = {
    # These are commands.
    "tools": {
        "discoveryCommand": "",
        "callCommand": "",
        "sandbox": False,
        "shell": {"pager": "cat"},
    },
    "mcp": {"serverCommand": ""},
    "telemetry": {"enabled": False},
}
_FIXED_SETTINGS: Final[Mapping[str, Any]] = {
    # There is no telling those of the user from those of the workspace.
    "disableAllHooks": True,
    "hooksConfig": {"enabled": False},
}
_FROM_DOTENV: Final = ("OPENAI_API_KEY", "DASHSCOPE_API_KEY")


def prepare(context: AgentContext) -> Launch:
    """Where a workspace has settings, they are kept from settling what is asked for, and unless it is
    trusted from everything else that they could start."""
    env: dict[str, str] = {}
    if context.trust_workspace:
        refuse_answering(files_in([context.cwd], [".qwen/settings.json"]), ["PermissionRequest"])
    else:
        env = without_dotenv(
            context.cwd, context.env, names=(".qwen/.env", ".env"), let_in=_FROM_DOTENV
        )
    if not (context.cwd / ".qwen").exists():
        return Launch(env=env)
    home = context.env.get("QWEN_HOME") or Path(context.env.get("HOME") or "~", ".qwen")
    files = [Path(home, "settings.json"), Path(context.env.get(_HIGHEST) or _OF_ADMINISTRATOR)]
    arguments: list[str] = []
    default: Mapping[str, Any] = {}
    fixed = _ASKING
    if context.trust_workspace:
        # In the workspace's own settings each of them waits until a person has approved it at a terminal.
        default = {"mcpServers": _servers_of(context.cwd / ".qwen" / "settings.json")}
    else:
        default, fixed = _DEFAULT_SETTINGS, laid_over(_ASKING, _FIXED_SETTINGS)
        # A name that no workspace can give to a server of its own, so that the list is never empty.
        allowed = [secrets.token_hex(8), *context.mcp_server_names, *server_names(files)]
        arguments = [f"--allowed-mcp-server-names={name}" for name in allowed]
    settings = PrivateFile(
        highest_settings(files, default=default, fixed=fixed), name="settings", suffix=".json"
    )
    return Launch(arguments=arguments, env={**env, _HIGHEST: str(settings.path)}, files=[settings])


def _servers_of(settings: Path) -> dict[str, Any]:
    """Without their `trust`, with which their tools would not be asked for."""
    servers = as_dict(read_settings(settings).get("mcpServers"))
    return {
        name: {member: value for member, value in server.items() if member != "trust"}
        for name, server in servers.items()
        if isinstance(server, dict)
    }


DEFINITION = acp_definition(
    "qwen",
    "Qwen Code",
    command=["qwen", "--acp"],
    install_hint=(
        "Run `sandbox-agent-server install-agent qwen`, or `npm install -g @qwen-code/qwen-code`."
    ),
    login_hint="Set OPENAI_API_KEY and OPENAI_BASE_URL.",
    env_names=("OPENAI_*", "QWEN_*", "DASHSCOPE_*"),
    prepare=prepare,
    normaliser=chain(QwenUsage, QwenTasks, QwenQuestions, QwenCalls, QwenTurns, QwenSteering),
    verbs=VERBS,
    capabilities=CAPABILITIES,
    session_options=QwenOptions,
    option_flags={
        "extensions": "--extensions",
        "excluded_tools": "--exclude-tools",
        "allowed_tools": "--allowed-tools",
        "fallback_models": "--fallback-model",
        "max_subagent_depth": "--max-subagent-depth",
        "output_style": "--output-style",
    },
    directory_flag="--include-directories",
    base_url_env={"openai": "OPENAI_BASE_URL"},
    permission_modes={
        "ask": "default",
        "accept-edits": "auto-edit",
        "plan": "plan",
        "read-only": "plan",
        "bypass": "yolo",
    },
    lacks=(),
)
