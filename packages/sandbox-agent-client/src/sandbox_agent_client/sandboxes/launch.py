"""A sandbox whose server answers: made, or taken over. A launch that fails or is cancelled leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sandbox_agent_core.api.agents import Health
from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderError,
    ProviderUnavailable,
    SandboxAgentError,
    ServerStartFailed,
)
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.spi.labels import OURS, own_labels
from sandbox_agent_core.spi.options import check_environment
from sandbox_agent_core.spi.provider import (
    Endpoint,
    InstallsServer,
    SandboxProvider,
    SandboxRef,
    SandboxSpec,
    SupportsLogs,
    SupportsPause,
    SupportsPreflight,
    Wheel,
    require,
)

from sandbox_agent_client._cancellation import outlast, run_to_end
from sandbox_agent_client.sandboxes.health import wait_healthy
from sandbox_agent_client.sandboxes.npm_registry import callers_npm_registry
from sandbox_agent_client.sandboxes.plugins import find_provider
from sandbox_agent_client.sandboxes.preflight import preflight
from sandbox_agent_client.sandboxes.progress import Startup
from sandbox_agent_client.sandboxes.sandbox import Launched, as_asleep, revive
from sandbox_agent_client.sandboxes.shape import check_endpoint_of, check_ref
from sandbox_agent_client.sandboxes.wheelhouse import load_wheelhouse
from sandbox_agent_client.sandboxes.wheels import inspector_wheels, server_wheels

__all__ = ["HEALTH_TIMEOUT_S", "StartOptions", "check_options", "launch", "take_over"]

logger = logging.getLogger(__name__)

HEALTH_TIMEOUT_S = 60.0
"""From the sandbox being there until its server must answer."""
PREFLIGHT_TIMEOUT_S = 20.0
DESTROY_TIMEOUT_S = 60.0
CREATE_CLEANUP_TIMEOUT_S = 60.0
"""For a provider whose `create` was cancelled: it removes what it has made so far."""
LOG_TIMEOUT_S = 10.0
LOG_TAIL_LINES = 30
"""Of the server's log, in the error when it does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """What sandbox to make, as the caller of `SandboxAgent.start` says it."""

    sandbox: str | SandboxProvider
    provider_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    agents: Sequence[str] = ()
    wheelhouse: Path | None = None
    inspector: bool = True
    """Brought along with the server, from here; one that a sandbox has already stays."""
    keep: bool = False
    health_timeout_s: float = HEALTH_TIMEOUT_S
    will_pause: bool = False
    """A provider that cannot is refused before anything is made."""
    pool: str | None = None
    """The name of the pool that it is for."""
    wakes: bool = True
    """One that is taken over and sleeps."""


async def launch(options: StartOptions, *, report: Callable[[str], Any] | None = None) -> Launched:
    """Make a sandbox.

    Raises:
        InvalidRequest: an option, a label or the wheelhouse is wrong.
        ProviderError: it could not be made.
        ServerStartFailed: its server did not answer in time.
    """
    startup = Startup(report)
    provider = find_provider(options.sandbox, options.provider_options)
    if options.will_pause:
        require(provider, SupportsPause)
    spec = _spec(options, startup)
    spec = await _prepare(provider, spec, startup)
    startup.step(f"creating a {provider.name} sandbox")
    ref = await _create(provider, spec)
    try:
        check_ref(provider, ref)
        endpoint = check_endpoint_of(provider, await provider.endpoint(ref))
        startup.step("waiting for the server")
        health = await _wait_healthy(provider, ref, endpoint, options.health_timeout_s)
    except BaseException:
        await _destroy(provider, ref)
        raise
    startup.done()
    return Launched(
        provider=provider,
        ref=ref,
        endpoint=endpoint,
        is_ours=True,
        steps=startup.steps,
        health_timeout_s=options.health_timeout_s,
        heartbeat_s=health.heartbeat_s,
        has_inspector=health.inspector,
    )


async def take_over(
    options: StartOptions, ref: SandboxRef, *, report: Callable[[str], Any] | None = None
) -> Launched:
    """Connect to a sandbox that another client made. A failure leaves it as it is.

    Raises:
        InvalidRequest: the reference is of another provider.
        SandboxNotFound: it is gone.
        SandboxAsleep: it sleeps, and is not to be woken.
        ServerStartFailed: its server does not answer.
    """
    startup = Startup(report)
    provider = find_provider(options.sandbox, options.provider_options)
    if ref.provider != provider.name:
        raise InvalidRequest(
            f"The reference is to a {ref.provider!r} sandbox, the provider is {provider.name!r}."
        )
    if (
        options.env
        or options.labels
        or options.agents
        or options.wheelhouse
        or not options.inspector
    ):
        raise InvalidRequest(
            "`env`, `labels`, `agents`, `wheelhouse` and `inspector` are for a new sandbox; this one exists."
        )
    if options.will_pause:
        require(provider, SupportsPause)
    startup.step(f"taking over {provider.name} sandbox {ref.id}")
    if options.wakes:
        await revive(provider, ref)
    endpoint = check_endpoint_of(provider, await _located(provider, ref))
    startup.step("waiting for the server")
    health = await _wait_healthy(provider, ref, endpoint, options.health_timeout_s)
    startup.done()
    return Launched(
        provider=provider,
        ref=ref,
        endpoint=endpoint,
        is_ours=False,
        steps=startup.steps,
        health_timeout_s=options.health_timeout_s,
        heartbeat_s=health.heartbeat_s,
        has_inspector=health.inspector,
    )


