"""Pi as an ACP agent: one process behind `session/new`, its RPC mode on stdio."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
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
    error_response,
    response,
)
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, WireFrame

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.acp.reading import unparsed
from sandbox_agent_server.agents.installation import find_program
from sandbox_agent_server.agents.native.grants import UnknownMode
from sandbox_agent_server.agents.native.session_params import InvalidSession
from sandbox_agent_server.agents.native_adapter import LineAdapter, Refused
from sandbox_agent_server.agents.pi.content import UnsupportedContent, prompt_content
from sandbox_agent_server.agents.pi.launch import (
    INSTALL_HINT,
    check_node,
    find,
    says_settled,
    version_at,
)
from sandbox_agent_server.agents.pi.native import Native, command
from sandbox_agent_server.agents.pi.offers import Offers, UnknownSetting
from sandbox_agent_server.agents.pi.process import PiProcess
from sandbox_agent_server.agents.pi.results import CREDENTIALS_HINT
from sandbox_agent_server.agents.pi.session_params import SessionParams
from sandbox_agent_server.agents.pi.translate import Output, Translator
from sandbox_agent_server.agents.pi.turns import Prompt
from sandbox_agent_server.agents.waiting import LineWaiter

__all__ = ["PiAdapter"]

logger = logging.getLogger(__name__)

_RESOURCE_NOT_FOUND: Final = -32002
"""ACP: what the request names does not exist, here a session to go on with."""

_CAPABILITIES: Final = {
    "loadSession": True,
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": False, "sse": False},
    "sessionCapabilities": {"resume": {}},
}
_OPENING: Final = ("get_state", "get_available_models", "get_commands")

_Answer = Callable[[Native], Awaitable[None]]
"""Takes the response to a command."""


@dataclass(slots=True)
class _Opening:
    """A session being opened: the process runs, and has not told all that the session offers."""

    id: RequestId
    params: SessionParams
    replays: bool
    told: dict[str, Native] = field(default_factory=dict)
    early: list[Native] = field(default_factory=list)


class PiAdapter(LineAdapter):
    """An `AgentAdapter`.

    The command line depends on the session, so the process is started by `session/new`,
    `session/load` or `session/resume`. When that fails the request is answered with an error and the
    adapter goes on: after a failed resume a new session can be asked for.
    """

    def __init__(
        self, context: AgentContext, *, new_id: Callable[[], str] = lambda: str(uuid4())
    ) -> None:
        super().__init__()
        self._context = context
        self._new_id = new_id
        self._command: tuple[str, ...] = ()
        self._version: str | None = None
        self._process: PiProcess | None = None
        self._opening: _Opening | None = None
        self._translator: Translator | None = None
        self._asked: dict[str, _Answer] = {}
        self._commands = 0
        self._exit = AgentExit()
        self._handlers = {
            acp.INITIALIZE: self._initialize,
            acp.SESSION_NEW: partial(self._open, is_resumed=False, replays=False),
            acp.SESSION_LOAD: partial(self._open, is_resumed=True, replays=True),
            acp.SESSION_RESUME: partial(self._open, is_resumed=True, replays=False),
            acp.SESSION_PROMPT: self._prompt,
            acp.SESSION_SET_MODE: self._set_mode,
            acp.SESSION_SET_CONFIG_OPTION: self._set,
        }

    async def start(self) -> None:
        """Only looks for the program."""
        given, env = self._context.command, self._context.env
        found = find_program(given[0], env) if given else find(env)
        if found is None:
            what = f"{given[0]!r} is not there." if given else "Pi is not installed."
            raise AgentNotInstalled(f"{what} {INSTALL_HINT}", agent="pi")
        self._command = tuple(given) if given else (found.path,)
        self._version = found.version or version_at(found.path)
        check_node(self._command, env)

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
        # Pi ends at the end of its input, in the middle of a turn too.
        self._is_closed = True
        if self._process is not None:
            self._exit = await self._process.close()
        self._bell.set()
        return self._exit

    # From the client

    async def _initialize(self, id: RequestId, params: dict[str, Any]) -> None:
        info = {"name": "pi", "title": "Pi"}
        if self._version is not None:
            info["version"] = self._version
        result = {
            "protocolVersion": acp.PROTOCOL_VERSION,
            "agentCapabilities": _CAPABILITIES,
            "agentInfo": info,
            "authMethods": [],
        }
        self._emit([response(id, result)])

    async def _open(
        self, id: RequestId, params: dict[str, Any], *, is_resumed: bool, replays: bool
    ) -> None:
        if self._process is not None:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per process")
        try:
            wanted = SessionParams.read(params, is_resumed=is_resumed, cwd=self._context.cwd)
        except InvalidSession as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        process = PiProcess(self._context, self._command, wanted)
        try:
            await process.start()
        except (AgentNotInstalled, AgentStartFailed) as exc:
            raise Refused(INTERNAL_ERROR, exc.message) from exc
        self._process = process
        opening = self._opening = _Opening(id, wanted, replays)
        for type in _OPENING:
            await self._ask({"type": type}, partial(self._told, opening))
        self._bell.set()

    async def _prompt(self, id: RequestId, params: dict[str, Any]) -> None:
        translator = self._session()
        if translator.is_prompted:
            raise Refused(INVALID_REQUEST, "a prompt is running; wait for its answer or cancel it")
        try:
            content = prompt_content(params.get("prompt"))
        except UnsupportedContent as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        prompt = Prompt(id, f"prompt-{self._new_id()}")
        await self._write(translator.prompt(prompt, content.message, content.images))

    async def _set_mode(self, id: RequestId, params: dict[str, Any]) -> None:
        try:
            self._session().grants.set_mode(params.get("modeId"))
        except UnknownMode as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        self._emit([response(id, {})])

    async def _set(self, id: RequestId, params: dict[str, Any]) -> None:
        translator = self._session()
        try:
            change = translator.offers.change(params.get("configId"), params.get("value"))
        except UnknownSetting as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        await self._ask(change, partial(self._changed, translator, id))

    async def _cancel(self) -> None:
        if self._translator is not None:
            await self._put_out(self._translator.cancel())

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

    # From Pi

    async def _read_message(self, line: bytes, message: Native) -> None:
        if message.get("type") == "response" and str(message.get("id")) in self._asked:
            await self._asked.pop(str(message["id"]))(message)
        elif self._translator is not None:
            await self._put_out(_translated(self._translator, message, line))
        elif self._opening is not None:
            self._opening.early.append(message)

    async def _told(self, opening: _Opening, answer: Native) -> None:
        data = answer.get("data")
        if not isinstance(data, dict):
            text = f"Pi cannot tell its {answer.get('command')}: {answer.get('error')}"
            return await self._give_up(INTERNAL_ERROR, text)
        opening.told[str(answer.get("command"))] = data
        if len(opening.told) == len(_OPENING) and self._opening is opening:
            await self._opened(opening)

    async def _opened(self, opening: _Opening) -> None:
        state, models, commands = (opening.told[type] for type in _OPENING)
        offers = Offers(state=state, models=models, commands=commands)
        session_id, wanted = str(state.get("sessionId")), opening.params.resumed_id
        if wanted is not None and session_id != wanted:
            return await self._give_up(_RESOURCE_NOT_FOUND, f"Pi has no session {wanted!r}")
        if not offers.has_models:
            message = f"Pi has no model to use, as it has no credentials. {CREDENTIALS_HINT}"
            return await self._give_up(AUTH_REQUIRED, message)
        translator = Translator(
            session_id=session_id,
            cwd=str(opening.params.cwd),
            offers=offers,
            says_settled=says_settled(self._version),
            new_id=self._new_id,
        )
        if opening.replays:
            replay = partial(self._replay, opening, translator)
            await self._ask({"type": "get_messages"}, replay)
        else:
            await self._begin(opening, translator)

    async def _replay(self, opening: _Opening, translator: Translator, answer: Native) -> None:
        data = answer.get("data")
        self._emit(translator.history(data.get("messages") if isinstance(data, dict) else None))
        await self._begin(opening, translator)

    async def _begin(self, opening: _Opening, translator: Translator) -> None:
        self._translator, self._opening = translator, None
        result: dict[str, Any] = {
            "modes": translator.grants.modes(),
            "configOptions": translator.offers.config_options(),
        }
        if opening.params.resumed_id is None:
            result = {"sessionId": str(opening.told["get_state"].get("sessionId")), **result}
        self._emit([response(opening.id, result), translator.commands_update()])
        for message in opening.early:
            await self._put_out(_translated(translator, message, jsonio.dumps(message)))

    async def _give_up(self, code: int, message: str) -> None:
        """No session came of it: the process goes, and another session may be opened."""
        opening, self._opening = self._opening, None
        process, self._process = self._process, None
        self._asked.clear()
        if process is not None:
            await process.close()
        if opening is not None:
            self._emit([error_response(opening.id, code, message)])

    async def _changed(self, translator: Translator, id: RequestId, answer: Native) -> None:
        if answer.get("success") is not True:
            text = str(answer.get("error") or "Pi refused")
            return self._emit([error_response(id, INVALID_PARAMS, text)])

        async def told(state: Native) -> None:
            data = state.get("data")
            translator.offers.read_state(data if isinstance(data, Mapping) else {})
            self._emit([response(id, {"configOptions": translator.offers.config_options()})])

        # Another model may think at another level.
        await self._ask({"type": "get_state"}, told)

    async def _ended(self, process: PiProcess) -> bool:
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

    async def _ask(self, wanted: Native, answer: _Answer) -> None:
        self._commands += 1
        id = f"host-{self._commands}"
        self._asked[id] = answer
        await self._write(command(id, **wanted))

    async def _write(self, message: Native) -> None:
        if self._process is not None:
            await self._process.write(message)

    async def _put_out(self, output: Output) -> None:
        self._emit(output.frames)
        for reply in output.replies:
            await self._write(reply)


def _translated(translator: Translator, message: Native, line: bytes) -> Output:
    """A message of a shape that no Pi had so far costs that message, not the session."""
    try:
        return translator.feed(message)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        logger.exception("a message of Pi cannot be translated")
        return Output([unparsed(line, f"cannot be translated: {exc!r}").frame], [])


def _opening_failed(opening: _Opening, ended: AgentExit) -> Frame:
    tail = ended.stderr_tail.strip()
    code = INTERNAL_ERROR if opening.params.resumed_id is None else _RESOURCE_NOT_FOUND
    if tail.startswith("No models available"):
        code, tail = AUTH_REQUIRED, f"{tail}\n{CREDENTIALS_HINT}"
    message = tail or f"Pi exited with code {ended.exit_code}"
    data = {"exitCode": ended.exit_code, "signal": ended.signal, "stderrTail": tail or None}
    known = {key: value for key, value in data.items() if value is not None}
    return error_response(opening.id, code, message, known)
