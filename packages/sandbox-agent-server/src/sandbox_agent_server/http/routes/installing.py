"""`POST /v1/agents/{agent}/install`."""

from __future__ import annotations

import os
from collections.abc import Callable

from sandbox_agent_core.api.agents import (
    InstallArtifact,
    InstallProgress,
    InstallRequest,
    InstallResult,
)
from sandbox_agent_core.errors import (
    AgentNotInstallable,
    InstallFailed,
    InstallForbidden,
    RegistryUnavailable,
    UnsupportedAgent,
)
from sandbox_agent_core.spi.agent import AgentDefinition
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.agents.environment import with_programs
from sandbox_agent_server.http.body import read_body
from sandbox_agent_server.http.install_stream import InstallStream
from sandbox_agent_server.http.route import ApiRoute, json_response
from sandbox_agent_server.http.services import Services, services_of
from sandbox_agent_server.install.installer import Installed
from sandbox_agent_server.install.notes import shadowed_note
from sandbox_agent_server.install.pins import all_pins

__all__ = ["routes"]


async def _install(request: Request) -> Response | InstallStream:
    services = services_of(request)
    definition = services.catalog.get(request.path_params["agent"])
    body = await read_body(request, InstallRequest, services.settings.limits)

    async def run(on_progress: Callable[[InstallProgress], None]) -> InstallResult:
        return await _run(services, definition, body, on_progress)

    if "text/event-stream" not in request.headers.get("accept", ""):
        return json_response(await run(lambda _progress: None))
    services.streams.check()
    heartbeat_s = services.settings.limits.heartbeat_s
    return InstallStream(run, services.streams, heartbeat_s=heartbeat_s)


async def _run(
    services: Services,
    definition: AgentDefinition,
    body: InstallRequest,
    on_progress: Callable[[InstallProgress], None],
) -> InstallResult:
    env = with_programs(os.environ, services.settings.agents_bin)
    found = definition.find(env)
    if definition.name not in all_pins() and found is not None:
        # Built in, or put there by other means.
        return InstallResult(already_installed=True, version=found.version, path=found.path)
    installed = await services.installs.install(
        definition.name, version=body.version, reinstall=body.reinstall, on_progress=on_progress
    )
    used = definition.find(env)
    return _result(installed, shadowed_note(installed, used.path if used else None))


def _result(installed: Installed, note: str | None) -> InstallResult:
    version = installed.version
    artifact = InstallArtifact(
        path=str(version.program), source=version.source, version=version.version
    )
    return InstallResult(
        already_installed=installed.already,
        artifacts=[] if installed.already else [artifact],
        version=version.version,
        path=str(version.program),
        note=note,
    )


routes = [
    ApiRoute(
        method="POST", path="/v1/agents/{agent}/install", handler=_install, tag="agents",
        summary="Install an agent, or another version of it. Who leaves does not stop it.",
        body=InstallRequest, result=InstallResult,
        streams="`progress` any number of times, then `completed` with the result or `error` with a problem.",
        errors=[UnsupportedAgent, AgentNotInstallable, InstallForbidden, InstallFailed, RegistryUnavailable],
        extra={"progress": InstallProgress},
    ),
]  # fmt: skip
