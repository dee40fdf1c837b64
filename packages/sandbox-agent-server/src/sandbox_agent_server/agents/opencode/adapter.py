"""OpenCode as an ACP agent: one server process behind a session, its HTTP API and its event stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

from sandbox_agent_core.errors import PayloadTooLarge
from sandbox_agent_core.frames import RequestId, acp
from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, AgentInstallation
from sandbox_agent_core.wire.sse import SseDecoder

from sandbox_agent_server.agents.native.adapter import Answer, Handler, NativeAdapter, Request
from sandbox_agent_server.agents.native.mcp import McpServers
from sandbox_agent_server.agents.native.offers import read_setting
from sandbox_agent_server.agents.native.refusals import AgentEnded, AgentRefused, Refused
from sandbox_agent_server.agents.native.session_params import SessionParams
from sandbox_agent_server.agents.native.translator import Native, Output
from sandbox_agent_server.agents.opencode.content import command_in, prompt_parts
from sandbox_agent_server.agents.opencode.launch import OpenCodeServer, find
from sandbox_agent_server.agents.opencode.opening import open_session, read_session_id
from sandbox_agent_server.agents.opencode.translate import ASK_STATUS, Translator
from sandbox_agent_server.agents.opencode.variant import Variant
from sandbox_agent_server.agents.opencode.workspace import ASKING, has_settings, programs
from sandbox_agent_server.agents.repository import refuse_untrusted
from sandbox_agent_server.runtime.http_peer import HttpPeer, PeerError, PeerGone, PeerStream
from sandbox_agent_server.runtime.tasks import TaskOwner

__all__ = ["OpenCodeAdapter"]

logger = logging.getLogger(__name__)

_CAPABILITIES: Final = {
    # It keeps the conversation and does not tell it: it resumes, it does not load.
    "loadSession": False,
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": True},
    "sessionCapabilities": {"resume": {}},
}
CALL_TOLD_WITHIN_S: Final = 2.0
"""How long a permission waits for the call that it is about to be told."""
_LAST_EVENTS_S: Final = 1.0
"""For what is still unread when the server is gone."""


class OpenCodeAdapter(NativeAdapter[Translator]):
    """After a failed resume a new session can be asked for."""

    capabilities = _CAPABILITIES

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
        self._server: OpenCodeServer | None = None
        self._peer: HttpPeer | None = None
        """From when a session is being opened."""
        self._system_prompt: Native = {}
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

    async def _open(self, request: Request, *, is_resumed: bool) -> Answer:
        if self._peer is not None or self._server is None:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per process")
        wanted = SessionParams.read(
            request.params, is_resumed=is_resumed, cwd=self._context.cwd, read_id=read_session_id
        )
        self._peer = self._server.peer(wanted.cwd)
        try:
            with _as_answers():
                opened = await open_session(
                    self._peer,
                    wanted,
                    self._variant,
                    self._tasks,
                    permission=ASKING if self._has_settings else (),
                )
        except BaseException:
            self._peer = None
            raise
        if wanted.system_prompt:
            self._system_prompt = {"system": wanted.system_prompt}
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
        self._emit(translator.end_own_turn())
        turn = translator.begin_turn(request.id)
        path = f"/session/{translator.session_id}"
        try:
            with _as_answers():
                if (command := command_in(parts, translator.offers)) is not None:
                    await self._post_command(f"{path}/command", command)
                else:
                    settings = translator.offers.settings() | self._system_prompt
                    await self._api().post(f"{path}/prompt_async", settings | {"parts": parts})
        except (AgentEnded, Refused):
            # Its events may have ended the turn before.
            if translator.turn is turn:
                translator.turn = None
                raise

    async def _post_command(self, path: str, body: Native) -> None:
        """It is answered when the turn is over, of which the events tell."""
        try:
            await self._api().post(path, body)
        except PeerGone:
            # It may let go of a connection that is quiet for long; its own end its events tell.
            logger.info("%s: the connection ended before the turn", path)

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
        try:
            busy = as_dict(await self._api().get(ASK_STATUS["path"]))
        except (PeerError, PeerGone):
            return
        status = as_dict(busy.get(translator.session_id)).get("type", "idle")
        if status == "idle" and translator.turn is turn:
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


@contextmanager
def _as_answers() -> Iterator[None]:
    """Raises: AgentRefused, AgentEnded."""
    try:
        yield
    except PeerError as exc:
        raise AgentRefused(exc.message) from exc
    except PeerGone as exc:
        raise AgentEnded from exc
