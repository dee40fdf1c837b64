"""What a session was created with and only some agents can do: seen once the agent has said what it can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.errors import OperationNotSupported
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.capabilities import AgentCapabilities

from sandbox_agent_server.sessions.state import SessionSettings

__all__ = ["check_wanted"]


def check_wanted(
    settings: SessionSettings, capabilities: Mapping[str, Any], *, directories_at_launch: bool
) -> None:
    """`capabilities`: the agent's own. Raises: OperationNotSupported."""
    if settings.on_reject == "continue":
        takes = AgentCapabilities.read(capabilities).permission_answers
        if "onReject" not in takes:
            raise OperationNotSupported(
                f"agent {settings.agent!r} cannot be told to go on after a refusal (`onReject`): leave it out, or "
                "choose `stop`, which is possible everywhere",
                agent=settings.agent,
                operation="onReject",
            )
    of_sessions = as_dict(capabilities.get("sessionCapabilities"))
    takes_directories = directories_at_launch or isinstance(
        of_sessions.get("additionalDirectories"), dict | bool
    )
    if settings.additional_directories and not takes_directories:
        raise OperationNotSupported(
            f"agent {settings.agent!r} works in one directory and takes no `additionalDirectories`: use a workspace "
            "that holds them all",
            agent=settings.agent,
            operation="additionalDirectories",
        )
