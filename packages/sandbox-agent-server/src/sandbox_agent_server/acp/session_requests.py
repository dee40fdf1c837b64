"""What a client asks of a session that it holds."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from sandbox_agent_core.api.sessions import PatchSession
from sandbox_agent_core.errors import (
    InvalidRequest,
    OperationNotSupported,
    SandboxAgentError,
    Unavailable,
)
from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.lenient import as_dict

from sandbox_agent_server.acp.asked import Asked
from sandbox_agent_server.acp.attached import Attached
from sandbox_agent_server.acp.bodies import read
from sandbox_agent_server.agents.runner.config_options import NATIVE
from sandbox_agent_server.sessions.manager import SessionManager
from sandbox_agent_server.sessions.turn import ClientRequest, Turn

__all__ = ["CLOSE", "SETTERS", "SessionRequests"]

SETTERS: Final = frozenset(
    {acp.SESSION_SET_MODE, acp.SESSION_SET_MODEL, acp.SESSION_SET_CONFIG_OPTION}
)
CLOSE: Final = "session/close"


class Responder(Protocol):
    def respond(self, asked: Asked, result: Any, *, session_id: str | None = None) -> None: ...


class SessionRequests:
    def __init__(
        self,
        client: Responder,
        sessions: SessionManager,
        *,
        work: Callable[[Asked, Coroutine[Any, Any, None]], None],
    ) -> None:
        """`work` sees to it that a failure is the answer."""
        self._client = client
        self._sessions = sessions
        self._work = work

    def prompt(self, asked: Asked, attached: Attached) -> None:
        """Raises: what `Session.prompt_of_client` raises, InvalidRequest."""
        params = asked.frame.get("params")
        if asked.method == acp.SESSION_PROMPT and not isinstance(
            as_dict(params).get("prompt"), list
        ):
            raise InvalidRequest("`prompt` must be an array of content blocks")
        assert attached.session_id is not None
        assert asked.inner_id is not None
        with self._sessions.session(attached.session_id) as session:
            frame, raw = asked.to_agent(attached.to_agent(asked.frame))
            attached.in_flight[asked.inner_id] = asked
            try:
                turn = session.prompt_of_client(ClientRequest(frame, raw))
            except SandboxAgentError:
                del attached.in_flight[asked.inner_id]
                raise
        asked.turn_id = turn.id
        self._work(asked, self._end_of(turn, asked, attached))

    async def _end_of(self, turn: Turn, asked: Asked, attached: Attached) -> None:
        """Of a turn that the agent does not answer itself."""
        outcome = await turn.wait()
        if asked.inner_id is not None:
            attached.in_flight.pop(asked.inner_id, None)
        if asked.is_answered:
            return
        if outcome.error is not None:
            raise outcome.error
        if outcome.stop_reason != "cancelled":
            raise Unavailable("the turn was interrupted: the agent was stopped")
        self._client.respond(asked, {"stopReason": "cancelled"}, session_id=attached.acp_id)

    async def set(
        self, asked: Asked, attached: Attached, method: str, params: dict[str, Any]
    ) -> None:
        """As PATCH does it: it is judged, shown, and set again when the agent is started again."""
        assert attached.session_id is not None
        result: dict[str, Any] = {}
        with self._sessions.session(attached.session_id) as session:
            await session.resume()
            if method == acp.SESSION_SET_MODE:
                mode = params.get("modeId")
                if not session.state.options.has_modes:
                    raise OperationNotSupported("the agent has no modes", operation=method)
                await session.patch(read(PatchSession, mode=f"{NATIVE}{mode}"))
            elif method == acp.SESSION_SET_MODEL:
                await session.patch(read(PatchSession, model=params.get("modelId")))
            else:
                option, value = params.get("configId"), params.get("value")
                await session.patch(read(PatchSession, configOptions={str(option): value}))
                result = {"configOptions": list(session.state.options.options)}
        self._client.respond(asked, result, session_id=attached.acp_id)

    def pass_on(self, asked: Asked, attached: Attached) -> None:
        """Raises: what `Conversation.send` raises."""
        assert attached.session_id is not None
        with self._sessions.session(attached.session_id) as session:
            if session.agent.is_ready:
                attached.send(asked)
            else:
                self._work(asked, self._wake_and_send(asked, attached))

    async def _wake_and_send(self, asked: Asked, attached: Attached) -> None:
        assert attached.session_id is not None
        with self._sessions.session(attached.session_id) as session:
            await session.resume()
            attached.send(asked)

    async def close(self, asked: Asked, attached: Attached) -> None:
        assert attached.session_id is not None
        await self._sessions.interrupt(attached.session_id)
        self._client.respond(asked, {})

    def tell(self, attached: Attached, frame: Frame, raw: bytes | None) -> None:
        """Raises: what `Session.cancel` and `Conversation.send` raise."""
        assert attached.session_id is not None
        with self._sessions.session(attached.session_id) as session:
            if frame["method"] == acp.SESSION_CANCEL and not session.turns.is_idle:
                session.cancel(None)
            elif session.agent.is_ready:
                told = attached.to_agent(frame)
                session.conversation.send(told, raw=raw if told is frame else None)

    def cancel(self, asked: Asked, attached: Attached) -> None:
        """The client waits no longer for an answer. Raises: as `tell`."""
        assert attached.session_id is not None
        with self._sessions.session(attached.session_id) as session:
            if asked.turn_id is not None:
                session.cancel(asked.turn_id)
            elif session.agent.is_ready:
                session.conversation.send(
                    notification(acp.CANCEL_REQUEST, {"requestId": asked.inner_id})
                )
