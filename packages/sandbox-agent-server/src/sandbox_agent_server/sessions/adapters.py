"""Makes the adapter of an agent: its definition, its configuration and its environment put together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from sandbox_agent_core.spi.agent import AgentAdapter, AgentContext

from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.environment import build_environment
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
        on_process: Callable[[int], None],
    ) -> AgentAdapter:
        """`env` is what the session adds. Raises: UnsupportedAgent."""
        definition = self._catalog.get(agent)
        configured = self._settings.agents.get(agent) or AgentSettings.model_validate({})
        limits = self._settings.limits
        return definition.create(
            AgentContext(
                session_id=session_id,
                cwd=cwd,
                env=build_environment(
                    os.environ,
                    env_names=definition.env_names,
                    configured=configured.env,
                    session=env,
                ),
                command=configured.command,
                options=configured.options,
                max_line_bytes=limits.max_line_bytes,
                stop_grace_s=limits.stop_grace_s,
                on_process=on_process,
            )
        )
