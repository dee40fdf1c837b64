"""Waiting for a Pod: to run, with what it waits for in words, or to be gone.

Pods are looked at, not watched. A watch of each would hold one of the few threads that the client library's requests have; one
of all would be shared between event loops, and begun anew whenever the API server forgets where it was. A look is a small GET.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from sandbox_agent_core.errors import ProviderError, ProviderTimeout, SandboxNotFound

from sandbox_agent_kubernetes.cluster import Cluster
from sandbox_agent_kubernetes.errors import PROVIDER
from sandbox_agent_kubernetes.pods import EVENTS, PODS, Pod, waits_for

__all__ = ["gone", "looks", "not_running", "running"]

logger = logging.getLogger(__name__)

GONE_TIMEOUT_S: Final = 90.0
"""For a Pod that is told to end."""
FIRST_LOOK_S: Final = 0.1
LAST_LOOK_S: Final = 2.0
LOOK_SHARE: Final = 0.15
"""The longer it has taken, the less often it is looked at: a share of that time."""


async def running(
    cluster: Cluster,
    namespace: str,
    name: str,
    *,
    timeout_s: float,
    report: Callable[[str], None] = lambda _step: None,
) -> Pod:
    """The Pod, when it runs.

    Raises:
        SandboxNotFound: it was removed meanwhile.
        ProviderError: it will not run, whatever one waits; the message says why.
        ProviderTimeout: it does not run yet; the message says what it waits for.
    """
    told = ""
    pod = None
    async for _ in looks(timeout_s):
        pod = Pod(await cluster.request("GET", PODS.path(namespace, name), sandbox=name))
        if pod.is_running:
            return pod
        if pod.why_hopeless is not None:
            raise await not_running(cluster, pod)
        if pod.waits_for != told:
            told = pod.waits_for
            report(f"waiting for the Pod: {told}")
    words = "" if pod is None else waits_for(pod, await _events(cluster, pod))
    raise ProviderTimeout(
        f"The Pod {name!r} does not run after {timeout_s:g} s. {words}",
        provider=PROVIDER,
        sandbox=name,
    )


async def looks(timeout_s: float) -> AsyncIterator[None]:
    """Until the time is over, each less soon than the one before."""
    began = time.monotonic()
    while (passed := time.monotonic() - began) < timeout_s:
        yield
        await asyncio.sleep(min(LAST_LOOK_S, max(FIRST_LOOK_S, passed * LOOK_SHARE)))


async def not_running(cluster: Cluster, pod: Pod) -> ProviderError:
    words = pod.why_hopeless or waits_for(pod, await _events(cluster, pod))
    return ProviderError(
        f"The Pod {pod.name!r} does not run: {words}",
        provider=PROVIDER,
        sandbox=pod.name,
        state=pod.state,
    )


async def _events(cluster: Cluster, pod: Pod) -> list[Mapping[str, Any]]:
    """Of the Pod; none where they may not be read."""
    query: dict[str, str | int] = {"fieldSelector": f"involvedObject.uid={pod.uid}", "limit": 50}
    try:
        answer = await cluster.request("GET", EVENTS.path(pod.namespace), query=query)
    except ProviderError:
        logger.info("the events of the Pod %s cannot be read", pod.name, exc_info=True)
        return []
    return list(answer.get("items") or ())


async def gone(cluster: Cluster, namespace: str, name: str) -> None:
    """Raises: ProviderTimeout"""
    async for _ in looks(GONE_TIMEOUT_S):
        try:
            await cluster.request("GET", PODS.path(namespace, name), sandbox=name)
        except SandboxNotFound:
            return
    raise ProviderTimeout(
        f"The Pod {name!r} has not ended within {GONE_TIMEOUT_S:g} s.",
        provider=PROVIDER,
        sandbox=name,
    )
