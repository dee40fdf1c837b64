"""From a provider's name to a server that answers. A launch that fails or is cancelled leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import httpx
from sandbox_agent_core.errors import (
    ProviderError,
    ProviderNotInstalled,
    SandboxAgentError,
    ServerStartFailed,
    TokenInvalid,
)
from sandbox_agent_core.spi.provider import Endpoint, SandboxProvider, SandboxRef, SandboxSpec

from sandbox_agent_client._connection import is_loopback, tls_for
from sandbox_agent_client._failures import error_of_response, http_failures
from sandbox_agent_client.local import LocalProvider

__all__ = ["HEALTH_TIMEOUT_S", "Launched", "find_provider", "launch"]

logger = logging.getLogger(__name__)

GROUP = "sandbox_agent.providers"
KNOWN = ("cloudflare", "daytona", "docker", "e2b", "modal", "vercel")
"""Providers of this project; each is the package `sandbox-agent-NAME`."""

HEALTH_TIMEOUT_S = 60.0
"""From the sandbox being there until its server must answer."""
DESTROY_TIMEOUT_S = 60.0
PROBE_TIMEOUT_S = 5.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """A sandbox that this client made."""

    provider: SandboxProvider
    ref: SandboxRef
    endpoint: Endpoint = field(repr=False)

    async def locate(self) -> Endpoint:
        return await self.provider.endpoint(self.ref)

    async def destroy(self) -> None:
        await self.provider.destroy(self.ref)


def find_provider(sandbox: str | SandboxProvider) -> SandboxProvider:
    """The provider of a name, with its default options; a provider object as it is.

    Raises:
        ProviderNotInstalled: there is no such provider here; the message says how to get it.
        ProviderError: it is installed but cannot be loaded.
    """
    if not isinstance(sandbox, str):
        return sandbox
    if sandbox == LocalProvider.name:
        return LocalProvider()
    found: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=GROUP)}
    if sandbox not in found:
        raise _not_installed(sandbox, sorted({LocalProvider.name, *found}))
    try:
        factory: Callable[[], SandboxProvider] = found[sandbox].load()
        return factory()
    except SandboxAgentError:
        raise
    except Exception as exc:
        raise ProviderError(
            f"Provider {sandbox!r} cannot be loaded: {exc}", provider=sandbox
        ) from exc


def _not_installed(name: str, installed: list[str]) -> ProviderNotInstalled:
    if name in KNOWN:
        hint = f"Provider {name!r} is not installed. Run `pip install sandbox-agent-{name}`."
    else:
        hint = f"There is no provider {name!r}. Installed: {', '.join(installed)}."
    return ProviderNotInstalled(hint, provider=name, installed=installed)


async def launch(
    sandbox: str | SandboxProvider,
    *,
    env: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    report: Callable[[str], Any] | None = None,
    health_timeout_s: float = HEALTH_TIMEOUT_S,
) -> Launched:
    """A sandbox whose server answers.

    Raises:
        ProviderError: the sandbox could not be made.
        ServerStartFailed: its server did not answer in time.
    """
    tell = report or (lambda _step: None)
    provider = find_provider(sandbox)
    tell(f"creating a {provider.name} sandbox")
    ref = await provider.create(SandboxSpec(env=env or {}, labels=labels or {}, report=tell))
    try:
        endpoint = await provider.endpoint(ref)
        tell("waiting for the server")
        await _wait_healthy(endpoint, health_timeout_s)
    except BaseException:
        await _destroy(provider, ref)
        raise
    return Launched(provider=provider, ref=ref, endpoint=endpoint)


async def _destroy(provider: SandboxProvider, ref: SandboxRef) -> None:
    """On the way out of a failure, also of a cancellation that is repeated."""
    task = asyncio.create_task(provider.destroy(ref))
    try:
        await asyncio.wait_for(asyncio.shield(task), DESTROY_TIMEOUT_S)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=DESTROY_TIMEOUT_S)
        raise
    except Exception:
        logger.exception("%s sandbox %s may be left behind", ref.provider, ref.id)


async def _wait_healthy(endpoint: Endpoint, timeout_s: float) -> None:
    deadline = asyncio.get_running_loop().time() + timeout_s
    pause = FIRST_PAUSE_S
    url = endpoint.url
    async with httpx.AsyncClient(trust_env=not is_loopback(url), verify=tls_for(url)) as http:
        while True:
            failure = await _probe(http, endpoint)
            if failure is None:
                return
            if isinstance(failure, TokenInvalid):
                raise failure
            if asyncio.get_running_loop().time() + pause > deadline:
                raise ServerStartFailed(
                    f"The server did not answer within {timeout_s:g} s: {failure}",
                    url=url,
                ) from failure
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_S)


async def _probe(http: httpx.AsyncClient, endpoint: Endpoint) -> SandboxAgentError | None:
    headers = dict(endpoint.headers)
    if endpoint.token is not None:
        headers["Authorization"] = f"Bearer {endpoint.token}"
    url = endpoint.url.rstrip("/") + "/v1/health"
    try:
        with http_failures(f"GET {url}"):
            response = await http.get(url, headers=headers, timeout=PROBE_TIMEOUT_S)
    except SandboxAgentError as exc:
        return exc
    if response.is_success:
        return None
    return error_of_response(response.status_code, response.content)
