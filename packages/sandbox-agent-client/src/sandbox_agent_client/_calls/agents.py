"""`/v1/health` and `/v1/agents`."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.api.agents import (
    AgentInfo,
    AgentList,
    Health,
    InstallProgress,
    InstallRequest,
    InstallResult,
    InstallStatus,
)
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.wire.problem import from_problem
from sandbox_agent_core.wire.sse import SseEvent

from sandbox_agent_client._calls.call import Call, body, built, path, query, reads
from sandbox_agent_client._failures import read_json

__all__ = ["get_agent", "health", "install", "install_status", "list_agents", "read_install_event"]

_result = reads(InstallResult)
_progress = reads(InstallProgress)


def health() -> Call[Health]:
    return Call(method="GET", path=path("health"), parse=reads(Health))


def list_agents(*, config: bool = False, fresh: bool = False) -> Call[AgentList]:
    asked = query(config=config or None, no_cache=fresh or None)
    return Call(method="GET", path=path("agents"), query=asked, parse=reads(AgentList))


def get_agent(agent: str, *, config: bool = True, fresh: bool = False) -> Call[AgentInfo]:
    asked = query(config=config or None, no_cache=fresh or None)
    return Call(method="GET", path=path("agents", agent), query=asked, parse=reads(AgentInfo))


def install(agent: str, *, version: str | None, reinstall: bool) -> Call[InstallResult]:
    """Raises: InvalidRequest for what is no version."""
    given: dict[str, Any] = {"version": version, "reinstall": reinstall or None}
    return Call(
        method="POST",
        path=path("agents", agent, "install"),
        body=body(built(InstallRequest, **given)),
        parse=_result,
        has_deadline=False,
    )


def install_status(agent: str) -> Call[InstallStatus]:
    return Call(method="GET", path=path("agents", agent, "install"), parse=reads(InstallStatus))


def read_install_event(event: SseEvent) -> InstallProgress | InstallResult | None:
    """None for an event that a newer server sends.

    Raises:
        SandboxAgentError: the installation failed.
    """
    if event.event not in ("progress", "completed", "error"):
        return None
    document = read_json(event.data, "An event of the installation")
    if event.event == "progress":
        return _progress(document)
    if event.event == "completed":
        return _result(document)
    raise from_problem(as_dict(document), 500)
