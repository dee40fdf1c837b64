"""One ACP client, and us as its agent: whatever it says comes in here, whatever it hears is in its outbox.

The client holds as many sessions as it likes. Each is a session of the server with an agent of its own, whatever the
agent program itself could hold.
"""

from __future__ import annotations

import asyncio
import logging
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, cast

import orjson
from sandbox_agent_core.errors import (
    AgentError,
    InvalidRequest,
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
)
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.lenient import as_dict, as_str

from sandbox_agent_server.acp.asked import Asked
from sandbox_agent_server.acp.attached import OPENINGS, Attached
from sandbox_agent_server.acp.catching_up import last_heard, tell_missed
from sandbox_agent_server.acp.control import Control
from sandbox_agent_server.acp.faults import Refused, fault_frame
from sandbox_agent_server.acp.held import Held
from sandbox_agent_server.acp.links import Links
from sandbox_agent_server.acp.openings import Openings
from sandbox_agent_server.acp.outbox import Message, Outbox, draft
from sandbox_agent_server.acp.outstanding import OutstandingRequests
from sandbox_agent_server.acp.record import AcpRecord
from sandbox_agent_server.acp.session_requests import CLOSE, SETTERS, SessionRequests
from sandbox_agent_server.agents.runner.handshake import Introduction
from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.log.entry import Draft
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.manager import SessionManager

__all__ = ["AcpConnection"]

logger = logging.getLogger(__name__)

