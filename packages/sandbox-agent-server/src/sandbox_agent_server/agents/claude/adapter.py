"""Claude Code as an ACP agent: one process behind `session/new`, its control protocol on stdio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import uuid4

from sandbox_agent_core.errors import AgentNotInstalled, AgentStartFailed
from sandbox_agent_core.frames import Frame, RequestId, acp
from sandbox_agent_core.frames.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    error_response,
    response,
)
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, WireFrame

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.acp.definition import find_program
from sandbox_agent_server.agents.acp.reading import unparsed
from sandbox_agent_server.agents.claude.content import UnsupportedContent, prompt_content
from sandbox_agent_server.agents.claude.launch import INSTALL_HINT, find, version_at
from sandbox_agent_server.agents.claude.native import Native, control_request, user_message
from sandbox_agent_server.agents.claude.offers import Offers
from sandbox_agent_server.agents.claude.process import ClaudeProcess
from sandbox_agent_server.agents.claude.session_params import SessionParams
from sandbox_agent_server.agents.claude.settings import Change, UnknownSetting, change_of
from sandbox_agent_server.agents.claude.translate import Output, Translator
from sandbox_agent_server.agents.claude.turns import Prompt
from sandbox_agent_server.agents.native_adapter import LineAdapter, Refused
from sandbox_agent_server.agents.session_request import InvalidSession
from sandbox_agent_server.agents.waiting import LineWaiter

__all__ = ["ClaudeAdapter"]

logger = logging.getLogger(__name__)

_RESOURCE_NOT_FOUND: Final = -32002
"""ACP: what the request names does not exist, here a conversation to resume."""

_LAST_WRITE_S: Final = 0.1

_CAPABILITIES: Final = {
    # Claude keeps its own history and does not tell it: it resumes, it does not load.
    "loadSession": False,
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": True},
    "sessionCapabilities": {"resume": {}, "additionalDirectories": {}},
}

_Answer = Callable[[Mapping[str, Any]], list[Frame]]
"""Frames for the body of the control response."""


@dataclass(slots=True)
class _Opening:
    """A session being opened: the process runs, its handshake is not answered yet."""

    id: RequestId
    params: SessionParams
    early: list[Native] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class ClaudeAdapter(LineAdapter):
    """An `AgentAdapter`.

    The command line depends on the session, so the process is started by `session/new` or
    `session/resume`. When that fails the request is answered with an error and the adapter goes on:
    after a failed resume a new session can be asked for.
    """

    def __init__(
        self, context: AgentContext, *, new_id: Callable[[], str] = lambda: str(uuid4())
    ) -> None:
        super().__init__()
        self._context = context
        self._new_id = new_id
        self._command: tuple[str, ...] = ()
        self._version: str | None = None
        self._can_bypass = context.options.get("allow_bypass") is not False
        self._process: ClaudeProcess | None = None
        self._opening: _Opening | None = None
        self._translator: Translator | None = None
        self._asked: dict[str, _Answer] = {}
        self._controls = 0
        self._exit = AgentExit()
        self._handlers = {
            acp.INITIALIZE: self._initialize,
            acp.SESSION_NEW: self._new_session,
            acp.SESSION_RESUME: self._resume_session,
            acp.SESSION_PROMPT: self._prompt,
        }
        for method in (
            acp.SESSION_SET_MODE,
            acp.SESSION_SET_MODEL,
            acp.SESSION_SET_CONFIG_OPTION,
        ):
            self._handlers[method] = partial(self._set, method)

    async def start(self) -> None:
        """Only looks for the program."""
        given, env = self._context.command, self._context.env
        found = find_program(given[0], env) if given else find(env)
        if found is None:
            what = f"{given[0]!r} is not there." if given else "Claude Code is not installed."
            raise AgentNotInstalled(f"{what} {INSTALL_HINT}", agent="claude")
        self._command = tuple(given) if given else (found.path,)
        self._version = found.version or version_at(found.path)

    async def frames(self) -> AsyncIterator[list[WireFrame]]:
        waiter = LineWaiter(self._bell)
        try:
            while True:
                if self._outgoing:
                    yield self._take()
                elif self._is_closed and self._process is None:
                    return
                else:
                    process = self._process
                    lines = await waiter.next(process.lines() if process is not None else None)
                    if lines is not None:
                        await self._read(lines)
                    elif process is not None and not await self._ended(process):
                        return
        finally:
            waiter.stop()

    async def close(self) -> AgentExit:
        if self._process is not None:
            if not self._is_closed and self._translator is not None:
                await self._stop_turn(self._translator)
            self._is_closed = True
            self._exit = await self._process.close()
        self._is_closed = True
        self._bell.set()
        return self._exit

    async def _stop_turn(self, translator: Translator) -> None:
        """Claude ends at the end of its input only after the turn: 4 s later, killed, when a
        command runs. Interrupted first it ends at once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WRITE_S):
                await self._write(translator.cancel())
        # Nobody asked for this end: what the turn came to is for the session to say.
        translator.abandon_prompt()

    # From the client

    async def _initialize(self, id: RequestId, params: dict[str, Any]) -> None:
        info = {"name": "claude-code", "title": "Claude Code"}
        if self._version is not None:
            info["version"] = self._version
        result = {
            "protocolVersion": acp.PROTOCOL_VERSION,
            "agentCapabilities": _CAPABILITIES,
            "agentInfo": info,
            "authMethods": [],
        }
        self._emit([response(id, result)])

    async def _new_session(self, id: RequestId, params: dict[str, Any]) -> None:
        await self._open(id, params, new_id=self._new_id())

    async def _resume_session(self, id: RequestId, params: dict[str, Any]) -> None:
        await self._open(id, params, new_id=None)

    async def _open(self, id: RequestId, params: dict[str, Any], *, new_id: str | None) -> None:
        if self._process is not None:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per process")
        try:
            wanted = SessionParams.read(params, new_id=new_id, cwd=self._context.cwd)
        except InvalidSession as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        process = ClaudeProcess(self._context, self._command, wanted, can_bypass=self._can_bypass)
        try:
            await process.start()
        except (AgentNotInstalled, AgentStartFailed) as exc:
            raise Refused(INTERNAL_ERROR, exc.message) from exc
        self._process = process
        opening = self._opening = _Opening(id, wanted)
        # In the handshake, not on the command line: prompts are long, and all users see `ps`.
        prompt = {"appendSystemPrompt": wanted.system_prompt} if wanted.system_prompt else {}
        opened = partial(self._opened, opening)
        await self._control("initialize", {"hooks": None, **prompt}, opened)
        self._bell.set()

    async def _prompt(self, id: RequestId, params: dict[str, Any]) -> None:
        translator = self._session()
        if translator.is_prompted:
            raise Refused(INVALID_REQUEST, "a prompt is running; wait for its answer or cancel it")
        try:
            content = prompt_content(params.get("prompt"))
        except UnsupportedContent as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        is_command = str(content[0].get("text", "")).startswith("/")
        prompt = Prompt(id, self._new_id(), is_command)
        translator.begin_prompt(prompt)
        await self._write(user_message(content, uuid=prompt.uuid))

    async def _set(self, method: str, id: RequestId, params: dict[str, Any]) -> None:
        translator = self._session()
        try:
            change = change_of(method, params, translator.offers)
        except UnknownSetting as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc

        def changed(body: Mapping[str, Any]) -> list[Frame]:
            return _changed(translator, change, method, id, body)

        await self._control(change.subtype, change.fields, changed)

    async def _cancel(self) -> None:
        if self._translator is not None:
            await self._write(self._translator.cancel())

    async def _answered(self, frame: Frame) -> None:
        if self._translator is None:
            return
        result = frame.get("result")
        output = self._translator.answer(
            frame.get("id"), result if isinstance(result, dict) else None
        )
        await self._put_out(output)

    def _session(self) -> Translator:
        if self._translator is None:
            raise Refused(INVALID_REQUEST, "there is no session yet: `session/new` comes first")
        return self._translator

    # From Claude

    async def _read_message(self, line: bytes, message: Native) -> None:
        if message.get("type") == "control_response":
            self._emit(self._control_answered(message))
        elif self._translator is not None:
            await self._put_out(_translated(self._translator, message, line))
        elif self._opening is not None:
            self._opening.early.append(message)
            if message.get("type") == "result":
                self._opening.errors += [str(error) for error in message.get("errors") or ()]

    def _control_answered(self, message: Native) -> list[Frame]:
        body = message.get("response")
        body = body if isinstance(body, dict) else {}
        answer = self._asked.pop(str(body.get("request_id")), None)
        return answer(body) if answer is not None else []

    def _opened(self, opening: _Opening, body: Mapping[str, Any]) -> list[Frame]:
        handshake = body.get("response")
        if body.get("subtype") != "success" or not isinstance(handshake, dict):
            # Without its answer nothing can be offered, but Claude may still work.
            handshake = {}
        self._opening = None
        params = opening.params
        offers = Offers(handshake, model=params.model, can_bypass=self._can_bypass)
        translator = Translator(session_id=params.session_id, cwd=str(params.cwd), offers=offers)
        self._translator = translator
        result: dict[str, Any] = {"modes": offers.modes(), "configOptions": offers.config_options()}
        if not params.is_resumed:
            result = {"sessionId": params.session_id, **result}
        frames = [response(opening.id, result), translator.commands_update()]
        for message in opening.early:
            frames += _translated(translator, message, jsonio.dumps(message)).frames
        return frames

    async def _ended(self, process: ClaudeProcess) -> bool:
        """The process is gone. True when it had not become a session: another one may be opened."""
        self._exit = await process.close()
        opening, self._opening = self._opening, None
        self._asked.clear()
        if opening is None or self._is_closed:
            return False
        self._process = None
        self._emit([_opening_failed(opening, self._exit)])
        return True

    # Out

    async def _control(self, subtype: str, fields: Mapping[str, Any], answer: _Answer) -> None:
        self._controls += 1
        request_id = f"host-{self._controls}"
        self._asked[request_id] = answer
        await self._write(control_request(request_id, subtype, **fields))

    async def _write(self, message: Native) -> None:
        if self._process is not None:
            await self._process.write(message)

    async def _put_out(self, output: Output) -> None:
        self._emit(output.frames)
        for reply in output.replies:
            await self._write(reply)


