"""What the bridge and httpx say, as errors of ours: mapped here and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sandbox_agent_core.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderQuotaExceeded,
    ProviderTimeout,
    ProviderUnavailable,
)

if TYPE_CHECKING:
    import httpx

__all__ = ["PROVIDER", "bridge_failures", "error_of"]

PROVIDER = "cloudflare"
_LONGEST_QUOTE = 200


@contextmanager
def bridge_failures(url: str) -> Iterator[None]:
    """Raises:
    ProviderTimeout: the bridge did not answer in time.
    ProviderUnavailable: nothing answers there, or the answer broke off.
    """
    import httpx  # noqa: PLC0415 - imported on first use, as the SDKs of other providers

    try:
        yield
    except httpx.TimeoutException as exc:
        raise ProviderTimeout(
            f"The Cloudflare bridge at {url} did not answer in time.", provider=PROVIDER
        ) from exc
    except httpx.TransportError as exc:
        raise ProviderUnavailable(
            f"The Cloudflare bridge at {url} cannot be reached: {exc}", provider=PROVIDER
        ) from exc


def error_of(response: httpx.Response) -> ProviderError:
    """Of an answer that is not a success. Its body has been read."""
    said, code = _said(response)
    status = response.status_code
    facts = {"provider": PROVIDER, "status": status, "reason": code}
    if status in (401, 403) and code in (None, "unauthorized"):
        return ProviderAuthError(
            f"The Cloudflare bridge refused the key: {said}. Set CLOUDFLARE_SANDBOX_API_KEY to what the Worker "
            "has as SANDBOX_API_KEY.",
            **facts,
        )
    if status == 429 or code == "capacity_exceeded":
        return ProviderQuotaExceeded(
            f"Cloudflare runs no more containers for now: {said}. Destroy some, or raise `max_instances` in the "
            "Worker's wrangler configuration.",
            **facts,
        )
    if status >= 500:
        return ProviderUnavailable(f"The Cloudflare bridge failed: {said}", **facts)
    if status == 404 and code is None:
        return ProviderError(
            f"There is no Cloudflare bridge at {response.request.url}: it does not know this path.",
            **facts,
        )
    return ProviderError(f"The Cloudflare bridge refused: {said}", **facts)


def _said(response: httpx.Response) -> tuple[str, str | None]:
    """The message and the bridge's code; what Cloudflare's edge says has none."""
    try:
        body = json.loads(response.content)
        return str(body["error"]), str(body["code"])
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code} {response.text[:_LONGEST_QUOTE]}".strip(), None
