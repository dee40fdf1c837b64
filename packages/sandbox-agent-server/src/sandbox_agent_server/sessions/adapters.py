"""Agents for sessions: one that is kept ready where it would be the same, else a new one."""

from __future__ import annotations

from pathlib import Path

from sandbox_agent_core.api.sessions import SessionHooks
from sandbox_agent_core.spi.agent import AgentAdapter

from sandbox_agent_server.agents.runner.factory import AgentFactory
from sandbox_agent_server.agents.runner.pool import AgentPool, pool_sizes
from sandbox_agent_server.runtime.ledger import ProcessLedger
from sandbox_agent_server.sessions.agent import SessionSecrets
from sandbox_agent_server.sessions.equipment import Equipment
from sandbox_agent_server.sessions.state import SessionState
from sandbox_agent_server.settings import Settings

__all__ = ["SessionAdapters"]


class SessionAdapters:
    def __init__(
        self, factory: AgentFactory, settings: Settings, ledger: ProcessLedger, *, version: str
    ) -> None:
        self._factory = factory
        self._trust_workspace = settings.trust_workspace
        self._ledger = ledger
        self.pool = AgentPool(
            factory,
            pool_sizes(settings),
            cwd=Path.cwd(),
            trust_workspace=settings.trust_workspace,
            client_version=version,
            on_process=lambda pid: ledger.note(pid, "pool"),
        )

    def make(
        self, session_id: str, state: SessionState, secrets: SessionSecrets, equipment: Equipment
    ) -> AgentAdapter:
        """`secrets`: with all MCP servers."""
        agent, cwd = state.settings.agent, Path(state.settings.cwd)
        trust_workspace = state.settings.trust_workspace
        is_usual = trust_workspace == self._trust_workspace
        if (
            is_usual
            and _is_plain(state, secrets)
            and not equipment.skills
            and (ready := self.pool.take(agent, cwd)) is not None
        ):
            for pid in ready.pids:
                self._ledger.note(pid, session_id)
            return ready
        return self._factory.make(
            agent,
            session_id=session_id,
            cwd=cwd,
            env=secrets.env,
            base_url=state.settings.base_url,
            trust_workspace=trust_workspace,
            mcp_server_names=[str(server.get("name")) for server in secrets.mcp_servers],
            skills=equipment.skills_folder,
            session_options=state.settings.agent_options,
            additional_directories=[*map(Path, state.settings.additional_directories)],
            on_process=lambda pid: self._ledger.note(pid, session_id),
        )


def _is_plain(state: SessionState, secrets: SessionSecrets) -> bool:
    """An agent that was opened ahead of time was asked for nothing that this session would ask otherwise."""
    settings = state.settings
    has_wishes = (
        settings.base_url
        or settings.system_prompt
        or settings.agent_options
        or settings.additional_directories
        or settings.hooks != SessionHooks()
        or settings.forked_from
    )
    introduction = secrets.introduction
    is_introduced = introduction and (introduction.authenticated or introduction.opening)
    return not (
        state.agent_session_id or secrets.env or secrets.mcp_servers or is_introduced or has_wishes
    )
