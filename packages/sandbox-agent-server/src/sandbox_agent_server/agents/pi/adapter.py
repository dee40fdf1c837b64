"""Pi as an ACP agent: one process behind `session/new`, its RPC mode on stdio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from uuid import uuid4

from sandbox_agent_core.frames import RequestId, acp
from sandbox_agent_core.frames.jsonrpc import AUTH_REQUIRED, INTERNAL_ERROR, RESOURCE_NOT_FOUND
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import AgentContext, AgentInstallation

from sandbox_agent_server.agents.native.adapter import Answer, Handler, Request
from sandbox_agent_server.agents.native.dispatcher import QuestionId
from sandbox_agent_server.agents.native.offers import read_setting
from sandbox_agent_server.agents.native.process_adapter import ProcessAdapter
from sandbox_agent_server.agents.native.refusals import (
    AgentEnded,
    AgentRefused,
    InvalidParams,
    Refused,
)
from sandbox_agent_server.agents.native.session_params import SessionParams
from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.pi.content import prompt_content
from sandbox_agent_server.agents.pi.launch import (
    INSTALL_HINT,
    PACKAGES,
    check_node,
    command_line,
    environment,
    find,
    says_settled,
    session_argument,
)
from sandbox_agent_server.agents.pi.native import CANCELLED_DIALOG, command, dialog_answer
from sandbox_agent_server.agents.pi.offers import Offers
from sandbox_agent_server.agents.pi.results import CREDENTIALS_HINT
from sandbox_agent_server.agents.pi.translate import Translator
from sandbox_agent_server.agents.pi.turns import Prompt
from sandbox_agent_server.agents.pi.workspace import programs
from sandbox_agent_server.agents.private_file import PrivateFile
from sandbox_agent_server.agents.repository import refuse_untrusted

__all__ = ["PiAdapter"]

_CAPABILITIES: Final = {
    "loadSession": True,
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": False, "sse": False},
    "sessionCapabilities": {"resume": {}},
}


class PiAdapter(ProcessAdapter[Translator]):
    """The command line depends on the session, so the process is started by the request that opens it.

    When that fails the request is answered with an error and the adapter goes on: after a failed
    resume a new session can be asked for.
    """

    name = "pi"
    title = "Pi"
    install_hint = INSTALL_HINT
    packages = PACKAGES
    capabilities = _CAPABILITIES

    def __init__(
        self, context: AgentContext, *, new_id: Callable[[], str] = lambda: str(uuid4())
    ) -> None:
        super().__init__(context)
        self._new_id = new_id

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            acp.SESSION_NEW: partial(self._open, is_resumed=False),
            acp.SESSION_LOAD: partial(self._open, is_resumed=True),
            acp.SESSION_RESUME: partial(self._open, is_resumed=True),
            acp.SESSION_PROMPT: self._prompt,
            acp.SESSION_SET_MODE: self._set_mode,
            acp.SESSION_SET_CONFIG_OPTION: self._set,
        }

    def _find(self, env: Mapping[str, str]) -> AgentInstallation | None:
        return find(env)

    async def _launch(self) -> None:
        check_node(self._command, self._context.env)
        if not self._context.trust_workspace:
            home = self._context.env.get("HOME")
            refuse_untrusted(self.title, programs(self._context.cwd, home=home))

    # Its RPC mode

    def _question(self, id: QuestionId, method: str, params: Native) -> Native:
        return command(str(id), method, **params)

    def _answers(self, message: Native) -> QuestionId | None:
        # The translator asks, too, and knows what it asked.
        id = message.get("id") if message.get("type") == "response" else None
        return str(id) if self._dispatcher.awaits(id) else None

    def _result(self, answer: Native) -> Native:
        if answer.get("success") is not True:
            raise AgentRefused(str(answer.get("error") or f"Pi refused {answer.get('command')!r}"))
        return as_dict(answer.get("data"))

    def _in_place_of(self, known: Native, head: bytes, why: str) -> Native | None:
        match known:
            case {"type": "extension_ui_request", "id": str(id)}:
                self._write(dialog_answer(id, CANCELLED_DIALOG))
            case {"type": "response"}:
                return {**known, "success": False, "error": why}
            case {"type": "agent_end"}:
                return known  # it repeats all messages, which were told
        return None

    # Requests of the client

    async def _open(self, request: Request, *, is_resumed: bool) -> Answer:
        self._check_unopened()
        wanted = SessionParams.read(request.params, is_resumed=is_resumed, cwd=self._context.cwd)
        _refuse_mcp_servers(wanted)
        await self._run_for(wanted)
        try:
            translator = await self._translator_of(wanted)
            if request.method == acp.SESSION_LOAD:
                told = await self.ask("get_messages")
                self._emit(translator.history(told.get("messages")))
        except AgentEnded:
            raise await self._pi_ended(is_resumed=is_resumed) from None
        except Refused:
            # No session comes of it: the process goes, and another session may be opened.
            await self._forget_process()
            raise
        self._translator = translator
        result: dict[str, Any] = {} if is_resumed else {"sessionId": translator.session_id}
        result |= {
            "modes": translator.grants.modes(),
            "configOptions": translator.offers.config_options(),
        }
        return Answer(result, [translator.commands_update()])

    async def _run_for(self, wanted: SessionParams) -> None:
        env, resumed, text = environment(self._context.env), wanted.resumed_id, wanted.system_prompt
        prompt = PrivateFile(text, name="prompt", suffix=".md") if text else None
        argv = command_line(
            self._command,
            session=session_argument(resumed, env) if resumed is not None else None,
            system_prompt=prompt.path if prompt else None,
            extra=self._option_texts("extra_args"),
        )
        await self._run(argv, cwd=wanted.cwd, env=env, files=[prompt] if prompt else [])

    async def _translator_of(self, wanted: SessionParams) -> Translator:
        """Raises: Refused, AgentEnded."""
        state = await self.ask("get_state")
        models = await self.ask("get_available_models")
        commands = await self.ask("get_commands")
        session_id = str(state.get("sessionId"))
        if wanted.resumed_id is not None and session_id != wanted.resumed_id:
            raise Refused(RESOURCE_NOT_FOUND, f"Pi has no session {wanted.resumed_id!r}")
        offers = Offers(state=state, models=models, commands=commands)
        if not offers.has_models:
            message = f"Pi has no model to use, as it has no credentials. {CREDENTIALS_HINT}"
            raise Refused(AUTH_REQUIRED, message)
        return Translator(
            session_id=session_id,
            cwd=str(wanted.cwd),
            offers=offers,
            says_settled=says_settled(self._version),
            new_id=self._new_id,
        )

    async def _pi_ended(self, *, is_resumed: bool) -> Refused:
        refused = await self._not_opened(RESOURCE_NOT_FOUND if is_resumed else INTERNAL_ERROR)
        if refused.message.startswith("No models available"):
            text = f"{refused.message}\n{CREDENTIALS_HINT}"
            return Refused(AUTH_REQUIRED, text, refused.data)
        return refused

    async def _prompt(self, request: Request) -> None:
        translator = self._session_to_prompt()
        content = prompt_content(request.params.get("prompt"))
        prompt = Prompt(request.id, f"prompt-{self._new_id()}")
        self._write(translator.prompt(prompt, content.message, content.images))

    async def _set_mode(self, request: Request) -> Answer:
        self._session().grants.set_mode(request.params.get("modeId"))
        return Answer({})

    async def _set(self, request: Request) -> Answer:
        offers = self._session().offers
        method, change = offers.change(*read_setting(request.method, request.params))
        try:
            await self.ask(method, change)
        except AgentRefused as exc:
            raise InvalidParams(exc.message) from exc
        # Another model may think at another level.
        offers.read_state(await self.ask("get_state"))
        return Answer({"configOptions": offers.config_options()})

    def _answered(self, request_id: RequestId, result: Mapping[str, Any] | None) -> None:
        if self._translator is not None:
            self._put_out(self._translator.answer(request_id, result))

    async def _cancel(self) -> None:
        if self._translator is not None:
            self._put_out(self._translator.cancel())


def _refuse_mcp_servers(wanted: SessionParams) -> None:
    """Pi has no MCP client: a session that silently lacks its tools would be worse than none."""
    if wanted.mcp_servers:
        names = ", ".join(server.name for server in wanted.mcp_servers)
        raise InvalidParams(
            f"Pi cannot use MCP servers, and the session has: {names}. "
            "Leave them out, or give Pi an extension that offers their tools."
        )
