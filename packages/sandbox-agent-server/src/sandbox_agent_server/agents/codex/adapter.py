"""Codex as an ACP agent: one `codex app-server` for one session, its JSON-RPC on stdio."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from sandbox_agent_core.errors import AgentNotInstalled
from sandbox_agent_core.frames import Frame, RequestId, acp
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    RESOURCE_NOT_FOUND,
    error_response,
    response,
)
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, WireFrame

from sandbox_agent_server import __version__, jsonio
from sandbox_agent_server.agents.acp.reading import unparsed
from sandbox_agent_server.agents.codex.content import UnsupportedContent, prompt_input
from sandbox_agent_server.agents.codex.launch import INSTALL_HINT, command_line, find
from sandbox_agent_server.agents.codex.native import Native, notification, request
from sandbox_agent_server.agents.codex.opening import NoCredentials, Opening
from sandbox_agent_server.agents.codex.reading import members, text
from sandbox_agent_server.agents.codex.session_params import SessionParams
from sandbox_agent_server.agents.codex.settings import UnknownSetting, settings_of
from sandbox_agent_server.agents.codex.translate import Call, Output, Translator
from sandbox_agent_server.agents.codex.turns import Prompt
from sandbox_agent_server.agents.installation import find_program, installed_version
from sandbox_agent_server.agents.native_adapter import LineAdapter, Refused
from sandbox_agent_server.agents.session_request import InvalidSession
from sandbox_agent_server.agents.waiting import LineWaiter
from sandbox_agent_server.runtime.stdio_link import StdioLink

__all__ = ["CodexAdapter"]

logger = logging.getLogger(__name__)

_VERSION: Final = re.compile(r"/(\d+\.\d+\.\d+\S*)")
_CAPABILITIES: Final = {
    "loadSession": True,
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": False},
    "sessionCapabilities": {"resume": {}, "additionalDirectories": {}},
}
_CLIENT: Final = {
    "clientInfo": {"name": "sandbox-agent", "title": "sandbox-agent", "version": __version__},
    # Plan mode, settings between turns and the end of background commands are experimental to Codex.
    "capabilities": {"experimentalApi": True},
}

_Answer = Callable[[Native], Awaitable[None]]
"""Takes Codex's response to a request of ours."""


