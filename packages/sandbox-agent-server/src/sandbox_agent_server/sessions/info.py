"""A session as the API shows it: made of its state, whether it is live or only a row of the index."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.api.sessions import HookSupport, SessionInfo, SessionStatus, TaskInfo
from sandbox_agent_core.frames.entry import rfc3339
from sandbox_agent_core.lenient import as_dict, as_str
from sandbox_agent_core.spi.capabilities import AgentCapabilities

from sandbox_agent_server.sessions.background import TaskState
from sandbox_agent_server.sessions.state import SessionState
from sandbox_agent_server.store.index import IndexRow

__all__ = ["damaged_info", "session_info"]

_NO_HOOKS: Final = HookSupport()
"""Of most sessions, so that a list does not make one for each."""


def session_info(
    session_id: str, state: SessionState, *, status: SessionStatus, last_seq: int, updated_ms: int
) -> SessionInfo:
    settings, options = state.settings, state.options
    # Nothing here comes from outside, and a page of a list has a thousand of them.
    return SessionInfo.model_construct(
        id=session_id,
        agent=settings.agent,
        cwd=settings.cwd,
        title=state.title,
        first_prompt=state.first_prompt,
        last_prompt=state.last_prompt,
        status=status,
        created_at=rfc3339(state.created_ms),
        updated_at=rfc3339(updated_ms or state.created_ms),
        ended_at=None if state.ended_ms is None else rfc3339(state.ended_ms),
        last_seq=last_seq,
        agent_session_id=state.agent_session_id,
        agent_info=state.agent_info,
        capabilities=state.capabilities,
        mode=options.mode,
        modes=list(options.modes),
        permission_mode=options.permission_mode,
        model=options.model,
        models=options.models,
        thought_level=options.thought_level,
        thought_levels=options.thought_levels,
        additional_directories=settings.additional_directories,
        base_url=settings.base_url,
        trust_workspace=settings.trust_workspace,
        config_options=list(options.options),
        forked_from=settings.forked_from,
        continuity=state.continuity,
        current_turn_id=state.own_turn_id or state.turn_id,
        tasks=[_task_info(id, task) for id, task in state.tasks.items()],
        usage=state.spending.info(),
        queued_turns=len(state.queued),
        pending_requests=len(state.pending),
        unparsed=state.unparsed,
        permission_policy=settings.permission_policy,
        hooks=_hook_support(state),
        on_reject=settings.on_reject,
        agent_options=settings.agent_options,
        mcp_servers=list(state.mcp_servers),
        tools=list(state.host_tools),
        skills=list(state.skills),
        warnings=list(state.warnings),
        metadata=settings.metadata,
    )


def damaged_info(row: IndexRow, reason: str) -> SessionInfo:
    """One whose log cannot be read: what the index remembers of it, which may be nothing."""
    settings = as_dict(row.state.get("settings"))
    return SessionInfo.model_construct(
        id=row.id,
        agent=as_str(settings.get("agent")) or "unknown",
        cwd=as_str(settings.get("cwd")) or "",
        status="damaged",
        damage=reason,
        created_at=rfc3339(row.updated_ms),
        updated_at=rfc3339(row.updated_ms),
        last_seq=row.seq,
    )


def _hook_support(state: SessionState) -> HookSupport:
    wanted = state.settings.hooks
    if not wanted.before_tool and not wanted.after_tool:
        return _NO_HOOKS
    native = AgentCapabilities.read(state.capabilities).hooks
    before: Any = "native" if "before_tool" in native else "permission"
    after: Any = "native" if "after_tool" in native else "observed"
    return HookSupport.model_construct(
        before_tool=before if wanted.before_tool else None,
        after_tool=after if wanted.after_tool else None,
    )


def _task_info(task_id: str, task: TaskState) -> TaskInfo:
    return TaskInfo(
        task_id=task_id,
        kind=task.kind,  # type: ignore[arg-type]
        title=task.title,
        tool_call_id=task.tool_call_id,
        turn_id=task.turn_id,
        started_at=rfc3339(task.started_ms),
    )
