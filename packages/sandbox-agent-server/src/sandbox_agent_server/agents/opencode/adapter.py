"""OpenCode as an ACP agent: one server process behind a session, its HTTP API and its event stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Container, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

from sandbox_agent_core.agent_options import OpenCodeOptions
from sandbox_agent_core.errors import PayloadTooLarge
from sandbox_agent_core.frames import RequestId, acp
from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST
from sandbox_agent_core.frames.operations import (
    SESSION_COMPACT,
    SESSION_FORK,
    SESSION_NATIVE,
    SESSION_RENAME,
    SESSION_REVIEW,
    SESSION_REWIND,
    SESSION_STEER,
)
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import (
    AgentContext,
    AgentExit,
    AgentInstallation,
)
from sandbox_agent_core.wire.sse import SseDecoder

from sandbox_agent_server.agents.native.adapter import Answer, Handler, NativeAdapter, Request
from sandbox_agent_server.agents.native.mcp import McpServers
from sandbox_agent_server.agents.native.offers import read_setting
from sandbox_agent_server.agents.native.refusals import (
    AgentEnded,
    InvalidParams,
    Refused,
)
from sandbox_agent_server.agents.native.session_params import SessionParams
from sandbox_agent_server.agents.native.translator import Native, Output
from sandbox_agent_server.agents.opencode.answers import as_answers
from sandbox_agent_server.agents.opencode.capabilities import CAPABILITIES
from sandbox_agent_server.agents.opencode.content import (
    command_in,
    command_of,
    output_format,
    prompt_parts,
)
from sandbox_agent_server.agents.opencode.history import marked
from sandbox_agent_server.agents.opencode.launch import OpenCodeServer, find
from sandbox_agent_server.agents.opencode.long_work import (
    ask_native,
    read_history,
    rename,
    review_arguments,
    rewind,
)
from sandbox_agent_server.agents.opencode.native import NativeCall
from sandbox_agent_server.agents.opencode.opening import Fork, open_session, read_session_id
from sandbox_agent_server.agents.opencode.translate import ASK_STATUS, Translator
from sandbox_agent_server.agents.opencode.variant import Variant
from sandbox_agent_server.agents.opencode.workspace import has_settings, programs, rules
from sandbox_agent_server.agents.repository import refuse_untrusted
from sandbox_agent_server.runtime.http_peer import HttpPeer, PeerError, PeerGone, PeerStream
from sandbox_agent_server.runtime.tasks import TaskOwner

__all__ = ["OpenCodeAdapter"]

logger = logging.getLogger(__name__)

CALL_TOLD_WITHIN_S: Final = 2.0
"""How long a permission waits for the call that it is about to be told."""
_STEER_CHECKS: Final = 20
_STEER_CHECK_S: Final = 0.25
"""Between two looks at whether an idle session takes up what was said into its turn."""
_LAST_EVENTS_S: Final = 1.0
"""For what is still unread when the server is gone."""


class OpenCodeAdapter(NativeAdapter[Translator]):
    """After a failed resume a new session can be asked for."""

    capabilities = CAPABILITIES

    def __init__(self, context: AgentContext, variant: Variant) -> None:
        self.name, self.title, self.install_hint = variant.name, variant.title, variant.install_hint
        self.auth_methods = [
            {
                "id": f"{variant.name}-login",
                "name": f"{variant.name} auth login",
                "description": variant.login_hint,
            }
        ]
        super().__init__(context)
        self._variant = variant
        self._options = context.options_as(OpenCodeOptions)
        self._server: OpenCodeServer | None = None
        self._peer: HttpPeer | None = None
        """From when a session is being opened."""
        self._system_prompt: Native = {}
        self._is_continued = False
        """The session began before this process."""
        self._has_settings = False
        """The workspace brings some along."""
        self._reader = TaskOwner(f"{self.name} events")
        self._reading: asyncio.Task[None] | None = None
        self._may_read = asyncio.Event()
        self._may_read.set()

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            acp.SESSION_NEW: partial(self._open, is_resumed=False),
            acp.SESSION_RESUME: partial(self._open, is_resumed=True),
            SESSION_FORK: self._fork,
            SESSION_STEER: self._steer,
            SESSION_COMPACT: self._compact,
            SESSION_REVIEW: self._review,
            SESSION_REWIND: self._rewind,
            SESSION_RENAME: self._rename,
            SESSION_NATIVE: self._native,
            acp.SESSION_PROMPT: self._prompt,
            acp.SESSION_SET_MODE: self._set,
            acp.SESSION_SET_MODEL: self._set,
            acp.SESSION_SET_CONFIG_OPTION: self._set,
        }

    def _find(self, env: Mapping[str, str]) -> AgentInstallation | None:
        return find(self._variant, env)

    async def _launch(self) -> None:
        context, variant = self._context, self._variant
        home = context.env.get("HOME")
        self._has_settings = has_settings(variant, context.cwd, home=home)
        if variant.runs_unread_plugins and not context.trust_workspace:
            refuse_untrusted(self.title, programs(variant, context.cwd, home=home))
        self._server = OpenCodeServer(
            context,
            variant,
            self._command,
            on_end=self._server_ended,
            is_workspace_read=context.trust_workspace or not self._has_settings,
        )
        await self._server.start()

    def pause(self) -> None:
        self._may_read.clear()

    def resume(self) -> None:
        self._may_read.set()

    async def _stop(self) -> AgentExit:
        if self._translator is not None:
            # Nobody asked for this end: what the turn came to is for the session to say.
            self._translator.turn = None
        ended = AgentExit() if self._server is None else await self._server.close()
        if self._reading is not None:
            self._may_read.set()
            await asyncio.wait([self._reading], timeout=_LAST_EVENTS_S)
        await self._reader.cancel()
        return ended

    # Requests of the client

    async def _fork(self, request: Request) -> Answer:
        return await self._open(request, is_resumed=False, fork=Fork.read(request.params))

    async def _open(
        self, request: Request, *, is_resumed: bool, fork: Fork | None = None
    ) -> Answer:
        if self._peer is not None or self._server is None:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per process")
        wanted = SessionParams.read(
            request.params, is_resumed=is_resumed, cwd=self._context.cwd, read_id=read_session_id
        )
        self._peer = self._server.peer(wanted.cwd)
        try:
            with as_answers():
                opened = await open_session(
                    self._peer,
                    wanted,
                    self._variant,
                    self._tasks,
                    permission=rules(
                        has_settings=self._has_settings,
                        directories=wanted.directories,
                        disabled_tools=self._options.disabled_tools or (),
                    ),
                    fork=fork,
                )
        except BaseException:
            self._peer = None
            raise
        if text := _system_prompt(wanted):
            self._system_prompt = {"system": text}
        self._is_continued = is_resumed or fork is not None
        offers = opened.offers
        translator = Translator(self._variant, session=opened.session, offers=offers)
        self._translator = translator
        # A task, so that the first event comes behind the answer.
        self._reading = self._reader.spawn(self._read_events(opened.events), name="reader")
        result: dict[str, Any] = {} if is_resumed else {"sessionId": translator.session_id}
        result |= {"modes": offers.modes(), "configOptions": offers.config_options()}
        servers = McpServers()
        own = {server["name"] for server in opened.mcp_servers}
        self._tasks.spawn(self._tell_configured(servers, but=own), name="mcp")
        for joining in opened.joining:
            self._tasks.spawn(self._tell_joined(servers, joining), name="mcp")
        return Answer(result, [translator.commands_update(), *servers.read(opened.mcp_servers)])

    async def _tell_joined(self, servers: McpServers, joining: asyncio.Task[Native]) -> None:
        self._emit(servers.read([await joining]))

    async def _tell_configured(self, servers: McpServers, *, but: Container[str]) -> None:
        """Of the user's MCP servers, too; the answer may wait for them."""
        with suppress(PeerError, PeerGone):
            told = as_dict(await self._api().get("/mcp"))
            self._emit(
                servers.read(
                    [{**as_dict(of), "name": name} for name, of in told.items() if name not in but]
                )
            )

    async def _prompt(self, request: Request) -> None:
        translator = self._session_to_prompt()
        parts = prompt_parts(request.params.get("prompt"))
        schema = as_dict(request.params.get("_meta")).get("outputSchema")
        form = output_format(schema, retries=self._options.structured_retries)
        command = command_in(parts, translator.offers) if not form else None
        if command is not None:
            await self._take_turn(request, self._post_command("command", command))
        else:
            settings = translator.offers.settings() | self._system_prompt | form
            await self._take_turn(request, self._post_prompt(settings | {"parts": parts}))

    async def _compact(self, request: Request) -> None:
        translator = self._session_to_prompt()
        if request.params.get("instructions"):
            raise InvalidParams(f"{self.title} compacts without instructions: leave them out")
        provider, _, model = (translator.offers.model or "").partition("/")
        body = {"providerID": provider, "modelID": model}
        await self._take_turn(request, self._post_command("summarize", body), is_prompt=False)

    async def _review(self, request: Request) -> None:
        command = review_arguments(request.params.get("target"))
        offers = self._session_to_prompt().offers
        body = command_of("review", command, offers)
        await self._take_turn(request, self._post_command("command", body), is_prompt=False)

    async def _take_turn(
        self, request: Request, work: Coroutine[Any, Any, None], *, is_prompt: bool = True
    ) -> None:
        """It is answered by what the events tell, or with the error of the request that begins it."""
        translator = self._session()
        self._emit(translator.end_own_turn())
        turn = translator.begin_turn(request.id, is_prompt=is_prompt)
        try:
            with as_answers():
                await work
        except (AgentEnded, Refused):
            # Its events may have ended the turn before.
            if translator.turn is turn:
                translator.turn = None
                raise

    async def _post_prompt(self, body: Native) -> None:
        await self._api().post(f"{self._path()}/prompt_async", body)

    async def _post_command(self, name: str, body: Native) -> None:
        """It is answered when the turn is over, of which the events tell."""
        path = f"{self._path()}/{name}"
        try:
            await self._api().post(path, body)
        except PeerGone:
            # It may let go of a connection that is quiet for long; its own end its events tell.
            logger.info("%s: the connection ended before the turn", path)

    async def _steer(self, request: Request) -> Answer:
        translator = self._session()
        parts = prompt_parts(request.params.get("prompt"))
        if (mark := translator.steer()) is None:
            raise Refused(INVALID_REQUEST, "no turn is running")
        turn = translator.turn
        settings = translator.offers.settings() | self._system_prompt
        try:
            with as_answers():
                await self._post_prompt(settings | {"parts": marked(parts, mark)})
        except (AgentEnded, Refused):
            if turn is not None and turn.steered(mark):
                await self._ask_status()
            raise
        return Answer({})

    async def _rewind(self, request: Request) -> Answer:
        translator = self._session_to_prompt()
        known = None if self._is_continued else translator.history
        with as_answers():
            history = await read_history(
                self._api(), translator.session_id, but=translator.no_prompts, instead=known
            )
            return Answer(await rewind(self._api(), translator.session_id, history, request.params))

    async def _rename(self, request: Request) -> Answer:
        with as_answers():
            await rename(self._api(), self._path(), request.params)
        return Answer({})

    async def _native(self, request: Request) -> Answer:
        translator = self._session()
        call = NativeCall.read(
            request.params, session_id=translator.session_id, is_ours=translator.is_ours
        )
        with as_answers():
            return Answer({"result": await ask_native(self._api(), call, title=self.title)})

    async def _set(self, request: Request) -> Answer:
        translator = self._session()
        # It goes with the next prompt.
        changed = translator.choose(*read_setting(request.method, request.params))
        if request.method != acp.SESSION_SET_CONFIG_OPTION:
            return Answer({}, changed)
        return Answer({"configOptions": translator.offers.config_options()}, changed)

    def _answered(self, request_id: RequestId, result: Mapping[str, Any] | None) -> None:
        if self._translator is not None:
            self._put_out(Output(replies=self._translator.answer(request_id, result)))

    async def _cancel(self) -> None:
        if self._translator is not None:
            self._put_out(Output(replies=self._translator.cancel()))

    async def _stop_task(self, task_id: str) -> None:
        if self._translator is not None:
            self._put_out(Output(replies=self._translator.stop_task(task_id)))

    # To OpenCode

    def _path(self) -> str:
        """Of the session."""
        return f"/session/{self._session().session_id}"

    def _api(self) -> HttpPeer:
        assert self._peer is not None
        return self._peer

    def _put_out(self, output: Output) -> None:
        super()._put_out(output)
        if not self._is_closed:
            for reply in output.replies:
                if (held := reply.get("held")) is not None:
                    self._tasks.spawn(self._ask_held(held), name="held")
                elif reply == ASK_STATUS:
                    self._tasks.spawn(self._ask_status(), name="status")
                else:
                    self._tasks.spawn(self._post(**reply), name=reply["path"])

    async def _post(self, path: str, body: Native | None) -> None:
        try:
            await self._api().post(path, body)
        except PeerError as exc:
            # An answer that came too late, to a question that is no more.
            logger.info("%s: %s", path, exc)
        except PeerGone:
            pass  # the end of its events says so

    async def _ask_held(self, asked_id: str) -> None:
        await asyncio.sleep(CALL_TOLD_WITHIN_S)
        self._emit(self._session().ask_held(asked_id))

    async def _ask_status(self) -> None:
        """Ends the turn when OpenCode says that it does nothing any more."""
        translator = self._session()
        turn = translator.turn
        for _ in range(_STEER_CHECKS):
            try:
                busy = as_dict(await self._api().get(ASK_STATUS["path"]))
            except (PeerError, PeerGone):
                return
            status = as_dict(busy.get(translator.session_id)).get("type", "idle")
            if status != "idle" or turn is None or translator.turn is not turn:
                return
            if not turn.has_more_to_do:
                break
            await asyncio.sleep(_STEER_CHECK_S)
        self._emit(translator.end_turn())

    # From OpenCode

    async def _read_events(self, stream: PeerStream) -> None:
        """To their end, which is the agent's."""
        decoder = SseDecoder(max_event_bytes=self._context.max_line_bytes)
        try:
            async for chunk in stream:
                self._read([event.data.encode() for event in decoder.feed(chunk)])
                await self._may_read.wait()
        except PayloadTooLarge as exc:
            logger.error("OpenCode's events end here: %s", exc.message)
        finally:
            await stream.close()
            self._end()

    def _read(self, events: list[bytes]) -> None:
        with self._in_one_batch():
            for event in events:
                for raw, message in self._messages(event):
                    self._translate(self._session(), message, raw)

    def _server_ended(self) -> None:
        if self._reading is None:
            self._end()


def _system_prompt(wanted: SessionParams) -> str:
    """Beside its own."""
    texts = [wanted.system_prompt] if wanted.system_prompt else []
    if wanted.directories:
        texts.append("You may also work in: " + ", ".join(wanted.directories))
    return "\n\n".join(texts)
