"""`/`, `/v1/health`, `/v1/agents` and `/openapi.json`."""

from __future__ import annotations

import asyncio
import os
import time

from sandbox_agent_core.api.agents import AgentInfo, AgentList, Health
from sandbox_agent_core.errors import UnsupportedAgent
from sandbox_agent_core.spi.agent import AgentDefinition
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.route import ApiRoute, json_response
from sandbox_agent_server.http.services import services_of

__all__ = ["routes"]


async def _root(request: Request) -> Response:
    version = services_of(request).version
    return json_response(
        {"name": "sandbox-agent-server", "version": version, "docs": "/openapi.json"}
    )


async def _health(request: Request) -> Response:
    services = services_of(request)
    uptime = round(time.monotonic() - services.started, 3)
    return json_response(Health(version=services.version, uptime_s=uptime))


async def _agents(request: Request) -> Response:
    catalog = services_of(request).catalog
    definitions = [catalog.get(name) for name in catalog.names()]
    # Looking for programs reads the disk and may ask one for its version.
    agents = await asyncio.gather(*(asyncio.to_thread(_info, each) for each in definitions))
    return json_response(AgentList(agents=list(agents)))


async def _agent(request: Request) -> Response:
    definition = services_of(request).catalog.get(request.path_params["agent"])
    return json_response(await asyncio.to_thread(_info, definition))


def _info(definition: AgentDefinition) -> AgentInfo:
    found = definition.find(os.environ)
    return AgentInfo(
        id=definition.name,
        title=definition.title,
        installed=found is not None,
        version=found.version if found else None,
        path=found.path if found else None,
        install_hint=None if found else definition.install_hint,
    )


routes = [
    ApiRoute(
        method="GET", path="/", handler=_root, summary="What this is and where its API is described.",
        tag="service",
    ),
    ApiRoute(
        method="GET", path="/v1/health", handler=_health, summary="Version and uptime.",
        tag="service", result=Health,
    ),
    ApiRoute(
        method="GET", path="/v1/agents", handler=_agents,
        summary="The agents this server can run, installed or not.", tag="agents", result=AgentList,
    ),
    ApiRoute(
        method="GET", path="/v1/agents/{agent}", handler=_agent, summary="One agent.",
        tag="agents", result=AgentInfo, errors=[UnsupportedAgent],
    ),
]  # fmt: skip
