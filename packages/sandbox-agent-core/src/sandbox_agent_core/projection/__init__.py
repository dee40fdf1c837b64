"""From log entries to universal events: pure, stateless, total. One module for each family."""

from __future__ import annotations

from sandbox_agent_core.events.parsing import is_delta
from sandbox_agent_core.projection.project import project, project_wire

__all__ = ["is_delta", "project", "project_wire"]
