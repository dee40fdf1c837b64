"""What a thread is made of, given what a session is to be and what Codex and the environment know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sandbox_agent_core.agent_options import CodexOptions
from sandbox_agent_core.frames.jsonrpc import AUTH_REQUIRED
from sandbox_agent_core.lenient import as_dict, as_list, as_str, as_text

from sandbox_agent_server.agents.codex.launch import provider_settings
from sandbox_agent_server.agents.codex.modes import DEFAULT, MODES
from sandbox_agent_server.agents.codex.options import option_params, option_settings
from sandbox_agent_server.agents.native.refusals import InvalidParams, Refused
from sandbox_agent_server.agents.native.session_params import McpServer, SessionParams
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["mcp_settings", "thread_params"]

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")


def thread_params(
    wanted: SessionParams,
    *,
    account: Native,
    configuration: Native,
    env: Mapping[str, str],
    options: CodexOptions,
    profile: Mapping[str, Any] | None = None,
    memory: str | None = None,
    may_be_settled_by_workspace: bool = False,
) -> Native:
    """For `thread/start`, or `thread/resume`. `account` and `configuration` are as Codex tells them.

    `profile`: settings of one, by their dotted names; those of `options` rank above them. `memory` is what it will not read by itself. What of approvals a workspace may have settled in the
    configuration does not count.

    Raises: Refused, also when there are no credentials: Codex itself would only notice at the first
    prompt, and then try to reach OpenAI without.
    """
    config = {**(profile or {}), **option_settings(options), **mcp_settings(wanted.mcp_servers)}
    configuration = {**configuration, **(profile or {})}
    provider, settings = _provider(account, configuration, env)
    params: Native = {"cwd": str(wanted.cwd), "config": config | settings, **option_params(options)}
    if provider is not None:
        params["modelProvider"] = provider
    if wanted.model is not None:
        params["model"] = wanted.model
    if wanted.system_prompt is not None or memory is not None:
        own = as_str(configuration.get("developer_instructions"))
        texts = filter(None, (own, memory, wanted.system_prompt))
        params["developerInstructions"] = "\n\n".join(texts)
    if wanted.directories:
        workspace = as_dict(configuration.get("sandbox_workspace_write"))
        roots = [*as_list(workspace.get("writable_roots")), *wanted.directories]
        params["config"]["sandbox_workspace_write.writable_roots"] = roots
    is_settled = configuration.get("approval_policy") or configuration.get("sandbox_mode")
    if may_be_settled_by_workspace or not is_settled:
        params["approvalPolicy"] = MODES[DEFAULT].approval_policy
        params["sandbox"] = MODES[DEFAULT].sandbox
    if wanted.resumed_id is not None:
        # Its turns are asked for by the page, where they are wanted.
        params |= {"threadId": wanted.resumed_id, "excludeTurns": True}
    return params


def _provider(
    account: Native, configuration: Native, env: Mapping[str, str]
) -> tuple[str | None, dict[str, Any]]:
    """As `provider_settings`. Raises: Refused."""
    # An access token is only looked at with the first prompt.
    needs_login = account.get("requiresOpenaiAuth") is True and not env.get("CODEX_ACCESS_TOKEN")
    is_logged_in = account.get("account") is not None or not needs_login
    configured = as_text(configuration.get("model_provider"))
    provider, settings = provider_settings(env, configured=configured, is_logged_in=is_logged_in)
    if provider is None and not is_logged_in:
        raise Refused(
            AUTH_REQUIRED,
            "Codex has no login, and neither OPENAI_API_KEY nor CODEX_API_KEY is set",
        )
    return provider, settings


def mcp_settings(servers: Iterable[McpServer]) -> dict[str, Any]:
    """Codex's settings `mcp_servers.NAME`. Raises: InvalidParams for what Codex does not speak, …."""
    settings: dict[str, Any] = {}
    for server in servers:
        # Codex makes tool names of it, and a dot would be another table.
        setting = f"mcp_servers.{_NOT_IN_NAMES.sub('_', server.name)}"
        if setting in settings:
            raise InvalidParams(f"two MCP servers would have the name of {server.name!r} in Codex")
        settings[setting] = _mcp_setting(server)
    return settings


def _mcp_setting(server: McpServer) -> dict[str, Any]:
    more = {} if server.timeout_ms is None else {"tool_timeout_sec": server.timeout_ms / 1000}
    match server.transport:
        case "stdio":
            program = {"command": server.command, "args": list(server.args)}
            return {**program, "env": dict(server.env), **more}
        case "http":
            return {"url": server.url, "http_headers": dict(server.headers), **more}
        case "sse":
            raise InvalidParams(f"MCP server {server.name!r}: Codex speaks stdio and http, not sse")
