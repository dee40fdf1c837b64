"""What Daytona's SDK raises, as errors of ours: mapped here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderAuthError,
    ProviderError,
    ProviderQuotaExceeded,
    ProviderTimeout,
    ProviderUnavailable,
    SandboxAgentError,
    SandboxNotFound,
)

if TYPE_CHECKING:
    from daytona import DaytonaError

__all__ = ["KEY_HINT", "PROVIDER", "TOO_MANY_REQUESTS", "daytona_errors"]

PROVIDER = "daytona"
KEY_HINT = (
    "Set DAYTONA_API_KEY (app.daytona.io/dashboard/keys); the key needs the permissions to write and to "
    "delete sandboxes."
)
TOO_MANY_REQUESTS = 429
_TIMEOUTS = (408, 504)
_REFUSED_OPTIONS = (400, 422)
# An organization's limits come with different statuses, told apart by the words only (daytonaio/daytona#3304).
_LIMIT = re.compile(r"\b(limit|quota)\b.*\b(exceeded|reached)\b", re.IGNORECASE)


@contextmanager
def daytona_errors(*, sandbox: str | None = None) -> Iterator[None]:
    """`sandbox`: the one that the call is about; what Daytona does not find then is that.

    Raises:
        SandboxNotFound: it was destroyed.
        InvalidRequest: Daytona refuses how a sandbox is to be made.
        ProviderAuthError, ProviderQuotaExceeded, ProviderTimeout, ProviderUnavailable, ProviderError
    """
    import daytona  # noqa: PLC0415 - the SDK is imported on first use

    try:
        yield
    except daytona.DaytonaError as exc:
        raise _without_status(exc) or _refusal(exc, sandbox) from exc


def _without_status(exc: DaytonaError) -> SandboxAgentError | None:
    """What the SDK itself says, not Daytona's answer."""
    import daytona  # noqa: PLC0415 - the SDK is imported on first use

    if exc.status_code is not None:
        return None
    if isinstance(exc, daytona.DaytonaTimeoutError):
        return ProviderTimeout(f"Daytona did not answer in time: {exc}", provider=PROVIDER)
    if isinstance(exc, daytona.DaytonaConnectionError):
        return ProviderUnavailable(f"Daytona cannot be reached: {exc}", provider=PROVIDER)
    if isinstance(exc, daytona.DaytonaAuthenticationError):
        return ProviderAuthError(f"{exc} {KEY_HINT}", provider=PROVIDER)
    if isinstance(exc, daytona.DaytonaBadRequestError):
        return InvalidRequest(f"Daytona's SDK refused an option: {exc}", provider=PROVIDER)
    return ProviderError(f"Daytona failed: {exc}", provider=PROVIDER)


def _refusal(exc: DaytonaError, sandbox: str | None) -> SandboxAgentError:
    """By the status and not by the class: uploads have no class for theirs."""
    status = exc.status_code or 0
    if status == TOO_MANY_REQUESTS or _LIMIT.search(str(exc)):
        return ProviderQuotaExceeded(
            f"Daytona takes no more for now: {exc}. Destroy sandboxes that are left over "
            "(`sandbox-agent sandboxes sweep --provider daytona`), or wait.",
            provider=PROVIDER,
            status=status,
        )
    if status in (401, 403):
        return ProviderAuthError(f"Daytona refused the key: {exc}. {KEY_HINT}", provider=PROVIDER)
    if status == 404 and sandbox is not None and not _is_about_a_file(exc):
        return SandboxNotFound(
            f"There is no Daytona sandbox {sandbox!r} (any more).",
            provider=PROVIDER,
            sandbox=sandbox,
        )
    if status in _TIMEOUTS:
        return ProviderTimeout(f"Daytona did not answer in time: {exc}", provider=PROVIDER)
    if status >= 500:
        return ProviderUnavailable(f"Daytona is down: {exc}", provider=PROVIDER)
    if status in _REFUSED_OPTIONS and sandbox is None:
        return InvalidRequest(f"Daytona refused an option: {exc}", provider=PROVIDER)
    return ProviderError(f"Daytona refused: {exc}", provider=PROVIDER, status=status)


def _is_about_a_file(exc: DaytonaError) -> bool:
    from daytona.common.errors import SOURCE_DAEMON  # noqa: PLC0415 - the SDK on first use

    return exc.source == SOURCE_DAEMON
