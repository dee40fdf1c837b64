"""Can a sandbox be made here? Asked before one is."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.errors import (
    ProviderError,
    ProviderTimeout,
    SandboxAgentError,
)
from sandbox_agent_core.provisioning.sdk import check_sdk
from sandbox_agent_core.spi.provider import Check, Preflight

from sandbox_agent_docker.daemon import Daemon
from sandbox_agent_docker.image.choice import (
    PLAIN_IMAGE,
    Choice,
    ask_registry,
    choose_image,
    full_image,
)
from sandbox_agent_docker.options import Pull

__all__ = ["check_daemon"]

REGISTRY_TIMEOUT_S = 8.0
SDK_TESTED = "7.2.0"
"""The newest version of docker-py that our tests ran with."""


async def check_daemon(
    daemon: Daemon, *, image: str | None, pull: Pull, is_reachable: bool
) -> Preflight:
    """`is_reachable`: the caller has said how published ports are reached."""
    sdk = check_sdk("Docker", "docker", package="sandbox-agent-docker", tested=SDK_TESTED)
    if not sdk.ok:
        return Preflight([sdk])
    checks = [sdk]
    try:
        engine = await daemon.call(_engine)
        address = daemon.address
        checks.append(Check(name="daemon", ok=True, message=f"{engine} at {address}"))
        if not address.is_local:
            by_ssh = daemon.has_tunnels and not is_reachable
            checks.append(
                Check(name="ports", ok=True, message="reached through ssh")
                if by_ssh
                else _reach(address.machine, is_reachable=is_reachable)
            )
        checks.append(await _image(daemon, image, pull))
    except SandboxAgentError as exc:
        name = "daemon" if len(checks) == 1 else "image"
        kind = type(exc) if isinstance(exc, ProviderError) else ProviderError
        checks.append(Check(name=name, ok=False, message=exc.message, error=kind))
    return Preflight(checks)


def _engine(client: Any) -> str:
    said = client.version()
    names = [str(part.get("Name")) for part in said.get("Components") or ()]
    name = "Podman" if any("Podman" in each for each in names) else "Docker Engine"
    return f"{name} {said['Version']}"


def _reach(machine: str, *, is_reachable: bool) -> Check:
    if is_reachable:
        return Check(name="ports", ok=True, message=f"published on {machine}")
    return Check(
        name="ports",
        ok=False,
        message=f"The daemon is on another machine ({machine}), where ports are published on 127.0.0.1 and "
        "cannot be reached from here. In a network that you trust give publish_address='0.0.0.0' (it is plain "
        "HTTP, with a token); through a tunnel give endpoint_host.",
    )


async def _image(daemon: Daemon, image: str | None, pull: Pull) -> Check:
    choice = await choose_image(daemon, image, pull)
    if choice.facts is None:
        return await _pullable(daemon, choice)
    message = f"{choice.name} is here"
    if image is None and choice.name != full_image():
        message += (
            f". The server is installed into {PLAIN_IMAGE} at each start; once and for all: "
            "`sandbox-agent image build`"
        )
    return Check(name="image", ok=True, message=message)


async def _pullable(daemon: Daemon, choice: Choice) -> Check:
    try:
        await ask_registry(daemon, choice.name, timeout_s=REGISTRY_TIMEOUT_S)
    except ProviderTimeout:
        answer = "the registry has not answered yet"
        return Check(name="image", ok=True, message=f"{choice.name} will be pulled; {answer}")
    except ProviderError as exc:
        return Check(
            name="image",
            ok=False,
            message=f"The image {choice.name!r} is not here and cannot be pulled. {exc.message} Check its name "
            "and `docker login`, or build one with `sandbox-agent image build`.",
        )
    return Check(name="image", ok=True, message=f"{choice.name} will be pulled")
