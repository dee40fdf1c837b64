"""One ACP client: what it asks is put to sessions, what they say goes back to it.

To the client the server is the agent. Its sessions are the server's own, under the server's ids: they outlive the
connection, are followed by others too, and belong to whichever agent; what the client can do on its machine
(`fs`, `terminal`) is never told to them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, Final

from sandbox_agent_core.api.long_work import ForkSession
from sandbox_agent_core.api.sessions import CreateSession, PatchSession, ResumeSession
from sandbox_agent_core.errors import (
    Conflict,
    InternalError,
    InvalidRequest,
    RequestNotFound,
    SandboxAgentError,
    Timeout,
)
from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_core.frames.jsonrpc import (
    CANCELLED,
    INVALID_REQUEST,
    Frame,
)
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.lenient import as_dict, as_list, as_str, compact, dicts_in

from sandbox_agent_server.acp.remote.attachment import Attachment, Question
from sandbox_agent_server.acp.remote.greeting import greeting
from sandbox_agent_server.acp.remote.opened import body_of, listed, offered, session_id_of
from sandbox_agent_server.acp.remote.outlet import Outlet
from sandbox_agent_server.acp.remote.refusals import RpcError, rpc_error
from sandbox_agent_server.acp.remote.rights import Rights
from sandbox_agent_server.acp.remote.vocabulary import (
    META,
    SESSION_CLOSE,
    SESSION_DELETE,
    SESSION_LIST,
    own_meta,
)
from sandbox_agent_server.agents.runner.inventory import AgentInventory
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.agent import SessionSecrets
from sandbox_agent_server.sessions.listing import SessionFilter
from sandbox_agent_server.sessions.manager import SessionManager
from sandbox_agent_server.sessions.session import Session

__all__ = ["RemoteClient"]

logger = logging.getLogger(__name__)

_LISTED: Final = frozenset({"starting", "idle", "running", "background", "waiting", "dormant"})
_PAGE: Final = 50
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
        *,
        version: str,
    ) -> None:
        self._agent = agent
        self._manager = manager
        self._agents = agents
        self._outlet = outlet
        self._rights = rights
        self._limits = limits
        self._version = version
        self._tasks = TaskOwner(f"acp client of {agent}")
        self._attached: dict[str, tuple[Attachment, asyncio.Task[Any]]] = {}
        self._asked: dict[bytes, Callable[[], object]] = {}
        """Requests of the client that are not answered: how each is given up."""
        self._at_work = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._questions: dict[int, Question] = {}
        self._new_id = partial(next, count())
        self._asks = frozenset({acp.SESSION_REQUEST_PERMISSION})
        """What an agent asks that this client can be asked; others may answer the rest."""
        self._requests: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
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

    async def greet(self, params: dict[str, Any]) -> dict[str, Any]:
        """The result of `initialize`. Raises: InvalidRequest."""
        if isinstance(as_dict(params.get("clientCapabilities")).get("elicitation"), dict):
            self._asks |= {acp.ELICITATION_CREATE}
        if not self._rights.bearer.may("answer"):
            self._asks = frozenset()
        return await greeting(self._agents, self._agent, params, version=self._version)

    async def close(self) -> None:
        """The client is gone. Sessions and their turns go on."""
        await self._tasks.cancel()
        self._attached.clear()
        self._questions.clear()

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
            self._attach(answer["result"]["sessionId"], after=0, shown_after=0)
        elif method in (acp.SESSION_LOAD, acp.SESSION_RESUME):
            await self._attachment(params["sessionId"]).ask_again()

    async def _answer(self, id: Any, key: bytes, method: str, params: dict[str, Any]) -> Any:
        """`_LATER`: it will be answered by what is asked to do it. Raises: SandboxAgentError, RpcError."""
        if method == acp.INITIALIZE:
            raise RpcError(INVALID_REQUEST, "this connection is initialised already")
        if method == acp.SESSION_PROMPT:
            await self._prompt_again(id, key, params)
            return _LATER
        if (handle := self._requests.get(method)) is not None:
            return await handle(params)
        return await self._ask_agent(method, params)

    def _take_notification(self, method: str, params: dict[str, Any]) -> None:
        try:
            if method == acp.SESSION_CANCEL:
                self._require("cancel")
                with self._manager.session(session_id_of(params)) as session:
                    session.cancel(None)
            elif method == acp.CANCEL_REQUEST:
                self._give_up(params.get("requestId"))
            elif method.startswith("_") and isinstance(params.get("sessionId"), str):
                self._tell_agent(method, params)
        except SandboxAgentError as exc:
            logger.info("acp: %s is ignored: %s", method[:64], exc.message)

    def _take_answer(self, frame: Frame) -> None:
        """To what an agent asked. One that nobody waits for is ignored, as is one that does not fit."""
        id = frame.get("id")
        if isinstance(id, bool) or not isinstance(id, int):
            return
        question = self._questions.pop(id, None)
        if question is None:
            return
        try:
            with self._manager.session(question.session_id) as session:
                if question.request_id not in session.state.pending:
                    raise RequestNotFound("it is open no longer")
                answer = {**frame, "id": question.rpc_id}
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
        self._require("prompt")
        session_id = session_id_of(params)
        blocks = params.get("prompt")
        if not isinstance(blocks, list) or len(dicts_in(blocks)) != len(blocks) or not blocks:
            raise InvalidRequest("`prompt` is an array of content blocks, and not empty")
        turn_id = as_str(own_meta(params).get("turnId")) or new_id("turn")
        with self._manager.session(session_id) as session:
            attachment = self._attachment(session_id)
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
        self._require("prompt")
        with self._manager.session(session_id) as session:
            attachment = self._attachment(session_id)
            await attachment.current()
            if (over := attachment.over.pop(turn_id, None)) is not None:
                self._asked.pop(key, None)
                await self._send(session_id, _response(id, over))
            elif turn_id in session.turns.unended:
                self._await_turn(attachment, turn_id, id, key)
            else:
                self._begin(id, key, params)

    # Sessions

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
        last_seq = self._manager.log(session_id).last_seq
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
        self._outlet.opened(session_id)
        with self._manager.session(session_id) as session:
            is_at_work = session.agent.is_running and not session.turns.is_idle
            given = SessionSecrets(env=dict(body.env), mcp_servers=body.mcp_servers)
            if is_at_work or session.state.tasks:
                given = SessionSecrets()
            await self._manager.resume(session_id, given)
        return session_id

    async def _follow(
        self, session_id: str, params: dict[str, Any], *, after: int, shown_after: int
    ) -> dict[str, Any]:
        pending = frozenset(asked["id"] for asked in self._manager.pending_requests(session_id))
        own = [turn for turn in as_list(own_meta(params).get("turns")) if isinstance(turn, str)]
        attachment = self._attach(
            session_id,
            after=after,
            shown_after=shown_after,
            pending=pending,
            own_turns=frozenset(own[: self._limits.max_queued_turns + 1]),
        )
        await attachment.current()
        return {**self._told(session_id), "_meta": {META: {"pending": sorted(pending)}}}

    async def _list(self, params: dict[str, Any]) -> dict[str, Any]:
        wanted = SessionFilter(agents=frozenset({self._agent}), statuses=_LISTED)
        page = self._manager.list(cursor=as_str(params.get("cursor")), limit=_PAGE, wanted=wanted)
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

    def _tell_agent(self, method: str, params: dict[str, Any]) -> None:
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

    # What goes to the client

    def _attachment(self, session_id: str) -> Attachment:
        """The session as this client follows it; from now on, if it did not. Raises: SessionNotFound."""
        if (known := self._attached.get(session_id)) is not None and not known[1].done():
            return known[0]
        last_seq = self._manager.log(session_id).last_seq
        return self._attach(session_id, after=last_seq, shown_after=last_seq)

    def _attach(
        self,
        session_id: str,
        *,
        after: int,
        shown_after: int,
        pending: frozenset[str] = frozenset(),
        own_turns: frozenset[str] = frozenset(),
    ) -> Attachment:
        attachment = Attachment(
            self._manager.log(session_id),
            self._outlet,
            self._questions,
            self._new_id,
            after=after,
            shown_after=shown_after,
            pending=pending,
            own_turns=own_turns,
            asks=self._asks,
        )
        if (earlier := self._attached.get(session_id)) is not None:
            earlier[1].cancel()
            attachment.turns.update(earlier[0].turns)
            for id in [id for id, one in self._questions.items() if one.session_id == session_id]:
                del self._questions[id]
        self._outlet.opened(session_id)
        task = self._tasks.spawn(
            attachment.run(heartbeat_s=self._limits.heartbeat_s), name=session_id
        )
        self._attached[session_id] = (attachment, task)
        return attachment

    def _told(self, session_id: str) -> dict[str, Any]:
        with self._manager.session(session_id) as session:
            return {"sessionId": session_id, **offered(session.state.options)}

    def _refuse_soon(self, id: Any, error: RpcError) -> None:
        message = _response(id, {"error": error.error})
        self._tasks.spawn(self._send(None, message), name="refusal")

    async def _send(self, session_id: str | None, message: bytes) -> None:
        # Whoever reads the connection finds out by itself.
        with suppress(ConnectionError):
            await self._outlet.send(session_id, message)

    def _require(self, what: str) -> None:
        self._rights.bearer.require("prompt", to=what)


def _is_id(id: Any) -> bool:
    if isinstance(id, str):
        return len(id) <= _MAX_ID_CHARS
    return isinstance(id, int | float) and not isinstance(id, bool)


def _cursor(params: dict[str, Any]) -> int | None:
    cursor = own_meta(params).get("cursor")
    is_one = isinstance(cursor, int) and not isinstance(cursor, bool) and cursor >= 0
    return cursor if is_one else None


def _response(id: Any, answer: dict[str, Any]) -> bytes:
    return dumps({"jsonrpc": "2.0", "id": id, **answer})
