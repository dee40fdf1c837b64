"""One ACP client, and us as its agent: whatever it says comes in here, whatever it hears is in its outbox.

The client holds as many sessions as it likes. Each is a session of the server with an agent of its own, whatever the
agent program itself could hold.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from itertools import count
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from sandbox_agent_core.api.long_work import ForkSession
from sandbox_agent_core.api.sessions import CreateSession, PatchSession
from sandbox_agent_core.errors import (
    AgentError,
    InvalidRequest,
    OperationNotSupported,
    PermissionDenied,
    RequestNotFound,
    SandboxAgentError,
    SessionNotFound,
    Timeout,
    Unavailable,
)
from sandbox_agent_core.frames import Frame, acp, operations
from sandbox_agent_core.frames.jsonrpc import (
    INVALID_REQUEST,
    PARSE_ERROR,
    RequestId,
    notification,
    response,
    same_id,
)
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.lenient import as_dict, as_str, dicts_in

from sandbox_agent_server.acp.asked import Asked
from sandbox_agent_server.acp.attached import OPENINGS, Attached, Outstanding
from sandbox_agent_server.acp.control import Control
from sandbox_agent_server.acp.faults import Refused, fault_frame
from sandbox_agent_server.acp.history import history_of, offers_of
from sandbox_agent_server.acp.links import Links
from sandbox_agent_server.acp.outbox import Message, Outbox, draft
from sandbox_agent_server.acp.record import AcpRecord
from sandbox_agent_server.agents.runner.config_options import NATIVE
from sandbox_agent_server.agents.runner.handshake import Adopted, Introduction
from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.log.entry import Draft
from sandbox_agent_server.log.log import Cursor, SessionLog
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.agent import SessionSecrets
from sandbox_agent_server.sessions.manager import SessionManager
from sandbox_agent_server.sessions.session import Session
from sandbox_agent_server.sessions.turn import ClientRequest, Turn

__all__ = ["AcpConnection"]

logger = logging.getLogger(__name__)

ANSWER_REFUSED: Final = "_adapter/answer_refused"
"""`{requestId, error}`: the client's answer to a request of the agent could not be taken."""
_SETTERS: Final = frozenset(
    {acp.SESSION_SET_MODE, acp.SESSION_SET_MODEL, acp.SESSION_SET_CONFIG_OPTION}
)
_CLOSE: Final = "session/close"
_OF_A_SESSION: Final = _SETTERS | {_CLOSE}
_NAME_ANY_SESSION: Final = frozenset({"session/delete"})
"""Also one that is not open."""
_OUR_PARAMS: Final = frozenset({"cwd", "mcpServers", "additionalDirectories", "sessionId"})

Body = TypeVar("Body", bound=BaseModel)


