"""What an agent wrote, a batch at a time: stamp every frame, commit once, then act on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_core.frames.jsonrpc import METHOD_NOT_FOUND, error_response
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.sessions.agent_run import AgentRun
from sandbox_agent_server.sessions.desk import RequestChange
from sandbox_agent_server.sessions.workspace_files import FILE_METHODS
from sandbox_agent_server.store import Draft

if TYPE_CHECKING:
    from sandbox_agent_server.sessions.session import Session

__all__ = ["FrameRouter"]

_FOR_A_PERSON = frozenset({acp.SESSION_REQUEST_PERMISSION, acp.ELICITATION_CREATE})


class FrameRouter:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def route(self, run: AgentRun, batch: list[WireFrame]) -> None:
        """Raises: StorageError when the log could not take the batch; nothing of it was acted on."""
        session = self._session
        step = _Step()
        for wire in batch:
            method = wire.frame.get("method")
            if method == acp.SESSION_UPDATE:
                is_known = session.stamper.update(wire.raw, wire.frame, step.out)
                if not is_known and session.observe(wire.frame):
                    step.save_row = True
            elif not isinstance(method, str):
                self._response(run, wire, step)
            elif wire.frame.get("id") is not None:
                self._request(run, wire, method, step)
            else:
                self._notification(wire, method, step)
        if session.stamper.turn_id is None:
            session.stamper.close_items(step.out)
        await session.journal.append_patiently(
            step.out, save_row=step.save_row, changes=step.changes
        )
        for effect in step.effects:
            effect()

    def _request(self, run: AgentRun, wire: WireFrame, method: str, step: _Step) -> None:
        session = self._session
        if method in _FOR_A_PERSON:
            session.desk.ask(
                wire.raw, wire.frame, session.policy, step.out, step.changes, step.effects
            )
            return
        session.stamper.agent_request(wire.raw, method, step.out)
        if method in FILE_METHODS:
            step.effects.append(lambda: session.files.serve(run, wire.frame))
            return
        refusal = error_response(
            wire.frame["id"], METHOD_NOT_FOUND, f"the client does not offer {method}"
        )
        step.out.append(session.stamper.client_frame(refusal))
        step.effects.append(lambda: run.post(refusal))

    def _notification(self, wire: WireFrame, method: str, step: _Step) -> None:
        session = self._session
        session.stamper.agent_notification(wire.raw, method, step.out)
        if method == extensions.AGENT_UNPARSED:
            session.row.state["unparsed"] = (session.row.state.get("unparsed") or 0) + 1
            step.save_row = True
        if method == acp.CANCEL_REQUEST:
            params = wire.frame.get("params")
            rpc_id = params.get("requestId") if isinstance(params, dict) else None
            if rpc_id is not None:
                session.desk.withdraw(rpc_id, step.out, step.changes)

    def _response(self, run: AgentRun, wire: WireFrame, step: _Step) -> None:
        session, frame = self._session, wire.frame
        id_: Any = frame.get("id")
        method = session.stamper.asked(id_)
        if method == acp.SESSION_PROMPT:
            # The turn is over: nobody will act on an answer any more.
            for answer in session.desk.cancel_all(step.out, step.changes):
                step.effects.append(partial(run.post, answer))
        annotations = session.stamper.agent_response(wire.raw, id_, step.out)
        if method == acp.SESSION_PROMPT:
            session.turns.begin_ending()
            step.save_row = True
            step.effects.append(lambda: session.finish_turn(frame))
        elif method is not None:
            if "error" not in frame:
                session.controls.read_answer(method, annotations, frame.get("result"))
            step.effects.append(lambda: run.resolve(id_, frame))


class _Step:
    """One batch on its way into the log."""

    def __init__(self) -> None:
        self.out: list[Draft] = []
        self.changes: list[RequestChange] = []
        self.effects: list[Callable[[], None]] = []
        self.save_row = False
