"""How a client comes by a session: it makes one, takes up one that is there, or forks one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from sandbox_agent_core.api.long_work import ForkSession
from sandbox_agent_core.api.sessions import CreateSession
from sandbox_agent_core.errors import InvalidRequest, SessionNotFound
from sandbox_agent_core.frames import acp
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.lenient import as_str, dicts_in

from sandbox_agent_server.acp.asked import Asked
from sandbox_agent_server.acp.attached import Attached, ClientEnd
from sandbox_agent_server.acp.bodies import read
from sandbox_agent_server.acp.held import Held
from sandbox_agent_server.acp.history import history_of, offers_of
from sandbox_agent_server.agents.runner.handshake import Adopted, Introduction
from sandbox_agent_server.log.log import Cursor
from sandbox_agent_server.sessions.agent import SessionSecrets
from sandbox_agent_server.sessions.manager import SessionManager
from sandbox_agent_server.sessions.session import Session

__all__ = ["Openings"]

_OUR_PARAMS: Final = frozenset({"cwd", "mcpServers", "additionalDirectories", "sessionId"})


class Opener(ClientEnd, Protocol):
    def respond(self, asked: Asked, result: Any) -> None:
        """Answer with a result of ours."""
        ...


class Openings:
    def __init__(
        self,
        client: Opener,
        agent: str,
        held: Held,
        sessions: SessionManager,
        *,
        introduction: Callable[[dict[str, Any]], Introduction],
    ) -> None:
        """`introduction`: of the client, with the params of what it asks."""
        self._client = client
        self._agent = agent
        self._held = held
        self._sessions = sessions
        self._introduction = introduction

    async def open(self, asked: Asked, params: dict[str, Any]) -> None:
        """One of `OPENINGS`, to its answer.

        Raises: what `SessionManager.create`, `resume` and `fork` raise, SessionNotFound, InvalidRequest.
        """
        if asked.method == acp.SESSION_NEW:
            await self._make(asked, params)
            return
        named = as_str(params.get("sessionId"))
        if named is None:
            raise InvalidRequest("`sessionId` must be a text")
        known = self._held.get(named)
        found = known.session_id if known else self._sessions.reader.of_agent(self._agent, named)
        if asked.method == acp.SESSION_FORK:
            if found is None:
                raise SessionNotFound(f"there is no session {named!r}", sessionId=named)
            await self._fork(asked, params, found)
        elif found is not None:
            await self._take_up(asked, params, known, found, named)
        else:
            adopted = Adopted(named, with_history=asked.method == acp.SESSION_LOAD)
            await self._make(asked, params, adopted=adopted)

    async def _make(
        self, asked: Asked, params: dict[str, Any], adopted: Adopted | None = None
    ) -> None:
        session_id = new_id("ses")
        body = read(
            CreateSession,
            agent=self._agent,
            id=session_id,
            cwd=params.get("cwd"),
            mcpServers=params.get("mcpServers") or [],
            additionalDirectories=params.get("additionalDirectories") or [],
        )
        opening = {name: value for name, value in params.items() if name not in _OUR_PARAMS}
        attached = self._awaited(asked, session_id, adopted)
        try:
            introduction = self._introduction(opening)
            await self._sessions.create(body, introduction=introduction, adopted=adopted)
        except BaseException:
            self._held.forget(attached)
            raise
        self._is_open(attached)

    async def _fork(self, asked: Asked, params: dict[str, Any], source_id: str) -> None:
        session_id = new_id("ses")
        given = {name: params[name] for name in ("cwd", "mcpServers") if params.get(name)}
        body = read(ForkSession, id=session_id, **given)
        attached = self._awaited(asked, session_id)
        try:
            await self._sessions.fork(source_id, body)
        except BaseException:
            self._held.forget(attached)
            raise
        self._is_open(attached)

    def _awaited(self, asked: Asked, session_id: str, adopted: Adopted | None = None) -> Attached:
        attached = Attached(
            self._client,
            session_id,
            acp_id=adopted.agent_session_id if adopted is not None else None,
            opening=asked,
            choose_id=self._held.free_id(session_id),
        )
        self._held.await_opening(attached)
        return attached

    def _is_open(self, attached: Attached) -> None:
        if attached.opening is not None:
            # The agent has not said which session it is: it has the name that it has here.
            opening, attached.opening = attached.opening, None
            attached.acp_id = attached.acp_id or attached.session_id
            self._held.add(attached)
            self._client.respond(opening, {"sessionId": attached.acp_id})

    async def _take_up(
        self,
        asked: Asked,
        params: dict[str, Any],
        known: Attached | None,
        session_id: str,
        named: str,
    ) -> None:
        """A session that the server has."""
        with self._sessions.session(session_id) as session:
            was_running = session.agent.is_running
            await self._sessions.resume(session_id, self._secrets(params, was_running))
            if known is not None:
                self._held.let_go(known)
            if asked.method == acp.SESSION_LOAD:
                await self._tell_history(session, named)
            is_owner = known.is_owner if known is not None else not was_running
            attached = Attached(self._client, session_id, acp_id=named, is_owner=is_owner)
            self._held.await_opening(attached)
            self._held.add(attached)
            attached.attach(session.conversation)
            self._client.respond(asked, offers_of(session.state))

    def _secrets(self, params: dict[str, Any], was_running: bool) -> SessionSecrets:
        """An agent that runs keeps what it was started with."""
        if was_running:
            return SessionSecrets()
        servers = dicts_in(params.get("mcpServers"))
        return SessionSecrets(mcp_servers=servers, introduction=self._introduction({}))

    async def _tell_history(self, session: Session, acp_id: str) -> None:
        cursor = Cursor(session.log, 0)
        while entries := await cursor.read():
            if drafts := history_of(entries, session.id, acp_id):
                self._client.tell(drafts)
