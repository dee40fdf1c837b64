"""Finding Claude Code and starting it: command line, environment, MCP configuration."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.agent_options import ClaudeOptions
from sandbox_agent_core.lenient import compact
from sandbox_agent_core.spi.agent import AgentInstallation

from sandbox_agent_server.agents.claude.options import option_flags, sources_flag
from sandbox_agent_server.agents.installation import find_program, installed_version
from sandbox_agent_server.agents.native.session_params import McpServer, SessionParams
from sandbox_agent_server.agents.private_file import PrivateFile
from sandbox_agent_server.agents.repository import (
    around,
    files_in,
    memory_of,
    refuse_answering,
    repository_of,
)

__all__ = [
    "ENV_NAMES",
    "INSTALL_HINT",
    "check_workspace",
    "command_line",
    "environment",
    "find",
    "mcp_config",
    "mcp_config_file",
    "parents_memory",
    "skills_flag",
    "version_at",
]

INSTALL_HINT: Final = "Run `sandbox-agent-server install-agent claude`, or `npm install -g @anthropic-ai/claude-code`."

ENV_NAMES: Final = (
    "ANTHROPIC_*",  # key, token, base URL, models, custom headers, Bedrock and Vertex base URLs
    "AWS_*",  # with CLAUDE_CODE_USE_BEDROCK
    # Not CLAUDE_CODE_*: a server that was itself started by Claude Code has CLAUDE_CODE_SSE_PORT
    # and the like, which would tie the agent to the editor of somebody else.
    "CLAUDE_CODE_API_KEY_*",
    "CLAUDE_CODE_CLIENT_*",
    "CLAUDE_CODE_DISABLE_*",
    "CLAUDE_CODE_EFFORT_LEVEL",
    "CLAUDE_CODE_ENABLE_*",
    "CLAUDE_CODE_EXTRA_BODY",
    "CLAUDE_CODE_MAX_*",
    "CLAUDE_CODE_OAUTH_*",
    "CLAUDE_CODE_SKIP_*",
    "CLAUDE_CODE_SUBAGENT_*",
    "CLAUDE_CODE_USE_*",
    "CLAUDE_CONFIG_DIR",
    "CLOUD_ML_REGION",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "GCLOUD_PROJECT",
    "VERTEX_REGION_*",
    "API_TIMEOUT_MS",
    "BASH_DEFAULT_TIMEOUT_MS",
    "BASH_MAX_OUTPUT_LENGTH",
    "BASH_MAX_TIMEOUT_MS",
    "DISABLE_*",  # telemetry, error reports, updates, prompt caching, …
    "ENABLE_TOOL_SEARCH",
    "MAX_MCP_OUTPUT_TOKENS",
    "MAX_THINKING_TOKENS",
    "MCP_TIMEOUT",
    "MCP_TOOL_TIMEOUT",
    "USE_BUILTIN_RIPGREP",
)

_PROGRAM: Final = "claude"
_PACKAGE: Final = "@anthropic-ai/claude-code"
_AT_HOME: Final = (".local/bin/claude", ".claude/local/claude")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+[\w.+-]*")
_STREAM_JSON: Final = (
    "-p",
    "--input-format", "stream-json",
    "--output-format", "stream-json",
    "--verbose",
    "--include-partial-messages",
    "--permission-prompt-tool", "stdio",
)  # fmt: skip

# What asks for itself already, such as reading outside the workspace, asks with these as well.
_ASKED_FOR: Final = ("Bash", "Edit", "Write", "NotebookEdit", "WebFetch", "WebSearch", "mcp__*")
_SETTINGS: Final = (".claude/settings.json", ".claude/settings.local.json")
_MEMORIES: Final = ("CLAUDE.md", ".claude/CLAUDE.md")


def find(env: Mapping[str, str]) -> AgentInstallation | None:
    found = find_program(_PROGRAM, env, at_home=_AT_HOME)
    return found and AgentInstallation(path=found.path, version=version_at(found.path))


def version_at(path: str) -> str | None:
    """Read from where it is installed: asking the program takes a third of a second."""
    name = Path(path).resolve().name
    # The native installer: …/versions/2.1.330
    return name if _VERSION.fullmatch(name) else installed_version(path, f"{_PACKAGE}*")


def command_line(
    command: Sequence[str],
    params: SessionParams,
    *,
    session_id: str,
    mcp_config: Path | None,
    can_bypass: bool,
    resume_at: str | None = None,
    trust_workspace: bool = False,
    home: str | None = None,
    options: ClaudeOptions | None = None,
    extra: Sequence[str] = (),
) -> list[str]:
    """`session_id`: of the session that comes of it, which is another one than is resumed when that is forked, up to
    its message `resume_at`."""
    argv = [*command, *_STREAM_JSON]
    if params.resumed_id is not None:
        argv += ["--resume", params.resumed_id]
    if params.resumed_id is not None and session_id != params.resumed_id:
        argv.append("--fork-session")
    if session_id != params.resumed_id:
        argv += ["--session-id", session_id]
    if resume_at is not None:
        argv += ["--resume-session-at", resume_at]
    if params.model is not None:
        # One word: a model that starts with a dash must not become an option.
        argv.append(f"--model={params.model}")
    if can_bypass:
        # Only makes the mode available, so that `session/set_mode` can switch to it later.
        argv.append("--allow-dangerously-skip-permissions")
    if mcp_config is not None:
        argv.append(f"--mcp-config={mcp_config}")
    directories = [*params.directories]
    options = options or ClaudeOptions()
    if trust_workspace:
        argv += [*_asking(params, home), *sources_flag(options.setting_sources)]
    else:
        # The user's own settings and no others: no hook, plugin, MCP program or permission of the workspace.
        argv += sources_flag(
            ["user"] if options.setting_sources is None else options.setting_sources
        )
        directories.append(str(params.cwd))
    for directory in directories:
        argv += ["--add-dir", directory]
    return [*argv, *option_flags(options), *extra]


def skills_flag(skills: Path | None) -> list[str]:
    """A plug-in that is there for this session alone."""
    return [] if skills is None else ["--plugin-dir", str(skills)]


def _asking(params: SessionParams, home: str | None) -> list[str]:
    """Keeps the workspace from settling what is asked for. A rule that asks beats what settings, front
    matter of skills and agents, and hooks allow; so where there is none of that, there need be no rule."""
    rules: dict[str, Any] = {"defaultMode": "default"}
    if any((directory / ".claude").exists() for directory in around(params.cwd, home=home)):
        rules["ask"] = [*_ASKED_FOR, *(f"mcp__{server.name}" for server in params.mcp_servers)]
    return ["--settings", json.dumps({"permissions": rules}), "--permission-mode", "default"]


def check_workspace(workspace: Path, *, home: str | None) -> None:
    """For a workspace that is trusted. Raises: WorkspaceNotTrusted."""
    refuse_answering(files_in(around(workspace, home=home), _SETTINGS), ["PermissionRequest"])


def parents_memory(workspace: Path) -> str | None:
    """Memory files above a workspace that is not trusted: Claude itself reads only those in it."""
    return memory_of(repository_of(workspace)[:-1], _MEMORIES)


def environment(
    env: Mapping[str, str],
    *,
    trust_workspace: bool = False,
    file_checkpoints: bool = True,
    uid: int | None = None,
) -> dict[str, str]:
    """The environment of the process: what the session gave, and what running here takes."""
    ours = {
        # Text and thoughts of sub-agents, not only their tool calls. As a variable, because an
        # older Claude Code ignores a variable and stops at an option that it does not know.
        "CLAUDE_CODE_FORWARD_SUBAGENT_TEXT": "1",
        # A program that replaces itself during a session is nobody's wish in a sandbox.
        "DISABLE_AUTOUPDATER": "1",
    }
    if file_checkpoints:
        # Copies of what it edits, to rewind to.
        ours["CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING"] = "1"
    if not trust_workspace:
        # The workspace is added as a directory: so its memory is read, and its settings are not.
        ours["CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD"] = "1"
    given = {**ours, **env}
    if (os.geteuid() if uid is None else uid) == 0:
        # As root it exits when it may ever bypass permissions, unless told that this is a sandbox, in just
        # this way: others who set the variable write `yes`.
        given["IS_SANDBOX"] = "1"
    return given


def mcp_config_file(servers: Sequence[McpServer]) -> PrivateFile | None:
    """The MCP servers as Claude takes them: they hold keys, which must not be on the command line."""
    if not servers:
        return None
    config = {"mcpServers": {server.name: mcp_config(server) for server in servers}}
    return PrivateFile(json.dumps(config), name="mcp", suffix=".json")


def mcp_config(server: McpServer) -> dict[str, Any]:
    more = compact(timeout=server.timeout_ms, oauth=server.oauth)
    if server.transport == "stdio":
        return {
            "type": "stdio",
            "command": server.command,
            "args": list(server.args),
            "env": dict(server.env),
            **more,
        }
    return {"type": server.transport, "url": server.url, "headers": dict(server.headers), **more}