def _translated(translator: Translator, message: Native, line: bytes) -> Output:
    """A message of a shape that no Claude Code had so far costs that message, not the session."""
    try:
        return translator.feed(message)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        logger.exception("a message of Claude Code cannot be translated")
        return Output([unparsed(line, f"cannot be translated: {exc!r}").frame], [])


def _changed(
    translator: Translator, change: Change, method: str, id: RequestId, body: Mapping[str, Any]
) -> list[Frame]:
    if body.get("subtype") != "success":
        return [error_response(id, INVALID_PARAMS, str(body.get("error") or "Claude Code refused"))]
    change.apply()
    if method != acp.SESSION_SET_CONFIG_OPTION:
        return [response(id, {}), translator.config_update()]
    answer = response(id, {"configOptions": translator.offers.config_options()})
    return [answer, translator.mode_update()] if change.is_mode else [answer]


def _opening_failed(opening: _Opening, ended: AgentExit) -> Frame:
    tail = ended.stderr_tail.strip()
    message = "; ".join(opening.errors) or tail or f"Claude Code exited with code {ended.exit_code}"
    code = _RESOURCE_NOT_FOUND if opening.params.is_resumed else INTERNAL_ERROR
    data = {"exitCode": ended.exit_code, "signal": ended.signal, "stderrTail": tail or None}
    known = {key: value for key, value in data.items() if value is not None}
    return error_response(opening.id, code, message, known)
