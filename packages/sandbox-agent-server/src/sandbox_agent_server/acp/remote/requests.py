"""What an ACP client asks of sessions beside prompts, and what is for their agents alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sandbox_agent_core.api.long_work import ForkSession
from sandbox_agent_core.api.sessions import CreateSession, PatchSession, ResumeSession
from sandbox_agent_core.errors import InvalidRequest, Timeout
from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_core.lenient import as_dict, as_list, as_str, compact

from sandbox_agent_server.acp.remote.attachments import Attachments
from sandbox_agent_server.acp.remote.opened import body_of, listed, offered, session_id_of
from sandbox_agent_server.acp.remote.outlet import Outlet
from sandbox_agent_server.acp.remote.refusals import RpcError
from sandbox_agent_server.acp.remote.rights import Rights
from sandbox_agent_server.acp.remote.vocabulary import (
    META,
    SESSION_CLOSE,
    SESSION_DELETE,
    SESSION_LIST,
    own_meta,
)
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.sessions.agent import SessionSecrets
from sandbox_agent_server.sessions.listing import SessionFilter
from sandbox_agent_server.sessions.manager import SessionManager
from sandbox_agent_server.sessions.session import Session

__all__ = ["Handler", "SessionRequests"]

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

_LISTED: Final = frozenset({"starting", "idle", "running", "background", "waiting", "dormant"})
_PAGE: Final = 50


class SessionRequests:
    def __init__(
        self,
        agent: str,
        manager: SessionManager,
        attached: Attachments,
        outlet: Outlet,
        rights: Rights,
        limits: Limits,
    ) -> None:
        self._agent = agent
        self._manager = manager
        self._attached = attached
        self._outlet = outlet
        self._rights = rights
        self._limits = limits
        self._handlers = self._own_methods()

    def _own_methods(self) -> dict[str, Handler]:
        return {
            acp.SESSION_NEW: self._new,
            acp.SESSION_LOAD: self._load,
            acp.SESSION_RESUME: self._resume,
            acp.SESSION_FORK: self._fork,
            SESSION_LIST: self._list,
            SESSION_CLOSE: self._close,
            SESSION_DELETE: self._delete,
            acp.SESSION_SET_MODE: self._set_mode,
            acp.SESSION_SET_MODEL: self._set_model,
            acp.SESSION_SET_CONFIG_OPTION: self._set_config_option,
            acp.AUTHENTICATE: self._authenticate,
        }

    async def answer(self, method: str, params: dict[str, Any]) -> Any:
        """The result. Raises: SandboxAgentError, RpcError."""
        handle = self._handlers.get(method)
        return await (self._ask_agent(method, params) if handle is None else handle(params))

    async def _new(self, params: dict[str, Any]) -> dict[str, Any]:
        self._require("make a session")
        own = own_meta(params)
        standard = {
            "agent": self._agent,
            "id": own.get("sessionId"),
            "additionalDirectories": params.get("additionalDirectories"),
            "systemPrompt": params.get("systemPrompt"),
        }
        body = body_of(
            CreateSession, params, **{**as_dict(own.get("session")), **compact(**standard)}
        )
        self._rights.check_settings(body)
        return self._told((await self._manager.create(body)).id)

    async def _fork(self, params: dict[str, Any]) -> dict[str, Any]:
        self._require("fork a session")
        body = body_of(ForkSession, params)
        self._rights.check_settings(body)
        return self._told((await self._manager.fork(session_id_of(params), body)).id)

    async def _load(self, params: dict[str, Any]) -> dict[str, Any]:
        session_id = await self._wake(params)
        cursor = _cursor(params) or 0
        return await self._follow(session_id, params, after=cursor, shown_after=cursor)

    async def _resume(self, params: dict[str, Any]) -> dict[str, Any]:
        session_id = await self._wake(params)
        last_seq = self._manager.reader.log(session_id).last_seq
        cursor = _cursor(params)
        shown_after = last_seq if cursor is None else min(cursor, last_seq)
        after = shown_after
        with self._manager.session(session_id) as session:
            if session.state.pending:
                after = min(after, (session.state.open_since_seq or 1) - 1)
        return await self._follow(session_id, params, after=after, shown_after=shown_after)

    async def _wake(self, params: dict[str, Any]) -> str:
        """Its agent runs from then on. One that is at work keeps the environment and MCP servers that it has."""
        self._require("resume a session")
        session_id = session_id_of(params)
        env = as_dict(own_meta(params).get("session")).get("env")
        body = body_of(ResumeSession, {"mcpServers": params.get("mcpServers")}, env=env)
        self._rights.check_settings(body)
        with self._manager.session(session_id) as session:
            self._outlet.opened(session_id)
            is_at_work = session.agent.is_running and not session.turns.is_idle
            given = SessionSecrets(env=dict(body.env), mcp_servers=body.mcp_servers)
            if is_at_work or session.state.tasks:
                given = SessionSecrets()
            await self._manager.resume(session_id, given)
        return session_id

    async def _follow(
        self, session_id: str, params: dict[str, Any], *, after: int, shown_after: int
    ) -> dict[str, Any]:
        pending = frozenset(
            asked["id"] for asked in self._manager.reader.pending_requests(session_id)
        )
        own = [turn for turn in as_list(own_meta(params).get("turns")) if isinstance(turn, str)]
        attachment = self._attached.follow(
            session_id,
            after=after,
            shown_after=shown_after,
            pending=pending,
            own_turns=frozenset(own[: self._limits.max_queued_turns + 1]),
            is_resumed=True,
        )
        await attachment.current()
        return {**self._told(session_id), "_meta": {META: {"pending": sorted(pending)}}}

    async def _list(self, params: dict[str, Any]) -> dict[str, Any]:
        wanted = SessionFilter(agents=frozenset({self._agent}), statuses=_LISTED)
        page = self._manager.reader.list(
            cursor=as_str(params.get("cursor")), limit=_PAGE, wanted=wanted
        )
        cwd = params.get("cwd")
        sessions = [listed(one) for one in page.sessions if cwd in (None, one.cwd)]
        return compact(sessions=sessions, nextCursor=page.next_cursor)

    async def _close(self, params: dict[str, Any]) -> dict[str, Any]:
        self._require("close a session")
        session_id = session_id_of(params)
        with self._manager.session(session_id) as session:
            await session.put_to_rest()
        return {}

    async def _delete(self, params: dict[str, Any]) -> dict[str, Any]:
        self._require("end a session")
        session_id = session_id_of(params)
        await self._manager.end(session_id)
        return {}

    async def _set_mode(self, params: dict[str, Any]) -> dict[str, Any]:
        mode = as_str(params.get("modeId"))
        if mode is None:
            raise InvalidRequest("`modeId` is missing, or is no text")
        with self._manager.session(session_id_of(params)) as session:
            is_own = any(item.get("id") == mode for item in session.state.options.modes)
            await self._patch(session, {"mode": f"native:{mode}" if is_own else mode})
        return {}

    async def _set_model(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._manager.session(session_id_of(params)) as session:
            await self._patch(session, {"model": params.get("modelId")})
        return {}

    async def _set_config_option(self, params: dict[str, Any]) -> dict[str, Any]:
        option = as_str(params.get("configId"))
        if option is None:
            raise InvalidRequest("`configId` is missing, or is no text")
        with self._manager.session(session_id_of(params)) as session:
            await self._patch(session, {"configOptions": {option: params.get("value")}})
            return {"configOptions": list(session.state.options.options)}

    async def _patch(self, session: Session, changes: dict[str, Any]) -> None:
        self._require("set a session")
        body = body_of(PatchSession, {}, **changes)
        self._rights.check_settings(body)
        await session.patch(body)

    async def _authenticate(self, params: dict[str, Any]) -> dict[str, Any]:
        raise InvalidRequest(
            f"there is no login {str(params.get('methodId'))[:64]!r} here: agents take the keys and logins of the "
            "server's machine"
        )

    # What only the agent knows

    async def _ask_agent(self, method: str, params: dict[str, Any]) -> Any:
        session_id = as_str(params.get("sessionId"))
        if session_id is None or method.startswith(extensions.PREFIX):
            raise RpcError.no_method(method)
        self._rights.bearer.require("admin", to=f"ask the agent for {method[:64]!r}")
        with self._manager.session(session_id) as session:
            await session.resume()
            own = {**params, "sessionId": session.state.agent_session_id}
            limit = self._limits.native_timeout_s
            try:
                async with asyncio.timeout(limit):
                    answer = await session.conversation.request(method, own)
            except TimeoutError:
                late = f"the agent did not answer {method[:64]!r} within {limit:g} s"
                raise Timeout(late, limit="native_timeout_s") from None
        if "error" in answer:
            error = as_dict(answer["error"])
            raise RpcError(error.get("code", 0), str(error.get("message")), error.get("data"))
        return answer.get("result")

    def tell_agent(self, method: str, params: dict[str, Any]) -> None:
        """A notification of a method that only the agent knows. Raises: SandboxAgentError."""
        if method.startswith(extensions.PREFIX):
            return
        self._rights.bearer.require("admin", to=f"tell the agent {method[:64]!r}")
        with self._manager.session(params["sessionId"]) as session:
            if session.agent.is_running:
                conversation = session.conversation
                own = {**params, "sessionId": session.state.agent_session_id}
                step = conversation.step()
                conversation.notify(step, method, own)
                conversation.log.append(step)

    def _told(self, session_id: str) -> dict[str, Any]:
        with self._manager.session(session_id) as session:
            return {"sessionId": session_id, **offered(session.state.options)}

    def _require(self, what: str) -> None:
        self._rights.bearer.require("prompt", to=what)


def _cursor(params: dict[str, Any]) -> int | None:
    cursor = own_meta(params).get("cursor")
    is_one = isinstance(cursor, int) and not isinstance(cursor, bool) and cursor >= 0
    return cursor if is_one else None
