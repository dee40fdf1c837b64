"""A session being opened: what Codex has to be asked before its thread, and what the thread is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_server.agents.codex.launch import provider_settings
from sandbox_agent_server.agents.codex.modes import DEFAULT, MODES
from sandbox_agent_server.agents.codex.native import Native
from sandbox_agent_server.agents.codex.offers import Offers
from sandbox_agent_server.agents.codex.reading import members, text
from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.session_params import McpServer, SessionParams

__all__ = ["NoCredentials", "Opening", "mcp_settings"]

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")


class NoCredentials(Exception):
    """Codex has no login, and the environment no key. Codex itself would only notice at the first
    prompt, and then try to reach OpenAI without."""

    def __init__(self) -> None:
        super().__init__("Codex has no login, and neither OPENAI_API_KEY nor CODEX_API_KEY is set")


@dataclass(slots=True)
class Opening:
    params: SessionParams
    told: dict[str, Any] = field(default_factory=dict)
    """Results of `questions`; None where Codex answered with an error."""
    thread: Native = field(default_factory=dict)
    """The answer that made the thread."""

    def questions(self) -> dict[str, Native]:
        """What to ask first: method and parameters."""
        return {
            "account/read": {"refreshToken": False},
            "config/read": {"includeLayers": False, "cwd": str(self.params.cwd)},
            "model/list": {},
        }

    def thread_request(self, env: Mapping[str, str]) -> tuple[str, Native]:
        """Raises: NoCredentials."""
        configuration = self._configuration
        account = members(self.told.get("account/read"))
        # An access token is only looked at with the first prompt.
        needs_login = account.get("requiresOpenaiAuth") is True and not env.get(
            "CODEX_ACCESS_TOKEN"
        )
        provider, settings = provider_settings(
            env,
            configured=text(configuration.get("model_provider")),
            is_logged_in=account.get("account") is not None or not needs_login,
        )
        if needs_login and account.get("account") is None and provider is None:
            raise NoCredentials
        params = self._thread_params(configuration)
        params["config"] |= settings
        if provider is not None:
            params["modelProvider"] = provider
        if self.params.directories:
            workspace = members(configuration.get("sandbox_workspace_write"))
            roots = workspace.get("writable_roots")
            given = roots if isinstance(roots, list) else []
            params["config"]["sandbox_workspace_write.writable_roots"] = [
                *given,
                *self.params.directories,
            ]
        if not (configuration.get("approval_policy") or configuration.get("sandbox_mode")):
            params["approvalPolicy"] = MODES[DEFAULT].approval_policy
            params["sandbox"] = MODES[DEFAULT].sandbox
        if self.params.resumed_id is None:
            return "thread/start", params
        # Its turns are asked for by the page, where they are wanted.
        return "thread/resume", {**params, "excludeTurns": True}

    def offers(self, more_models: Iterable[str]) -> Offers:
        return Offers(
            self.thread,
            members(self.told.get("model/list")).get("data"),
            workspace=self._configuration.get("sandbox_workspace_write"),
            directories=tuple(self.params.directories),
            more_models=more_models,
        )

    @property
    def thread_id(self) -> str | None:
        return text(members(self.thread.get("thread")).get("id"))

    def _thread_params(self, configuration: Native) -> Native:
        """`configuration` is what `config.toml` says."""
        wanted = self.params
        params: Native = {"cwd": str(wanted.cwd), "config": mcp_settings(wanted.mcp_servers)}
        if wanted.resumed_id is not None:
            params["threadId"] = wanted.resumed_id
        if wanted.model is not None:
            params["model"] = wanted.model
        if wanted.system_prompt is not None:
            own = configuration.get("developer_instructions")
            texts = [own, wanted.system_prompt] if isinstance(own, str) else [wanted.system_prompt]
            params["developerInstructions"] = "\n\n".join(texts)
        return params

    @property
    def _configuration(self) -> Native:
        return members(members(self.told.get("config/read")).get("config"))


def mcp_settings(servers: Iterable[McpServer]) -> dict[str, Any]:
    """As Codex's settings `mcp_servers.NAME`; they hold keys.

    Raises:
        InvalidParams: two of one name, or a transport that Codex does not speak.
    """
    settings: dict[str, Any] = {}
    for server in servers:
        # Codex makes tool names of it, and a dot would be another table.
        setting = f"mcp_servers.{_NOT_IN_NAMES.sub('_', server.name)}"
        if setting in settings:
            raise InvalidParams(f"two MCP servers would have the name of {server.name!r} in Codex")
        settings[setting] = _setting(server)
    return settings


def _setting(server: McpServer) -> dict[str, Any]:
    match server.transport:
        case "stdio":
            return {"command": server.command, "args": list(server.args), "env": dict(server.env)}
        case "http":
            return {"url": server.url, "http_headers": dict(server.headers)}
        case "sse":
            raise InvalidParams(f"MCP server {server.name!r}: Codex speaks stdio and http, not sse")