async def _located(provider: SandboxProvider, ref: SandboxRef) -> Endpoint:
    """Raises: SandboxAsleep, SandboxNotFound, ProviderError."""
    try:
        return await provider.endpoint(ref)
    except ProviderError as exc:
        asleep = as_asleep(exc)
        if asleep is None:
            raise
        raise asleep from exc


def check_options(options: StartOptions) -> None:
    """Raises: InvalidRequest: what is wrong whatever the provider."""
    reserved = [name for name in options.labels if name.startswith(OURS)]
    if reserved:
        raise InvalidRequest(f"Labels that start with {OURS!r} are the client's own: {reserved}.")
    check_environment(options.env)
    if isinstance(options.agents, str):
        raise InvalidRequest(f"`agents` is a list: agents=[{options.agents!r}].")
    if unnamed := [agent for agent in options.agents if not agent.isprintable() or not agent]:
        raise InvalidRequest(f"`agents` names none: {unnamed}.")


def _spec(options: StartOptions, startup: Startup) -> SandboxSpec:
    check_options(options)
    wheelhouse: Sequence[Wheel] = load_wheelhouse(options.wheelhouse) if options.wheelhouse else ()
    own = own_labels(
        run_id=new_id("run"),
        version=version("sandbox-agent-client"),
        now=datetime.now(UTC),
        keep=options.keep,
        pool=options.pool,
    )
    return SandboxSpec(
        env=options.env,
        labels={**options.labels, **own},
        agents=tuple(options.agents),
        wheels=server_wheels,
        inspector=inspector_wheels if options.inspector else None,
        wheelhouse=wheelhouse,
        keep=options.keep,
        report=startup.step,
    )


async def _prepare(provider: SandboxProvider, spec: SandboxSpec, startup: Startup) -> SandboxSpec:
    """What is missing is said before anything is made or billed; meanwhile this machine's npm is asked."""
    if not isinstance(provider, SupportsPreflight | InstallsServer):
        return spec
    startup.step(f"checking {provider.name}")
    try:
        async with asyncio.timeout(PREFLIGHT_TIMEOUT_S):
            answer, npm_registry = await asyncio.gather(
                preflight(provider, spec), _npm_registry(provider)
            )
    except TimeoutError as exc:
        raise ProviderUnavailable(
            f"Checking {provider.name} took more than {PREFLIGHT_TIMEOUT_S:g} s.",
            provider=provider.name,
        ) from exc
    for check in answer.checks:
        if not check.ok:
            raise check.error(check.message, provider=provider.name, check=check.name)
        if check.is_warning:
            logger.warning("%s: %s", provider.name, check.message)
    return replace(spec, npm_registry=npm_registry)


async def _npm_registry(provider: SandboxProvider) -> str | None:
    """For machines of others; what runs here reads the configuration itself."""
    if not isinstance(provider, InstallsServer):
        return None
    return await asyncio.to_thread(callers_npm_registry, os.environ)


async def _create(provider: SandboxProvider, spec: SandboxSpec) -> SandboxRef:
    """A cancellation reaches the provider once, so that a second one does not disturb its clean-up."""
    task = asyncio.ensure_future(provider.create(spec))
    try:
        return await run_to_end(task, timeout_s=CREATE_CLEANUP_TIMEOUT_S)
    except asyncio.CancelledError:
        if not task.done():
            logger.error(
                "%s: a cancelled create did not clean up in time, a sandbox may be left behind",
                provider.name,
            )
        elif not task.cancelled():
            if exc := task.exception():
                logger.warning("%s: cancelled while it failed: %s", provider.name, exc)
            else:
                await _destroy(provider, task.result())  # it was made just then
        raise


async def _wait_healthy(
    provider: SandboxProvider, ref: SandboxRef, endpoint: Endpoint, timeout_s: float
) -> Health:
    try:
        return await wait_healthy(endpoint, timeout_s=timeout_s)
    except ServerStartFailed as exc:
        log = await _last_words(provider, ref)
        if not log:
            raise
        raise ServerStartFailed(f"{exc.message}\n{log}", **exc.details, log=log) from exc


async def _last_words(provider: SandboxProvider, ref: SandboxRef) -> str:
    if not isinstance(provider, SupportsLogs):
        return ""
    try:
        async with asyncio.timeout(LOG_TIMEOUT_S):
            return await provider.logs(ref, tail=LOG_TAIL_LINES)
    except (SandboxAgentError, TimeoutError) as exc:
        logger.warning("%s sandbox %s: no log: %s", ref.provider, ref.id, exc)
        return ""


async def _destroy(provider: SandboxProvider, ref: SandboxRef) -> None:
    """On the way out of a failure, also of a cancellation that is repeated."""
    task = asyncio.ensure_future(provider.destroy(ref))
    try:
        await outlast(task, timeout_s=DESTROY_TIMEOUT_S)
    finally:
        if not task.done():
            task.cancel()
            logger.error("%s sandbox %s may be left behind: no answer", provider.name, ref)
        elif not task.cancelled() and (exc := task.exception()):
            logger.error("%s sandbox %s may be left behind", provider.name, ref, exc_info=exc)
