"""What E2B's SDK raises, as errors of ours: mapped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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

__all__ = ["PROVIDER", "e2b_errors"]

PROVIDER = "e2b"
_KEY = "E2B refused the key: {}. Set E2B_API_KEY to one of e2b.dev/dashboard."
_QUOTA = (
    "E2B takes no more for now: {}. Destroy sandboxes that are left over "
    "(`sandbox-agent sandboxes sweep --provider e2b`), or wait."
)


@contextmanager
def e2b_errors(*, sandbox: str | None = None) -> Iterator[None]:
    """`sandbox`: the one that the call is about; what E2B does not find then is that.

    Raises:
        SandboxNotFound: it was killed, or its lifetime is over.
        ProviderAuthError, ProviderQuotaExceeded, ProviderTimeout, ProviderUnavailable, ProviderError
    """
    import e2b  # noqa: PLC0415 - the SDK is imported on first use

    try:
        yield
    except (e2b.SandboxNotFoundException, e2b.SandboxNotRunningException) as exc:
        raise _not_found(sandbox, exc) from exc
    except Exception as exc:
        raise _mapped(exc) or exc from exc


def _mapped(exc: Exception) -> SandboxAgentError | None:
    """None for what is no failure of E2B's."""
    import e2b  # noqa: PLC0415 - the SDK is imported on first use
    import httpx  # noqa: PLC0415

    table: tuple[tuple[tuple[type[Exception], ...], type[SandboxAgentError], str], ...] = (
        ((e2b.AuthenticationException,), ProviderAuthError, _KEY),
        ((e2b.RateLimitException,), ProviderQuotaExceeded, _QUOTA),
        ((e2b.ServiceBusyException,), ProviderUnavailable, "E2B is busy: {}"),
        ((e2b.InvalidArgumentException,), InvalidRequest, "E2B refused an option: {}"),
        ((e2b.BuildException,), ProviderError, "E2B could not build the template: {}"),
        ((e2b.NotFoundException,), ProviderError, "E2B does not know it: {}"),
        (
            (e2b.TimeoutException, httpx.TimeoutException),
            ProviderTimeout,
            "E2B did not answer in time: {}",
        ),
        ((httpx.TransportError, OSError), ProviderUnavailable, "E2B cannot be reached: {}"),
    )
    for kinds, error, message in table:
        if isinstance(exc, kinds):
            return error(message.format(exc), provider=PROVIDER)
    return _by_status(str(exc)) if isinstance(exc, e2b.SandboxException) else None


def _not_found(sandbox: str | None, exc: Exception) -> SandboxNotFound:
    what = f"the E2B sandbox {sandbox!r}" if sandbox else "such an E2B sandbox"
    return SandboxNotFound(
        f"There is no {what.removeprefix('the ')} (any more): {exc}",
        provider=PROVIDER,
        sandbox=sandbox,
    )


def _by_status(said: str) -> ProviderError:
    """The SDK has no class for what it has not met: the status is in front of the text."""
    status = said[:3]
    if status.startswith("5") and status.isdigit():
        return ProviderUnavailable(f"E2B failed: {said}", provider=PROVIDER)
    return ProviderError(f"E2B refused: {said}", provider=PROVIDER)
