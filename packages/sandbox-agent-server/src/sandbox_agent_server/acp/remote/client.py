"""One ACP client: what it asks is put to sessions, what they say goes back to it.

To the client the server is the agent. Its sessions are the server's own, under the server's ids: they outlive the
connection, are followed by others too, and belong to whichever agent; what the client can do on its machine
(`fs`, `terminal`) is never told to them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from sandbox_agent_core.errors import (
    Conflict,
    InternalError,
    InvalidRequest,
    RequestNotFound,
    SandboxAgentError,
)
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import (
    CANCELLED,
    INVALID_REQUEST,
    Frame,
)
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.lenient import as_dict, as_str, dicts_in

from sandbox_agent_server.acp.remote.attachment import Attachment
from sandbox_agent_server.acp.remote.attachments import Attachments
from sandbox_agent_server.acp.remote.dialects import Dialect
from sandbox_agent_server.acp.remote.opened import session_id_of
from sandbox_agent_server.acp.remote.outlet import Outlet
from sandbox_agent_server.acp.remote.refusals import RpcError, rpc_error
from sandbox_agent_server.acp.remote.rights import Rights
from sandbox_agent_server.acp.remote.vocabulary import (
    SESSION_DELETE,
    own_meta,
)
from sandbox_agent_server.agents.runner.inventory import AgentInventory
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.manager import SessionManager

__all__ = ["RemoteClient"]

logger = logging.getLogger(__name__)

_MAX_ID_CHARS: Final = 1024
_LATER: Final = object()
_TO_CONNECTION: Final = frozenset(
    {acp.SESSION_NEW, acp.SESSION_LOAD, acp.SESSION_RESUME, acp.SESSION_FORK, SESSION_DELETE}
)
"""Their answers are not of a session: its stream may not be there yet, or no longer."""


class RemoteClient:
    def __init__(
        self,
        agent: str,
        manager: SessionManager,
        agents: AgentInventory,
        outlet: Outlet,
        rights: Rights,
        limits: Limits,
        dialect: Dialect,
        *,
        version: str,
    ) -> None:
        self._agent = agent
        self._manager = manager
        self._agents = agents
        self._outlet = outlet
        self._rights = rights
        self._limits = limits
        self._dialect = dialect
        self._version = version
        self._tasks = TaskOwner(f"acp client of {agent}")
        self._attached = Attachments(manager, outlet, limits, self._tasks, dialect.reader)
        self._requests = dialect.requests(agent, manager, self._attached, outlet, rights, limits)
        self._asked: dict[bytes, Callable[[], object]] = {}
        """Requests of the client that are not answered: how each is given up."""
        self._at_work = 0
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def greet(self, params: dict[str, Any]) -> dict[str, Any]:
        """The result of `initialize`. Raises: InvalidRequest."""
        asks = {acp.SESSION_REQUEST_PERMISSION}
        capabilities = as_dict(params.get(self._dialect.capabilities))
        if isinstance(capabilities.get("elicitation"), dict):
            asks.add(acp.ELICITATION_CREATE)
        if self._rights.bearer.may("answer"):
            self._attached.asks = frozenset(asks)
        return await self._dialect.greet(self._agents, self._agent, params, version=self._version)

    async def close(self) -> None:
        """The client is gone. Sessions and their turns go on."""
        await self._tasks.cancel()

    async def room(self) -> None:
        """Until not too many of its requests are being worked on."""
        await self._has_room.wait()

    # What comes from the client

    def receive(self, frame: Any) -> None:
        """A message. Whatever is wrong with it is its answer; nothing is raised."""
        if not isinstance(frame, dict):
            what = "a batch, which ACP does not have" if isinstance(frame, list) else "no object"
            self._refuse_soon(
                None, RpcError(INVALID_REQUEST, f"a message is one object, not {what}")
            )
            return
        method, params = frame.get("method"), as_dict(frame.get("params"))
        if not isinstance(method, str):
            self._take_answer(frame)
        elif "id" not in frame:
            self._take_notification(method, params)
        elif not _is_id(id := frame["id"]):
            refusal = RpcError(INVALID_REQUEST, "the `id` of a request is a string or a number")
            self._refuse_soon(None, refusal)
        elif (key := dumps(id)) in self._asked:
            refusal = RpcError(
                INVALID_REQUEST, f"a request with the id {id!r} waits for its answer"
            )
            self._refuse_soon(id, refusal)
        elif method == acp.SESSION_PROMPT and own_meta(params).get("again") is not True:
            self._prompt(id, key, params)
        else:
            self._spawn(id, key, method, params)

    def _spawn(self, id: Any, key: bytes, method: str, params: dict[str, Any]) -> None:
        self._at_work += 1
        if self._at_work >= self._limits.max_acp_requests:
            self._has_room.clear()
        task = self._tasks.spawn(self._work(id, key, method, params), name=method[:64])
        self._asked[key] = task.cancel
        task.add_done_callback(lambda _task: self._done())

    def _done(self) -> None:
        self._at_work -= 1
        self._has_room.set()

    async def _work(self, id: Any, key: bytes, method: str, params: dict[str, Any]) -> None:
        session_id = None if method in _TO_CONNECTION else as_str(params.get("sessionId"))
        try:
            result = await self._answer(id, key, method, params)
            if result is _LATER:
                return
            answer: dict[str, Any] = {"result": result}
        except (SandboxAgentError, RpcError) as exc:
            answer = {"error": rpc_error(exc)}
        except Exception:
            logger.exception("acp: %s failed", method[:64])
            bug = InternalError("a bug in the server; its log has the details")
            answer = {"error": rpc_error(bug)}
        self._asked.pop(key, None)
        await self._send(session_id, _response(id, answer))
        if "result" not in answer:
            return
        if method in (acp.SESSION_NEW, acp.SESSION_FORK):
            self._attached.follow(answer["result"]["sessionId"], after=0, shown_after=0)
        elif method in (acp.SESSION_LOAD, acp.SESSION_RESUME):
            await self._attached.of(params["sessionId"]).ask_again()

    async def _answer(self, id: Any, key: bytes, method: str, params: dict[str, Any]) -> Any:
        """`_LATER`: it will be answered by what is asked to do it. Raises: SandboxAgentError, RpcError."""
        if method == acp.INITIALIZE:
            raise RpcError(INVALID_REQUEST, "this connection is initialised already")
        if method == acp.SESSION_PROMPT:
            await self._prompt_again(id, key, params)
            return _LATER
        return await self._requests.answer(method, params)

    def _take_notification(self, method: str, params: dict[str, Any]) -> None:
        try:
            if method == acp.SESSION_CANCEL:
                self._rights.bearer.require("prompt", to="cancel")
                with self._manager.session(session_id_of(params)) as session:
                    session.cancel(None)
            elif method == acp.CANCEL_REQUEST:
                self._give_up(params.get("requestId"))
            elif method.startswith("_") and isinstance(params.get("sessionId"), str):
                self._requests.tell_agent(method, params)
        except SandboxAgentError as exc:
            logger.info("acp: %s is ignored: %s", method[:64], exc.message)

    def _take_answer(self, frame: Frame) -> None:
        """To what an agent asked. One that nobody waits for is ignored, as is one that does not fit."""
        id = frame.get("id")
        if isinstance(id, bool) or not isinstance(id, int):
            return
        question = self._attached.questions.pop(id, None)
        if question is None:
            return
        try:
            with self._manager.session(question.session_id) as session:
                if question.request_id not in session.state.pending:
                    raise RequestNotFound("it is open no longer")
                answer = {**self._dialect.understood(frame, question), "id": question.rpc_id}
                session.conversation.requests.answer_frame(answer, actor=self._rights.bearer.actor)
        except SandboxAgentError as exc:
            logger.info("acp: an answer to %s is ignored: %s", question.request_id, exc.message)

    def _give_up(self, id: Any) -> None:
        """`$/cancel_request`."""
        if not _is_id(id) or (give_up := self._asked.pop(dumps(id), None)) is None:
            return
        give_up()
        self._refuse_soon(id, RpcError(CANCELLED, "Request cancelled"))

    # Prompts

    def _prompt(self, id: Any, key: bytes, params: dict[str, Any]) -> None:
        session_id = as_str(params.get("sessionId"))
        try:
            self._begin(id, key, params)
        except SandboxAgentError as exc:
            self._tasks.spawn(
                self._send(session_id, _response(id, {"error": rpc_error(exc)})), name="refusal"
            )

    def _begin(self, id: Any, key: bytes, params: dict[str, Any]) -> None:
        """Raises: SandboxAgentError."""
        self._rights.bearer.require("prompt", to="prompt")
        session_id = session_id_of(params)
        blocks = params.get("prompt")
        if not isinstance(blocks, list) or len(dicts_in(blocks)) != len(blocks) or not blocks:
            raise InvalidRequest("`prompt` is an array of content blocks, and not empty")
        turn_id = as_str(own_meta(params).get("turnId")) or new_id("turn")
        with self._manager.session(session_id) as session:
            attachment = self._attached.of(session_id)
            if turn_id in attachment.turns or turn_id in session.turns.unended:
                raise Conflict(f"there is a turn {turn_id!r} already")
            self._await_turn(attachment, turn_id, id, key)
            try:
                session.prompt(blocks, turn_id=turn_id)
            except BaseException:
                attachment.turns.pop(turn_id, None)
                self._asked.pop(key, None)
                raise

    def _await_turn(self, attachment: Attachment, turn_id: str, id: Any, key: bytes) -> None:
        def answer(outcome: dict[str, Any]) -> bytes:
            self._asked.pop(key, None)
            return _response(id, outcome)

        def give_up() -> None:
            attachment.turns.pop(turn_id, None)
            try:
                with self._manager.session(attachment.session_id) as session:
                    session.cancel(turn_id)
            except SandboxAgentError as exc:
                logger.info("acp: turn %s is not cancelled: %s", turn_id, exc.message)

        attachment.turns[turn_id] = answer
        self._asked[key] = give_up

    async def _prompt_again(self, id: Any, key: bytes, params: dict[str, Any]) -> None:
        """A prompt of which the client does not know whether it arrived: it is given once."""
        session_id, turn_id = session_id_of(params), as_str(own_meta(params).get("turnId"))
        if turn_id is None:
            raise InvalidRequest("a prompt `again` needs its `turnId`")
        self._rights.bearer.require("prompt", to="prompt")
        with self._manager.session(session_id) as session:
            attachment = self._attached.of(session_id)
            await attachment.current()
            if (over := attachment.over.pop(turn_id, None)) is not None:
                self._asked.pop(key, None)
                await self._send(session_id, _response(id, over))
            elif turn_id in session.turns.unended:
                self._await_turn(attachment, turn_id, id, key)
            else:
                self._begin(id, key, params)

    # What goes to the client

    def _refuse_soon(self, id: Any, error: RpcError) -> None:
        message = _response(id, {"error": error.error})
        self._tasks.spawn(self._send(None, message), name="refusal")

    async def _send(self, session_id: str | None, message: bytes) -> None:
        # Whoever reads the connection finds out by itself.
        with suppress(ConnectionError):
            await self._outlet.send(session_id, message)


def _is_id(id: Any) -> bool:
    if isinstance(id, str):
        return len(id) <= _MAX_ID_CHARS
    return isinstance(id, int | float) and not isinstance(id, bool)


def _response(id: Any, answer: dict[str, Any]) -> bytes:
    return dumps({"jsonrpc": "2.0", "id": id, **answer})
