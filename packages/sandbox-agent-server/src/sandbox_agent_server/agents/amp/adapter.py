"""Amp as an ACP agent: a process for each prompt, which continues the thread of the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from uuid import uuid4

from sandbox_agent_core.agent_options import AmpOptions
from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.frames import RequestId, acp
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INVALID_REQUEST,
    notification,
    request,
)
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, AgentInstallation

from sandbox_agent_server.agents.amp.ask_socket import AskSocket
from sandbox_agent_server.agents.amp.content import prompt_text
from sandbox_agent_server.agents.amp.launch import (
    INSTALL_HINT,
    LOGIN_HINT,
    PACKAGES,
    InvalidSettings,
    find,
    is_logged_in,
    prompt_command,
    read_thread,
)
from sandbox_agent_server.agents.amp.offers import AmpOffers
from sandbox_agent_server.agents.amp.tools import READ_ONLY, scope_of
from sandbox_agent_server.agents.amp.translate import Translator
from sandbox_agent_server.agents.native.adapter import Answer, Handler, Request
from sandbox_agent_server.agents.native.dispatcher import Dispatcher
from sandbox_agent_server.agents.native.grants import Decision, Grants
from sandbox_agent_server.agents.native.offers import read_setting
from sandbox_agent_server.agents.native.process_adapter import ProcessAdapter
from sandbox_agent_server.agents.native.refusals import AgentEnded, Refused
from sandbox_agent_server.agents.native.session_params import SessionParams
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["AmpAdapter"]

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


class AmpAdapter(ProcessAdapter[Translator]):
    """Between prompts there is no process, and still an agent."""

    name = "amp"
    title = "Amp"
    install_hint = INSTALL_HINT
    packages = PACKAGES
    capabilities = _CAPABILITIES

    def __init__(
        self, context: AgentContext, *, new_id: Callable[[], str] = lambda: str(uuid4())
    ) -> None:
        super().__init__(context)
        self._new_id = new_id
        self._params: SessionParams | None = None
        self._grants = Grants()
        self._offers = AmpOffers(self._option_texts("models"))
        self._socket: AskSocket | None = None
        self._permissions = Dispatcher(lambda _: new_id())
        """Those that the client is asked for."""

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            acp.SESSION_NEW: partial(self._open, is_resumed=False),
            acp.SESSION_RESUME: partial(self._open, is_resumed=True),
            acp.SESSION_PROMPT: self._prompt,
            acp.SESSION_SET_MODE: self._set_mode,
            acp.SESSION_SET_MODEL: self._set_option,
            acp.SESSION_SET_CONFIG_OPTION: self._set_option,
        }

    def _find(self, env: Mapping[str, str]) -> AgentInstallation | None:
        return find(env)

    async def _stop(self) -> AgentExit:
        if self._link is not None:
            await self._link.terminate()
        self._withdraw_permissions()
        if self._socket is not None:
            await self._socket.close()
        return await super()._stop()

    # Requests of the client

    async def _open(self, request: Request, *, is_resumed: bool) -> Answer:
        if self._translator is not None:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per adapter")
        wanted = self._params = SessionParams.read(
            request.params, is_resumed=is_resumed, cwd=self._context.cwd, read_id=read_thread
        )
        if not is_logged_in(self._context.env):
            raise Refused(AUTH_REQUIRED, f"Amp is not logged in. {LOGIN_HINT}")
        session_id = wanted.resumed_id or self._new_id()
        self._translator = Translator(
            session_id=session_id,
            thread=wanted.resumed_id,
            cwd=str(wanted.cwd),
            new_id=self._new_id,
        )
        result: dict[str, Any] = {} if is_resumed else {"sessionId": session_id}
        offered = {"modes": self._grants.modes(), "configOptions": self._offers.config_options()}
        return Answer(result | offered)

    async def _prompt(self, request: Request) -> None:
        translator = self._session_to_prompt()
        text = prompt_text(request.params.get("prompt"))
        translator.begin(request.id)
        try:
            # That of the prompt before may be on its way out.
            await self._forget_process()
            await self._run_prompt(translator)
        except (InvalidSettings, OSError, SandboxAgentError) as exc:
            self._emit(translator.failed(str(exc)))
            return
        content = [{"type": "text", "text": text}]
        self._write({"type": "user", "message": {"role": "user", "content": content}})

    async def _run_prompt(self, translator: Translator) -> None:
        """Raises: InvalidSettings, OSError, AgentNotInstalled, AgentStartFailed."""
        assert self._params is not None
        if self._socket is None:
            self._socket = AskSocket(self._ask)
            await self._socket.start()
        argv = prompt_command(
            self._command,
            self._params,
            thread=translator.thread,
            ask_program=self._socket.program,
            env=self._context.env,
            mode=self._offers.mode,
            options=self._context.options_as(AmpOptions),
            extra=self._option_texts("extra_args"),
        )
        await self._run(argv, cwd=self._params.cwd, env=self._context.env)

    async def _set_mode(self, request: Request) -> Answer:
        self._grants.set_mode(request.params.get("modeId"))
        return Answer({})

    async def _set_option(self, request: Request) -> Answer:
        """From the next prompt on."""
        self._offers.set(*read_setting(request.method, request.params))
        return Answer({"configOptions": self._offers.config_options()})

    async def _cancel(self) -> None:
        """Amp knows no other way to stop a turn; the thread keeps what was said until then."""
        translator, link = self._translator, self._link
        if translator is None or link is None or not translator.is_prompted:
            return
        # First: that the process ends now is no failure.
        answer = translator.cancelled()
        await link.terminate()
        self._withdraw_permissions()
        self._emit(answer)

    def _answered(self, request_id: RequestId, result: Mapping[str, Any] | None) -> None:
        self._permissions.answer(request_id, dict(result or {}))

    # From Amp

    def _read_line(self, line: bytes) -> list[tuple[bytes, Native]]:
        if not line.startswith(_LOGIN_FLOW):
            return super()._read_line(line)
        self._emit(self._session().failed("Amp is not logged in: No API key found."))
        if self._link is not None:
            # It would wait for ever for the code of a login.
            self._tasks.spawn(self._link.terminate(), name="end of a login")
        return []

    def _read(self, lines: list[bytes]) -> None:
        super()._read(lines)
        if not self._session().is_prompted and not self._is_closed:
            # It talks to its server on its way out, which nobody needs to wait for.
            self._tasks.spawn(self._forget_process(), name="end of a turn")

    def _process_ended(self) -> None:
        """Without having told how its turn ended, when there is one still."""
        if not self._is_closed and self._session().is_prompted:
            self._tasks.spawn(self._fail_prompt(), name="end of a process")

    async def _fail_prompt(self) -> None:
        ended = await self._forget_process()
        self._withdraw_permissions()
        said = "" if ended.is_out_of_memory else ended.stderr_tail.strip()
        how = said or f"Amp {ended.how}"
        self._emit(self._session().failed(how))

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
            id, answer = self._permissions.question()
            options = self._grants.options(scope)
            params = {"sessionId": translator.session_id, "toolCall": call, "options": options}
            self._emit([request(id, acp.SESSION_REQUEST_PERMISSION, params)])
            try:
                decision = self._grants.read_answer(scope, await answer)
            except AgentEnded:
                decision = "cancel"
        if decision == "allow":
            self._emit([translator.running(str(call["toolCallId"]))])
        return _REASONS[decision]

    def _withdraw_permissions(self) -> None:
        """Nobody waits for the answers any more; the client is told so."""
        for id in self._permissions.end():
            self._emit([notification(acp.CANCEL_REQUEST, {"requestId": id})])