class AcpConnection:
    """Made by `AcpServers`. A front (HTTP, WebSocket, a pipe) gives it what the client writes, and the client what
    `messages` has.
    """

    def __init__(
        self,
        record: AcpRecord,
        outbox: Outbox,
        sessions: SessionManager,
        links: Links,
        limits: Limits,
        *,
        make_control: Callable[[Attached], Control],
        save: Callable[[], None],
    ) -> None:
        self.record = record
        self._outbox = outbox
        self._sessions = sessions
        self._links = links
        self._limits = limits
        self._save = save
        self._asked: dict[bytes, Asked] = {}
        self._outstanding: dict[bytes, Outstanding] = {}
        """What agents ask the client, by the id that it has there, as JSON."""
        self._attached: dict[str, Attached] = {}
        """By what the client calls the session."""
        self._authenticated: list[dict[str, Any]] = []
        self._numbers = count(1)
        self._tasks = TaskOwner(f"acp {record.server_id[:64]}")
        self.is_closed = False
        self._control = make_control(Attached(self, None))
        for acp_id, session_id in record.sessions.items():
            self._link(Attached(self, session_id, acp_id=acp_id))

    @property
    def log(self) -> SessionLog:
        """What the client is told, message by message: the payloads of its entries."""
        return self._outbox.log

    @property
    def size_bytes(self) -> int:
        """Of what is kept of it."""
        return self.log.file.size_bytes + self._control.conversation.log.file.size_bytes

    @property
    def is_idle(self) -> bool:
        """Nobody waits for anything, and no process runs for it."""
        return not (
            self._asked
            or self._control.is_running
            or self.log.has_followers
            or any(each.is_live for each in self._attached.values())
        )

    def messages(self, after: int = 0) -> AsyncIterator[Message]:
        """Everything that the client is to hear after a cursor, and then what comes. Ends with the connection. Any
        number of readers; a slow one reads from the disk.
        """
        return self._outbox.messages(after)

    # From the client

    def receive(
        self,
        raw: bytes,
        *,
        frame: Frame | None = None,
        may_answer: bool = True,
        actor: str | None = None,
    ) -> asyncio.Future[bytes] | None:
        """One frame of the client, as it wrote it. Of a request: its answer, one line of JSON, which is among the
        messages too. Whatever goes wrong later is an answer as well.

        `frame`: the same, when it was read already. `may_answer`: whether the client may decide permissions, and set
        what decides them. `actor`: in whose name.

        Raises:
            Refused: it is no frame, or a request with this id waits for its answer already.
        """
        frame = frame if frame is not None else read_frame(raw)
        line = raw.strip()
        kept = line if b"\n" not in line and b"\r" not in line else None
        if "method" not in frame:
            self._answer_of_client(frame, may_answer=may_answer, actor=actor)
            return None
        if "id" not in frame:
            self._told(frame, kept)
            return None
        asked = Asked(frame, kept, dumps(frame["id"]))
        if asked.key in self._asked:
            raise Refused(
                frame["id"], INVALID_REQUEST, "a request with this id waits for its answer already"
            )
        self._asked[asked.key] = asked
        try:
            self._request(asked, may_answer=may_answer)
        except SandboxAgentError as exc:
            self.failed(asked, exc, session_id=None)
        return asked.answer

    def _request(self, asked: Asked, *, may_answer: bool) -> None:
        """Raises: SandboxAgentError: it is the answer."""
        if self.is_closed:
            raise Unavailable("the connection is closed")
        method, params = asked.frame["method"], as_dict(asked.frame.get("params"))
        if not isinstance(method, str):
            raise InvalidRequest("`method` must be a text")
        if not may_answer:
            _check_is_harmless(method, params)
        if method in OPENINGS:
            self._work(asked, self._open(asked, method, params))
            return
        attached = self._session_of(method, params)
        asked.inner_id = self._inner_id(asked, attached)
        if attached is None:
            self._work(asked, self._of_connection(asked, method, params))
        elif method in operations.BEGIN_A_TURN:
            self._prompt(asked, attached)
            return
        elif method in _SETTERS:
            self._work(asked, self._set(asked, attached, method, params))
        elif method == _CLOSE:
            self._work(asked, self._close_session(asked, attached))
        else:
            self._pass_on(asked, attached)
        self._limit_time(asked)

    def _session_of(self, method: str, params: dict[str, Any]) -> Attached | None:
        """None for what belongs to no session. Raises: SessionNotFound, InvalidRequest."""
        named = as_str(params.get("sessionId"))
        if named is None:
            if method in _OF_A_SESSION or method in operations.BEGIN_A_TURN:
                raise InvalidRequest("`sessionId` must be the id of a session")
            return None
        attached = self._attached.get(named)
        if attached is None and method not in _NAME_ANY_SESSION:
            raise SessionNotFound(
                f"this client has no session {named!r} open; session/new, session/load and "
                "session/resume open one",
                sessionId=named,
            )
        return attached

    def _inner_id(self, asked: Asked, attached: Attached | None) -> RequestId:
        id = asked.id
        others = self._links.of(attached.session_id) if attached is not None else ()
        is_taken = any(id in each.in_flight for each in others if isinstance(id, str | int))
        if isinstance(id, str | int) and not isinstance(id, bool) and not is_taken:
            return id
        # `null`, 1.5 and `true` are ids to some, and two clients of a session may number alike.
        return f"client-{new_id('rpc')}"

    def _work(self, asked: Asked, work: Coroutine[Any, Any, None]) -> None:
        async def answer_all() -> None:
            try:
                await work
            except SandboxAgentError as exc:
                self.failed(asked, exc, session_id=None)
            except asyncio.CancelledError:
                self.failed(asked, Unavailable("the connection was closed"), session_id=None)
                raise
            except Exception:
                logger.exception("acp %s: %s failed", self.record.server_id[:64], asked.method)
                self.failed(
                    asked, AgentError("the server failed; its log says why"), session_id=None
                )

        self._tasks.spawn(answer_all(), name=asked.method[:64])

    def _limit_time(self, asked: Asked) -> None:
        """A turn takes as long as it takes; anything else has an end."""
        limit = self._limits.acp_request_timeout_s
        late = Timeout(
            f"the agent did not answer within {limit:g} s", limit="acp_request_timeout_s"
        )
        loop = asyncio.get_running_loop()
        timer = loop.call_later(limit, lambda: self.failed(asked, late, session_id=None))
        asked.answer.add_done_callback(lambda _: timer.cancel())

    # What belongs to no session

    async def _of_connection(self, asked: Asked, method: str, params: dict[str, Any]) -> None:
        if method == acp.INITIALIZE:
            self.record.hello = params
            self._authenticated.clear()
            self._save()
        await self._control.request(asked, self._introduction())
        if method == acp.AUTHENTICATE:
            answer = loads(await asyncio.shield(asked.answer))
            if "error" not in answer:
                self._authenticated.append(params)

    def _introduction(self, opening: dict[str, Any] | None = None) -> Introduction:
        return Introduction(
            hello=self.record.hello,
            authenticated=tuple(self._authenticated),
            opening=opening or {},
        )

    # Sessions

    async def _open(self, asked: Asked, method: str, params: dict[str, Any]) -> None:
        if method == acp.SESSION_NEW:
            await self._make(asked, params)
            return
        named = as_str(params.get("sessionId"))
        if named is None:
            raise InvalidRequest("`sessionId` must be a text")
        known = self._attached.get(named)
        found = known.session_id if known else self._sessions.of_agent(self.record.agent, named)
        if method == acp.SESSION_FORK:
            if found is None:
                raise SessionNotFound(f"there is no session {named!r}", sessionId=named)
            await self._fork(asked, params, found)
        elif found is not None:
            await self._take_up(asked, params, known, found, named)
        else:
            adopted = Adopted(named, with_history=method == acp.SESSION_LOAD)
            await self._make(asked, params, adopted=adopted)

    async def _make(
        self, asked: Asked, params: dict[str, Any], adopted: Adopted | None = None
    ) -> None:
        """Raises: what `SessionManager.create` raises."""
        session_id = new_id("ses")
        body = _body(
            CreateSession,
            agent=self.record.agent,
            id=session_id,
            cwd=params.get("cwd"),
            mcpServers=params.get("mcpServers") or [],
            additionalDirectories=params.get("additionalDirectories") or [],
        )
        opening = {name: value for name, value in params.items() if name not in _OUR_PARAMS}
        acp_id = adopted.agent_session_id if adopted is not None else None
        attached = Attached(
            self, session_id, acp_id=acp_id, opening=asked, choose_id=self._free_id(session_id)
        )
        self._links.add(attached)
        try:
            introduction = self._introduction(opening)
            await self._sessions.create(body, introduction=introduction, adopted=adopted)
        except BaseException:
            self._forget(attached)
            raise
        self._is_open(attached)

    async def _fork(self, asked: Asked, params: dict[str, Any], source_id: str) -> None:
        """Raises: what `SessionManager.fork` raises."""
        session_id = new_id("ses")
        given = {name: params[name] for name in ("cwd", "mcpServers") if params.get(name)}
        body = _body(ForkSession, id=session_id, **given)
        attached = Attached(self, session_id, opening=asked, choose_id=self._free_id(session_id))
        self._links.add(attached)
        try:
            await self._sessions.fork(source_id, body)
        except BaseException:
            self._forget(attached)
            raise
        self._is_open(attached)

    async def _take_up(
        self,
        asked: Asked,
        params: dict[str, Any],
        known: Attached | None,
        session_id: str,
        named: str,
    ) -> None:
        """A session that the server has. Raises: what `SessionManager.resume` raises."""
        secrets = SessionSecrets(
            mcp_servers=dicts_in(params.get("mcpServers")), introduction=self._introduction()
        )
        with self._sessions.session(session_id) as session:
            was_running = session.agent.is_running
            if was_running:
                secrets = SessionSecrets()
            await self._sessions.resume(session_id, secrets)
            if known is not None:
                self._links.remove(known)
            if asked.method == acp.SESSION_LOAD:
                await self._tell_history(session, named)
            attached = Attached(self, session_id, acp_id=named, is_owner=not was_running)
            self._links.add(attached)
            attached.attach(session.conversation)
            self.opened(attached)
            self.respond(asked, offers_of(session.state))

    async def _tell_history(self, session: Session, acp_id: str) -> None:
        cursor = Cursor(session.log, 0)
        while entries := await cursor.read():
            drafts = history_of(entries, session.id, acp_id)
            if drafts:
                self._outbox.put_all(drafts)

    def _is_open(self, attached: Attached) -> None:
        if attached.opening is not None:
            # The agent has not said which session it is: it has the name that it has here.
            opening, attached.opening = attached.opening, None
            attached.acp_id = attached.acp_id or attached.session_id
            self.opened(attached)
            self.respond(opening, {"sessionId": attached.acp_id})
        self._tasks.spawn(self._control.stop_if_idle(), name="rest")

    def _forget(self, attached: Attached) -> None:
        """It did not come to life."""
        self._links.remove(attached)
        if attached.acp_id is not None and self._attached.get(attached.acp_id) is attached:
            del self._attached[attached.acp_id]
            del self.record.sessions[attached.acp_id]
            self._save()

    def _free_id(self, session_id: str) -> Callable[[str], str]:
        """Two processes of an agent may call their sessions alike."""

        def choose(inner: str) -> str:
            return session_id if inner in self.record.sessions else inner

        return choose

    def _link(self, attached: Attached) -> None:
        assert attached.acp_id is not None
        self._attached[attached.acp_id] = attached
        self._links.add(attached)

    async def _close_session(self, asked: Asked, attached: Attached) -> None:
        assert attached.session_id is not None
        await self._sessions.interrupt(attached.session_id)
        self.respond(asked, {})

    # To the agent of a session

    def _prompt(self, asked: Asked, attached: Attached) -> None:
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
        self.respond(asked, {"stopReason": "cancelled"}, session_id=attached.acp_id)

    async def _set(
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
                await session.patch(_body(PatchSession, mode=f"{NATIVE}{mode}"))
            elif method == acp.SESSION_SET_MODEL:
                await session.patch(_body(PatchSession, model=params.get("modelId")))
            else:
                option, value = params.get("configId"), params.get("value")
                await session.patch(_body(PatchSession, configOptions={str(option): value}))
                result = {"configOptions": list(session.state.options.options)}
        self.respond(asked, result, session_id=attached.acp_id)

    def _pass_on(self, asked: Asked, attached: Attached) -> None:
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

    # Notifications and answers of the client

    def _told(self, frame: Frame, raw: bytes | None) -> None:
        method, params = frame["method"], as_dict(frame.get("params"))
        attached = self._attached.get(str(params.get("sessionId")))
        try:
            if method == acp.CANCEL_REQUEST:
                self._cancel_request(params.get("requestId"))
            elif attached is not None:
                self._tell_session(attached, frame, raw)
            elif "sessionId" not in params and isinstance(method, str) and not self.is_closed:
                told = self._control.notify(frame, raw, self._introduction())
                self._tasks.spawn(told, name=method[:64])
        except SandboxAgentError as exc:
            logger.warning("acp %s: %s", self.record.server_id[:64], exc.message)

    def _tell_session(self, attached: Attached, frame: Frame, raw: bytes | None) -> None:
        """Raises: what `Session.cancel` and `Conversation.send` raise."""
        assert attached.session_id is not None
        with self._sessions.session(attached.session_id) as session:
            if frame["method"] == acp.SESSION_CANCEL and not session.turns.is_idle:
                session.cancel(None)
            elif session.agent.is_ready:
                told = attached.to_agent(frame)
                session.conversation.send(told, raw=raw if told is frame else None)

    def _cancel_request(self, id: Any) -> None:
        """Raises: as `_tell_session`."""
        asked = self._asked.get(dumps(id))
        attached = next(
            (one for one in self._attached.values() if asked in one.in_flight.values()), None
        )
        if asked is None or attached is None or attached.session_id is None:
            return
        with self._sessions.session(attached.session_id) as session:
            if asked.turn_id is not None:
                session.cancel(asked.turn_id)
            elif session.agent.is_ready:
                session.conversation.send(
                    notification(acp.CANCEL_REQUEST, {"requestId": asked.inner_id})
                )

    def _answer_of_client(self, frame: Frame, *, may_answer: bool, actor: str | None) -> None:
        key = dumps(frame.get("id"))
        outstanding = self._outstanding.pop(key, None)
        if outstanding is None or (conversation := outstanding.attached.conversation) is None:
            return  # somebody else was first, or nobody waits for it any more
        answer = {**frame, "id": outstanding.rpc_id}
        try:
            if not conversation.requests.is_asked(outstanding.rpc_id):
                conversation.answer_passed_on(answer)
                return
            if not may_answer:
                raise PermissionDenied("this token may not answer what the agent asks")
            conversation.send(answer, actor=actor)
        except RequestNotFound:
            pass
        except SandboxAgentError as exc:
            self._outstanding[key] = outstanding
            told = fault_frame(None, exc)["error"]
            refusal = notification(ANSWER_REFUSED, {"requestId": outstanding.id, "error": told})
            place = outstanding.attached.acp_id
            self._outbox.put(dumps(refusal), refusal, session_id=place)

    # ClientEnd

    def opened(self, attached: Attached) -> None:
        if attached.acp_id is None or attached.session_id is None:
            return
        self._attached[attached.acp_id] = attached
        self.record.sessions[attached.acp_id] = attached.session_id
        self._save()

    def tell(self, drafts: list[Draft]) -> None:
        self._outbox.put_all(drafts)

    def answered(self, asked: Asked, raw: bytes, drafts: list[Draft], **place: Any) -> None:
        if asked.is_answered:
            return
        self._asked.pop(asked.key, None)
        drafts.append(draft(raw, {}, session_id=place.get("session_id"), source=place["source"]))
        asked.answer.set_result(raw)

    def respond(self, asked: Asked, result: Any, *, session_id: str | None = None) -> None:
        self._settle(asked, response(asked.id, result), session_id)

    def failed(self, asked: Asked, error: SandboxAgentError, *, session_id: str | None) -> None:
        self._settle(asked, fault_frame(asked.id, error), session_id)

    def _settle(self, asked: Asked, frame: Frame, session_id: str | None) -> None:
        if asked.is_answered:
            return
        self._asked.pop(asked.key, None)
        raw = dumps(frame)
        self._outbox.put(raw, frame, session_id=session_id)
        asked.answer.set_result(raw)

    def put(self, attached: Attached, rpc_id: Any, method: str) -> Any:
        id = rpc_id
        if dumps(id) in self._outstanding:
            # Two processes number alike.
            id = f"{attached.session_id or self.record.agent}-{next(self._numbers)}"
        self._outstanding[dumps(id)] = Outstanding(attached, id, rpc_id, method)
        return id

    def withdraw(self, attached: Attached, rpc_id: Any) -> Any:
        for key, one in self._outstanding.items():
            if one.attached is attached and same_id(one.rpc_id, rpc_id):
                del self._outstanding[key]
                return one.id
        return None

    def gone(self, attached: Attached) -> None:
        """Its agent is: nobody waits for answers any more."""
        for key in [key for key, one in self._outstanding.items() if one.attached is attached]:
            del self._outstanding[key]

    def offers(self, method: str) -> bool:
        capabilities = as_dict(as_dict(self.record.hello).get("clientCapabilities"))
        name = {
            acp.FS_READ_TEXT_FILE: "readTextFile",
            acp.FS_WRITE_TEXT_FILE: "writeTextFile",
        }.get(method)
        return name is not None and as_dict(capabilities.get("fs")).get(name) is True

    # The end

    async def close(self) -> None:
        """Its agents are stopped, and its sessions can be resumed. Whoever waits for an answer gets one."""
        self.is_closed = True
        for asked in list(self._asked.values()):
            self.failed(asked, Unavailable("the connection was closed"), session_id=None)
        attached = list(self._attached.values())
        self._attached.clear()
        owned = {each.session_id for each in attached if each.is_owner and each.session_id}
        for each in attached:
            self._links.remove(each)
        await asyncio.gather(
            self._control.close(),
            *(self._interrupt(id) for id in owned if not self._links.of(id)),
        )
        await self._tasks.cancel()
        await self._outbox.close()

    async def _interrupt(self, session_id: str) -> None:
        try:
            await self._sessions.interrupt(session_id)
        except SandboxAgentError as exc:
            logger.warning("session %s: %s", session_id, exc.message)


def read_frame(raw: bytes) -> Frame:
    """Raises: Refused."""
    try:
        frame = loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise Refused(None, PARSE_ERROR, f"not JSON: {exc}") from exc
    if not isinstance(frame, dict):
        raise Refused(None, INVALID_REQUEST, "a message is a JSON object; there are no batches")
    return frame


def _body(model: type[Body], /, **values: Any) -> Body:
    """Raises: InvalidRequest."""
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidRequest(f"{where}: {first['msg'].removeprefix('Value error, ')}") from exc


def _check_is_harmless(method: str, params: dict[str, Any]) -> None:
    """Who may not answer may not set what answers for them. Raises: PermissionDenied."""
    gives = params.get("mcpServers") or params.get("additionalDirectories")
    if method in _SETTERS or (method in OPENINGS and gives):
        raise PermissionDenied(f"this token may not do this by {method}: that takes `answer`")
