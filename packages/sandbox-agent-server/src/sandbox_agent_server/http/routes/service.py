"""`/`, `/v1/health`, `/v1/agents` and `/openapi.json`."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox_agent_core.api.agents import AgentInfo, AgentList, AgentServerStatus, Health, Root
from sandbox_agent_core.errors import UnsupportedAgent
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import query_bool
from sandbox_agent_server.http.callers import NOBODY, caller_of
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
from sandbox_agent_server.http.services import services_of

__all__ = ["routes"]


async def _root(request: Request) -> Response:
    is_known = caller_of(request) is not NOBODY
    return json_response(Root(version=services_of(request).version if is_known else None))


async def _health(request: Request) -> Response:
    """Nearly always `http/health.py` has answered already."""
    if caller_of(request) is NOBODY:
        return json_response(Health(status="ok"))
    services = services_of(request)
    return json_response(services.health())


async def _agents(request: Request) -> Response:
    services = services_of(request)
    found = await services.agents.list(**_config_query(request))
    uptimes = services.sessions.reader.agent_uptimes()
    return json_response(AgentList(agents=[_with_status(info, uptimes) for info in found.agents]))


async def _agent(request: Request) -> Response:
    services = services_of(request)
    info = await services.agents.info(request.path_params["agent"], **_config_query(request))
    return json_response(_with_status(info, services.sessions.reader.agent_uptimes()))


def _with_status(info: AgentInfo, uptimes: Mapping[str, float]) -> AgentInfo:
    if (uptime_s := uptimes.get(info.id)) is None:
        return info
    status = AgentServerStatus(status="running", uptime_ms=int(uptime_s * 1000))
    return info.model_copy(update={"server_status": status})


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
        method="GET", path="/", handler=_root, scope="read", summary="What this is and where its API is described. Needs no token.",
        tag="service", result=Root, is_open=True,
    ),
    ApiRoute(
        method="GET", path="/v1/health", handler=_health, scope="read", summary="Whether it answers, and to who shows a token version and uptime.",
        tag="service", result=Health, is_open=True,
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
