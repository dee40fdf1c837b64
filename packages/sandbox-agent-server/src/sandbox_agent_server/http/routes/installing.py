"""`/v1/agents/{agent}/install`."""

from __future__ import annotations

from functools import partial

from sandbox_agent_core.api.agents import (
    InstallProgress,
    InstallRequest,
    InstallResult,
    InstallStatus,
)
from sandbox_agent_core.errors import (
    AgentNotInstallable,
    InstallFailed,
    InstallForbidden,
    RegistryUnavailable,
    UnsupportedAgent,
)
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import read_body
from sandbox_agent_server.http.route import ApiRoute, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.stream import SseResponse
from sandbox_agent_server.http.work_stream import work_stream

__all__ = ["routes"]


async def _install(request: Request) -> Response | SseResponse:
    services = services_of(request)
    agent = request.path_params["agent"]
    services.agents.check(agent)
    body = await read_body(request, InstallRequest, services.settings.limits)
    if "text/event-stream" not in request.headers.get("accept", ""):
        return json_response(await services.installs.fulfil(agent, body))
    return work_stream(
        partial(services.installs.fulfil, agent, body),
        services.streams,
        step_of=_step,
        heartbeat_s=services.settings.limits.heartbeat_s,
        failure="the installation failed; the log of the server says why",
    )


def _step(progress: InstallProgress) -> str:
    return progress.step


async def _status(request: Request) -> Response:
    services = services_of(request)
    agent = request.path_params["agent"]
    services.agents.check(agent)
    return json_response(services.installs.status(agent))


routes = [
    ApiRoute(
        method="POST", path="/v1/agents/{agent}/install", handler=_install, tag="agents",
        summary="Install an agent, or another version of it. Who leaves does not stop it.",
        body=InstallRequest, result=InstallResult,
        streams="`progress` any number of times, then `completed` with the result or `error` with a problem.",
        errors=[UnsupportedAgent, AgentNotInstallable, InstallForbidden, InstallFailed, RegistryUnavailable],
        extra={"progress": InstallProgress},
    ),
    ApiRoute(
        method="GET", path="/v1/agents/{agent}/install", handler=_status, tag="agents", scope="read",
        summary="Whether it is being installed, and how far that is: for who waits for `POST /v1/sessions`.",
        result=InstallStatus, errors=[UnsupportedAgent],
    ),
]  # fmt: skip
