"""`/`, `/v1/health`, `/v1/agents` and `/openapi.json`."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from sandbox_agent_core.api.agents import (
    AgentConfig,
    AgentCredential,
    AgentInfo,
    AgentList,
    Health,
)
from sandbox_agent_core.api.policy import PERMISSION_MODES
from sandbox_agent_core.credentials import Discovery
from sandbox_agent_core.errors import UnsupportedAgent
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.spi.agent import AgentDefinition
from sandbox_agent_core.wire.problem import to_problem
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.agents.credentials import find_credentials
from sandbox_agent_server.agents.environment import build_environment, with_programs
from sandbox_agent_server.http.body import query_bool
from sandbox_agent_server.http.route import ApiRoute, Query, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.sessions.controls import Controls
from sandbox_agent_server.sessions.probing import AgentOffer
from sandbox_agent_server.settings import AgentSettings, Settings

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
    info = await asyncio.to_thread(_info, definition, services_of(request).settings)
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


def _info(definition: AgentDefinition, settings: Settings) -> AgentInfo:
    found = definition.find(with_programs(os.environ, settings.agents_bin))
    login = _login(definition, settings)
    return AgentInfo(
        id=definition.name,
        title=definition.title,
        installed=found is not None,
        version=found.version if found else None,
        path=found.path if found else None,
        install_hint=None if found else definition.install_hint,
        permission_modes=list(PERMISSION_MODES),
        credentials_available=login.is_available if login else _is_free(definition),
        credentials=_credentials(login) if login else [],
        base_url_providers=list(definition.base_url_env),
    )


def _login(definition: AgentDefinition, settings: Settings) -> Discovery | None:
    """What a session that adds nothing of its own would log in with."""
    configured = settings.agents.get(definition.name) or AgentSettings.model_validate({})
    env = build_environment(os.environ, env_names=definition.env_names, configured=configured.env)
    return find_credentials(definition.name, env) if definition.needs_credentials else None


def _is_free(definition: AgentDefinition) -> bool | None:
    return None if definition.needs_credentials else True


def _credentials(login: Discovery) -> list[AgentCredential]:
    problems = {problem.source: problem.message for problem in login.problems}
    found = [
        AgentCredential(
            source=credential.source,
            provider=credential.provider,
            kind=credential.kind,
            expires_at=None if credential.expires_ms is None else rfc3339(credential.expires_ms),
            expired=credential.is_expired(login.now_ms),
            problem=problems.pop(credential.source, None),
        )
        for credential in login.credentials
        if not credential.is_borrowed
    ]
    return found + [AgentCredential(source=at, problem=what) for at, what in problems.items()]


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
