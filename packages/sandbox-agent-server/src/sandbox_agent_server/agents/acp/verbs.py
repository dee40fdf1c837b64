"""What is asked of an agent in long work (`frames.operations`), in the words of one that speaks ACP and perhaps
extensions of its own.

A verb is a generator: it yields what to ask the agent, is sent the result, and returns what the client is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId, acp, operations
from sandbox_agent_core.frames.jsonrpc import (
    INVALID_REQUEST,
    FrameKind,
    error_response,
    kind_of,
    request,
    response,
)
from sandbox_agent_core.lenient import as_dict, as_text
from sandbox_agent_core.spi.agent import WireFrame
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META

from sandbox_agent_server.agents.acp.normalising import Send
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.refusals import InvalidParams, Refused

__all__ = ["Ask", "Done", "Running", "Verb", "Verbs", "by_command", "native"]

_ID: Final = "sandbox-agent-{}"
"""Of our own requests; the client's are numbers."""
_ANSWERS: Final = (FrameKind.RESPONSE, FrameKind.ERROR)
_OURS: Final = frozenset(
    {
        acp.INITIALIZE,
        acp.SESSION_NEW,
        acp.SESSION_LOAD,
        acp.SESSION_RESUME,
        acp.SESSION_PROMPT,
        acp.SESSION_CANCEL,
        acp.SESSION_SET_MODE,
    }
)
"""What the server has to know of is asked in its own way."""


@dataclass(frozen=True, slots=True)
class Ask:
    method: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    result: Mapping[str, Any]
    told: Sequence[Frame] = ()
    """Notifications that come before the answer."""


Running = Generator[Ask, Any, Done]
Verb = Callable[[Mapping[str, Any]], Running]
"""Raises, also later: Refused. An error of the agent is the answer, and ends it."""


class Verbs:
    def __init__(
        self, verbs: Mapping[str, Verb], capabilities: Mapping[str, Any], *, send: Send, tell: Send
    ) -> None:
        """`send` is the way to the agent, `tell` that to the client for what no frame of the agent brings."""
        self._verbs = {operations.SESSION_NATIVE: native, **verbs}
        self._capabilities = {"native": True, **capabilities}
        self._send = send
        self._tell = tell
        self._ids = (_ID.format(number) for number in count(1))
        self._running: dict[RequestId, tuple[RequestId, Running]] = {}
        """By the id of what was asked last -> that of the client's request."""
        self._hello: RequestId | None = None

    def to_agent(self, frame: Frame) -> Frame | None:
        """What goes on to the agent: None for what is put into its words here."""
        method, id = frame.get("method"), frame.get("id")
        if method == acp.INITIALIZE:
            self._hello = id
        verb = self._verbs.get(str(method))
        if verb is None or id is None:
            return frame
        for told in self._step(id, verb(as_dict(frame.get("params"))), None):
            self._tell(told)
        return None

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        if not self._running and self._hello is None:
            return batch
        frames: list[WireFrame] = []
        for each in batch:
            id = each.frame.get("id")
            if id is None or kind_of(each.frame) not in _ANSWERS:
                frames.append(each)
            elif id in self._running:
                frames += map(wire, self._answered(id, each.frame))
            elif id == self._hello:
                self._hello = None
                frames.append(self._introduced(each))
            else:
                frames.append(each)
        return frames

    def _answered(self, id: RequestId, frame: Frame) -> list[Frame]:
        asked_by, running = self._running.pop(id)
        if "error" in frame:
            running.close()
            return [{**frame, "id": asked_by}]
        return self._step(asked_by, running, frame.get("result"))

    def _step(self, id: RequestId, running: Running, result: Any) -> list[Frame]:
        """Asks what is to be asked next, or returns what the client is told."""
        try:
            asked = running.send(result)
        except StopIteration as end:
            done: Done = end.value
            return [*done.told, response(id, dict(done.result))]
        except Refused as exc:
            return [error_response(id, exc.code, exc.message, exc.data)]
        own = next(self._ids)
        self._running[own] = (id, running)
        self._send(request(own, asked.method, dict(asked.params)))
        return []

    def _introduced(self, each: WireFrame) -> WireFrame:
        result = as_dict(each.frame.get("result"))
        if not result:
            return each
        announced = as_dict(result.get("agentCapabilities"))
        meta = as_dict(announced.get("_meta"))
        own = {**self._capabilities, **as_dict(meta.get(CAPABILITIES_META))}
        announced = {**announced, "_meta": {**meta, CAPABILITIES_META: own}}
        return wire({**each.frame, "result": {**result, "agentCapabilities": announced}})


def native(params: Mapping[str, Any]) -> Running:
    """Any request of ACP, or of the agent's own beside it."""
    method = as_text(params.get("method"))
    if method is None:
        raise InvalidParams("`method` must be a text")
    if method in _OURS:
        raise Refused(INVALID_REQUEST, f"{method} is the server's: the API has a request for it")
    result = yield Ask(method, as_dict(params.get("params")))
    return Done({"result": result})


def by_command(
    command: str,
    *,
    words: Callable[[Mapping[str, Any]], str | None] = lambda _params: None,
    then: Callable[[Mapping[str, Any]], Sequence[Frame]] = lambda _params: (),
) -> Verb:
    """A turn that is a command of the agent's, which it takes as a prompt, with `words` behind it. `then` says of one
    that ended well what came of it."""

    def run(params: Mapping[str, Any]) -> Running:
        text = " ".join(filter(None, (command, words(params))))
        block = {"type": "text", "text": text}
        prompt = {"sessionId": params.get("sessionId"), "prompt": [block]}
        answer = as_dict((yield Ask(acp.SESSION_PROMPT, prompt)))
        return Done(answer, then(params) if answer.get("stopReason") == "end_turn" else ())

    return run
