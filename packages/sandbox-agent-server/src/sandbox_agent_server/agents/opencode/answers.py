"""What the server's errors are to whoever asked the adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox_agent_server.agents.native.refusals import AgentEnded, AgentRefused
from sandbox_agent_server.runtime.http_peer import PeerError, PeerGone

__all__ = ["as_answers"]


@contextmanager
def as_answers() -> Iterator[None]:
    """Raises: AgentRefused, AgentEnded."""
    try:
        yield
    except PeerError as exc:
        raise AgentRefused(exc.message) from exc
    except PeerGone as exc:
        raise AgentEnded from exc
