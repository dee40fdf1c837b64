"""What is in an image, in a machine that runs: for vendors whose images are made of one."""

from __future__ import annotations

import shlex
from dataclasses import replace

from sandbox_agent_core.errors import InvalidRequest, ProviderError, ServerStartFailed
from sandbox_agent_core.provisioning import scripts
from sandbox_agent_core.provisioning.installing import (
    expect_success,
    find,
    install_agents,
    install_server,
)
from sandbox_agent_core.provisioning.layout import ServerLayout
from sandbox_agent_core.provisioning.machine import QUICK_TIMEOUT_S, Machine, find_home
from sandbox_agent_core.spi.images import ImageSpec
from sandbox_agent_core.spi.provider import SandboxSpec

__all__ = ["install_image", "refuse_packages"]


def refuse_packages(spec: ImageSpec, *, provider: str) -> None:
    """Before anything is made, for machines whose user is nobody who may install them.

    Raises:
        InvalidRequest: the spec wants some.
    """
    if spec.packages:
        raise InvalidRequest(
            f"Provider {provider!r} installs no packages of a distribution: build on an image that has them (--base IMAGE).",
            provider=provider,
        )


async def install_image(machine: Machine, spec: ImageSpec, *, provider: str) -> None:
    """The server and the agents, for the machine's user; nothing runs, and what `settings` say is not kept.

    Raises:
        ProviderError: a step failed; the message ends with what it said.
    """
    layout = ServerLayout(await find_home(machine))
    contents = SandboxSpec(
        agents=sorted(set(spec.agents)),
        wheels=lambda: spec.wheels,
        inspector=None if (page := spec.inspector) is None else lambda: page,
        wheelhouse=spec.wheelhouse,
        npm_registry=spec.npm_registry,
        report=spec.report,
    )
    try:
        # One that the base has may be of another state of the code, whatever its version.
        found = replace(await find(machine, layout), server=None)
        await machine.write(layout.environment, scripts.environment_file(spec.settings))
        server = await install_server(
            machine, contents, layout, found, spec.settings, node=spec.node
        )
        await install_agents(machine, contents, layout, server)
        left = " ".join(map(shlex.quote, (layout.wheels, layout.environment)))
        done = await machine.run(f"rm -rf {left}", timeout_s=QUICK_TIMEOUT_S)
        expect_success(done, "What was needed for the build could not be removed", step="clean")
    except ServerStartFailed as exc:
        raise ProviderError(exc.message, **{**exc.details, "provider": provider}) from exc
