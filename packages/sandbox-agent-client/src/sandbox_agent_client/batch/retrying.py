"""Which failures of a trial are tried again: those of its surroundings, and not those that would only be repeated."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Final

from sandbox_agent_core import errors
from sandbox_agent_core.errors import InvalidRequest, SandboxAgentError, error_classes

from sandbox_agent_client.batch.plan import Retries

__all__ = ["check_codes", "is_transient", "wait_before"]

MAX_WAIT_S: Final = 120.0

NEVER: Final = (
    errors.InvalidRequest,
    errors.TokenInvalid,
    errors.PermissionDenied,
    errors.AgentAuthRequired,
    errors.GitAuthRequired,
    errors.RegistryAuthRequired,
    errors.ProviderAuthError,
    errors.ProviderNotInstalled,
    errors.CapabilityNotSupported,
    errors.ConfinementUnavailable,
    errors.OperationNotSupported,
    errors.QuotaExceeded,
)
"""What was asked for cannot be, or somebody has to give a key or money first: another attempt costs and changes nothing."""
LOST: Final = (
    errors.AgentProcessExited,
    errors.SandboxNotFound,
    errors.ServerStartFailed,
    errors.StreamGap,
)
"""The agent, the sandbox or its server ended. Everything whose class is `retryable` is tried again besides."""


def is_transient(error: SandboxAgentError, retries: Retries) -> bool:
    """Whether another attempt may end otherwise."""
    if isinstance(error, NEVER):
        return False
    if error.code in retries.also_on:
        return True
    # With the same memory it would be killed again.
    is_out_of_memory = error.details.get("reason") == "out_of_memory"
    return error.retryable or (isinstance(error, LOST) and not is_out_of_memory)


def check_codes(codes: Collection[str]) -> None:
    """Raises: InvalidRequest: there is no such error, or it is never tried again."""
    known = error_classes()
    for code in codes:
        cls = known.get(code)
        if cls is None:
            raise InvalidRequest(f"There is no error {code!r}: docs/errors.md lists them.")
        if issubclass(cls, NEVER):
            raise InvalidRequest(
                f"{code!r} is never tried again: another attempt would end in the same way."
            )


def wait_before(attempt: int, retries: Retries) -> float:
    """Seconds before the attempt with this number (2 is the first that is one again), a little different each time, so
    that trials that failed together do not come back together."""
    longest: float = min(MAX_WAIT_S, retries.wait * 2 ** (attempt - 2))
    return longest * random.uniform(0.75, 1.0)  # noqa: S311 - it protects nothing
