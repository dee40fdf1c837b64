"""What goes through the bridge, without I/O: it outlives the connection, so that the editor sees none of its ends.

Every request of the editor is kept until it is answered. After a connection was lost, the sessions are resumed at their
cursors, and what is not answered is asked again, in a way that the server carries it out once; what cancels it, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import (
    INTERNAL_ERROR,
    PARSE_ERROR,
    error_response,
    request,
)
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.lenient import as_dict, as_int, as_list, as_str

from sandbox_agent_client.acp_bridge.questions import Questions

__all__ = ["META", "Exchange", "Rewrite", "with_meta"]

Frame = dict[str, Any]
Send = Callable[[Frame], None]
Rewrite = Callable[[str, Frame], Frame]
"""Of the params of a request, by its method: what the editor says as the sandbox is to hear it."""

META: Final = "sandbox_agent"
_OPENS: Final = (acp.SESSION_NEW, acp.SESSION_LOAD, acp.SESSION_RESUME, acp.SESSION_FORK)
_ENDS: Final = ("session/close", "session/delete")
_KEPT: Final = ("cwd", "mcpServers")
_NOT_IN_THE_SANDBOX: Final = ("fs", "terminal")
"""What the editor could do on its own machine: an agent elsewhere would take it for the sandbox's."""


@dataclass(slots=True)
class _Asked:
    """By the editor, and not answered."""

    frame: Frame
    is_sent: bool = False
    cancelled_by: Frame | None = None
    """A notification that was sent, and may not have arrived."""


@dataclass(slots=True)
class _Held:
    """A session that the editor has open."""

    cursor: int = 0
    params: Frame = field(default_factory=dict)
    """With which it is resumed."""


