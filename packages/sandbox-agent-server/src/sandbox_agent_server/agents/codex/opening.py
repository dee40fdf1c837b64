"""A session being opened: what Codex has to be asked before its thread, and what the thread is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox_agent_core.frames import RequestId

from sandbox_agent_server.agents.codex.launch import provider_settings
from sandbox_agent_server.agents.codex.modes import DEFAULT, MODES
from sandbox_agent_server.agents.codex.native import Native
from sandbox_agent_server.agents.codex.offers import Offers
from sandbox_agent_server.agents.codex.reading import members, text
from sandbox_agent_server.agents.codex.session_params import SessionParams

__all__ = ["NoCredentials", "Opening"]


class NoCredentials(Exception):
    """Codex has no login, and the environment no key. Codex itself would only notice at the first
    prompt, and then try to reach OpenAI without."""

    def __init__(self) -> None:
        super().__init__("Codex has no login, and neither OPENAI_API_KEY nor CODEX_API_KEY is set")


@dataclass(slots=True)
class Opening:
    id: RequestId
    """Of the request that opens it."""
    params: SessionParams
    replays: bool = False
    """The client wants to be told what was said before."""
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

    @property
    def is_told(self) -> bool:
        return len(self.told) == len(self.questions())

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
        params = self.params.thread_params(configuration)
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
        if self.params.thread_id is None:
            return "thread/start", params
        # Its turns are asked for by the page, where they are wanted.
        return "thread/resume", {**params, "excludeTurns": True}

    def offers(self, more_models: Iterable[str]) -> Offers:
        return Offers(
            self.thread,
            members(self.told.get("model/list")).get("data"),
            workspace=self._configuration.get("sandbox_workspace_write"),
            directories=self.params.directories,
            more_models=more_models,
        )

    @property
    def thread_id(self) -> str | None:
        return text(members(self.thread.get("thread")).get("id"))

    @property
    def _configuration(self) -> Native:
        return members(members(self.told.get("config/read")).get("config"))
