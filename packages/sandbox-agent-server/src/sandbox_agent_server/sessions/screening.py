"""What an agent asks that is refused before anybody sees it, and that the log then says.

Under an id that is taken, for another session, without an id, or in a line that could not be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.frames.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    error_response,
)
from sandbox_agent_core.lenient import as_str, compact
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.log.stamper import Stamper
from sandbox_agent_server.sessions.addressee import Addressee
from sandbox_agent_server.sessions.fold import SessionStep
from sandbox_agent_server.sessions.requests.pending import PendingRequests

__all__ = ["Screening"]


class Screening:
    def __init__(
        self,
        stamper: Stamper,
        requests: PendingRequests,
        *,
        respond: Callable[[SessionStep, Frame], None],
        send: Callable[[Frame], None],
    ) -> None:
        """`respond` adds an answer to a step; `send` gives one to the agent that is in the step already."""
        self._stamper = stamper
        self._requests = requests
        self._respond = respond
        self._send = send
        self._asked: set[object] = set()
        """Ids of requests in this batch."""
        self._served: set[object] = set()
        """Ids of requests that are being carried out."""
        self.addressee = Addressee()

    def connect(self) -> None:
        """Another process of the agent: nothing is known of it, and nothing owed to it."""
        self.addressee = Addressee()
        self._served.clear()

    def begin_batch(self) -> None:
        self._asked.clear()

    def serves(self, id: Any) -> None:
        """A request that will be answered later, by no person."""
        self._served.add(_key(id))

    def answered(self, id: Any) -> None:
        self._served.discard(_key(id))

    def refuses(self, step: SessionStep, wire: WireFrame, method: str) -> bool:
        """A request of the agent. True: it is in the step, and so is what becomes of it."""
        id = wire.frame["id"]
        if self._is_taken(id):
            self._stamper.refused_request(step, wire.raw, wire.frame)
            self._refuse_twins(step, id, method)
            return True
        self._asked.add(_key(id))
        other = self.addressee.other_session(wire.frame, step.state.agent_session_id)
        if other is not None:
            self._stamper.refused_request(step, wire.raw, wire.frame)
            self._refuse(
                step, id, method, INVALID_PARAMS, f"this client knows no session {other!r}"
            )
            return True
        return False

    def without_id(self, step: SessionStep, method: str) -> None:
        """A question to a person, as a notification."""
        self._refuse(step, None, method, INVALID_REQUEST, "it has no id, and so can have no answer")

    def unparsed(self, step: SessionStep, params: Mapping[str, Any]) -> None:
        """A line that could not be read; it may have been a request."""
        id = params.get("rpcId")
        if id is not None and not self._is_taken(id):
            why = f"it could not be read: {params.get('reason')}"
            self._refuse(step, id, as_str(params.get("method")), PARSE_ERROR, why)

    def _is_taken(self, id: Any) -> bool:
        return _key(id) in self._asked | self._served or self._requests.is_asked(id)

    def _refuse_twins(self, step: SessionStep, id: Any, method: str) -> None:
        # One answer for two requests would let a person allow one, and the agent do the other. What is
        # answered already, or being carried out, gets its own answer and no other.
        why = f"the id {id!r} is taken by a request that is not answered yet"
        refusal = error_response(id, INVALID_REQUEST, why)
        if self._requests.refuse(step, refusal):
            step.after_commit(lambda: self._send(refusal))
        self._say(step, method, INVALID_REQUEST, why)

    def _refuse(self, step: SessionStep, id: Any, method: str | None, code: int, why: str) -> None:
        self._respond(step, error_response(id, code, why))
        self._say(step, method, code, why)

    def _say(self, step: SessionStep, method: str | None, code: int, why: str) -> None:
        message = f"a request of the agent was refused unseen: {why}"
        fault = {"code": "agent_error", "message": message, "rpcCode": code}
        self._stamper.server_entry(step, extensions.ERROR, fault | compact(method=method))


def _key(id: Any) -> object:
    """Equal for ids that are the same to an agent: `1`, `1.0`, `"1"` and `true` are four."""
    return (type(id), id if isinstance(id, str | int | float) else repr(id))
