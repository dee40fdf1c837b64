"""A sandbox whose server answers: made, or taken over. A launch that fails or is cancelled leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderUnavailable,
    SandboxAgentError,
    ServerStartFailed,
)
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.spi.labels import OURS, own_labels
from sandbox_agent_core.spi.provider import (
    Capabilities,
    Endpoint,
    SandboxProvider,
    SandboxRef,
    SandboxSpec,
    SupportsExtend,
    SupportsLogs,
    SupportsPause,
    SupportsPorts,
    SupportsPreflight,
    SupportsRestart,
    Wheel,
    capabilities_of,
    require,
)

from sandbox_agent_client._cancellation import outlast, run_to_end
from sandbox_agent_client._health import wait_healthy
from sandbox_agent_client._startup import Startup, StartupStep
from sandbox_agent_client.providers import find_provider
from sandbox_agent_client.wheelhouse import load_wheelhouse
from sandbox_agent_client.wheels import server_wheels

__all__ = ["HEALTH_TIMEOUT_S", "Launched", "Request", "launch", "parse_ref", "take_over"]

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
class Request:
    """What sandbox to make, as the caller of `SandboxAgent.start` says it."""

    sandbox: str | SandboxProvider
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    agents: Sequence[str] = ()
    wheelhouse: Path | None = None
    keep: bool = False
    health_timeout_s: float = HEALTH_TIMEOUT_S
    will_pause: bool = False
    """A provider that cannot is refused before anything is made."""


@dataclass(eq=False, kw_only=True)
class Launched:
    """A sandbox that this client made or took over. One caller at a time."""

    provider: SandboxProvider
    ref: SandboxRef
    endpoint: Endpoint = field(repr=False)
    is_ours: bool
    """This client made it."""
    steps: Sequence[StartupStep]
    health_timeout_s: float
    is_paused: bool = False
    """By this client."""

    @property
    def capabilities(self) -> Capabilities:
        return capabilities_of(self.provider)

    async def locate(self) -> Endpoint:
        """Where its server answers now; a paused sandbox is resumed for it."""
        if self.is_paused:
            await self.resume()
        else:
            self.endpoint = await self.provider.endpoint(self.ref)
        return self.endpoint

    async def pause(self) -> None:
        provider = require(self.provider, SupportsPause)
        self.is_paused = True
        await provider.pause(self.ref)

    async def resume(self) -> None:
        """Until its server answers."""
        await _revive(self.provider, self.ref)
        self.endpoint = await self.provider.endpoint(self.ref)
        await wait_healthy(self.endpoint, timeout_s=self.health_timeout_s)
        self.is_paused = False

    async def extend(self, seconds: float) -> None:
        await require(self.provider, SupportsExtend).extend(self.ref, seconds)

    async def logs(self, *, tail: int) -> str:
        return await require(self.provider, SupportsLogs).logs(self.ref, tail=tail)

    async def port_url(self, port: int) -> str:
        return await require(self.provider, SupportsPorts).port_url(self.ref, port)

    async def destroy(self) -> None:
        await self.provider.destroy(self.ref)


async def launch(request: Request, *, report: Callable[[str], Any] | None = None) -> Launched:
    """Make a sandbox.

    Raises:
        InvalidRequest: an option, a label or the wheelhouse is wrong.
        ProviderError: it could not be made.
        ServerStartFailed: its server did not answer in time.
    """
    startup = Startup(report)
    provider = find_provider(request.sandbox, request.options)
    if request.will_pause:
        require(provider, SupportsPause)
    spec = _spec(request, startup)
    await _check(provider, startup)
    startup.step(f"creating a {provider.name} sandbox")
    ref = await _create(provider, spec)
    try:
        endpoint = await provider.endpoint(ref)
        startup.step("waiting for the server")
        await _wait_healthy(provider, ref, endpoint, request.health_timeout_s)
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
        health_timeout_s=request.health_timeout_s,
    )


async def take_over(
    request: Request, ref: SandboxRef, *, report: Callable[[str], Any] | None = None
) -> Launched:
    """Connect to a sandbox that another client made. A failure leaves it as it is.

    Raises:
        InvalidRequest: the reference is of another provider.
        SandboxNotFound: it is gone.
        ServerStartFailed: its server does not answer.
    """
    startup = Startup(report)
    provider = find_provider(request.sandbox, request.options)
    if ref.provider != provider.name:
        raise InvalidRequest(
            f"The reference is to a {ref.provider!r} sandbox, the provider is {provider.name!r}."
        )
    if request.env or request.labels or request.agents or request.wheelhouse:
        raise InvalidRequest(
            "`env`, `labels`, `agents` and `wheelhouse` are for a new sandbox; this one exists."
        )
    if request.will_pause:
        require(provider, SupportsPause)
    startup.step(f"taking over {provider.name} sandbox {ref.id}")
    await _revive(provider, ref)
    endpoint = await provider.endpoint(ref)
    startup.step("waiting for the server")
    await _wait_healthy(provider, ref, endpoint, request.health_timeout_s)
    startup.done()
    return Launched(
        provider=provider,
        ref=ref,
        endpoint=endpoint,
        is_ours=False,
        steps=startup.steps,
        health_timeout_s=request.health_timeout_s,
    )


def parse_ref(ref: SandboxRef | Mapping[str, Any] | str) -> SandboxRef:
    """A reference, its JSON object, or that as text.

    Raises:
        InvalidRequest: it is none.
    """
    if isinstance(ref, SandboxRef):
        return ref
    try:
        return SandboxRef.from_json(json.loads(ref) if isinstance(ref, str) else ref)
    except (ValueError, KeyError, TypeError) as exc:
        raise InvalidRequest(
            "That is no reference to a sandbox: expected the JSON of `client.sandbox_ref`, "
            '{"provider": …, "id": …, "metadata": …}.'
        ) from exc


def _spec(request: Request, startup: Startup) -> SandboxSpec:
    reserved = [name for name in request.labels if name.startswith(OURS)]
    if reserved:
        raise InvalidRequest(f"Labels that start with {OURS!r} are the client's own: {reserved}.")
    wheelhouse: Sequence[Wheel] = load_wheelhouse(request.wheelhouse) if request.wheelhouse else ()
    own = own_labels(
        run_id=new_id("run"),
        version=version("sandbox-agent-client"),
        now=datetime.now(UTC),
        keep=request.keep,
    )
    return SandboxSpec(
        env=request.env,
        labels={**request.labels, **own},
        agents=tuple(request.agents),
        wheels=server_wheels,
        wheelhouse=wheelhouse,
        keep=request.keep,
        report=startup.step,
    )


async def _check(provider: SandboxProvider, startup: Startup) -> None:
    """What is missing is said before anything is made or billed."""
    if not isinstance(provider, SupportsPreflight):
        return
    startup.step(f"checking {provider.name}")
    try:
        async with asyncio.timeout(PREFLIGHT_TIMEOUT_S):
            answer = await provider.preflight()
    except TimeoutError as exc:
        raise ProviderUnavailable(
            f"Checking {provider.name} took more than {PREFLIGHT_TIMEOUT_S:g} s.",
            provider=provider.name,
        ) from exc
    for check in answer.checks:
        if not check.ok:
            raise check.error(check.message, provider=provider.name, check=check.name)


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


async def _revive(provider: SandboxProvider, ref: SandboxRef) -> None:
    """Whatever it did, its server runs afterwards."""
    if isinstance(provider, SupportsPause):
        await provider.resume(ref)
    if isinstance(provider, SupportsRestart):
        await provider.ensure_server(ref)


async def _wait_healthy(
    provider: SandboxProvider, ref: SandboxRef, endpoint: Endpoint, timeout_s: float
) -> None:
    try:
        await wait_healthy(endpoint, timeout_s=timeout_s)
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
            logger.error("%s sandbox %s may be left behind: no answer", ref.provider, ref.id)
        elif not task.cancelled() and (exc := task.exception()):
            logger.error("%s sandbox %s may be left behind", ref.provider, ref.id, exc_info=exc)
