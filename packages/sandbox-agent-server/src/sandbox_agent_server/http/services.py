"""What handlers may use; put together once, in `app.py`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sandbox_agent_core.api.agents import Health
from starlette.requests import HTTPConnection

from sandbox_agent_server.acp.servers import AcpServers
from sandbox_agent_server.agents.runner.inventory import AgentInventory
from sandbox_agent_server.host.config.store import ConfigStore
from sandbox_agent_server.host.files.files import Files
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.git.service import GitService
from sandbox_agent_server.host.ports.rules import PortRules
from sandbox_agent_server.host.ports.watch import PortWatch
from sandbox_agent_server.host.processes.registry import Processes
from sandbox_agent_server.http.acp_connections import AcpConnections
from sandbox_agent_server.http.callers import TokenCalls
from sandbox_agent_server.http.idempotency import OnceOnly
from sandbox_agent_server.http.large_answer import ByteBudget
from sandbox_agent_server.http.port_proxy import PortProxy
from sandbox_agent_server.http.stream import StreamCounter
from sandbox_agent_server.http.tickets import Tickets
from sandbox_agent_server.http.transfers import Transfers
from sandbox_agent_server.install.jobs import InstallJobs
from sandbox_agent_server.sessions.manager import SessionManager
from sandbox_agent_server.sessions.turn_index import TurnIndex
from sandbox_agent_server.settings import Settings
from sandbox_agent_server.store.tokens import TokenStore

__all__ = ["Services", "services_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    settings: Settings
    agents: AgentInventory
    installs: InstallJobs
    sessions: SessionManager
    turns: TurnIndex
    config: ConfigStore
    acp: AcpServers
    git: GitService
    once: OnceOnly
    streams: StreamCounter
    answers: ByteBudget
    tokens: TokenStore
    token_calls: TokenCalls
    tickets: Tickets
    port_proxy: PortProxy
    port_rules: PortRules
    port_watch: PortWatch
    paths: Paths
    files: Files
    transfers: Transfers
    processes: Processes
    remote_acp: AcpConnections
    version: str
    has_inspector: bool
    started: float = field(default_factory=time.monotonic)

    def health(self) -> Health:
        uptime_s = round(time.monotonic() - self.started, 3)
        heartbeat_s = self.settings.limits.heartbeat_s
        return Health(
            status="ok",
            version=self.version,
            uptime_s=uptime_s,
            inspector=self.has_inspector,
            heartbeat_s=heartbeat_s,
        )


def services_of(connection: HTTPConnection) -> Services:
    services: Services = connection.app.state.services
    return services
