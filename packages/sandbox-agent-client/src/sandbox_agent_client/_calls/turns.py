"""`/v1/sessions/{id}/…`: prompts, and what becomes of their turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.api.prompts import (
    CancelRequest,
    CancelResult,
    PromptAccepted,
    PromptRequest,
)
from sandbox_agent_core.api.turns import LimitsRequest, TurnInfo, TurnList
from sandbox_agent_core.content import Prompt, parse_prompt

from sandbox_agent_client._calls.call import Call, body, built, path, query, reads

__all__ = ["CANCEL_WAIT_S", "cancel", "get", "list_page", "prompt"]

CANCEL_WAIT_S: Final = 60.0
"""For the ends of cancelled turns. The server's own limit is `cancel_wait_s`, 20 s unless it is set otherwise."""


def prompt(
    session_id: str,
    prompt: Prompt,
    *,
    output_schema: Mapping[str, Any] | None = None,
    limits: LimitsRequest | None = None,
) -> Call[PromptAccepted]:
    """Raises: InvalidRequest."""
    blocks: list[Mapping[str, Any]] = [block.to_wire() for block in parse_prompt(prompt)]
    return Call(
        method="POST",
        path=path("sessions", session_id, "prompt"),
        body=body(built(PromptRequest, content=blocks, output_schema=output_schema, limits=limits)),
        parse=reads(PromptAccepted),
        # The prompt of a dormant session waits until its agent runs again.
        has_deadline=False,
        is_once=True,
    )


def get(session_id: str, turn_id: str) -> Call[TurnInfo]:
    return Call(
        method="GET", path=path("sessions", session_id, "turns", turn_id), parse=reads(TurnInfo)
    )


def list_page(
    session_id: str, *, after: int = 0, before: int | None = None, limit: int | None = None
) -> Call[TurnList]:
    """The first behind `after`, or with `before` the last in front of it; oldest first."""
    return Call(
        method="GET",
        path=path("sessions", session_id, "turns"),
        query=query(after=after or None, before=before, limit=limit),
        parse=reads(TurnList),
    )


def cancel(
    session_id: str,
    turn_id: str | None = None,
    *,
    task_id: str | None = None,
    tasks: bool | None = None,
    wait: bool = False,
) -> Call[CancelResult]:
    """Raises: InvalidRequest."""
    return Call(
        method="POST",
        path=path("sessions", session_id, "cancel"),
        query=query(wait=wait or None),
        body=body(built(CancelRequest, turn_id=turn_id, task_id=task_id, tasks=tasks)),
        parse=reads(CancelResult),
        waits_s=CANCEL_WAIT_S if wait else 0,
    )
