"""Codex as an ACP agent: one `codex app-server` for one session, its JSON-RPC on stdio."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from sandbox_agent_core.agent_options import CodexOptions
from sandbox_agent_core.frames import RequestId, acp, extensions
from sandbox_agent_core.frames.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    RESOURCE_NOT_FOUND,
)
from sandbox_agent_core.lenient import as_dict, as_text, dicts_with
from sandbox_agent_core.spi.agent import AgentContext, AgentInstallation
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META

from sandbox_agent_server import __version__
from sandbox_agent_server.agents.codex.driving import Driving
from sandbox_agent_server.agents.codex.history import pages_of_turns, turn_of_prompt
from sandbox_agent_server.agents.codex.launch import INSTALL_HINT, command_line, find
from sandbox_agent_server.agents.codex.offers import Offers
from sandbox_agent_server.agents.codex.opening import thread_params
from sandbox_agent_server.agents.codex.options import profile_settings
from sandbox_agent_server.agents.codex.permissions import note_lost
from sandbox_agent_server.agents.codex.translate import Translator
from sandbox_agent_server.agents.codex.turns import MAX_OWN_TURNS
from sandbox_agent_server.agents.codex.workspace import (
    check_workspace,
    has_settings,
    memory,
    trust_setting,
)
from sandbox_agent_server.agents.native.adapter import Answer, Handler, Request
from sandbox_agent_server.agents.native.dispatcher import QuestionId
from sandbox_agent_server.agents.native.mcp import SLOW_S
from sandbox_agent_server.agents.native.offers import read_setting
from sandbox_agent_server.agents.native.permission_replies import PermissionReply
from sandbox_agent_server.agents.native.process_adapter import ProcessAdapter
from sandbox_agent_server.agents.native.refusals import AgentEnded, AgentRefused, Refused
from sandbox_agent_server.agents.native.session_params import SessionParams, read_uuid
from sandbox_agent_server.agents.native.translator import Native, Output

__all__ = ["CodexAdapter"]

_VERSION: Final = re.compile(r"/(\d+\.\d+\.\d+\S*)")
_CAPABILITIES: Final = {
    "loadSession": True,
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": False},
    "sessionCapabilities": {"fork": {}, "resume": {}, "additionalDirectories": {}},
    "_meta": {
        CAPABILITIES_META: {
            "steer": True,
            "compact": True,
            "review": True,
            "fork": {"at": True},
            "rewind": {"files": False, "conversation": True},
            "rename": True,
            "native": True,
            "outputSchema": True,
            "usage": "tokens",
            "permissionAnswers": ["message", "onReject"],
        }
    },
}
_CLIENT: Final = {
    "clientInfo": {"name": "sandbox-agent", "title": "sandbox-agent", "version": __version__},
    # Plan mode, settings between turns and the end of background commands are experimental to Codex.
    "capabilities": {"experimentalApi": True},
}

_TURN: Final = re.compile(
    rb'"threadId"\s*:\s*"([\w-]+)"\s*,\s*"turn"\s*:\s*\{\s*"id"\s*:\s*"([\w-]+)"'
)


class CodexAdapter(ProcessAdapter[Translator]):
    """The process is there from the start. When a session cannot be opened it goes on: after a failed
    resume a new session can be asked for.

    Its protocol is JSON-RPC without the `jsonrpc` member. Both sides number their requests from 0 or 1
    in id spaces of their own, so an id says nothing: what has a `method` is asked, what has none answers.
    """

    name = "codex"
    title = "Codex"
    install_hint = INSTALL_HINT
    capabilities = _CAPABILITIES

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self._options = context.options_as(CodexOptions)
        self._driving = Driving(self.ask, self._session, output_schema=self._options.output_schema)
        self._is_opening = False
        self._has_settings = False
        """The workspace brings some along."""

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            acp.SESSION_NEW: partial(self._open, is_resumed=False),
            acp.SESSION_LOAD: partial(self._open, is_resumed=True),
            acp.SESSION_RESUME: partial(self._open, is_resumed=True),
            acp.SESSION_SET_MODE: self._set,
            acp.SESSION_SET_MODEL: self._set,
            acp.SESSION_SET_CONFIG_OPTION: self._set,
            acp.SESSION_FORK: self._fork,
            **self._driving.handlers(),
        }

    def _find(self, env: Mapping[str, str]) -> AgentInstallation | None:
        return find(env)

    async def _launch(self) -> None:
        context = self._context
        home = context.env.get("HOME")
        self._has_settings = has_settings(context.cwd, home=home)
        if context.trust_workspace:
            check_workspace(context.cwd, home=home)
        # In one without settings there is nothing to trust, and its memory is read.
        is_trusted = context.trust_workspace or not self._has_settings
        argv = command_line(
            self._command,
            settings=[trust_setting(context.cwd, is_trusted=is_trusted)],
            extra=self._option_texts("extra_args"),
        )
        await self._run(argv, cwd=self._context.cwd, env=self._context.env)

    def _process_ended(self) -> None:
        super()._process_ended()
        self._end()  # Also before there is a session: no other process is started for one.

    # Its protocol

    def _question_id(self, number: int) -> QuestionId:
        return number

    def _question(self, id: QuestionId, method: str, params: Native) -> Native:
        return {"id": id, "method": method, "params": params}

    def _answers(self, message: Native) -> QuestionId | None:
        id = message.get("id")
        is_answer = "method" not in message and ("result" in message or "error" in message)
        return id if is_answer and isinstance(id, QuestionId) else None

    def _result(self, answer: Native) -> Native:
        if "error" in answer:
            error = as_dict(answer["error"])
            raise AgentRefused(as_text(error.get("message")) or "Codex refused", error.get("data"))
        return as_dict(answer["result"])

    def _in_place_of(self, known: Native, head: bytes, why: str) -> Native | None:
        error = {"code": PARSE_ERROR, "message": why}
        match known:
            case {"method": str(), "id": int() | str() as id}:
                self._write({"id": id, "error": error})
            case {"method": "turn/completed"} if (found := _TURN.search(head)) is not None:
                turn: Native = {
                    "id": found[2].decode(),
                    "items": [],
                    "status": "failed",
                    "error": error,
                }
                params = {"threadId": found[1].decode(), "turn": turn}
                return {"method": "turn/completed", "params": params}
            case {"id": int() | str() as id} if "method" not in known:
                return {"id": id, "error": error}
        return None

    async def _told(self, method: str, params: Mapping[str, Any] | None = None) -> Native:
        """The answer; nothing when Codex refuses. Raises: AgentEnded."""
        try:
            return as_dict(await self.ask(method, params))
        except AgentRefused:
            return {}

    # Requests of the client

    async def _initialize(self, request: Request) -> Answer:
        told = await self.ask("initialize", _CLIENT)
        self._write({"method": "initialized"})
        if version := _VERSION.search(as_text(told.get("userAgent")) or ""):
            self._version = version.group(1)
        return await super()._initialize(request)

    async def _fork(self, request: Request) -> Answer:
        """Opens a thread that begins with what another has in its memory, also one that nobody has open."""
        thread_id = read_uuid(request.params.get("sessionId"))
        fork: Native = {"deferGoalContinuation": True}
        before = as_dict(request.params.get("_meta")).get("beforePrompt")
        if before is not None:
            try:
                fork["beforeTurnId"] = await turn_of_prompt(self.ask, thread_id, before)
            except AgentRefused as exc:
                raise Refused(RESOURCE_NOT_FOUND, exc.message, exc.data) from exc
        return await self._open(request, is_resumed=True, fork=fork)

    async def _open(
        self, request: Request, *, is_resumed: bool, fork: Native | None = None
    ) -> Answer:
        if self._translator is not None or self._is_opening:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per process")
        wanted = SessionParams.read(request.params, is_resumed=is_resumed, cwd=self._context.cwd)
        self._is_opening = True
        try:
            translator = await self._thread(wanted, fork)
            if request.method == acp.SESSION_LOAD:
                await self._tell_history(translator)
        finally:
            self._is_opening = False
        self._translator = translator
        if wanted.mcp_servers:
            watch = translator.mcp.watch(_no_news, self._emit, at_least_s=2 * SLOW_S)
            self._tasks.spawn(watch, name="mcp")
        self._tasks.spawn(self._tell_commands(translator), name="skills")
        offers = translator.offers
        is_new = fork is not None or not is_resumed
        result: dict[str, Any] = {"sessionId": translator.session_id} if is_new else {}
        return Answer(result | {"modes": offers.modes(), "configOptions": offers.config_options()})

    async def _thread(self, wanted: SessionParams, fork: Native | None) -> Translator:
        """`fork`: what `thread/fork` is told beside the thread. Raises: Refused, AgentEnded."""
        account = await self._told("account/read", {"refreshToken": False})
        layers = {"includeLayers": False, "cwd": str(wanted.cwd)}
        configuration = as_dict((await self._told("config/read", layers)).get("config"))
        models = await self._told("model/list")
        is_unread = self._has_settings and not self._context.trust_workspace
        options, profile = self._options, None
        if options.profile is not None:
            env = self._context.env
            profile = await asyncio.to_thread(profile_settings, options.profile, env)
        params = thread_params(
            wanted,
            options=options,
            profile=profile,
            account=account,
            configuration=configuration,
            env=self._context.env,
            memory=memory(wanted.cwd) if is_unread else None,
            may_be_settled_by_workspace=self._has_settings and self._context.trust_workspace,
        )
        if self._context.skills is not None:
            with suppress(AgentRefused):  # one that is too old for it
                roots = [str(self._context.skills / "skills")]
                await self.ask("skills/extraRoots/set", {"extraRoots": roots})
        method = "thread/start" if wanted.resumed_id is None else "thread/resume"
        if fork is not None:
            method, params = "thread/fork", params | fork
        try:
            made = await self.ask(method, params)
        except AgentRefused as exc:
            code = INTERNAL_ERROR if wanted.resumed_id is None else RESOURCE_NOT_FOUND
            raise Refused(code, exc.message, exc.data) from exc
        thread_id = as_text(as_dict(made.get("thread")).get("id"))
        if thread_id is None:
            raise Refused(INTERNAL_ERROR, "Codex did not name the thread that it made")
        offers = Offers(
            made,
            models.get("data"),
            workspace=configuration.get("sandbox_workspace_write"),
            directories=wanted.directories,
            more_models=self._option_texts("models"),
            plans_anyway=options.collaboration_mode == "plan",
        )
        if (settings := offers.at_start()) is not None:
            await self.ask("thread/settings/update", {"threadId": thread_id, **settings})
        return Translator(
            session_id=thread_id,
            cwd=str(wanted.cwd),
            offers=offers,
            max_own_turns=options.max_goal_turns or MAX_OWN_TURNS,
        )

    async def _tell_commands(self, translator: Translator) -> None:
        with suppress(AgentEnded):
            listed = await self._told("skills/list", {"cwds": [translator.cwd]})
            if translator.offers.skills.read(listed):
                self._emit([translator.commands_update()])

    async def _tell_history(self, translator: Translator) -> None:
        with suppress(AgentRefused):
            async for turns in pages_of_turns(self.ask, translator.session_id):
                self._emit(translator.history(turns))

    async def _set(self, request: Request) -> Answer:
        translator = self._session()
        offers = translator.offers
        change = offers.change(*read_setting(request.method, request.params))
        params = {"threadId": translator.session_id, **change}
        try:
            await self.ask("thread/settings/update", params)
        except AgentRefused as exc:
            raise Refused(INVALID_PARAMS, exc.message, exc.data) from exc
        mode = offers.mode
        offers.apply(change)
        if request.method != acp.SESSION_SET_CONFIG_OPTION:
            return Answer({}, [translator.config_update()])
        then = [translator.mode_update()] if offers.mode != mode else []
        return Answer({"configOptions": offers.config_options()}, then)

    def _answered(self, request_id: RequestId, result: Mapping[str, Any] | None) -> None:
        translator = self._translator
        if translator is None:
            return
        reply = PermissionReply.read(result)
        turn = translator.asking_turn(request_id) if reply.message is not None else None
        if turn is None:
            self._put_out(translator.answer(request_id, result))
        else:
            answering = self._answer_with_note(translator, request_id, result, reply, turn)
            self._tasks.spawn(answering, name="answer with a message")

    async def _answer_with_note(
        self,
        translator: Translator,
        request_id: RequestId,
        result: Mapping[str, Any] | None,
        reply: PermissionReply,
        turn: Native,
    ) -> None:
        """Codex's answers have no room for words, so they go into the turn: first, because it goes on at once. One
        that is to stop would not pass them on: there they are for the next."""
        if reply.stops:
            said = {"type": "input_text", "text": reply.message}
            item = {"type": "message", "role": "user", "content": [said]}
            translator.ask_at_end("thread/inject_items", {"items": [item]})
        else:
            note = turn | {"input": [{"type": "text", "text": reply.message}]}
            with suppress(AgentEnded):
                try:
                    await self.ask("turn/steer", note)
                except AgentRefused as exc:
                    self._emit([translator.announce(extensions.ERROR, note_lost(exc.message))])
        self._put_out(translator.answer(request_id, result))

    async def _cancel(self) -> None:
        if self._translator is not None:
            self._translator.cancel()
            self._ask_what_is_due(self._translator)

    async def _stop_task(self, task_id: str) -> None:
        translator = self._translator
        if translator is None:
            return
        thread_id = translator.stop_task(task_id)
        self._ask_what_is_due(translator)
        if thread_id is None:
            return
        thread = {"threadId": thread_id}
        listed = await self._told("thread/backgroundTerminals/list", thread)
        for terminal in dicts_with(listed.get("data"), "processId"):
            if terminal.get("itemId") == task_id:
                command = thread | {"processId": terminal["processId"]}
                await self._told("thread/backgroundTerminals/terminate", command)

    # What a cancelled turn leaves

    def _put_out(self, output: Output) -> None:
        if self._translator is not None:
            # First: whoever hears of the end of a turn may ask for the next at once.
            self._ask_what_is_due(self._translator)
        super()._put_out(output)

    def _ask_what_is_due(self, translator: Translator) -> None:
        due = translator.take_due()
        for method, params in due.requests:
            asking = self._ask_at_end(translator.session_id, method, params)
            self._tasks.spawn(asking, name=method)
        if due.lists_skills:
            self._tasks.spawn(self._tell_commands(translator), name="skills")
        if due.pauses_goal:
            self._tasks.spawn(self._pause_goal(translator.session_id), name="pause the goal")
        for thread_id, turn_id in due.interrupts:
            self._tasks.spawn(self._interrupt(translator, thread_id, turn_id), name="interrupt")
        for thread_id in due.left_by:
            self._tasks.spawn(self._end_commands(translator, thread_id), name="end commands")

    async def _ask_at_end(self, thread_id: str, method: str, params: Native) -> None:
        with suppress(AgentEnded):
            await self._told(method, {"threadId": thread_id, **params})

    async def _pause_goal(self, thread_id: str) -> None:
        with suppress(AgentEnded):
            await self._told("thread/goal/set", {"threadId": thread_id, "status": "paused"})

    async def _interrupt(self, translator: Translator, thread_id: str, turn_id: str) -> None:
        with suppress(AgentEnded):
            try:
                await self.ask("turn/interrupt", {"threadId": thread_id, "turnId": turn_id})
            except AgentRefused:
                translator.interrupt_refused(turn_id)

    async def _end_commands(self, translator: Translator, thread_id: str) -> None:
        with suppress(AgentEnded):
            thread = {"threadId": thread_id}
            listed = await self._told("thread/backgroundTerminals/list", thread)
            for process_id in translator.left_running(listed.get("data")):
                command = thread | {"processId": process_id}
                await self._told("thread/backgroundTerminals/terminate", command)


async def _no_news() -> None:
    """It tells of its MCP servers by itself; what is watched is how long they take."""
