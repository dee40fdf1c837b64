"""A session as the API shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox_agent_core.api.sessions import SessionInfo, SessionStatus
from sandbox_agent_core.frames.entry import rfc3339

if TYPE_CHECKING:
    from sandbox_agent_server.sessions.session import Session

__all__ = ["session_info"]


def session_info(session: Session) -> SessionInfo:
    row, controls = session.row, session.controls
    current = session.turns.current
    return SessionInfo(
        id=row.id,
        agent=row.agent,
        cwd=row.settings["cwd"],
        status=_status(session),
        created_at=rfc3339(row.created_ms),
        updated_at=rfc3339(session.log.last_time_ms or row.created_ms),
        ended_at=None if row.ended_ms is None else rfc3339(row.ended_ms),
        last_seq=session.log.last_seq,
        agent_session_id=row.state.get("agentSessionId"),
        agent_info=row.state.get("agentInfo"),
        capabilities=row.state.get("capabilities") or {},
        mode=controls.mode,
        modes=controls.modes,
        permission_mode=controls.permission_mode,
        model=controls.model,
        models=controls.models,
        thought_level=controls.thought_level,
        thought_levels=controls.thought_levels,
        base_url=row.settings.get("baseUrl"),
        config_options=controls.options,
        continuity=row.state.get("continuity") or "fresh",
        current_turn_id=None if current is None else current.id,
        queued_turns=len(session.turns.queued),
        pending_requests=len(session.desk),
        unparsed=row.state.get("unparsed") or 0,
        permission_policy=session.policy,
        metadata=row.settings.get("metadata") or {},
    )


def _status(session: Session) -> SessionStatus:
    if session.is_ended:
        return "ended"
    if session.agent.is_starting:
        return "starting"
    if len(session.desk):
        return "waiting"
    if session.turns.current is not None:
        return "running"
    return "idle" if session.agent.is_running else "dormant"
