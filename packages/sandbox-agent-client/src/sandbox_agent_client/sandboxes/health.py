"""Waiting until the server in a sandbox answers."""

from __future__ import annotations

import asyncio

import httpx
from sandbox_agent_core.api.agents import Health
from sandbox_agent_core.errors import SandboxAgentError, ServerStartFailed, TokenInvalid
from sandbox_agent_core.spi.provider import Endpoint

from sandbox_agent_client._calls.agents import health
from sandbox_agent_client._endpoint import (
    check_endpoint,
    headers_of,
    making_http_client,
    shown_url,
)
from sandbox_agent_client._failures import error_of_response, http_failures, read_json
from sandbox_agent_client._network import is_loopback, tls_for

__all__ = ["wait_healthy"]

PROBE_TIMEOUT_S = 5.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0


async def wait_healthy(endpoint: Endpoint, *, timeout_s: float) -> Health:
    """What it answers.

    Raises:
    ServerStartFailed: it did not answer in time.
    TokenInvalid: it wants another token, so it is not the one that was started.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    pause = FIRST_PAUSE_S
    url = check_endpoint(endpoint).url
    with making_http_client():
        client = httpx.AsyncClient(trust_env=not is_loopback(url), verify=tls_for(url))
    async with client as http:
        while True:
            try:
                return await _probe(http, endpoint)
            except TokenInvalid:
                raise
            except SandboxAgentError as exc:
                failure = exc
            if asyncio.get_running_loop().time() + pause > deadline:
                raise ServerStartFailed(
                    f"The server did not answer within {timeout_s:g} s: {failure}",
                    step="health",
                    url=shown_url(url),
                ) from failure
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_S)


async def _probe(http: httpx.AsyncClient, endpoint: Endpoint) -> Health:
    """Raises: SandboxAgentError."""
    url = endpoint.url.rstrip("/") + "/v1/health"
    with http_failures(f"GET {shown_url(url)}"):
        response = await http.get(url, headers=headers_of(endpoint), timeout=PROBE_TIMEOUT_S)
    if not response.is_success:
        raise error_of_response(response.status_code, response.content)
    return health().parse(read_json(response.content, f"What {shown_url(url)} answers"))