ANSWER_REFUSED: Final = "_adapter/answer_refused"
"""`{requestId, error}`: the client's answer to a request of the agent could not be taken."""
_OF_A_SESSION: Final = SETTERS | {CLOSE}
_NAME_ANY_SESSION: Final = frozenset({"session/delete"})
"""Also one that is not open."""


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
        self._limits = limits
        self._save = save
        self._asked: dict[bytes, Asked] = {}
        self._outstanding = OutstandingRequests()
        self._authenticated: list[dict[str, Any]] = []
        self._tasks = TaskOwner(f"acp {record.server_id[:64]}")
        self.is_closed = False
        self._control = make_control(Attached(self, None))
        self._requests = SessionRequests(self, sessions, work=self._work)
        self._held = Held(self, record, links, save=save)
        self._openings = Openings(
            self, record.agent, self._held, sessions, introduction=self._introduction
        )

    @property
    def log(self) -> SessionLog:
        """What the client is told, message by message: the payloads of its entries."""
        return self._outbox.log

    @property
    def size_bytes(self) -> int:
        """Of what is kept of it."""
        return self.log.file.size_bytes + self._control.conversation.log.file.size_bytes

    @property
    def is_introduced(self) -> bool:
        """Its agent runs without a session."""
        return self._control.is_running

    @property
    def is_idle(self) -> bool:
        """Nobody waits for anything, and no process runs for it."""
        return not (
            self._asked
            or self.is_introduced
            or self.log.has_followers
            or any(each.is_live for each in self._held.all())
        )

    def messages(self, after: int = 0) -> AsyncIterator[Message]:
        """Everything that the client is to hear after a cursor, and then what comes. Ends with the connection. Any
        number of readers; a slow one reads from the disk.
        """
        return self._outbox.messages(after)

    async def catch_up(self) -> None:
        """After a crash: what the logs of its sessions have and it has not heard, and an end of what it waits for."""
        heard = await last_heard(self.log)
        for attached in self._held.all():
            assert attached.session_id is not None
            try:
                with self._sessions.session(attached.session_id) as session:
                    await tell_missed(attached, session, heard.get(attached.session_id, 0), self)
            except SandboxAgentError as exc:
                logger.warning("acp %s: %s", self.record.server_id[:64], exc.message)
        self._mark(is_at_work=False)

    def _mark(self, *, is_at_work: bool) -> None:
        if self.record.is_at_work != is_at_work:
            self.record.is_at_work = is_at_work
            self._save()

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
        self._mark(is_at_work=True)
        line = raw.removeprefix(BOM_UTF8).strip()
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
        except Exception:
            logger.exception("acp %s: a message was not understood", self.record.server_id[:64])
            self.failed(asked, _bug(), session_id=None)
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
            self._work(asked, self._open(asked, params))
            return
        attached = self._session_of(method, params)
        asked.inner_id = self._inner_id(asked, attached)
        if attached is None:
            self._work(asked, self._of_connection(asked, method, params))
        elif method in operations.BEGIN_A_TURN:
            self._requests.prompt(asked, attached)
            return
        elif method in SETTERS:
            self._work(asked, self._requests.set(asked, attached, method, params))
        elif method == CLOSE:
            self._work(asked, self._requests.close(asked, attached))
        else:
            self._requests.pass_on(asked, attached)
        self._limit_time(asked)

    def _session_of(self, method: str, params: dict[str, Any]) -> Attached | None:
        """None for what belongs to no session. Raises: SessionNotFound, InvalidRequest."""
        named = as_str(params.get("sessionId"))
        if named is None:
            if method in _OF_A_SESSION or method in operations.BEGIN_A_TURN:
                raise InvalidRequest("`sessionId` must be the id of a session")
            return None
        attached = self._held.get(named)
        if attached is None and method not in _NAME_ANY_SESSION:
            raise SessionNotFound(
                f"this client has no session {named!r} open; session/new, session/load and "
                "session/resume open one",
                sessionId=named,
            )
        return attached

    def _inner_id(self, asked: Asked, attached: Attached | None) -> RequestId:
        id = asked.id
        others = self._held.of_all_clients(attached) if attached is not None else ()
        known = isinstance(id, str | int) and not isinstance(id, bool)
        if known and not any(each.knows(id) for each in others):
            return cast(RequestId, id)
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
                self.failed(asked, _bug(), session_id=None)

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

    async def _open(self, asked: Asked, params: dict[str, Any]) -> None:
        await self._openings.open(asked, params)
        # Its sessions have agents of their own.
        self._tasks.spawn(self._control.stop_if_idle(), name="rest")

    # Notifications and answers of the client

    def _told(self, frame: Frame, raw: bytes | None) -> None:
        method, params = frame["method"], as_dict(frame.get("params"))
        attached = self._held.get(str(params.get("sessionId")))
        try:
            if method == acp.CANCEL_REQUEST:
                self._cancel_request(params.get("requestId"))
            elif attached is not None:
                self._requests.tell(attached, frame, raw)
            elif "sessionId" not in params and isinstance(method, str) and not self.is_closed:
                told = self._control.notify(frame, raw, self._introduction())
                self._tasks.spawn(told, name=method[:64])
        except SandboxAgentError as exc:
            logger.warning("acp %s: %s", self.record.server_id[:64], exc.message)

    def _cancel_request(self, id: Any) -> None:
        """Raises: as `SessionRequests.tell`."""
        asked = self._asked.get(dumps(id))
        attached = next((one for one in self._held.all() if asked in one.in_flight.values()), None)
        if asked is not None and attached is not None:
            self._requests.cancel(asked, attached)

    def _answer_of_client(self, frame: Frame, *, may_answer: bool, actor: str | None) -> None:
        outstanding = self._outstanding.take(frame.get("id"))
        if outstanding is None or (conversation := outstanding.attached.conversation) is None:
            return
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
            self._outstanding.put_back(outstanding)
            told = fault_frame(None, exc)["error"]
            refusal = notification(ANSWER_REFUSED, {"requestId": outstanding.id, "error": told})
            place = outstanding.attached.acp_id
            self._outbox.put(dumps(refusal), refusal, session_id=place)

    # ClientEnd

    def opened(self, attached: Attached) -> None:
        self._held.add(attached)

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
        asyncio.get_running_loop().call_soon(self._rest_if_idle)

    def put(self, attached: Attached, rpc_id: Any) -> Any:
        return self._outstanding.put(attached, rpc_id)

    def withdraw(self, attached: Attached, rpc_id: Any) -> Any:
        return self._outstanding.withdraw(attached, rpc_id)

    def gone(self, attached: Attached) -> None:
        self._outstanding.gone(attached)
        # Not now: what there is to say of it is written after this.
        asyncio.get_running_loop().call_soon(self._rest_if_idle)

    def _rest_if_idle(self) -> None:
        if self.is_idle:
            self._outbox.rest()

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
        await asyncio.gather(
            self._control.close(), *(self._interrupt(id) for id in self._held.clear())
        )
        await self._tasks.cancel()
        await self._outbox.close()
        self._mark(is_at_work=False)

    async def _interrupt(self, session_id: str) -> None:
        try:
            await self._sessions.interrupt(session_id)
        except SandboxAgentError as exc:
            logger.warning("session %s: %s", session_id, exc.message)


def read_frame(raw: bytes) -> Frame:
    """Raises: Refused."""
    try:
        frame = loads(raw.decode("utf-8-sig"))
        if b"NaN" in raw or b"Infinity" in raw:
            # Python reads them; JSON has no such numbers.
            orjson.loads(raw.removeprefix(BOM_UTF8))
    except (ValueError, RecursionError) as exc:
        raise Refused(None, PARSE_ERROR, f"not JSON: {exc}") from exc
    if not isinstance(frame, dict):
        raise Refused(None, INVALID_REQUEST, "a message is a JSON object; there are no batches")
    return frame


def _bug() -> AgentError:
    return AgentError("a bug in the server; its log has the details")


def _check_is_harmless(method: str, params: dict[str, Any]) -> None:
    """Who may not answer may not set what answers for them. Raises: PermissionDenied."""
    gives = params.get("mcpServers") or params.get("additionalDirectories")
    if method in SETTERS or (method in OPENINGS and gives):
        raise PermissionDenied(f"this token may not do this by {method}: that takes `answer`")
