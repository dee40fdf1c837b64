"""Amp as an ACP agent: a process for each prompt, which continues the thread of the one before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, Final
from uuid import uuid4

from sandbox_agent_core.errors import AgentNotInstalled, AgentStartFailed
from sandbox_agent_core.frames import Frame, RequestId, acp
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    notification,
    request,
    response,
)
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, WireFrame

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.acp.reading import unparsed
from sandbox_agent_server.agents.amp.ask_socket import AskSocket
from sandbox_agent_server.agents.amp.content import UnsupportedContent, prompt_text
from sandbox_agent_server.agents.amp.launch import (
    INSTALL_HINT,
    LOGIN_HINT,
    InvalidSettings,
    find,
    is_logged_in,
    version_at,
)
from sandbox_agent_server.agents.amp.process import AmpProcess
from sandbox_agent_server.agents.amp.session_params import SessionParams, UnknownThread
from sandbox_agent_server.agents.amp.tools import READ_ONLY, scope_of
from sandbox_agent_server.agents.amp.translate import Translator
from sandbox_agent_server.agents.installation import find_program
from sandbox_agent_server.agents.native.grants import Decision, Grants, UnknownMode
from sandbox_agent_server.agents.native.session_params import InvalidSession
from sandbox_agent_server.agents.native_adapter import NativeAdapter, Refused
from sandbox_agent_server.agents.waiting import LineWaiter
from sandbox_agent_server.runtime.lines import OversizeLine

__all__ = ["AmpAdapter"]

logger = logging.getLogger(__name__)

_RESOURCE_NOT_FOUND: Final = -32002
_LOGIN_FLOW: Final = b"No API key found"
"""What Amp says before it waits for a person with a browser."""
_REASONS: Final[Mapping[Decision, str | None]] = {
    "allow": None,
    "reject": "The user rejected this tool call. Do not try it again unless they ask for it.",
    "cancel": "The permission request was cancelled.",
}
_CAPABILITIES: Final = {
    "loadSession": False,
    "promptCapabilities": {"image": False, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": True},
    "sessionCapabilities": {"resume": {}},
}

_Answer = asyncio.Future[Mapping[str, Any] | None]


class AmpAdapter(NativeAdapter):
    """An `AgentAdapter`. Between prompts there is no process, and still an agent."""

    def __init__(
        self, context: AgentContext, *, new_id: Callable[[], str] = lambda: str(uuid4())
    ) -> None:
        super().__init__()
        self._context = context
        self._new_id = new_id
        self._command: tuple[str, ...] = ()
        self._version: str | None = None
        self._params: SessionParams | None = None
        self._session_id = ""
        self._translator: Translator | None = None
        self._grants = Grants()
        self._socket: AskSocket | None = None
        self._process: AmpProcess | None = None
        self._asked: dict[str, _Answer] = {}
        self._exit = AgentExit()
        self._handlers = {
            acp.INITIALIZE: self._initialize,
            acp.SESSION_NEW: partial(self._open, is_resumed=False),
            acp.SESSION_RESUME: partial(self._open, is_resumed=True),
            acp.SESSION_PROMPT: self._prompt,
            acp.SESSION_SET_MODE: self._set_mode,
        }

    async def start(self) -> None:
        """Only looks for the program."""
        given, env = self._context.command, self._context.env
        found = find_program(given[0], env) if given else find(env)
        if found is None:
            what = f"{given[0]!r} is not there." if given else "Amp is not installed."
            raise AgentNotInstalled(f"{what} {INSTALL_HINT}", agent="amp")
        self._command = tuple(given) if given else (found.path,)
        self._version = found.version or version_at(found.path)

    async def frames(self) -> AsyncIterator[list[WireFrame]]:
        waiter, reading = LineWaiter(self._bell), self._process
        try:
            while True:
                process = self._process
                if process is not reading:
                    # What another process still writes must not be taken for this one's.
                    waiter.stop()
                    waiter, reading = LineWaiter(self._bell), process
                if self._outgoing:
                    yield self._take()
                elif self._is_closed:
                    return
                elif process is not None and process.is_over:
                    # Not before its result is delivered: on its way out Amp talks to its server.
                    await self._forget(process)
                else:
                    lines = await waiter.next(process.lines() if process is not None else None)
                    if lines is not None:
                        await self._read(lines)
                    elif process is not None and not process.is_over:
                        await self._ended(process)
        finally:
            waiter.stop()

    async def close(self) -> AgentExit:
        self._is_closed = True
        if self._process is not None:
            self._exit = await self._process.terminate()
        self._drop_questions()
        if self._socket is not None:
            await self._socket.close()
        self._bell.set()
        return self._exit

    # From the client

    async def _initialize(self, id: RequestId, params: dict[str, Any]) -> None:
        info = {"name": "amp", "title": "Amp"}
        if self._version is not None:
            info["version"] = self._version
        result = {
            "protocolVersion": acp.PROTOCOL_VERSION,
            "agentCapabilities": _CAPABILITIES,
            "agentInfo": info,
            "authMethods": [],
        }
        self._emit([response(id, result)])

    async def _open(self, id: RequestId, params: dict[str, Any], *, is_resumed: bool) -> None:
        if self._translator is not None:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per adapter")
        try:
            wanted = SessionParams.read(params, is_resumed=is_resumed, cwd=self._context.cwd)
        except InvalidSession as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        except UnknownThread as exc:
            raise Refused(_RESOURCE_NOT_FOUND, str(exc)) from exc
        if not is_logged_in(self._context.env):
            raise Refused(AUTH_REQUIRED, f"Amp is not logged in. {LOGIN_HINT}")
        self._params = wanted
        self._session_id = wanted.thread or self._new_id()
        self._translator = Translator(
            session_id=self._session_id,
            thread=wanted.thread,
            cwd=str(wanted.cwd),
            new_id=self._new_id,
        )
        result: dict[str, Any] = {"modes": self._grants.modes()}
        if not is_resumed:
            result = {"sessionId": self._session_id, **result}
        self._emit([response(id, result)])

    async def _prompt(self, id: RequestId, params: dict[str, Any]) -> None:
        translator, wanted = self._translator, self._params
        if translator is None or wanted is None:
            raise Refused(INVALID_REQUEST, "there is no session yet: `session/new` comes first")
        if translator.is_prompted:
            raise Refused(INVALID_REQUEST, "a prompt is running; wait for its answer or cancel it")
        try:
            text = prompt_text(params.get("prompt"))
        except UnsupportedContent as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        if self._process is not None:
            # That of the prompt before is on its way out.
            await self._forget(self._process)
        try:
            if self._socket is None:
                self._socket = AskSocket(self._ask)
                await self._socket.start()
            process = AmpProcess(
                self._context,
                self._command,
                wanted,
                thread=translator.thread,
                ask_program=self._socket.program,
            )
            await process.start(text)
        except (InvalidSettings, AgentNotInstalled, AgentStartFailed, OSError) as exc:
            raise Refused(INTERNAL_ERROR, str(exc)) from exc
        translator.begin(id)
        self._process = process
        self._bell.set()

    async def _set_mode(self, id: RequestId, params: dict[str, Any]) -> None:
        try:
            self._grants.set_mode(params.get("modeId"))
        except UnknownMode as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        self._emit([response(id, {})])

    async def _cancel(self) -> None:
        """Amp knows no other way to stop a turn; the thread keeps what was said until then."""
        process, translator = self._process, self._translator
        if process is None or translator is None or not translator.is_prompted:
            return
        await process.terminate()
        self._drop_questions()
        self._emit(translator.cancelled())

    async def _answered(self, frame: Frame) -> None:
        waiting = self._asked.pop(str(frame.get("id")), None)
        if waiting is not None and not waiting.done():
            result = frame.get("result")
            waiting.set_result(result if isinstance(result, dict) else None)

    # From Amp

    async def _ask(self, name: str, tool_input: Any) -> str | None:
        """None to allow the call, or the reason why not."""
        translator = self._translator
        if translator is None or not translator.is_prompted:
            return _REASONS["cancel"]
        told, call = translator.ask(name, tool_input)
        self._emit(told)
        decision: Decision = "allow"
        scope = scope_of(name, tool_input)
        if name not in READ_ONLY and not self._grants.covers(scope):
            result = await self._question(call, self._grants.options(scope))
            decision = self._grants.read_answer(scope, result)
        if decision == "allow":
            self._emit([translator.running(str(call["toolCallId"]))])
        return _REASONS[decision]

    async def _question(
        self, call: dict[str, Any], options: list[dict[str, Any]]
    ) -> Mapping[str, Any] | None:
        id = self._new_id()
        answer: _Answer = asyncio.get_running_loop().create_future()
        self._asked[id] = answer
        params = {"sessionId": self._session_id, "toolCall": call, "options": options}
        self._emit([request(id, acp.SESSION_REQUEST_PERMISSION, params)])
        try:
            return await answer
        finally:
            self._asked.pop(id, None)

    async def _read(self, lines: list[bytes]) -> None:
        for line in lines:
            if isinstance(line, OversizeLine):
                self._outgoing.append(
                    unparsed(line, f"the line is too long: {line.size_bytes} bytes")
                )
            elif line.strip():
                await self._read_line(line)

    async def _read_line(self, line: bytes) -> None:
        translator = self._translator
        if translator is None:
            return
        if line.startswith(_LOGIN_FLOW):
            # It would wait for ever for the code of a login.
            self._emit(translator.failed("Amp is not logged in: No API key found."))
            if self._process is not None:
                await self._process.terminate()
            return
        try:
            message = jsonio.loads(line)
        except (ValueError, RecursionError) as exc:
            self._outgoing.append(unparsed(line, f"not JSON: {exc}"))
            return
        if not isinstance(message, dict):
            self._outgoing.append(unparsed(line, "not a JSON object"))
            return
        try:
            self._emit(translator.feed(message))
            if not translator.is_prompted and self._process is not None:
                self._process.is_over = True
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
            logger.exception("a message of Amp cannot be translated")
            self._outgoing.append(unparsed(line, f"cannot be translated: {exc!r}"))

    async def _ended(self, process: AmpProcess) -> None:
        """It has closed its output without having told how its turn ended."""
        ended = await self._forget(process)
        if self._translator is not None:
            how = ended.stderr_tail.strip() or f"Amp exited with code {ended.exit_code}"
            self._drop_questions()
            self._emit(self._translator.failed(how))

    async def _forget(self, process: AmpProcess) -> AgentExit:
        self._exit = await process.close()
        if self._process is process:
            self._process = None
        return self._exit

    def _drop_questions(self) -> None:
        """Nobody waits for the answers any more; the client is told so."""
        for id, answer in list(self._asked.items()):
            if not answer.done():
                answer.set_result(None)
            self._emit([notification(acp.CANCEL_REQUEST, {"requestId": id})])
        self._asked.clear()

    # Out
