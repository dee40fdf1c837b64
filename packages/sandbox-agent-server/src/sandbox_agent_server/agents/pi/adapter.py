"""Pi as an ACP agent: one process behind `session/new`, its RPC mode on stdio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final
from uuid import uuid4

from sandbox_agent_core.agent_options import PiOptions
from sandbox_agent_core.frames import RequestId, acp
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    RESOURCE_NOT_FOUND,
)
from sandbox_agent_core.frames.operations import (
    SESSION_COMPACT,
    SESSION_FORK,
    SESSION_NATIVE,
    SESSION_RENAME,
    SESSION_REWIND,
    SESSION_STEER,
)
from sandbox_agent_core.lenient import as_dict, as_text
from sandbox_agent_core.spi.agent import (
    AgentContext,
    AgentInstallation,
)
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META

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
from sandbox_agent_server.agents.pi.history import entry_of, prompts_in
from sandbox_agent_server.agents.pi.hooks import AFTER_TOOL, BEFORE_TOOL, read_hooks
from sandbox_agent_server.agents.pi.launch import (
    INSTALL_HINT,
    PACKAGES,
    asks_for_trust,
    can_clear_queue,
    check_node,
    command_line,
    environment,
    find,
    says_settled,
    session_argument,
    tells_entries,
)
from sandbox_agent_server.agents.pi.native import CANCELLED_DIALOG, command, dialog_answer
from sandbox_agent_server.agents.pi.offers import OWN_COMMANDS, Offers
from sandbox_agent_server.agents.pi.results import CREDENTIALS_HINT
from sandbox_agent_server.agents.pi.translate import Translator
from sandbox_agent_server.agents.pi.turns import Prompt
from sandbox_agent_server.agents.pi.workspace import programs
from sandbox_agent_server.agents.private_file import PrivateFile
from sandbox_agent_server.agents.repository import refuse_untrusted

__all__ = ["PiAdapter"]

_CAPABILITIES: Final[Mapping[str, Any]] = {
    "loadSession": True,
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": False, "sse": False},
    "sessionCapabilities": {"resume": {}},
}
_OWN_CAPABILITIES: Final[Mapping[str, Any]] = {
    "compact": True,
    "fork": True,
    "rename": True,
    "native": True,
    "usage": "cost",
    "hooks": [BEFORE_TOOL, AFTER_TOOL],
    "permissionAnswers": ["message", "updatedInput", "onReject"],
}
_OF_TURNS: Final = frozenset(
    {"clone", "compact", "follow_up", "fork", "new_session", "prompt", "steer", "switch_session"}
)
"""Commands that begin a turn or put another session in this one's place."""
_CHANGES: Final = ("cycle_", "set_")


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
        self._options = context.options_as(PiOptions)

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            SESSION_FORK: partial(self._open, is_resumed=False, is_fork=True),
            SESSION_STEER: self._steer,
            SESSION_COMPACT: self._compact,
            SESSION_REWIND: self._rewind,
            SESSION_RENAME: self._rename,
            SESSION_NATIVE: self._native,
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
        own = dict(_OWN_CAPABILITIES)
        if tells_entries(self._version):
            own |= {"fork": {"at": True}, "rewind": {"conversation": True}}
        if can_clear_queue(self._version):
            own["steer"] = True
        self.capabilities = {**_CAPABILITIES, "_meta": {CAPABILITIES_META: own}}
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

    async def _open(self, request: Request, *, is_resumed: bool, is_fork: bool = False) -> Answer:
        self._check_unopened()
        has_origin = is_resumed or is_fork
        wanted = SessionParams.read(request.params, is_resumed=has_origin, cwd=self._context.cwd)
        _refuse_mcp_servers(wanted)
        meta = as_dict(request.params.get("_meta"))
        hooks = read_hooks(meta.get("hooks"))
        await self._run_for(wanted, is_fork=is_fork, has_hooks=bool(hooks))
        try:
            translator = await self._translator_of(wanted, hooks, is_fork=is_fork)
            if (before := meta.get("beforePrompt")) is not None and is_fork:
                await self._go_back(await self._prompts(()), before)
            if request.method == acp.SESSION_LOAD:
                told = await self.ask("get_messages")
                self._emit(translator.history(told.get("messages")))
        except AgentEnded:
            raise await self._pi_ended(is_resumed=has_origin) from None
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

    async def _run_for(self, wanted: SessionParams, *, is_fork: bool, has_hooks: bool) -> None:
        env = environment(self._context.env, has_hooks=has_hooks)
        origin, options = wanted.resumed_id, self._options
        session = (
            ()
            if origin is None
            else ("--fork" if is_fork else "--session", session_argument(origin, env))
        )
        prompt = _file(wanted.system_prompt)
        own = _file(options.system_prompt)
        argv = command_line(
            self._command,
            session=session,
            system_prompt=prompt.path if prompt else None,
            own_system_prompt=own.path if own else None,
            options=options,
            is_trusted=self._context.trust_workspace and asks_for_trust(self._version),
            skills=self._context.skills,
            extra=self._option_texts("extra_args"),
        )
        files = [file for file in (prompt, own) if file is not None]
        await self._run(argv, cwd=wanted.cwd, env=env, files=files)

    async def _translator_of(
        self, wanted: SessionParams, hooks: frozenset[str], *, is_fork: bool
    ) -> Translator:
        """Raises: Refused, AgentEnded."""
        state = await self.ask("get_state")
        models = await self.ask("get_available_models")
        commands = await self.ask("get_commands")
        session_id = str(state.get("sessionId"))
        if wanted.resumed_id is not None and (session_id == wanted.resumed_id) is is_fork:
            raise Refused(RESOURCE_NOT_FOUND, f"Pi has no session {wanted.resumed_id!r}")
        offers = Offers(state=state, models=models, commands=commands)
        if not offers.has_models:
            message = f"Pi has no model to use, as it has no credentials. {CREDENTIALS_HINT}"
            raise Refused(AUTH_REQUIRED, message)
        await self._set_up()
        return Translator(
            session_id=session_id,
            cwd=str(wanted.cwd),
            offers=offers,
            says_settled=says_settled(self._version),
            new_id=self._new_id,
            hooks=hooks,
        )

    async def _set_up(self) -> None:
        options = self._options
        settings: list[tuple[str, Native]] = []
        if options.auto_compaction is not None:
            settings.append(("set_auto_compaction", {"enabled": options.auto_compaction}))
        if options.auto_retry is not None:
            settings.append(("set_auto_retry", {"enabled": options.auto_retry}))
        if options.steering is not None:
            settings.append(("set_steering_mode", {"mode": options.steering}))
        for method, fields in settings:
            await self.ask(method, fields)

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

    async def _steer(self, request: Request) -> Answer:
        translator = self._session()
        content = prompt_content(request.params.get("prompt"))
        if not can_clear_queue(self._version):
            raise Refused(METHOD_NOT_FOUND, "this version of Pi would keep it for a later prompt")
        if not translator.takes_steering:
            raise Refused(INVALID_REQUEST, "no turn is running")
        images: Native = {"images": content.images} if content.images else {}
        translator.steering.say(content.message, content.images)
        try:
            await self.ask("steer", {"message": content.message, **images})
        except (AgentEnded, Refused):
            translator.steering.unsay(content.message)
            raise
        return Answer({})

    async def _compact(self, request: Request) -> None:
        translator = self._session_to_prompt()
        prompt = Prompt(request.id, f"compact-{self._new_id()}", is_compaction=True)
        self._write(translator.compact(prompt, as_text(request.params.get("instructions"))))

    async def _rewind(self, request: Request) -> Answer:
        translator, params = self._session_to_prompt(), request.params
        if params.get("files") is True:
            raise InvalidParams("Pi cannot take files back")
        prompts = await self._prompts(translator.steering.said)
        if params.get("dryRun") is True or params.get("conversation") is not True:
            entry_of(prompts, params.get("promptIndex"))
        else:
            await self._go_back(prompts, params.get("promptIndex"))
        return Answer({"filesChanged": []})

    async def _prompts(self, said_into_turns: Iterable[str]) -> list[str]:
        """Their entries."""
        if not tells_entries(self._version):
            raise Refused(METHOD_NOT_FOUND, "this version of Pi does not tell what a session has")
        return prompts_in(await self.ask("get_entries"), said_into_turns=said_into_turns)

    async def _go_back(self, prompts: list[str], before: Any) -> None:
        """To before the prompt of this number; to the end of the session there is nothing to go.

        Raises: Refused.
        """
        if before == len(prompts):
            return
        entry = entry_of(prompts, before)
        await self.ask("prompt", {"message": f"/{OWN_COMMANDS}rewind {entry}"})
        if entry in await self._prompts(()):
            raise Refused(INTERNAL_ERROR, "Pi did not go back")

    async def _rename(self, request: Request) -> Answer:
        translator, title = self._session(), as_text(request.params.get("title"))
        if title is None:
            raise InvalidParams("`title` must be a text")
        await self.ask("set_session_name", {"name": title})
        return Answer({}, translator.renamed(title))

    async def _native(self, request: Request) -> Answer:
        translator, method = self._session(), request.params.get("method")
        if not isinstance(method, str) or not method.replace("_", "").isalpha():
            raise InvalidParams(f"`method` must be a command of Pi's RPC mode, not {method!r}")
        if method in _OF_TURNS:
            raise Refused(INVALID_REQUEST, f"{method!r} is about turns or other sessions")
        given = as_dict(request.params.get("params"))
        fields = {key: value for key, value in given.items() if key not in ("id", "type")}
        result = await self.ask(method, fields)
        if not method.startswith(_CHANGES):
            return Answer({"result": result})
        changed = translator.offers.read_state(await self.ask("get_state"))
        return Answer({"result": result}, [translator.config_update()] if changed else [])

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


def _file(text: str | None) -> PrivateFile | None:
    return PrivateFile(text, name="prompt", suffix=".md") if text else None


def _refuse_mcp_servers(wanted: SessionParams) -> None:
    """Pi has no MCP client: a session that silently lacks its tools would be worse than none."""
    if wanted.mcp_servers:
        names = ", ".join(server.name for server in wanted.mcp_servers)
        raise InvalidParams(
            f"Pi cannot use MCP servers, and the session has: {names}. "
            "Leave them out, or give Pi an extension that offers their tools."
        )
