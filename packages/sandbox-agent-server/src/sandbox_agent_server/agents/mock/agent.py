"""The mock agent itself: an ACP agent that knows no transport. Frames are given to it, and lie in its outbox."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox_agent_core.agent_options import MockOptions
from sandbox_agent_core.content import CONTEXT_META
from sandbox_agent_core.frames import Frame, FrameKind, RequestId, acp, operations
from sandbox_agent_core.frames.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    error_response,
    kind_of,
    notification,
    request,
    response,
)
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import TASK_STOP
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META

from sandbox_agent_server.agents.mock import long_work
from sandbox_agent_server.agents.mock.background import Background
from sandbox_agent_server.agents.mock.offers import (
    AGENT_INFO,
    CAPABILITIES,
    LONG_WORK,
    MORE,
    MockSession,
)
from sandbox_agent_server.agents.mock.outbox import Outbox
from sandbox_agent_server.agents.mock.refusal import Refused
from sandbox_agent_server.agents.mock.scenarios import SCENARIOS, play
from sandbox_agent_server.agents.mock.turn import Crashed, PromptFailed, Turn

__all__ = ["MockAgent"]

logger = logging.getLogger(__name__)


_Play = Callable[[Turn], Awaitable[str]]


class MockAgent:
    """`on_crash` is told when the agent dies; it says nothing more after that. One that `is_plain` knows ACP alone."""

    def __init__(
        self,
        *,
        on_crash: Callable[[Crashed], None],
        options: MockOptions | None = None,
        is_plain: bool = False,
    ) -> None:
        self.outbox = Outbox()
        self._on_crash = on_crash
        self._options = options or MockOptions()
        self._is_plain = is_plain
        self._sessions: dict[str, MockSession] = {}
        self._background: dict[str, Background] = {}
        self._turns: dict[str, tuple[Turn, asyncio.Task[str]]] = {}
        self._asked: dict[str, asyncio.Future[Frame]] = {}
        self._last_request = 0
        self._methods: dict[str, Callable[[dict[str, Any]], tuple[Any, list[Frame]] | None]] = {
            acp.INITIALIZE: self._initialize,
            acp.AUTHENTICATE: lambda _params: ({}, []),
            acp.SESSION_NEW: self._new_session,
            acp.SESSION_LOAD: self._load_session,
            acp.SESSION_SET_MODE: self._set_mode,
            acp.SESSION_SET_CONFIG_OPTION: self._set_option,
        }
        self._turn_methods = {acp.SESSION_PROMPT: self._prompt}
        if not is_plain:
            self._methods |= {
                operations.SESSION_FORK: self._fork_session,
                operations.SESSION_STEER: self._steer,
                operations.SESSION_REWIND: self._rewind,
                operations.SESSION_RENAME: lambda params: long_work.rename(
                    self._session(params), params
                ),
                operations.SESSION_NATIVE: lambda params: long_work.native(
                    self._session(params), params
                ),
            }
            self._turn_methods |= {
                operations.SESSION_COMPACT: self._compact,
                operations.SESSION_REVIEW: self._review,
            }

    def receive(self, frame: Frame) -> None:
        """Take one frame of the client."""
        match kind_of(frame):
            case FrameKind.REQUEST:
                self._on_request(frame)
            case FrameKind.NOTIFICATION:
                if frame["method"] == acp.SESSION_CANCEL:
                    self._cancel(_params(frame).get("sessionId"))
                elif frame["method"] == TASK_STOP:
                    self._stop_task(_params(frame))
            case FrameKind.RESPONSE | FrameKind.ERROR:
                asked = self._asked.get(str(frame.get("id")))
                if asked is not None and not asked.done():
                    asked.set_result(frame)
            case FrameKind.INVALID:
                logger.debug("the mock agent was sent what is no frame")

    async def close(self) -> None:
        tasks = [task for _turn, task in self._turns.values()]
        self._turns.clear()
        self.outbox.end()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for background in self._background.values():
            await background.close()

    def _on_request(self, frame: Frame) -> None:
        id, method, params = frame["id"], frame["method"], _params(frame)
        try:
            if method in self._turn_methods:
                self._turn_methods[method](id, params)
                return
            if method not in self._methods:
                raise Refused(METHOD_NOT_FOUND, f"unknown method {method!r}")
            answer = self._methods[method](params)
        except Refused as exc:
            self.outbox.put_now(error_response(id, exc.code, str(exc)))
        except ValueError as exc:
            self.outbox.put_now(error_response(id, INVALID_PARAMS, str(exc)))
        else:
            if answer is not None:
                result, following = answer
                self.outbox.put_now(response(id, result), *following)

    # Sessions

    def _initialize(self, _params: dict[str, Any]) -> tuple[Any, list[Frame]]:
        own = {} if self._is_plain else {**MORE, "_meta": {CAPABILITIES_META: LONG_WORK}}
        return {
            "protocolVersion": acp.PROTOCOL_VERSION,
            "agentCapabilities": {**CAPABILITIES, **own},
            "agentInfo": AGENT_INFO,
            "authMethods": [],
        }, []

    def _new_session(self, params: dict[str, Any]) -> tuple[Any, list[Frame]]:
        session = self._add_session(f"mock-session-{len(self._sessions) + 1}", params)
        return {"sessionId": session.id, **session.describe()}, [_commands(session)]

    def _fork_session(self, params: dict[str, Any]) -> tuple[Any, list[Frame]]:
        session = self._add_session(f"mock-fork-{len(self._sessions) + 1}", params)
        long_work.fork(session, params)
        return {"sessionId": session.id, **session.describe()}, [_commands(session)]

    def _load_session(self, params: dict[str, Any]) -> tuple[Any, list[Frame]]:
        """It remembers nothing and says yes to every id, so there is nothing to replay either."""
        session = self._add_session(str(params.get("sessionId")), params)
        return session.describe(), [_commands(session)]

    def _add_session(self, id: str, params: dict[str, Any]) -> MockSession:
        session = MockSession(
            id=id,
            cwd=str(params.get("cwd", "/")),
            reply=self._options.reply,
            is_trusted=bool(self._options.trusted),
            is_plain=self._is_plain,
            hooks=frozenset() if self._is_plain else _hooks(params),
        )
        self._sessions[id] = session
        self._background[id] = Background(id, self.outbox)
        return session

    def _set_mode(self, params: dict[str, Any]) -> tuple[Any, list[Frame]]:
        self._session(params).set_mode(params.get("modeId"))
        return {}, []

    def _set_option(self, params: dict[str, Any]) -> tuple[Any, list[Frame]]:
        session = self._session(params)
        session.set_option(params.get("configId"), params.get("value"))
        return {"configOptions": session.config_options()}, []

    def _session(self, params: dict[str, Any]) -> MockSession:
        session = self._sessions.get(str(params.get("sessionId")))
        if session is None:
            raise Refused(INVALID_PARAMS, f"unknown session {params.get('sessionId')!r}")
        return session

    # Turns

    def _prompt(self, id: RequestId, params: dict[str, Any]) -> None:
        session, text = self._session_at_rest(params), _text(params.get("prompt"))
        session.prompts.append(text)
        session.edits.append([])
        self._begin(id, session, text, play)

    def _compact(self, id: RequestId, params: dict[str, Any]) -> None:
        session = self._session_at_rest(params)
        self._begin(id, session, "", lambda turn: long_work.compact(turn, params))

    def _review(self, id: RequestId, params: dict[str, Any]) -> None:
        session = self._session_at_rest(params)
        self._begin(id, session, "", lambda turn: long_work.review(turn, params))

    def _session_at_rest(self, params: dict[str, Any]) -> MockSession:
        session = self._session(params)
        if session.id in self._turns:
            raise Refused(INVALID_REQUEST, "a turn is running: cancel it or wait for its end")
        return session

    def _begin(self, id: RequestId, session: MockSession, text: str, play: _Play) -> None:
        session.turns += 1
        turn = Turn(
            session,
            text,
            outbox=self.outbox,
            ask=self._ask,
            begin_in_background=self._background[session.id].begin,
        )
        task = asyncio.create_task(_played(play, turn), name=f"mock-{session.id}-{session.turns}")
        self._turns[session.id] = (turn, task)
        # Not in the task: one that is cancelled before its first step never runs, and is answered too.
        task.add_done_callback(functools.partial(self._on_end, id, turn))

    def _steer(self, params: dict[str, Any]) -> tuple[Any, list[Frame]]:
        running = self._turns.get(self._session(params).id)
        if running is None or running[1].done():
            raise Refused(INVALID_REQUEST, "no turn is running")
        return long_work.steer(running[0], _text(params.get("prompt")))

    def _rewind(self, params: dict[str, Any]) -> tuple[Any, list[Frame]]:
        return long_work.rewind(self._session_at_rest(params), params)

    def _cancel(self, session_id: object) -> None:
        running = self._turns.get(str(session_id))
        if running is not None and not running[0].is_deaf:
            running[1].cancel()
        if (background := self._background.get(str(session_id))) is not None:
            background.cancel()

    def _stop_task(self, params: dict[str, Any]) -> None:
        background = self._background.get(str(params.get("sessionId")))
        if background is not None:
            background.stop(params.get("taskId"))

    def _on_end(self, id: RequestId, turn: Turn, task: asyncio.Task[str]) -> None:
        if self._turns.pop(turn.session.id, None) is None:
            return  # the agent is closed: there is nobody to answer
        if task.cancelled():
            self.outbox.put_now(response(id, {"stopReason": "cancelled"}))
            return
        match task.exception():
            case None:
                answer = response(id, {"stopReason": task.result(), "usage": _usage(turn)})
                self.outbox.put_now(answer, *map(turn.frame, turn.afterwards))
            case PromptFailed() as failure:
                self.outbox.put_now(error_response(id, failure.code, str(failure)))
            case Crashed() as crash:
                self._on_crash(crash)
                self.outbox.end()
            case bug:
                logger.error("a scenario of the mock agent failed", exc_info=bug)
                self.outbox.put_now(error_response(id, INTERNAL_ERROR, "the mock agent has a bug"))

    async def _ask(self, method: str, params: dict[str, Any]) -> Frame:
        self._last_request += 1
        # Text, where clients mostly number: who mixes the two ends' ids up finds out here.
        id = f"mock-request-{self._last_request}"
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._asked[id] = answer
        try:
            await self.outbox.put([request(id, method, params)])
            return await answer
        finally:
            del self._asked[id]


async def _played(play: _Play, turn: Turn) -> str:
    return await play(turn)


def _params(frame: Frame) -> dict[str, Any]:
    params: object = frame.get("params")
    return params if isinstance(params, dict) else {}


def _hooks(params: dict[str, Any]) -> frozenset[str]:
    """Which the session was opened with."""
    wanted = as_dict(as_dict(params.get("_meta")).get("hooks"))
    return frozenset(name for name, is_wanted in wanted.items() if is_wanted is True)


def _text(prompt: object) -> str:
    """What the person typed, without what the host put before it as context."""
    blocks = prompt if isinstance(prompt, list) else []
    return "\n".join(
        str(block.get("text", ""))
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "text" and not _is_context(block)
    ).strip()


def _is_context(block: dict[str, Any]) -> bool:
    meta = block.get("_meta")
    return isinstance(meta, dict) and bool(meta.get(CONTEXT_META))


def _usage(turn: Turn) -> dict[str, int]:
    """Made up, but always the same for the same prompt."""
    words = len(turn.text.split())
    return {"inputTokens": 100 + words, "outputTokens": 20, "totalTokens": 120 + words}


def _commands(session: MockSession) -> Frame:
    commands = [
        {"name": name, "description": scenario.about}
        | ({"input": {"hint": scenario.words}} if scenario.words else {})
        for name, scenario in SCENARIOS.items()
    ]
    update = {"sessionUpdate": acp.AVAILABLE_COMMANDS_UPDATE, "availableCommands": commands}
    return notification(acp.SESSION_UPDATE, {"sessionId": session.id, "update": update})
