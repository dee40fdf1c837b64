"""Finding Claude Code and starting it: command line, environment, MCP configuration."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbox_agent_core.spi.agent import AgentInstallation

from sandbox_agent_server.agents.acp.definition import find_program
from sandbox_agent_server.agents.claude.session_params import SessionParams

__all__ = [
    "ENV_NAMES",
    "INSTALL_HINT",
    "McpConfigFile",
    "command_line",
    "environment",
    "find",
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
_MEMORY: Final = "/dev/shm"  # noqa: S108 - mkstemp makes the name
_PACKAGE: Final = "@anthropic-ai/claude-code"
# Where its own installers put it, which a login shell has on its PATH and a server may not.
_HOMES: Final = (".local/bin/claude", ".claude/local/claude")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+[\w.+-]*")
_STREAM_JSON: Final = (
    "-p",
    "--input-format", "stream-json",
    "--output-format", "stream-json",
    "--verbose",
    "--include-partial-messages",
    "--permission-prompt-tool", "stdio",
)  # fmt: skip


def find(env: Mapping[str, str]) -> AgentInstallation | None:
    candidates = [_PROGRAM]
    if home := env.get("HOME"):
        candidates += [str(Path(home, path)) for path in _HOMES]
    for candidate in candidates:
        if (found := find_program(candidate, env)) is not None:
            return AgentInstallation(path=found.path, version=version_at(found.path))
    return None


def version_at(path: str) -> str | None:
    """Read from where it is installed: asking the program takes a third of a second."""
    real = Path(path).resolve()
    if _VERSION.fullmatch(real.name):
        return real.name  # the native installer: …/versions/2.1.330
    for directory in (real.parent, real.parent.parent):
        try:
            package = json.loads((directory / "package.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(package, dict) and str(package.get("name")).startswith(_PACKAGE):
            version = package.get("version")
            return version if isinstance(version, str) else None
    return None


def command_line(
    command: Sequence[str],
    params: SessionParams,
    *,
    mcp_config: Path | None,
    can_bypass: bool,
    extra: Sequence[str] = (),
) -> list[str]:
    argv = [*command, *_STREAM_JSON]
    argv += ["--resume" if params.is_resumed else "--session-id", params.session_id]
    if params.model is not None:
        # One word: a model that starts with a dash must not become an option.
        argv.append(f"--model={params.model}")
    if can_bypass:
        # Only makes the mode available, so that `session/set_mode` can switch to it later.
        argv.append("--allow-dangerously-skip-permissions")
    if mcp_config is not None:
        argv.append(f"--mcp-config={mcp_config}")
    for directory in params.directories:
        argv += ["--add-dir", directory]
    return [*argv, *extra]


def environment(env: Mapping[str, str], *, uid: int | None = None) -> dict[str, str]:
    """The environment of the process: what the session gave, and what running here takes."""
    ours = {
        # Text and thoughts of sub-agents, not only their tool calls. As a variable, because an
        # older Claude Code ignores a variable and stops at an option that it does not know.
        "CLAUDE_CODE_FORWARD_SUBAGENT_TEXT": "1",
        # A program that replaces itself during a session is nobody's wish in a sandbox.
        "DISABLE_AUTOUPDATER": "1",
    }
    if (os.geteuid() if uid is None else uid) == 0:
        # As root it exits when it may ever bypass permissions, unless told that this is a sandbox.
        ours["IS_SANDBOX"] = "1"
    return {**ours, **env}


class McpConfigFile:
    """The MCP servers in a file of our own: their keys must not be on the command line.

    The file is in memory where there is a place for that: keys are not written to disks.
    """

    def __init__(self, servers: Mapping[str, object]) -> None:
        # Mode 0600, by mkstemp.
        descriptor, name = tempfile.mkstemp(
            prefix="sandbox-agent-mcp-", suffix=".json", dir=_memory_directory()
        )
        self.path = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"mcpServers": dict(servers)}, file)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _memory_directory() -> str | None:
    """None: where temporary files are."""
    return _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
