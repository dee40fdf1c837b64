"""What the API server refuses, as errors that say what to do."""

from __future__ import annotations

import json

import pytest
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
from sandbox_agent_kubernetes.errors import refusal

QUOTA = 'pods "x" is forbidden: exceeded quota: compute, requested: memory=1Gi'
LIMIT = 'pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 4Gi'
WEBHOOK = 'admission webhook "validation.gatekeeper.sh" denied the request: no team label'
SECURITY = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, "Unauthorized", ProviderAuthError),
        (403, 'pods is forbidden: User "u" cannot create resource "pods"', ProviderAuthError),
        (403, QUOTA, ProviderQuotaExceeded),
        (403, SECURITY, InvalidRequest),
        (403, LIMIT, InvalidRequest),
        (403, WEBHOOK, InvalidRequest),
        (403, "Access denied by the proxy", ProviderAuthError),
        (404, 'namespaces "x" not found', ProviderError),
        (409, "already exists", ProviderError),
        (422, "Invalid value", InvalidRequest),
        (429, "too many", ProviderQuotaExceeded),
        (500, "etcd", ProviderUnavailable),
        (504, "Timeout", ProviderTimeout),
    ],
)
def test_by_its_status_and_words(status: int, message: str, kind: type[SandboxAgentError]) -> None:
    said = json.dumps({"kind": "Status", "message": message, "reason": "R", "code": status})
    error = refusal(status, said.encode())
    assert type(error) is kind
    assert message in error.message
    assert error.details["status"] == status


def test_what_is_not_found_is_the_sandbox_that_was_asked_for() -> None:
    assert type(refusal(404, b"{}", sandbox="one")) is SandboxNotFound


def test_an_answer_of_something_in_between_is_told_too() -> None:
    assert "bad gateway" in refusal(502, b"<h1>bad gateway</h1>").message
