"""OpenCode as an ACP agent: one server process behind a session, its HTTP API and its event stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from sandbox_agent_core.frames import RequestId, acp
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    RESOURCE_NOT_FOUND,
    error_response,
)
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, AgentInstallation

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.acp.reading import unparsed
from sandbox_agent_server.agents.native import translator as native
from sandbox_agent_server.agents.native.adapter import Answer, Handler, NativeAdapter, Request
from sandbox_agent_server.agents.native.refusals import Refused
from sandbox_agent_server.agents.native.session_params import SessionParams
from sandbox_agent_server.agents.opencode.content import prompt_parts
from sandbox_agent_server.agents.opencode.launch import find
from sandbox_agent_server.agents.opencode.native import Native, as_dict
from sandbox_agent_server.agents.opencode.opening import (
    EventStream,
    NotLoggedIn,
    Opened,
    open_session,
    read_session_id,
)
from sandbox_agent_server.agents.opencode.process import OpenCodeProcess
from sandbox_agent_server.agents.opencode.translate import Call, Output, Translator
from sandbox_agent_server.agents.opencode.variant import Variant
from sandbox_agent_server.runtime.http_peer import HttpPeer, PeerError, PeerGone

__all__ = ["OpenCodeAdapter"]

logger = logging.getLogger(__name__)

_NOT_FOUND: Final = 404
_LAST_EVENTS_S: Final = 1.0
"""For what its server wrote before it ended."""
_CAPABILITIES: Final = {
    # It keeps the conversation and does not tell it: it resumes, it does not load.
    "loadSession": False,
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": True},
    "sessionCapabilities": {"resume": {}},
}


class OpenCodeAdapter(NativeAdapter[Translator]):
    """An `AgentAdapter`. After a failed resume a new session can be asked for."""

    capabilities = _CAPABILITIES

    def __init__(self, context: AgentContext, variant: Variant) -> None:
        self.name, self.title = variant.name, variant.title
        self.install_hint = variant.install_hint
        self.auth_methods = [
            {
                "id": f"{variant.name}-login",
                "name": f"{variant.name} auth login",
                "description": variant.login_hint,
            }
        ]
        super().__init__(context)
        self._variant = variant
        self._process: OpenCodeProcess | None = None
        self._peer: HttpPeer | None = None
        self._events: EventStream | None = None
        self._reading: asyncio.Task[None] | None = None
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._system_prompt: str | None = None

    def _find(self, env: Mapping[str, str]) -> AgentInstallation | None:
        return find(self._variant, env)

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            acp.SESSION_NEW: partial(self._open, is_resumed=False),
            acp.SESSION_RESUME: partial(self._open, is_resumed=True),
            acp.SESSION_PROMPT: self._prompt,
            acp.SESSION_SET_MODE: partial(self._set, option="mode", key="modeId"),
            acp.SESSION_SET_MODEL: partial(self._set, option="model", key="modelId"),
            acp.SESSION_SET_CONFIG_OPTION: self._set_option,
        }

    def _handler(self, method: str) -> Handler:
        return partial(self._asked, super()._handler(method))

    async def _asked(self, handler: Handler, request: Request) -> Answer | None:
        try:
            return await handler(request)
        except PeerError as exc:
            raise Refused(INTERNAL_ERROR, exc.message) from exc
        except PeerGone as exc:
            raise Refused(INTERNAL_ERROR, f"the server of {self.title} is gone: {exc}") from exc

    # The process and its events

    async def _launch(self) -> None:
        self._process = OpenCodeProcess(
            self._context, self._variant, self._command, self._on_process_end
        )
        await self._process.start()

    def pause(self) -> None:
        self._may_read.clear()

    def resume(self) -> None:
        self._may_read.set()

    async def _stop(self) -> AgentExit:
        ended = AgentExit() if self._process is None else await self._process.close()
        self._may_read.set()
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=_LAST_EVENTS_S)
            self._reading.cancel()
        return ended

    def _on_process_end(self) -> None:
        if self._reading is None:
            self._end()

    def _after_answer(self) -> None:
        # Not before the session's own answer is out.
        if self._events is not None and self._reading is None:
            self._reading = asyncio.create_task(self._read_events(self._events))

    async def _read_events(self, events: EventStream) -> None:
        try:
            async for batch in events:
                for event in batch:
                    self._read(event)
                await self._may_read.wait()
        finally:
            await events.close()
            self._end()

    def _read(self, data: bytes) -> None:
        try:
            event = jsonio.loads(data)
        except (ValueError, RecursionError) as exc:
            self._deliver([unparsed(data, f"not JSON: {exc}")])
            return
        if isinstance(event, dict) and self._translator is not None:
            self._translate(self._translator, event, data)
        else:
            self._deliver([unparsed(data, "not a JSON object")])

    def _put_out(self, output: native.Output) -> None:
        super()._put_out(output)
        if isinstance(output, Output):
            for call in output.calls:
                self._post([call])
            if output.asks_status:
                self._tasks.spawn(self._ask_status(), name="status")

    # From the client

    async def _open(self, request: Request, *, is_resumed: bool) -> Answer:
        if self._translator is not None or self._process is None or self._peer is not None:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per process")
        wanted = SessionParams.read(
            request.params,
            is_resumed=is_resumed,
            cwd=self._context.cwd,
            read_id=read_session_id,
        )
        self._peer = self._process.peer(wanted.cwd)
        try:
            opened = await open_session(
                self._peer,
                wanted,
                self._variant,
                max_event_bytes=self._context.max_line_bytes,
            )
        except BaseException as exc:
            self._peer = None
            if isinstance(exc, NotLoggedIn):
                text = f"it has no model. {self._variant.login_hint}"
                raise Refused(AUTH_REQUIRED, text) from None
            if isinstance(exc, PeerError) and is_resumed and exc.status == _NOT_FOUND:
                raise Refused(RESOURCE_NOT_FOUND, exc.message) from exc
            raise
        self._system_prompt = wanted.system_prompt
        return self._opened(opened, is_resumed=is_resumed)

    def _opened(self, opened: Opened, *, is_resumed: bool) -> Answer:
        translator = Translator(self._variant, session=opened.session, offers=opened.offers)
        self._translator, self._events = translator, opened.events
        offers = opened.offers
        result: dict[str, Any] = {"modes": offers.modes(), "configOptions": offers.config_options()}
        if not is_resumed:
            result = {"sessionId": translator.session_id, **result}
        failed = [
            translator.extension("mcp.failed", {"name": name, "error": why})
            for name, why in opened.failed_servers.items()
        ]
        return Answer(result, [translator.commands_update(), *failed])

    async def _prompt(self, request: Request) -> None:
        translator, peer = self._session_to_prompt(), self._open_peer()
        parts = prompt_parts(request.params.get("prompt"))
        translator.begin_turn(request.id)
        path, settings = f"/session/{translator.session_id}", translator.offers.settings()
        if (command := _command(parts, translator)) is not None:
            # It answers when the turn is over, which we hear of by its events.
            body = {**_for_command(settings), **command}
            self._tasks.spawn(self._post_command(f"{path}/command", body), name="command")
            return
        system = {"system": self._system_prompt} if self._system_prompt else {}
        try:
            await peer.post(f"{path}/prompt_async", {**settings, **system, "parts": parts})
        except (PeerError, PeerGone):
            translator.turn = None
            raise

    async def _set_option(self, request: Request) -> Answer:
        option = str(request.params.get("configId"))
        return await self._set(request, option=option, key="value")

    async def _set(self, request: Request, *, option: str, key: str) -> Answer:
        translator = self._session()
        changed = translator.choose(option, request.params.get(key))
        # It goes with the next prompt.
        options = translator.offers.config_options()
        return Answer({"configOptions": options} if key == "value" else {}, changed)

    async def _cancel(self) -> None:
        if self._translator is not None:
            await self._post_all(self._translator.cancel())

    def _answered(self, request_id: RequestId, result: Mapping[str, Any] | None) -> None:
        if self._translator is not None:
            given = None if result is None else dict(result)
            self._post(self._translator.answer(request_id, given))

    def _open_peer(self) -> HttpPeer:
        if self._peer is None:
            raise Refused(INVALID_REQUEST, "there is no session yet: `session/new` comes first")
        return self._peer

    # To OpenCode

    async def _ask_status(self) -> None:
        """Ends the turn when OpenCode says that it does nothing any more."""
        translator, peer = self._session(), self._open_peer()
        turn = translator.turn
        try:
            busy = as_dict(await peer.get("/session/status"))
        except (PeerError, PeerGone):
            return
        status = as_dict(busy.get(translator.session_id)).get("type", "idle")
        if status == "idle" and translator.turn is turn:
            self._emit(translator.end_turn())

    async def _post_command(self, path: str, body: Native) -> None:
        translator = self._session()
        turn = translator.turn
        try:
            await self._open_peer().post(path, body)
        except PeerError as exc:
            if translator.turn is turn and turn is not None:
                translator.turn = None
                self._emit([error_response(turn.id, INTERNAL_ERROR, exc.message)])
        except PeerGone:
            pass  # the end of its events says so

    def _post(self, calls: Sequence[Call]) -> None:
        self._tasks.spawn(self._post_all(calls), name="post")

    async def _post_all(self, calls: Sequence[Call]) -> None:
        peer = self._open_peer()
        for call in calls:
            try:
                await peer.post(call.path, call.body)
            except PeerError as exc:
                # An answer that came too late, to a question that is no more.
                logger.info("%s: %s", call.path, exc)
            except PeerGone:
                return


def _command(parts: list[Native], translator: Translator) -> Native | None:
    """`/name arguments`, when there is a command of that name."""
    text = parts[0].get("text")
    if not isinstance(text, str) or not text.startswith("/"):
        return None
    name, _, arguments = text[1:].partition(" ")
    if not translator.offers.has_command(name):
        return None
    files = [part for part in parts[1:] if part.get("type") == "file"]
    return {"command": name, "arguments": arguments.strip(), **({"parts": files} if files else {})}


def _for_command(settings: Native) -> Native:
    """Here a model is one word."""
    model = settings.get("model")
    if not isinstance(model, dict):
        return settings
    return {**settings, "model": f"{model['providerID']}/{model['modelID']}"}
