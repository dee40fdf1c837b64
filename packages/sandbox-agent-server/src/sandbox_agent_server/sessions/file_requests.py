"""Answers an agent's `fs/*` requests: off the event loop, logged, and never outside the workspace."""

from __future__ import annotations

import asyncio

from sandbox_agent_core.errors import NotFound, SandboxAgentError
from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.frames.jsonrpc import (
    INVALID_PARAMS,
    RESOURCE_NOT_FOUND,
    error_response,
    response,
)
from sandbox_agent_core.wire.problem import to_problem

from sandbox_agent_server.host.workspace import FILE_METHODS, Workspace
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.conversation import Conversation

__all__ = ["serve_files"]


def serve_files(conversation: Conversation, files: Workspace, tasks: TaskOwner) -> None:
    """Take these requests of the agent from now on."""

    def serve(frame: Frame) -> None:
        tasks.spawn(_answer(conversation, files, frame), name="file")

    for method in FILE_METHODS:
        conversation.services[method] = serve


async def _answer(conversation: Conversation, files: Workspace, frame: Frame) -> None:
    method = frame["method"]
    may_write = conversation.state.options.permission_mode not in ("read-only", "plan")
    refusal: SandboxAgentError | None = None
    try:
        result = await asyncio.to_thread(
            files.answer, method, frame.get("params"), may_write=may_write
        )
        answer = response(frame["id"], result)
    except SandboxAgentError as exc:
        code = RESOURCE_NOT_FOUND if isinstance(exc, NotFound) else INVALID_PARAMS
        answer = error_response(frame["id"], code, exc.message, to_problem(exc))
        refusal = exc
    step = conversation.step()
    conversation.respond(step, answer)
    if refusal is not None:
        fault = {"code": refusal.code, "message": refusal.message, "retryable": False}
        data = {"method": method, **refusal.details}
        conversation.stamper.server_entry(step, extensions.ERROR, {**fault, "data": data})
    conversation.log.append(step)
