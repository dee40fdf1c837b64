"""`/`, `/v1/health`, `/v1/agents` and `/openapi.json`."""

from __future__ import annotations

import time

from sandbox_agent_core.api.agents import AgentInfo, AgentList, Health
from sandbox_agent_core.errors import UnsupportedAgent
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import query_bool
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
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
    heartbeat_s = services.settings.limits.heartbeat_s
    return json_response(Health(version=services.version, uptime_s=uptime, heartbeat_s=heartbeat_s))


async def _agents(request: Request) -> Response:
    return json_response(await services_of(request).agents.list(**_config_query(request)))


async def _agent(request: Request) -> Response:
    agent = request.path_params["agent"]
    return json_response(await services_of(request).agents.info(agent, **_config_query(request)))


def _config_query(request: Request) -> dict[str, bool]:
    return {
        "config": query_bool(request, "config", default=False),
        "fresh": query_bool(request, "no_cache", default=False),
    }


_CONFIG = [
    Query(
        "config",
        {"type": "boolean", "default": False},
        "Also ask each installed agent for its modes, models and options. "
        "Starts it; the answer is remembered for ten minutes.",
    ),
    Query("no_cache", {"type": "boolean", "default": False}, "Ask again, whatever is remembered."),
]

routes = [
    ApiRoute(
        method="GET", path="/", handler=_root, scope="read", summary="What this is and where its API is described.",
        tag="service",
    ),
    ApiRoute(
        method="GET", path="/v1/health", handler=_health, scope="read", summary="Version and uptime.",
        tag="service", result=Health,
    ),
    ApiRoute(
        method="GET", path="/v1/agents", handler=_agents, scope="read",
        summary="The agents this server can run, installed or not.", tag="agents", result=AgentList,
        query=_CONFIG,
    ),
    ApiRoute(
        method="GET", path="/v1/agents/{agent}", handler=_agent, scope="read", summary="One agent.", query=_CONFIG,
        tag="agents", result=AgentInfo, errors=[UnsupportedAgent],
    ),
]  # fmt: skip
