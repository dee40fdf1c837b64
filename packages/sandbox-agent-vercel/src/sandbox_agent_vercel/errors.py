"""What Vercel's SDK raises, as errors of ours: mapped here and nowhere else."""

from __future__ import annotations

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
    from vercel.sandbox import SandboxApiError

__all__ = ["PROVIDER", "vercel_errors"]

PROVIDER = "vercel"
CREDENTIALS_HINT = (
    "Set VERCEL_TOKEN, VERCEL_TEAM_ID and VERCEL_PROJECT_ID (vercel.com/account/tokens), or VERCEL_OIDC_TOKEN "
    "with `vercel link` and `vercel env pull`."
)


@contextmanager
def vercel_errors(*, sandbox: str | None = None) -> Iterator[None]:
    """`sandbox`: the one that the call is about; what Vercel does not find then is that.

    Raises:
        SandboxNotFound: it was destroyed.
        ProviderError: it is stopped (`details.state`), or Vercel refuses; the message is Vercel's own.
        ProviderAuthError, ProviderQuotaExceeded, ProviderTimeout, ProviderUnavailable, InvalidRequest
    """
    import httpx2  # noqa: PLC0415 - the SDK is imported on first use
    from vercel import sandbox as sdk  # noqa: PLC0415

    try:
        yield
    except sdk.SandboxCredentialsError as exc:
        raise ProviderAuthError(
            f"There are no credentials. {CREDENTIALS_HINT}", provider=PROVIDER
        ) from exc
    except sdk.SandboxApiError as exc:
        raise _refusal(exc, sandbox) from exc
    except sdk.SandboxFilesystemWriteError as exc:
        if isinstance(exc.cause, sdk.SandboxApiError):
            raise _refusal(exc.cause, sandbox) from exc
        raise ProviderError(f"Vercel could not write: {exc}", provider=PROVIDER) from exc
    except sdk.SandboxTerminalStateError as exc:
        raise ProviderError(
            f"Vercel could not make the sandbox: it is {exc.status}. {exc}", provider=PROVIDER
        ) from exc
    except httpx2.TimeoutException as exc:
        raise ProviderTimeout("Vercel did not answer in time.", provider=PROVIDER) from exc
    except (httpx2.TransportError, sdk.SandboxStreamError) as exc:
        raise ProviderUnavailable(f"Vercel cannot be reached: {exc}", provider=PROVIDER) from exc
    except sdk.SandboxError as exc:
        raise ProviderError(f"Vercel failed: {exc}", provider=PROVIDER) from exc


def _refusal(exc: SandboxApiError, sandbox: str | None) -> SandboxAgentError:
    status = exc.status_code
    if status in (401, 403):
        return ProviderAuthError(
            f"Vercel refused the credentials: {exc}. {CREDENTIALS_HINT}", provider=PROVIDER
        )
    if status == 404 and sandbox is not None:
        return SandboxNotFound(
            f"There is no Vercel sandbox {sandbox!r} (any more).",
            provider=PROVIDER,
            sandbox=sandbox,
        )
    if status in (402, 429):
        return ProviderQuotaExceeded(
            f"Vercel takes no more for now: {exc}. Destroy sandboxes that are left over "
            "(`sandbox-agent sandboxes sweep --provider vercel`), or wait.",
            provider=PROVIDER,
            status=status,
        )
    if status in (408, 504):
        return ProviderTimeout(f"Vercel did not answer in time: {exc}", provider=PROVIDER)
    if status >= 500:
        return ProviderUnavailable(f"Vercel is down: {exc}", provider=PROVIDER)
    if status == 400:
        return InvalidRequest(f"Vercel refused an option: {exc}", provider=PROVIDER)
    # 409 and 410 say of a sandbox that it is stopped, or on its way to that.
    state = "stopped" if status in (409, 410) else None
    return ProviderError(
        f"Vercel refused: {exc}", provider=PROVIDER, status=status, sandbox=sandbox, state=state
    )
