"""Makes the adapter of an agent: its definition, its configuration and its environment put together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from sandbox_agent_core.api.base_urls import BaseUrls
from sandbox_agent_core.spi.agent import AgentAdapter, AgentContext, AgentDefinition

from sandbox_agent_server.agents.base_urls import base_url_environment
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.environment import build_environment, with_programs
from sandbox_agent_server.settings import AgentSettings, Settings

__all__ = ["AdapterFactory"]


class AdapterFactory:
    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._settings = settings
        self._catalog = catalog

    def make(
        self,
        agent: str,
        *,
        session_id: str,
        cwd: Path,
        env: Mapping[str, str],
        base_url: BaseUrls | None = None,
        on_process: Callable[[int], None],
    ) -> AgentAdapter:
        """`env` is what the session adds. Raises: UnsupportedAgent, ValueNotSupported."""
        definition = self._catalog.get(agent)
        configured = self._configured(agent)
        limits = self._settings.limits
        return definition.create(
            AgentContext(
                session_id=session_id,
                cwd=cwd,
                env=self._environment(
                    definition, {**env, **base_url_environment(definition, base_url)}
                ),
                command=configured.command,
                options=configured.options,
                max_line_bytes=limits.max_line_bytes,
                stop_grace_s=limits.stop_grace_s,
                on_process=on_process,
            )
        )

    def is_missing(self, agent: str, env: Mapping[str, str]) -> bool:
        """Whether a session that adds `env` would find no program. Raises: UnsupportedAgent."""
        definition = self._catalog.get(agent)
        return definition.find(self._environment(definition, env)) is None

    def has_own_command(self, agent: str) -> bool:
        """Whether the configuration says what to run, so that no installation would change it."""
        return self._configured(agent).command is not None

    def _environment(
        self, definition: AgentDefinition, session: Mapping[str, str]
    ) -> dict[str, str]:
        built = build_environment(
            os.environ,
            env_names=definition.env_names,
            configured=self._configured(definition.name).env,
            session=session,
        )
        return with_programs(built, self._settings.agents_bin)

    def _configured(self, agent: str) -> AgentSettings:
        return self._settings.agents.get(agent) or AgentSettings.model_validate({})
