"""`/v1/sessions/{id}/tools`."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.api.host_tools import (
    HostToolAnswer,
    HostToolList,
    HostToolState,
    RegisterHostTools,
)

from sandbox_agent_client._calls.call import Call, body, built, path, reads

__all__ = ["answer", "register"]


def register(session_id: str, request: RegisterHostTools) -> Call[HostToolList]:
    return Call(
        method="POST",
        path=path("sessions", session_id, "tools"),
        body=body(request),
        parse=reads(HostToolList),
        has_deadline=False,
    )


def answer(session_id: str, call_id: str, **members: Any) -> Call[HostToolState]:
    """Raises: InvalidRequest."""
    return Call(
        method="POST",
        path=path("sessions", session_id, "tools", call_id),
        body=body(built(HostToolAnswer, **members)),
        parse=reads(HostToolState),
    )
