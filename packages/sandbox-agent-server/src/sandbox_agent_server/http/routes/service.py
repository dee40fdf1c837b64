"""`/`, `/v1/health`, `/v1/agents` and `/openapi.json`."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from sandbox_agent_core.api.agents import AgentConfig, AgentInfo, AgentList, Health
from sandbox_agent_core.api.policy import PERMISSION_MODES
from sandbox_agent_core.errors import UnsupportedAgent
from sandbox_agent_core.spi.agent import AgentDefinition
from sandbox_agent_core.wire.problem import to_problem
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import query_bool
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.sessions.controls import Controls
from sandbox_agent_server.sessions.probing import AgentOffer

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
    infos = (_agent_info(request, catalog.get(name)) for name in catalog.names())
    return json_response(AgentList(agents=list(await asyncio.gather(*infos))))


async def _agent(request: Request) -> Response:
    definition = services_of(request).catalog.get(request.path_params["agent"])
    return json_response(await _agent_info(request, definition))


async def _agent_info(request: Request, definition: AgentDefinition) -> AgentInfo:
    # Looking for programs reads the disk and may ask one for its version.
    info = await asyncio.to_thread(_info, definition)
    if not info.installed or not query_bool(request, "config", default=False):
        return info
    offer = await services_of(request).registry.prober.probe(
        definition.name,
        program=(info.path, info.version, _modified(info.path)),
        permission_modes=definition.permission_modes,
        fresh=query_bool(request, "no_cache", default=False),
    )
    if offer.error is not None:
        return info.model_copy(update={"config_error": to_problem(offer.error)})
    return info.model_copy(update={"config": _config(offer)})


def _config(offer: AgentOffer) -> AgentConfig:
    controls = offer.controls or Controls()
    return AgentConfig(
        agent_info=offer.info,
        capabilities=dict(offer.capabilities or {}),
        modes=controls.modes,
        models=controls.models,
        thought_levels=controls.thought_levels,
        config_options=controls.options,
        mode=controls.mode,
        model=controls.model,
        thought_level=controls.thought_level,
    )


def _modified(path: str | None) -> int | None:
    """Changes when the program is replaced where it is."""
    try:
        return None if path is None else Path(path).stat().st_mtime_ns
    except OSError:
        return None


def _info(definition: AgentDefinition) -> AgentInfo:
    found = definition.find(os.environ)
    return AgentInfo(
        id=definition.name,
        title=definition.title,
        installed=found is not None,
        version=found.version if found else None,
        path=found.path if found else None,
        install_hint=None if found else definition.install_hint,
        permission_modes=list(PERMISSION_MODES),
    )


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
        query=_CONFIG,
    ),
    ApiRoute(
        method="GET", path="/v1/agents/{agent}", handler=_agent, summary="One agent.", query=_CONFIG,
        tag="agents", result=AgentInfo, errors=[UnsupportedAgent],
    ),
]  # fmt: skip
