"""Claude Code as an ACP agent: one process behind `session/new`, its control protocol on stdio."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from sandbox_agent_core.agent_options import ClaudeOptions
from sandbox_agent_core.frames import RequestId, acp, operations
from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, RESOURCE_NOT_FOUND
from sandbox_agent_core.lenient import as_dict, as_int, as_list, as_text
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, AgentInstallation
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META

from sandbox_agent_server.agents.claude.content import prompt_content
from sandbox_agent_server.agents.claude.hooks import HOOKS, registrations
from sandbox_agent_server.agents.claude.launch import (
    INSTALL_HINT,
    check_workspace,
    command_line,
    environment,
    find,
    mcp_config_file,
    parents_memory,
    skills_flag,
    version_at,
)
from sandbox_agent_server.agents.claude.marks import Mark, Marks
from sandbox_agent_server.agents.claude.native import (
    control_failure,
    control_request,
    user_message,
)
from sandbox_agent_server.agents.claude.offers import Offers
from sandbox_agent_server.agents.claude.options import check_options, handshake_fields
from sandbox_agent_server.agents.claude.reviews import REVIEW_COMMAND, review_prompt
from sandbox_agent_server.agents.claude.rewinding import rewind
from sandbox_agent_server.agents.claude.transcript import read_transcript
from sandbox_agent_server.agents.claude.translate import Translator
from sandbox_agent_server.agents.claude.turns import Prompt
from sandbox_agent_server.agents.native.adapter import Answer, Handler, Request
from sandbox_agent_server.agents.native.content import text_block
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

__all__ = ["ClaudeAdapter"]

_CAPABILITIES: Final[dict[str, Any]] = {
    # Claude keeps its own history and does not tell it: it resumes, it does not load.
    "loadSession": False,
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": True},
    "sessionCapabilities": {"resume": {}, "additionalDirectories": {}},
    "_meta": {
        CAPABILITIES_META: {
            "steer": True,
            "compact": True,
            "review": True,
            "fork": {"at": True},
            "rewind": {"files": True, "conversation": True},
            "rename": True,
            "native": True,
            "hooks": list(HOOKS),
            "usage": "modelTokens",
            "permissionAnswers": ["message", "updatedInput", "onReject"],
        }
    },
}


def _without_checkpoints() -> dict[str, Any]:
    can = deepcopy(_CAPABILITIES)
    can["_meta"][CAPABILITIES_META]["rewind"]["files"] = False
    return can


_OURS: Final = frozenset({"initialize"})
"""Control requests that belong to the adapter."""
_REQUEST_ID: Final = re.compile(rb'"request_id"\s*:\s*"([\w-]+)"')


class ClaudeAdapter(ProcessAdapter[Translator]):
    """The command line depends on the session, so the process is started by the request that opens it.

    When that fails the request is answered with an error and the adapter goes on: after a failed
    resume a new session can be asked for.
    """

    name = "claude"
    title = "Claude Code"
    reported_name = "claude-code"
    install_hint = INSTALL_HINT
    capabilities = _CAPABILITIES

    def __init__(
        self, context: AgentContext, *, new_id: Callable[[], str] = lambda: str(uuid4())
    ) -> None:
        super().__init__(context)
        self._new_id = new_id
        self._home = context.env.get("HOME")
        self._hooks: dict[str, Any] | None = None
        self._session_options = context.options_as(ClaudeOptions)
        if self._session_options.file_checkpoints is False:
            self.capabilities = _without_checkpoints()
        self._can_bypass = context.options.get("allow_bypass") is not False

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            acp.SESSION_NEW: self._new,
            acp.SESSION_RESUME: self._resume,
            operations.SESSION_FORK: self._fork,
            acp.SESSION_PROMPT: self._prompt,
            operations.SESSION_COMPACT: self._compact,
            operations.SESSION_REVIEW: self._review,
            operations.SESSION_STEER: self._steer,
            operations.SESSION_REWIND: self._rewind,
            operations.SESSION_RENAME: self._rename,
            operations.SESSION_NATIVE: self._native,
            acp.SESSION_SET_MODE: self._set,
            acp.SESSION_SET_MODEL: self._set,
            acp.SESSION_SET_CONFIG_OPTION: self._set,
        }

    def _find(self, env: Mapping[str, str]) -> AgentInstallation | None:
        return find(env)

    def _version_at(self, path: str) -> str | None:
        return version_at(path)

    async def _launch(self) -> None:
        check_options(
            self._session_options,
            workspace=self._context.cwd,
            trust_workspace=self._context.trust_workspace,
        )
        if self._context.trust_workspace:
            check_workspace(self._context.cwd, home=self._home)

    async def _stop(self) -> AgentExit:
        if self._translator is not None:
            # Claude ends at the end of its input only after the turn: 4 s later, killed, when a
            # command runs. Interrupted first it ends at once.
            self._write(self._translator.cancel())
            # Nobody asked for this end: what the turn came to is for the session to say.
            self._translator.abandon_prompt()
        return await super()._stop()

    # Its control protocol

    def _question(self, id: QuestionId, method: str, params: Native) -> Native:
        return control_request(str(id), method, **params)

    def _answers(self, message: Native) -> QuestionId | None:
        if message.get("type") != "control_response":
            return None
        return str(as_dict(message.get("response")).get("request_id"))

    def _result(self, answer: Native) -> Native:
        body = as_dict(answer["response"])
        if body.get("subtype") != "success":
            raise AgentRefused(str(body.get("error") or "Claude Code refused"))
        return as_dict(body.get("response"))

    def _in_place_of(self, known: Native, head: bytes, why: str) -> Native | None:
        match known:
            case {"type": "control_request", "request_id": str(id)}:
                self._write(control_failure(id, why))
            case {"type": "control_response"} if (found := _REQUEST_ID.search(head)) is not None:
                return control_failure(found[1].decode(), why)
            case {"type": "result"}:
                failed = {"subtype": "error_during_execution", "is_error": True, "errors": [why]}
                return {**known, **failed}
        return None

    # Requests of the client

    async def _new(self, request: Request) -> Answer:
        wanted = self._wanted(request, is_resumed=False)
        return await self._open(wanted, Marks(new_id=self._new_id), session_id=self._new_id())

    async def _resume(self, request: Request) -> Answer:
        wanted = self._wanted(request, is_resumed=True)
        marks = Marks(new_id=self._new_id, known=await self._known_marks(wanted))
        return await self._open(wanted, marks, session_id=str(wanted.resumed_id))

    async def _fork(self, request: Request) -> Answer:
        wanted = self._wanted(request, is_resumed=True)
        before = as_int(as_dict(request.params.get("_meta")).get("beforePrompt"))
        # It goes on counting where the other one is.
        marks = Marks(new_id=self._new_id, known=await self._known_marks(wanted))
        at = None
        if before is not None:
            at = await asyncio.to_thread(self._message_before, str(wanted.resumed_id), before)
            marks.rewind(before)
            if at is None:
                wanted = replace(wanted, resumed_id=None)  # nothing comes before it
        return await self._open(wanted, marks, session_id=self._new_id(), resume_at=at)

    async def _known_marks(self, wanted: SessionParams) -> Sequence[Mark] | None:
        id, env = str(wanted.resumed_id), self._context.env
        read = await asyncio.to_thread(read_transcript, id, env)
        return None if read is None else read.marks()

    def _message_before(self, session_id: str, index: int) -> str | None:
        """Raises: Refused."""
        read = read_transcript(session_id, self._context.env)
        if read is None:
            why = f"there is no transcript of the session {session_id} to be read"
            raise Refused(RESOURCE_NOT_FOUND, why)
        try:
            return read.before(index)
        except LookupError as exc:
            raise Refused(RESOURCE_NOT_FOUND, str(exc)) from exc

    def _wanted(self, request: Request, *, is_resumed: bool) -> SessionParams:
        self._check_unopened()
        self._hooks = registrations(as_dict(request.params.get("_meta")).get("hooks"))
        return SessionParams.read(request.params, is_resumed=is_resumed, cwd=self._context.cwd)

    async def _open(
        self, wanted: SessionParams, marks: Marks, *, session_id: str, resume_at: str | None = None
    ) -> Answer:
        config = mcp_config_file(wanted.mcp_servers)
        argv = command_line(
            self._command,
            wanted,
            session_id=session_id,
            mcp_config=config.path if config else None,
            can_bypass=self._can_bypass,
            resume_at=resume_at,
            trust_workspace=self._context.trust_workspace,
            home=self._home,
            options=self._session_options,
            extra=[*skills_flag(self._context.skills), *self._option_texts("extra_args")],
        )
        env = environment(
            self._context.env,
            trust_workspace=self._context.trust_workspace,
            file_checkpoints=self._session_options.file_checkpoints is not False,
        )
        await self._run(argv, cwd=wanted.cwd, env=env, files=[config] if config else [])
        # In the handshake, not on the command line: prompts are long, and all users see `ps`.
        memory = None if self._context.trust_workspace else parents_memory(wanted.cwd)
        text = "\n\n".join(filter(None, (memory, wanted.system_prompt)))
        prompt = {"appendSystemPrompt": text} if text else {}
        try:
            fields = handshake_fields(self._session_options)
            handshake = await self.ask("initialize", {"hooks": self._hooks, **fields, **prompt})
        except AgentRefused:
            # Without its answer nothing can be offered, but Claude may still work.
            handshake = {}
        except AgentEnded:
            code = INTERNAL_ERROR if wanted.resumed_id is None else RESOURCE_NOT_FOUND
            raise await self._not_opened(code, self._told_errors()) from None
        offers = Offers(handshake, model=wanted.model, can_bypass=self._can_bypass)
        translator = Translator(
            session_id=session_id,
            cwd=str(wanted.cwd),
            offers=offers,
            marks=marks,
            wants_object=self._session_options.output_schema is not None,
        )
        self._translator = translator
        if wanted.mcp_servers or self._context.trust_workspace:
            self._tasks.spawn(self._watch_mcp(translator), name="mcp")
        is_new = session_id != wanted.resumed_id
        result: dict[str, Any] = {"sessionId": session_id} if is_new else {}
        result |= {"modes": offers.modes(), "configOptions": offers.config_options()}
        return Answer(result, [translator.commands_update()])

    async def _watch_mcp(self, translator: Translator) -> None:
        """Claude tells of them with its first turn, which it does not begin before they have started."""

        async def ask() -> Any:
            return (await self.ask("mcp_status")).get("mcpServers")

        with suppress(AgentRefused, AgentEnded):
            await translator.mcp.watch(ask, self._emit)

    async def _prompt(self, request: Request) -> None:
        content = prompt_content(request.params.get("prompt"))
        self._begin(request, content, self._session_to_prompt().marks.prompt())

    async def _compact(self, request: Request) -> None:
        instructions = as_text(request.params.get("instructions")) or ""
        content = [text_block(f"/compact {instructions}".rstrip())]
        self._begin(request, content, self._session_to_prompt().marks.aside())

    async def _review(self, request: Request) -> None:
        translator = self._session_to_prompt()
        if not translator.offers.has_command(REVIEW_COMMAND):
            raise Refused(INVALID_REQUEST, f"this Claude Code has no /{REVIEW_COMMAND}")
        content = [text_block(review_prompt(request.params.get("target")))]
        self._begin(request, content, translator.marks.aside())

    def _begin(self, request: Request, content: list[Native], uuid: str) -> None:
        translator = self._session()
        is_command = str(content[0].get("text", "")).startswith("/")
        translator.begin_prompt(Prompt(request.id, uuid, is_command))
        self._write(user_message(content, uuid=uuid))

    async def _steer(self, request: Request) -> None:
        translator = self._session()
        if not translator.can_be_steered:
            raise Refused(INVALID_REQUEST, "no prompt is running: there is no turn to say it into")
        content = prompt_content(request.params.get("prompt"))
        uuid = translator.marks.aside()
        translator.steer(uuid, request.id)
        self._write(user_message(content, uuid=uuid))

    async def _rewind(self, request: Request) -> Answer:
        translator = self._session_to_prompt()
        return Answer(await rewind(self.ask, translator.marks, request.params))

    async def _rename(self, request: Request) -> Answer:
        self._session()
        title = as_text(request.params.get("title"))
        if title is None:
            raise InvalidParams("`title` must be a text")
        await self.ask("rename_session", {"title": title})
        return Answer({})

    async def _native(self, request: Request) -> Answer:
        """A control request; its subtype is the method."""
        self._session()
        method = as_text(request.params.get("method"))
        if method is None or method in _OURS:
            raise InvalidParams(
                f"`method` must be a control request of Claude Code, not {method!r}"
            )
        return Answer({"result": await self.ask(method, as_dict(request.params.get("params")))})

    async def _set(self, request: Request) -> Answer:
        translator = self._session()
        option, value = read_setting(request.method, request.params)
        change = translator.offers.change(option, value)
        try:
            await self.ask(change.subtype, change.fields)
        except AgentRefused as exc:
            raise InvalidParams(exc.message) from exc
        change.apply()
        if request.method != acp.SESSION_SET_CONFIG_OPTION:
            return Answer({}, [translator.config_update()])
        then = [translator.mode_update()] if option == "mode" else []
        return Answer({"configOptions": translator.offers.config_options()}, then)

    def _answered(self, request_id: RequestId, result: Mapping[str, Any] | None) -> None:
        if self._translator is not None:
            self._put_out(self._translator.answer(request_id, result))

    async def _cancel(self) -> None:
        if self._translator is not None:
            self._write(self._translator.cancel())

    async def _stop_task(self, task_id: str) -> None:
        # Claude answers with success for any id, also one that it never gave.
        if self._translator is not None and self._translator.has_task(task_id):
            await self.ask("stop_task", {"task_id": task_id})

    def _told_errors(self) -> str:
        """What a session that cannot be opened has written as the result of no prompt."""
        results = [message for _, message in self._early if message.get("type") == "result"]
        return "; ".join(str(error) for each in results for error in as_list(each.get("errors")))
