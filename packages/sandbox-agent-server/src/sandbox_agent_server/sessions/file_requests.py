"""Answers an agent's `fs/*` requests: off the event loop, logged, and never outside the workspace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sandbox_agent_core.errors import NotFound, SandboxAgentError
from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.frames.jsonrpc import (
    INVALID_PARAMS,
    RESOURCE_NOT_FOUND,
    error_response,
    response,
)
from sandbox_agent_core.wire.problem import to_problem

from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.agent_run import AgentRun
from sandbox_agent_server.sessions.journal import Journal
from sandbox_agent_server.sessions.stamping import Stamper
from sandbox_agent_server.sessions.workspace_files import WorkspaceFiles

__all__ = ["FileRequests"]


class FileRequests:
    def __init__(
        self,
        files: WorkspaceFiles,
        journal: Journal,
        stamper: Stamper,
        tasks: TaskOwner,
        *,
        may_write: Callable[[], bool],
    ) -> None:
        self._files = files
        self._journal = journal
        self._stamper = stamper
        self._tasks = tasks
        self._may_write = may_write

    def serve(self, run: AgentRun, frame: Frame) -> None:
        """Answer a request that is in the log already."""
        self._tasks.spawn(self._serve(run, frame), name="file")

    async def _serve(self, run: AgentRun, frame: Frame) -> None:
        method, may_write = frame["method"], self._may_write()
        annotations = []
        try:
            result = await asyncio.to_thread(
                self._files.answer, method, frame.get("params"), may_write=may_write
            )
            answer = response(frame["id"], result)
        except SandboxAgentError as exc:
            code = RESOURCE_NOT_FOUND if isinstance(exc, NotFound) else INVALID_PARAMS
            answer = error_response(frame["id"], code, exc.message, to_problem(exc))
            fault = {"code": exc.code, "message": exc.message, "retryable": False}
            data = {"method": method, **exc.details}
            annotations.append(self._stamper.fact(extensions.ERROR, {**fault, "data": data}))
        self._journal.append([self._stamper.client_frame(answer), *annotations])
        run.post(answer)