class Exchange:
    def __init__(
        self,
        to_editor: Send,
        *,
        rewrite: Rewrite = lambda _method, params: params,
        make_id: Callable[[str], str] = new_id,
    ) -> None:
        self._to_editor = to_editor
        self._rewrite = rewrite
        self._make_id = make_id
        self._to_server: Send | None = None
        """None while there is no connection, or it is not ready yet."""
        self._hello: Frame | None = None
        self._is_greeted = False
        self._asked: dict[str, _Asked] = {}
        self._later: list[Frame] = []
        """Notifications for when there is a connection."""
        self._sessions: dict[str, _Held] = {}
        self._questions = Questions(to_editor)
        self._own: dict[str, Callable[[Frame], None]] = {}
        """Requests of the bridge itself."""

    @property
    def hello(self) -> Frame | None:
        """The editor's `initialize`; without it there is nothing to connect for."""
        return self._hello

    # The connection

    def connected(self, send: Send) -> None:
        """A new one: it is greeted, the sessions are resumed, then what waits goes out."""
        assert self._hello is not None
        self._questions.connected()
        key = _key(self._hello["id"])
        if not self._is_greeted and key in self._asked:
            self._to_server = send
            self._questions.ready(send)
            self._asked[key].is_sent = True
            send(self._hello)
            return
        self._ask(
            send, acp.INITIALIZE, self._hello["params"], lambda answer: self._greeted(send, answer)
        )

    def disconnected(self) -> None:
        self._to_server = None
        self._questions.disconnected()
        self._own.clear()

    def fail(self, message: str, **data: Any) -> None:
        """There will be no connection any more: whatever waits is told so."""
        self._to_server = None
        for asked in list(self._asked.values()):
            error = error_response(asked.frame["id"], INTERNAL_ERROR, message, data or None)
            self._to_editor(error)
        self._asked.clear()

    def _greeted(self, send: Send, answer: Frame) -> None:
        if "error" in answer:
            self.fail(str(as_dict(answer["error"]).get("message")))
            return
        waiting = set(self._sessions)
        if not waiting:
            self._ready(send)
        for session_id in list(waiting):
            self._resume(send, session_id, waiting)

    def _resume(self, send: Send, session_id: str, waiting: set[str]) -> None:
        def resumed(answer: Frame) -> None:
            waiting.discard(session_id)
            if "error" in answer:
                self._lost(session_id, answer["error"])
            else:
                self._still_asked(session_id, answer["result"])
            if not waiting:
                self._ready(send)

        held = self._sessions[session_id]
        own = {"cursor": held.cursor, "turns": self._turns_of(session_id)}
        params = with_meta({**held.params, "sessionId": session_id}, own)
        self._ask(send, acp.SESSION_RESUME, params, resumed)

    def _ready(self, send: Send) -> None:
        self._to_server = send
        self._questions.ready(send)
        for asked in list(self._asked.values()):
            if asked.is_sent:
                send(self._again(asked))
        self._cancel_again(send)
        self._send_what_waits(send)

    def _send_what_waits(self, send: Send) -> None:
        for asked in list(self._asked.values()):
            if not asked.is_sent:
                asked.is_sent = True
                send(asked.frame)
        later, self._later = self._later, []
        for frame in later:
            send(frame)

    def _cancel_again(self, send: Send) -> None:
        sent: list[Frame] = []
        for cancel in [asked.cancelled_by for asked in self._asked.values()]:
            if cancel is None or cancel in sent:
                continue
            # One of a session would also cancel what was prompted after it.
            if all(asked.cancelled_by is not None for asked in self._cancelled_by(cancel)):
                sent.append(cancel)
                send(cancel)

    def _cancelled_by(self, frame: Frame) -> list[_Asked]:
        params = as_dict(frame.get("params"))
        if frame["method"] == acp.CANCEL_REQUEST:
            asked = self._asked.get(_key(params.get("requestId")))
            return [] if asked is None else [asked]
        if frame["method"] == acp.SESSION_CANCEL:
            return self._prompts_of(params.get("sessionId"))
        return []

    def _prompts_of(self, session_id: Any) -> list[_Asked]:
        return [
            asked
            for asked in self._asked.values()
            if asked.frame["method"] == acp.SESSION_PROMPT
            and as_dict(asked.frame.get("params")).get("sessionId") == session_id
        ]

    def _again(self, asked: _Asked) -> Frame:
        """Of what may have arrived."""
        frame, params = asked.frame, as_dict(asked.frame.get("params"))
        match frame["method"]:
            case acp.SESSION_PROMPT:
                return {**frame, "params": with_meta(params, {"again": True})}
            case acp.SESSION_LOAD | acp.SESSION_RESUME:
                held = self._sessions.get(str(params.get("sessionId")))
                if held is not None and held.cursor:
                    return {**frame, "params": with_meta(params, {"cursor": held.cursor})}
        return frame

    def _lost(self, session_id: str, error: Frame) -> None:
        self._sessions.pop(session_id, None)
        self._questions.only(session_id, still=())
        for key, asked in list(self._asked.items()):
            if as_dict(asked.frame.get("params")).get("sessionId") == session_id:
                del self._asked[key]
                self._to_editor({"jsonrpc": "2.0", "id": asked.frame["id"], "error": error})

    def _still_asked(self, session_id: str, result: Any) -> None:
        """What was answered elsewhere meanwhile is asked no longer."""
        own = as_dict(as_dict(as_dict(result).get("_meta")).get(META))
        self._questions.only(session_id, still=as_list(own.get("pending")))

    def _turns_of(self, session_id: str) -> list[str]:
        prompts = [as_dict(asked.frame.get("params")) for asked in self._prompts_of(session_id)]
        turns = [_own_meta(params).get("turnId") for params in prompts]
        return [turn for turn in turns if isinstance(turn, str)]

    # From the editor

    def from_editor(self, line: bytes) -> None:
        try:
            frame = json.loads(line)
        except (ValueError, RecursionError) as exc:
            self._to_editor(error_response(None, PARSE_ERROR, f"the line is not JSON: {exc}"))
            return
        if not isinstance(frame, dict):
            self._pass_on(frame)
        elif not isinstance(frame.get("method"), str):
            self._questions.answered(frame)
        elif frame.get("id") is None:
            self._notified(frame)
        else:
            self._requested(frame)

    def _requested(self, frame: Frame) -> None:
        method, params = frame["method"], as_dict(frame.get("params"))
        params = self._rewrite(method, params)
        if method == acp.INITIALIZE and self._hello is None:
            offered = as_dict(params.get("clientCapabilities"))
            kept = {name: offered[name] for name in offered if name not in _NOT_IN_THE_SANDBOX}
            params = {**params, "clientCapabilities": kept}
            version = params.get("protocolVersion")
            if isinstance(version, int | float) and version > acp.PROTOCOL_VERSION:
                # How it finds its way back after a lost connection is that of this version.
                params["protocolVersion"] = acp.PROTOCOL_VERSION
        elif method == acp.SESSION_PROMPT:
            params = with_meta(params, {"turnId": self._make_id("turn")})
        elif method == acp.SESSION_NEW:
            params = with_meta(params, {"sessionId": self._make_id("ses")})
        frame = {**frame, "params": params}
        if method == acp.INITIALIZE and self._hello is None:
            self._hello = frame
        key = _key(frame["id"])
        if key in self._asked:
            self._pass_on(frame)  # the server knows what to say of an id in use
            return
        asked = self._asked[key] = _Asked(frame)
        if self._to_server is not None:
            asked.is_sent = True
            self._to_server(frame)

    def _notified(self, frame: Frame) -> None:
        if frame["method"] == acp.CANCEL_REQUEST and self._to_server is None:
            asked = self._asked.get(_key(as_dict(frame.get("params")).get("requestId")))
            if asked is None:
                return
        if self._to_server is not None:
            for asked in self._cancelled_by(frame):
                asked.cancelled_by = frame
        self._pass_on(frame)

    def _pass_on(self, frame: Any) -> None:
        if self._to_server is None:
            self._later.append(frame)
        else:
            self._to_server(frame)

    # From the server

    def from_server(self, frame: Frame) -> None:
        method = frame.get("method")
        if not isinstance(method, str):
            self._response(frame)
        elif "id" in frame:
            self._question(frame)
        elif method == acp.CANCEL_REQUEST:
            self._questions.withdrawn(as_dict(frame.get("params")).get("requestId"))
        else:
            params = as_dict(frame.get("params"))
            held = self._held(str(params.get("sessionId")))
            held.cursor = max(held.cursor, as_int(_own_meta(params).get("cursor")) or 0)
            self._to_editor(frame)

    def _response(self, frame: Frame) -> None:
        key = _key(frame.get("id"))
        own = self._own.pop(key, None)
        if own is not None:
            own(frame)
            return
        asked = self._asked.pop(key, None)
        if asked is None:
            if frame.get("id") is None or "error" in frame:
                self._to_editor(frame)
            return
        if asked.frame["method"] == acp.SESSION_NEW and self._was_made_before(asked, frame):
            return
        if asked.frame["method"] == acp.INITIALIZE and "error" in frame:
            self._hello = None  # it may try another
        elif "result" in frame:
            self._succeeded(asked.frame, frame["result"])
        self._to_editor(frame)
        if asked.frame["method"] == acp.INITIALIZE and self._to_server is not None:
            self._send_what_waits(self._to_server)

    def _succeeded(self, asked: Frame, result: Any) -> None:
        method, params = asked["method"], as_dict(asked.get("params"))
        if method == acp.INITIALIZE:
            self._is_greeted = True
        elif method in _OPENS:
            opened = as_str(as_dict(result).get("sessionId")) or params.get("sessionId")
            given: Frame = {name: params[name] for name in _KEPT if name in params}
            session = _own_meta(params).get("session")
            kept = with_meta(given, {"session": session} if session else {})
            self._held(str(opened)).params = kept
        elif method in _ENDS:
            self._sessions.pop(str(params.get("sessionId")), None)

    def _was_made_before(self, asked: _Asked, frame: Frame) -> bool:
        """The answer got lost with the connection, the session did not."""
        data = as_dict(as_dict(frame.get("error")).get("data"))
        if data.get("code") != "session_already_exists" or self._to_server is None:
            return False
        params = as_dict(asked.frame.get("params"))
        made = _own_meta(params)["sessionId"]
        load = {**params, "sessionId": made}
        again = {**asked.frame, "method": acp.SESSION_LOAD, "params": load}
        self._asked[_key(again["id"])] = _Asked(again, is_sent=True)
        self._to_server(again)
        return True

    def _question(self, frame: Frame) -> None:
        params = as_dict(frame.get("params"))
        request_id = str(_own_meta(params).get("requestId"))
        session_id = str(params.get("sessionId"))
        self._held(session_id)
        self._questions.asked(frame, session_id=session_id, request_id=request_id)

    def _held(self, session_id: str) -> _Held:
        return self._sessions.setdefault(session_id, _Held())

    def _ask(
        self, send: Send, method: str, params: Mapping[str, Any], answered: Callable[[Frame], None]
    ) -> None:
        id = self._make_id("bridge")
        self._own[_key(id)] = answered
        send(request(id, method, params))


def _key(id: Any) -> str:
    return json.dumps(id)


def _own_meta(params: Mapping[str, Any]) -> Frame:
    return as_dict(as_dict(params.get("_meta")).get(META))


def with_meta(params: Frame, own: Mapping[str, Any]) -> Frame:
    """With what is ours in its `_meta`, beside what is there."""
    if not own:
        return params
    meta = as_dict(params.get("_meta"))
    return {**params, "_meta": {**meta, META: {**as_dict(meta.get(META)), **own}}}
