"""Codex as an ACP agent: one `codex app-server` for one session, its JSON-RPC on stdio."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from sandbox_agent_core.frames import RequestId, acp
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    RESOURCE_NOT_FOUND,
)
from sandbox_agent_core.spi.agent import AgentContext, AgentInstallation

from sandbox_agent_server import __version__
from sandbox_agent_server.agents.acp.reading import unparsed
from sandbox_agent_server.agents.codex.content import prompt_input
from sandbox_agent_server.agents.codex.launch import INSTALL_HINT, command_line, find
from sandbox_agent_server.agents.codex.native import Native, notification, request
from sandbox_agent_server.agents.codex.opening import NoCredentials, Opening, mcp_settings
from sandbox_agent_server.agents.codex.reading import members, text
from sandbox_agent_server.agents.codex.settings import settings_of
from sandbox_agent_server.agents.codex.translate import Call, Output, Translator
from sandbox_agent_server.agents.codex.turns import Prompt
from sandbox_agent_server.agents.native import translator as native
from sandbox_agent_server.agents.native.adapter import Answer, Handler, Request
from sandbox_agent_server.agents.native.dispatcher import QuestionId
from sandbox_agent_server.agents.native.process_adapter import ProcessAdapter
from sandbox_agent_server.agents.native.refusals import (
    AgentEnded,
    AgentRefused,
    InvalidParams,
    Refused,
)
from sandbox_agent_server.agents.native.session_params import SessionParams

__all__ = ["CodexAdapter"]

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


class CodexAdapter(ProcessAdapter[Translator]):
    """When a session cannot be opened the adapter goes on: after a failed resume a new one can be asked for."""

    name = "codex"
    title = "Codex"
    install_hint = INSTALL_HINT
    capabilities = _CAPABILITIES

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self._is_opening = False

    def _find(self, env: Mapping[str, str]) -> AgentInstallation | None:
        return find(env)

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            acp.SESSION_NEW: partial(self._open, is_resumed=False),
            acp.SESSION_LOAD: partial(self._open, is_resumed=True),
            acp.SESSION_RESUME: partial(self._open, is_resumed=True),
            acp.SESSION_PROMPT: self._prompt,
            acp.SESSION_SET_MODE: self._set,
            acp.SESSION_SET_MODEL: self._set,
            acp.SESSION_SET_CONFIG_OPTION: self._set,
        }

    # The app-server

    async def _launch(self) -> None:
        context = self._context
        argv = command_line(self._command, extra=self._option_texts("extra_args"))
        await self._run(argv, cwd=context.cwd, env=context.env)

    def _process_ended(self) -> None:
        """The process is the agent: nothing comes after it."""
        self._dispatcher.end()
        self._end()

    def _question_id(self, number: int) -> QuestionId:
        return number

    def _question(self, id: QuestionId, method: str, params: Native) -> Native:
        return request(int(id), method, params)

    def _answers(self, message: Native) -> QuestionId | None:
        id = message.get("id")
        return id if "method" not in message and isinstance(id, int) else None

    def _result(self, answer: Native) -> Any:
        if "error" in answer:
            error = members(answer.get("error"))
            raise AgentRefused(text(error.get("message")) or "Codex refused", error.get("data"))
        return answer.get("result")

    def _translate(self, translator: Translator, message: Native, line: bytes) -> None:
        if "method" in message:
            super()._translate(translator, message, line)
        elif not message.keys() & {"result", "error"}:
            reason = "neither a request, a notification nor a response"
            self._deliver([unparsed(line, reason)])

    def _put_out(self, output: native.Output) -> None:
        super()._put_out(output)
        if isinstance(output, Output) and output.calls:
            self._tasks.spawn(self._call(output.calls), name="call")

    async def _call(self, calls: Sequence[Call]) -> None:
        for call in calls:
            try:
                answer = {"result": await self.ask(call.method, call.params)}
            except AgentRefused as exc:
                answer = {"error": {"message": exc.message}}
            except AgentEnded:
                return
            await self._call(self._session().called(call, answer))

    # Requests of the client

    async def _initialize(self, request: Request) -> Answer:
        told = members(await self.ask("initialize", _CLIENT))
        self._write(notification("initialized"))
        if (version := _VERSION.search(text(told.get("userAgent")) or "")) is not None:
            self._version = version.group(1)
        return await super()._initialize(request)

    async def _open(self, request: Request, *, is_resumed: bool) -> Answer:
        if self._translator is not None or self._is_opening:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per process")
        wanted = SessionParams.read(request.params, is_resumed=is_resumed, cwd=self._context.cwd)
        mcp_settings(wanted.mcp_servers)  # before anything is asked
        self._is_opening = True
        try:
            translator = await self._thread(wanted)
            if request.method == acp.SESSION_LOAD:
                await self._replay(translator)
        finally:
            self._is_opening = False
        self._translator = translator
        offers = translator.offers
        result: dict[str, Any] = {"modes": offers.modes(), "configOptions": offers.config_options()}
        return Answer(result if is_resumed else {"sessionId": translator.thread_id, **result})

    async def _thread(self, wanted: SessionParams) -> Translator:
        """Raises: Refused, AgentEnded."""
        opening = Opening(wanted)
        questions = opening.questions()
        answers = await asyncio.gather(
            *(self.ask(method, params) for method, params in questions.items()),
            return_exceptions=True,
        )
        for method, answer in zip(questions, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, AgentRefused):
                raise answer
            opening.told[method] = None if isinstance(answer, AgentRefused) else answer
        try:
            method, params = opening.thread_request(self._context.env)
        except NoCredentials as exc:
            raise Refused(AUTH_REQUIRED, str(exc)) from exc
        code = INTERNAL_ERROR if wanted.resumed_id is None else RESOURCE_NOT_FOUND
        try:
            opening.thread = members(await self.ask(method, params))
        except AgentRefused as exc:
            raise Refused(code, exc.message, exc.data) from exc
        if opening.thread_id is None:
            raise Refused(code, "Codex refused")
        return Translator(
            thread_id=opening.thread_id,
            cwd=str(wanted.cwd),
            offers=opening.offers(self._option_texts("models")),
        )

    async def _replay(self, translator: Translator) -> None:
        """Page by page, oldest first."""
        params = {"threadId": translator.thread_id, "itemsView": "full", "sortDirection": "asc"}
        while True:
            page = members(await self.ask("thread/turns/list", params))
            self._emit(translator.history(page.get("data")))
            if (cursor := page.get("nextCursor")) is None:
                return
            params = {**params, "cursor": cursor}

    async def _prompt(self, request: Request) -> None:
        translator = self._session_to_prompt()
        content = prompt_input(request.params.get("prompt"))
        translator.begin_prompt(Prompt(request.id))
        turn = {"threadId": translator.thread_id, "input": content}
        try:
            translator.prompt_taken(await self.ask("turn/start", turn))
        except AgentRefused as exc:
            error = {"message": exc.message, "data": exc.data}
            self._emit(translator.prompt_refused(error))

    async def _set(self, request: Request) -> Answer:
        translator = self._session()
        offers = translator.offers
        settings = settings_of(request.method, request.params, offers)
        try:
            change = {"threadId": translator.thread_id, **settings}
            await self.ask("thread/settings/update", change)
        except AgentRefused as exc:
            raise InvalidParams(exc.message) from exc
        mode = offers.mode
        offers.apply(settings)
        if request.method != acp.SESSION_SET_CONFIG_OPTION:
            return Answer({}, [translator.config_update()])
        then = [translator.mode_update()] if offers.mode != mode else []
        return Answer({"configOptions": offers.config_options()}, then)

    async def _cancel(self) -> None:
        if self._translator is not None:
            await self._call(self._translator.cancel())

    def _answered(self, request_id: RequestId, result: Mapping[str, Any] | None) -> None:
        if self._translator is not None:
            given = None if result is None else dict(result)
            self._put_out(self._translator.answer(request_id, given))