class CodexAdapter(LineAdapter):
    """An `AgentAdapter`.

    A request that opens a session is answered when Codex has been asked for its account, configuration
    and models and has made the thread. When that fails the adapter goes on: after a failed resume a new
    session can be asked for.
    """

    def __init__(self, context: AgentContext) -> None:
        super().__init__()
        self._context = context
        self._link: StdioLink | None = None
        self._version: str | None = None
        self._opening: Opening | None = None
        self._translator: Translator | None = None
        self._early: list[Native] = []
        """Messages from before there was a session to tell them to."""
        self._asked: dict[int, _Answer] = {}
        self._last_id = 0
        self._handlers = {
            acp.INITIALIZE: self._initialize,
            acp.SESSION_NEW: partial(self._open, is_resumed=False, replays=False),
            acp.SESSION_LOAD: partial(self._open, is_resumed=True, replays=True),
            acp.SESSION_RESUME: partial(self._open, is_resumed=True, replays=False),
            acp.SESSION_PROMPT: self._prompt,
        }
        for method in (
            acp.SESSION_SET_MODE,
            acp.SESSION_SET_MODEL,
            acp.SESSION_SET_CONFIG_OPTION,
        ):
            self._handlers[method] = partial(self._set, method)

    async def start(self) -> None:
        context = self._context
        given, env = context.command, context.env
        found = find_program(given[0], env) if given else find(env)
        if found is None:
            what = f"{given[0]!r} is not there." if given else "Codex is not installed."
            raise AgentNotInstalled(f"{what} {INSTALL_HINT}", agent="codex")
        self._version = found.version or installed_version(found.path)
        extra = context.options.get("extra_args")
        self._link = StdioLink(
            command_line(given or (found.path,), extra=_texts(extra)),
            cwd=context.cwd,
            env=env,
            max_line_bytes=context.max_line_bytes,
            stop_grace_s=context.stop_grace_s,
            on_process=context.on_process,
        )
        await self._link.start()

    async def frames(self) -> AsyncIterator[list[WireFrame]]:
        if self._link is None:
            raise RuntimeError("start the adapter before reading from it")
        waiter = LineWaiter(self._bell)
        lines_of_codex = self._link.lines()
        try:
            while True:
                if self._outgoing:
                    yield self._take()
                elif self._is_closed:
                    return
                else:
                    lines = await waiter.next(lines_of_codex)
                    if lines is None:
                        self._is_closed = True
                    else:
                        await self._read(lines)
        finally:
            waiter.stop()

    async def close(self) -> AgentExit:
        if self._link is None:
            return AgentExit()
        return await self._link.close()

    # From the client

    async def _initialize(self, id: RequestId, params: dict[str, Any]) -> None:
        async def initialized(answer: Native) -> None:
            if "error" in answer:
                self._emit([_refusal(id, answer)])
                return
            await self._write(notification("initialized"))
            agent = text(members(answer.get("result")).get("userAgent")) or ""
            told = _VERSION.search(agent)
            version = told.group(1) if told else self._version
            info = {"name": "codex", "title": "Codex"} | ({"version": version} if version else {})
            result = {
                "protocolVersion": acp.PROTOCOL_VERSION,
                "agentCapabilities": _CAPABILITIES,
                "agentInfo": info,
                "authMethods": [],
            }
            self._emit([response(id, result)])

        await self._ask("initialize", _CLIENT, initialized)

    async def _open(
        self, id: RequestId, params: dict[str, Any], *, is_resumed: bool, replays: bool
    ) -> None:
        if self._translator is not None or self._opening is not None:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per process")
        try:
            wanted = SessionParams.read(params, is_resumed=is_resumed, cwd=self._context.cwd)
        except InvalidSession as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        opening = self._opening = Opening(id, wanted, replays)
        for method, question in opening.questions().items():
            await self._ask(method, question, partial(self._told, opening, method))

    async def _told(self, opening: Opening, method: str, answer: Native) -> None:
        opening.told[method] = answer.get("result")
        if not opening.is_told:
            return
        try:
            request_method, params = opening.thread_request(self._context.env)
        except NoCredentials as exc:
            self._opening = None
            self._emit([error_response(opening.id, AUTH_REQUIRED, str(exc))])
            return
        await self._ask(request_method, params, partial(self._thread_made, opening))

    async def _thread_made(self, opening: Opening, answer: Native) -> None:
        opening.thread = members(answer.get("result"))
        if opening.thread_id is None:
            self._opening = None
            is_resumed = opening.params.thread_id is not None
            code = RESOURCE_NOT_FOUND if is_resumed else INTERNAL_ERROR
            self._emit([_refusal(opening.id, answer, code)])
        elif opening.replays:
            await self._ask_for_history(opening, None)
        else:
            await self._opened(opening)

    async def _ask_for_history(self, opening: Opening, cursor: Any) -> None:
        params = {"threadId": opening.thread_id, "itemsView": "full", "sortDirection": "asc"}
        if cursor is not None:
            params["cursor"] = cursor
        await self._ask("thread/turns/list", params, partial(self._history_told, opening))

    async def _history_told(self, opening: Opening, answer: Native) -> None:
        page = members(answer.get("result"))
        self._emit(self._translator_of(opening).history(page.get("data")))
        if (cursor := page.get("nextCursor")) is not None:
            await self._ask_for_history(opening, cursor)
        else:
            await self._opened(opening)

    async def _opened(self, opening: Opening) -> None:
        self._opening = None
        translator = self._translator = self._translator_of(opening)
        offers = translator.offers
        result: dict[str, Any] = {"modes": offers.modes(), "configOptions": offers.config_options()}
        if opening.params.thread_id is None:
            result = {"sessionId": translator.thread_id, **result}
        self._emit([response(opening.id, result)])
        early, self._early = self._early, []
        for message in early:
            await self._put_out(_translated(translator, message, jsonio.dumps(message)))

    def _translator_of(self, opening: Opening) -> Translator:
        return Translator(
            thread_id=str(opening.thread_id),
            cwd=str(opening.params.cwd),
            offers=opening.offers(_texts(self._context.options.get("models"))),
        )

    async def _prompt(self, id: RequestId, params: dict[str, Any]) -> None:
        translator = self._session()
        if translator.is_prompted:
            raise Refused(INVALID_REQUEST, "a prompt is running; wait for its answer or cancel it")
        try:
            content = prompt_input(params.get("prompt"))
        except UnsupportedContent as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        translator.begin_prompt(Prompt(id))

        async def taken(answer: Native) -> None:
            if "error" in answer:
                self._emit(translator.prompt_refused(members(answer.get("error"))))
            else:
                translator.prompt_taken(answer.get("result"))

        turn = {"threadId": translator.thread_id, "input": content}
        await self._ask("turn/start", turn, taken)

    async def _set(self, method: str, id: RequestId, params: dict[str, Any]) -> None:
        translator = self._session()
        try:
            settings = settings_of(method, params, translator.offers)
        except UnknownSetting as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc

        async def changed(answer: Native) -> None:
            if "error" in answer:
                self._emit([_refusal(id, answer, INVALID_PARAMS)])
                return
            mode = translator.offers.mode
            translator.offers.apply(settings)
            if method == acp.SESSION_SET_CONFIG_OPTION:
                options = translator.offers.config_options()
                self._emit([response(id, {"configOptions": options})])
                if translator.offers.mode != mode:
                    self._emit([translator.mode_update()])
            else:
                self._emit([response(id, {}), translator.config_update()])

        change = {"threadId": translator.thread_id, **settings}
        await self._ask("thread/settings/update", change, changed)

    async def _cancel(self) -> None:
        if self._translator is not None:
            await self._call(self._translator.cancel())

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

    # From Codex

    async def _read_message(self, line: bytes, message: Native) -> None:
        if not (message.keys() & {"method", "result", "error"}):
            self._outgoing.append(
                unparsed(line, "neither a request, a notification nor a response")
            )
        elif "method" not in message:
            await self._response(message)
        elif self._translator is not None:
            await self._put_out(_translated(self._translator, message, line))
        else:
            self._early.append(message)

    async def _response(self, message: Native) -> None:
        id = message.get("id")
        answer = self._asked.pop(id, None) if isinstance(id, int) else None
        if answer is not None:
            await answer(message)

    # Out

    async def _ask(self, method: str, params: Native, answer: _Answer) -> None:
        self._last_id += 1
        self._asked[self._last_id] = answer
        await self._write(request(self._last_id, method, params))

    async def _call(self, calls: Sequence[Call]) -> None:
        for call in calls:
            await self._ask(call.method, call.params, partial(self._called, call))

    async def _called(self, call: Call, answer: Native) -> None:
        await self._call(self._session().called(call, answer))

    async def _write(self, message: Native) -> None:
        if self._link is not None:
            await self._link.send(jsonio.dumps(message))

    async def _put_out(self, output: Output) -> None:
        self._emit(output.frames)
        for reply in output.replies:
            await self._write(reply)
        await self._call(output.calls)


def _translated(translator: Translator, message: Native, line: bytes) -> Output:
    """A message of a shape that no Codex had so far costs that message, not the session."""
    try:
        return translator.feed(message)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        logger.exception("a message of Codex cannot be translated")
        return Output([unparsed(line, f"cannot be translated: {exc!r}").frame])


def _refusal(id: RequestId, answer: Native, code: int = INTERNAL_ERROR) -> Frame:
    error = members(answer.get("error"))
    return error_response(
        id, code, text(error.get("message")) or "Codex refused", error.get("data")
    )


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []
