"""What a cluster answers, as errors of ours: mapped here and nowhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

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

__all__ = ["PROVIDER", "RIGHTS_HINT", "connection_errors", "refusal", "status_in"]

PROVIDER: Final = "kubernetes"
LOGIN_HINT: Final = (
    "Log in to the cluster again, or name another `kubeconfig` or `context`: `kubectl auth whoami` shows "
    "who you are."
)
RIGHTS_HINT: Final = (
    "Bind the Role that `docs/providers/kubernetes.md` of the project has to whoever this is."
)
_LONGEST_TEXT: Final = 2000
_RIGHT: Final = re.compile(r" cannot \S+ (resource|path) ")
"""What is not allowed, as the API server says it whoever decides."""
_ADMISSION: Final = re.compile(r" is forbidden: |^admission webhook ")
_QUOTA: Final = re.compile(r"exceeded quota|limited to|LimitRange", re.IGNORECASE)
_POD_SECURITY: Final = re.compile(r"violates PodSecurity")


@contextmanager
def connection_errors() -> Iterator[None]:
    """What the client library raises where no answer came.

    Raises:
        ProviderTimeout, ProviderUnavailable
    """
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415 - on first use
    from urllib3 import exceptions  # noqa: PLC0415

    try:
        yield
    except exceptions.TimeoutError as exc:
        raise ProviderTimeout(
            f"The cluster did not answer in time: {exc}", provider=PROVIDER
        ) from exc
    except (exceptions.HTTPError, ApiException, OSError) as exc:
        raise ProviderUnavailable(
            f"The cluster cannot be reached: {exc}", provider=PROVIDER
        ) from exc


def refusal(status: int, content: bytes, *, sandbox: str | None = None) -> SandboxAgentError:
    """An answer that is none of 2xx. `sandbox`: what the request was about; what is not found then is that."""
    said = status_in(content)
    message = str(said.get("message") or content.decode("utf-8", "replace").strip() or status)
    facts = {
        "provider": PROVIDER,
        "status": status,
        "reason": said.get("reason") or None,
        "sandbox": sandbox,
        "continue": (said.get("metadata") or {}).get("continue") or None,
    }
    kind, text = _meaning(status, message[:_LONGEST_TEXT], sandbox)
    return kind(text, **facts)


def status_in(content: bytes) -> Mapping[str, Any]:
    """The `Status` object that an answer is; empty where it is something else."""
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _meaning(status: int, message: str, sandbox: str | None) -> tuple[type[SandboxAgentError], str]:
    if status == 401:
        return ProviderAuthError, f"The cluster does not know who this is: {message}. {LOGIN_HINT}"
    if status == 403:
        return _forbidden(message)
    if status == 404 and sandbox is not None:
        return SandboxNotFound, f"There is no Kubernetes sandbox {sandbox!r} (any more): {message}"
    if status in (400, 422):
        return InvalidRequest, f"The cluster refuses an option: {message}"
    if status == 429:
        return ProviderQuotaExceeded, f"The cluster has too much to do for now: {message}"
    if status in (408, 504):
        return ProviderTimeout, f"The cluster did not answer in time: {message}"
    if status >= 500:
        return ProviderUnavailable, f"The cluster is out of order: {message}"
    return ProviderError, f"The cluster refused: {message}"


def _forbidden(message: str) -> tuple[type[SandboxAgentError], str]:
    """Admission answers with 403, too."""
    if _POD_SECURITY.search(message):
        return InvalidRequest, (
            f"The namespace's Pod Security refuses the Pod: {message} What `pod_security='restricted'` "
            "makes is admitted everywhere, unless `pod` loosens it."
        )
    if _QUOTA.search(message):
        return ProviderQuotaExceeded, (
            f"The namespace has no room for the sandbox: {message}. Ask for less in `requests` and `limits`, or destroy "
            "what is left over (`sandbox-agent sandboxes sweep --provider kubernetes`)."
        )
    if _ADMISSION.search(message) and not _RIGHT.search(message):
        return InvalidRequest, f"The rules of the cluster do not admit it: {message}"
    return ProviderAuthError, f"The cluster does not allow it: {message}. {RIGHTS_HINT}"
