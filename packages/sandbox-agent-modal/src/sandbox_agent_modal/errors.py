"""What Modal's SDK raises, as errors of ours: mapped here and nowhere else."""

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

__all__ = ["PROVIDER", "modal_errors", "not_found"]

PROVIDER = "modal"
CREDENTIALS_HINT = "Run `modal token new`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET (modal.com/settings/tokens)."


@contextmanager
def modal_errors(*, sandbox: str | None = None) -> Iterator[None]:
    """`sandbox`: the one that the call is about; what Modal does not find then is that.

    Raises:
        SandboxNotFound: it was terminated, or its lifetime is over.
        ProviderAuthError, ProviderQuotaExceeded, ProviderTimeout, ProviderUnavailable, ProviderError,
        InvalidRequest
    """
    from modal import exception as sdk  # noqa: PLC0415 - the SDK is imported on first use

    try:
        yield
    except (sdk.Error, OSError) as exc:  # TimeoutError is an OSError
        raise _ours(exc, sandbox) from exc


def _ours(exc: Exception, sandbox: str | None) -> SandboxAgentError:
    from modal import exception as sdk  # noqa: PLC0415 - the SDK is imported on first use

    # Also the SDK's word for a sandbox that has ended while a command was to be run in it.
    gone = (
        sdk.NotFoundError,
        sdk.SandboxTerminatedError,
        sdk.SandboxTimeoutError,
        sdk.ConflictError,
    )
    if sandbox is not None and isinstance(exc, gone):
        return not_found(sandbox)
    kinds: list[tuple[tuple[type[Exception], ...], type[SandboxAgentError], str]] = [
        (
            (sdk.AuthError, sdk.PermissionDeniedError),
            ProviderAuthError,
            f"{_refusal(exc)} {CREDENTIALS_HINT}",
        ),
        (
            (sdk.ResourceExhaustedError,),
            ProviderQuotaExceeded,
            f"Modal takes no more for now: {exc} Destroy sandboxes that are left over "
            "(`sandbox-agent sandboxes sweep --provider modal`), or wait.",
        ),
        ((sdk.InvalidError,), InvalidRequest, f"Modal refused an option: {exc}"),
        (
            (sdk.TimeoutError, TimeoutError),
            ProviderTimeout,
            f"Modal did not answer in time. {exc}".strip(),
        ),
        (
            (sdk.ServiceError, sdk.InternalError, sdk.InternalFailure),
            ProviderUnavailable,
            f"Modal is down: {exc}",
        ),
        ((sdk.ConnectionError, OSError), ProviderUnavailable, f"Modal cannot be reached: {exc}"),
        ((sdk.ImageBuildError,), ProviderError, f"Modal could not build the image: {exc}"),
    ]
    for types, kind, message in kinds:
        if isinstance(exc, types):
            return kind(message, provider=PROVIDER)
    return ProviderError(f"Modal failed: {exc}", provider=PROVIDER)


def _refusal(exc: Exception) -> str:
    # The SDK has the same class for a token that is refused and for none, and then much to say.
    said = str(exc)
    return "There is no token." if "Token missing" in said else f"Modal refused the token: {said}."


def not_found(sandbox: str) -> SandboxNotFound:
    return SandboxNotFound(
        f"There is no Modal sandbox {sandbox!r} (any more): it was terminated, or its lifetime is over.",
        provider=PROVIDER,
        sandbox=sandbox,
    )
