"""OpenCode as an ACP agent: one server process behind a session, its HTTP API and its event stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
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

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.acp.reading import unparsed
from sandbox_agent_server.agents.installation import find_program, installed_version
from sandbox_agent_server.agents.native_adapter import Handler, NativeAdapter, Refused
from sandbox_agent_server.agents.opencode.content import UnsupportedContent, prompt_parts
from sandbox_agent_server.agents.opencode.flavour import Flavour
from sandbox_agent_server.agents.opencode.launch import find
from sandbox_agent_server.agents.opencode.native import Native, as_dict
from sandbox_agent_server.agents.opencode.offers import UnknownSetting
from sandbox_agent_server.agents.opencode.opening import (
    EventStream,
    NotLoggedIn,
    Opened,
    open_session,
)
from sandbox_agent_server.agents.opencode.process import OpenCodeProcess
from sandbox_agent_server.agents.opencode.session_params import SessionParams
from sandbox_agent_server.agents.opencode.translate import Call, Output, Translator
from sandbox_agent_server.agents.session_request import InvalidSession
from sandbox_agent_server.agents.waiting import LineWaiter
from sandbox_agent_server.runtime.http_peer import HttpPeer, PeerError, PeerGone

__all__ = ["OpenCodeAdapter"]

logger = logging.getLogger(__name__)

_NOT_FOUND: Final = 404
_CAPABILITIES: Final = {
    # It keeps the conversation and does not tell it: it resumes, it does not load.
    "loadSession": False,
    "promptCapabilities": {"image": True, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": True},
    "sessionCapabilities": {"resume": {}},
}


class OpenCodeAdapter(NativeAdapter):
    """An `AgentAdapter`. After a failed resume a new session can be asked for."""

    def __init__(self, context: AgentContext, flavour: Flavour) -> None:
        super().__init__()
        self._context = context
        self._flavour = flavour
        self._process: OpenCodeProcess | None = None
        self._version: str | None = None
        self._peer: HttpPeer | None = None
        self._events: EventStream | None = None
        self._translator: Translator | None = None
        self._system_prompt: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers = {
            acp.INITIALIZE: self._initialize,
            acp.SESSION_NEW: partial(self._open, is_resumed=False),
            acp.SESSION_RESUME: partial(self._open, is_resumed=True),
            acp.SESSION_PROMPT: self._prompt,
            acp.SESSION_SET_MODE: partial(self._set, option="mode", key="modeId"),
            acp.SESSION_SET_MODEL: partial(self._set, option="model", key="modelId"),
            acp.SESSION_SET_CONFIG_OPTION: self._set_option,
        }

    async def start(self) -> None:
        given, env = self._context.command, self._context.env
        found = find_program(given[0], env) if given else find(self._flavour, env)
        if found is None:
            flavour = self._flavour
            what = f"{given[0]!r} is not there." if given else f"{flavour.title} is not installed."
            raise AgentNotInstalled(f"{what} {flavour.install_hint}", agent=flavour.name)
        self._version = found.version or installed_version(found.path)
        command: Sequence[str] = given or (found.path,)
        self._process = OpenCodeProcess(self._context, self._flavour, command, self._bell.set)
        await self._process.start()

    async def frames(self) -> AsyncIterator[list[WireFrame]]:
        waiter = LineWaiter(self._bell)
        try:
            while True:
                if self._outgoing:
                    yield self._take()
                elif self._is_closed or self._process is None or self._process.has_ended:
                    return
                elif (events := await waiter.next(self._events)) is not None:
                    for event in events:
                        await self._read(event)
                elif not self._outgoing:
                    return
        finally:
            waiter.stop()
            if self._events is not None:
                await self._events.close()

    async def close(self) -> AgentExit:
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        ended = AgentExit() if self._process is None else await self._process.close()
        self._bell.set()
        return ended

    # From the client

    async def _initialize(self, id: RequestId, params: dict[str, Any]) -> None:
        info = {"name": self._flavour.name, "title": self._flavour.title}
        if self._version is not None:
            info["version"] = self._version
        result = {
            "protocolVersion": acp.PROTOCOL_VERSION,
            "agentCapabilities": _CAPABILITIES,
            "agentInfo": info,
            "authMethods": [
                {
                    "id": f"{self._flavour.name}-login",
                    "name": f"{self._flavour.name} auth login",
                    "description": self._flavour.login_hint,
                }
            ],
        }
        self._emit([response(id, result)])

    async def _open(self, id: RequestId, params: dict[str, Any], *, is_resumed: bool) -> None:
        if self._translator is not None or self._process is None:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per process")
        try:
            wanted = SessionParams.read(params, is_resumed=is_resumed, cwd=self._context.cwd)
        except InvalidSession as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        self._peer = self._process.peer(wanted.cwd)
        try:
            opened = await open_session(
                self._peer,
                wanted,
                self._flavour,
                max_event_bytes=self._context.max_line_bytes,
            )
        except NotLoggedIn:
            raise Refused(AUTH_REQUIRED, f"it has no model. {self._flavour.login_hint}") from None
        except PeerError as exc:
            if is_resumed and exc.status == _NOT_FOUND:
                raise Refused(RESOURCE_NOT_FOUND, exc.message) from exc
            raise
        self._system_prompt = wanted.system_prompt
        self._emit(self._opened(id, opened, is_resumed=is_resumed))

    def _opened(self, id: RequestId, opened: Opened, *, is_resumed: bool) -> list[Frame]:
        translator = Translator(self._flavour, session=opened.session, offers=opened.offers)
        self._translator, self._events = translator, opened.events
        offers = opened.offers
        result: dict[str, Any] = {"modes": offers.modes(), "configOptions": offers.config_options()}
        if not is_resumed:
            result = {"sessionId": translator.session_id, **result}
        failed = [
            translator.extension("mcp.failed", {"name": name, "error": why})
            for name, why in opened.failed_servers.items()
        ]
        return [response(id, result), translator.commands_update(), *failed]

    async def _prompt(self, id: RequestId, params: dict[str, Any]) -> None:
        translator, peer = self._session()
        if translator.turn is not None:
            raise Refused(INVALID_REQUEST, "a prompt is running; wait for its answer or cancel it")
        try:
            parts = prompt_parts(params.get("prompt"))
        except UnsupportedContent as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        translator.begin_turn(id)
        path, settings = f"/session/{translator.session_id}", translator.offers.settings()
        if (command := _command(parts, translator)) is not None:
            # It answers when the turn is over, which we hear of by its events.
            body = {**_for_command(settings), **command}
            self._spawn(self._post_command(f"{path}/command", body))
            return
        system = {"system": self._system_prompt} if self._system_prompt else {}
        try:
            await peer.post(f"{path}/prompt_async", {**settings, **system, "parts": parts})
        except (PeerError, PeerGone):
            translator.turn = None
            raise

    async def _set_option(self, id: RequestId, params: dict[str, Any]) -> None:
        await self._set(id, params, option=str(params.get("configId")), key="value")

    async def _set(self, id: RequestId, params: dict[str, Any], *, option: str, key: str) -> None:
        translator, _ = self._session()
        try:
            changed = translator.choose(option, params.get(key))
        except UnknownSetting as exc:
            raise Refused(INVALID_PARAMS, str(exc)) from exc
        # It goes with the next prompt.
        result = {"configOptions": translator.offers.config_options()} if key == "value" else {}
        self._emit([response(id, result), *changed])

    async def _handle(self, handler: Handler, id: RequestId, params: dict[str, Any]) -> None:
        try:
            await handler(id, params)
        except PeerError as exc:
            raise Refused(INTERNAL_ERROR, exc.message) from exc
        except PeerGone as exc:
            text = f"the server of {self._flavour.title} is gone: {exc}"
            raise Refused(INTERNAL_ERROR, text) from exc

    async def _cancel(self) -> None:
        if self._translator is not None:
            await self._post_all(self._translator.cancel())

    async def _answered(self, frame: Frame) -> None:
        if self._translator is not None:
            result = frame.get("result")
            calls = self._translator.answer(
                frame.get("id"), result if isinstance(result, dict) else None
            )
            await self._post_all(calls)

    def _session(self) -> tuple[Translator, HttpPeer]:
        if self._translator is None or self._peer is None:
            raise Refused(INVALID_REQUEST, "there is no session yet: `session/new` comes first")
        return self._translator, self._peer

    # From OpenCode

    async def _read(self, data: bytes) -> None:
        assert self._translator is not None
        try:
            event = jsonio.loads(data)
        except (ValueError, RecursionError) as exc:
            self._outgoing.append(unparsed(data, f"not JSON: {exc}"))
            return
        if not isinstance(event, dict):
            self._outgoing.append(unparsed(data, "not a JSON object"))
            return
        output = _translated(self._translator, event, data)
        self._emit(output.frames)
        for call in output.calls:
            self._spawn(self._post_all([call]))
        if output.asks_status:
            self._spawn(self._ask_status())

    async def _ask_status(self) -> None:
        """Ends the turn when OpenCode says that it does nothing any more."""
        translator, peer = self._session()
        turn = translator.turn
        try:
            busy = as_dict(await peer.get("/session/status"))
        except (PeerError, PeerGone):
            return
        status = as_dict(busy.get(translator.session_id)).get("type", "idle")
        if status == "idle" and translator.turn is turn:
            self._emit(translator.end_turn())

    async def _post_command(self, path: str, body: Native) -> None:
        translator, peer = self._session()
        turn = translator.turn
        try:
            await peer.post(path, body)
        except PeerError as exc:
            if translator.turn is turn and turn is not None:
                translator.turn = None
                self._emit([error_response(turn.id, INTERNAL_ERROR, exc.message)])
        except PeerGone:
            pass  # the end of its events says so

    async def _post_all(self, calls: Sequence[Call]) -> None:
        _, peer = self._session()
        for call in calls:
            try:
                await peer.post(call.path, call.body)
            except PeerError as exc:
                # An answer that came too late, to a question that is no more.
                logger.info("%s: %s", call.path, exc)
            except PeerGone:
                return

    # Out

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _translated(translator: Translator, event: Native, data: bytes) -> Output:
    """An event of a shape that there was not so far costs that event, not the session."""
    try:
        return translator.feed(event)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        logger.exception("an event of OpenCode cannot be translated")
        return Output([unparsed(data, f"cannot be translated: {exc!r}").frame], [])


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
