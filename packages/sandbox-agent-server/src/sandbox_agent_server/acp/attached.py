"""A session that an ACP client holds: what its agent says goes to the client, what the client says to its agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.frames.jsonrpc import RequestId, notification
from sandbox_agent_core.lenient import as_dict, as_str

from sandbox_agent_server.acp.asked import Asked
from sandbox_agent_server.acp.outbox import draft
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Draft
from sandbox_agent_server.sessions.conversation import Conversation
from sandbox_agent_server.sessions.fold import SessionStep

__all__ = ["AGENT_EXITED", "INVALID_STDOUT", "OPENINGS", "Attached", "ClientEnd"]

AGENT_EXITED: Final = "_adapter/agent_exited"
"""`{success, code, signal?, sessionId?}`."""
INVALID_STDOUT: Final = "_adapter/invalid_stdout"
"""`{error, raw, sessionId?}`: what an agent wrote that is no message."""
OPENINGS: Final = frozenset(
    {acp.SESSION_NEW, acp.SESSION_LOAD, acp.SESSION_RESUME, acp.SESSION_FORK}
)


class ClientEnd(Protocol):
    """The client, as what it holds sees it."""

    def tell(self, drafts: list[Draft]) -> None: ...

    def answered(self, asked: Asked, raw: bytes, drafts: list[Draft], **place: Any) -> None:
        """Add the answer to what the client is told next, and let go of who waits for it."""
        ...

    def failed(self, asked: Asked, error: SandboxAgentError, *, session_id: str | None) -> None:
        """There is no answer of the agent."""
        ...

    def put(self, attached: Attached, rpc_id: Any) -> Any:
        """A request of the agent goes to the client: the id that it has there."""
        ...

    def withdraw(self, attached: Attached, rpc_id: Any) -> Any:
        """Somebody else answered it. The id that it had, or None when the client has answered it itself."""
        ...

    def opened(self, attached: Attached) -> None:
        """It has an id for the client, who is about to hear of it."""
        ...

    def gone(self, attached: Attached) -> None:
        """Its agent is."""
        ...

    def offers(self, method: str) -> bool:
        """The client has said that it serves this."""
        ...


class Attached:
    """What one conversation is to one client. `session_id` is None for what belongs to no session."""

    def __init__(
        self,
        client: ClientEnd,
        session_id: str | None,
        *,
        acp_id: str | None = None,
        opening: Asked | None = None,
        choose_id: Callable[[str], str] = str,
        is_owner: bool = True,
    ) -> None:
        """`acp_id`: what the client calls it; None until it is open. `choose_id` makes it of the agent's own.
        `is_owner`: when the client goes, nobody is left for whom its agent runs.
        """
        self.session_id = session_id
        self.acp_id = acp_id
        self.opening = opening
        """The request that it is being opened with."""
        self.conversation: Conversation | None = None
        self.in_flight: dict[RequestId, Asked] = {}
        """By the ids that the agent knows."""
        self.is_owner = is_owner
        self._client = client
        self._choose_id = choose_id

    def attach(self, conversation: Conversation) -> None:
        """It is live: what happens in it from now on is seen."""
        if self.conversation is conversation:
            return
        self.conversation = conversation
        conversation.clients += 1
        conversation.observers.append(self.observe)
        for method in (acp.FS_READ_TEXT_FILE, acp.FS_WRITE_TEXT_FILE):
            if self._client.offers(method):
                conversation.services.pop(method, None)

    def detach(self) -> None:
        if self.conversation is not None:
            self.conversation.observers.remove(self.observe)
            self.conversation.clients -= 1
            self.conversation = None

    @property
    def is_live(self) -> bool:
        """Its agent runs."""
        return self.conversation is not None and self.conversation.state.is_running

    def knows(self, id: RequestId) -> bool:
        """A request with this id, of whomever, waits for its answer."""
        if id in self.in_flight:
            return True
        return self.conversation is not None and self.conversation.stamper.asked(id) is not None

    # To the agent

    def to_agent(self, frame: Frame) -> Frame:
        """With the session's id as the agent knows it."""
        params = frame.get("params")
        if self.conversation is None or self.acp_id is None or not isinstance(params, dict):
            return frame
        inner = self.conversation.state.agent_session_id
        if params.get("sessionId") != self.acp_id or inner in (None, self.acp_id):
            return frame
        return {**frame, "params": {**params, "sessionId": inner}}

    def send(self, asked: Asked) -> None:
        """A request of the client. Raises what `Conversation.send` raises."""
        assert self.conversation is not None
        frame, raw = asked.to_agent(self.to_agent(asked.frame))
        self.in_flight[frame["id"]] = asked
        try:
            answer = self.conversation.send(frame, raw=raw)
        except SandboxAgentError:
            del self.in_flight[frame["id"]]
            raise
        assert answer is not None
        answer.add_done_callback(lambda done: self._failed(asked, done))

    def _failed(self, asked: Asked, done: Any) -> None:
        if not done.cancelled() and isinstance(error := done.exception(), SandboxAgentError):
            self.in_flight.pop(asked.inner_id or asked.id, None)
            self._client.failed(asked, error, session_id=self.acp_id)

    # To the client

    def observe(self, step: SessionStep) -> None:
        """Of every step of the conversation, once it is written."""
        drafts: list[Draft] = []
        for seq, each in enumerate(step.drafts, start=step.first_seq):
            if each.sender == "agent":
                self._of_agent(each, seq, drafts)
            elif each.method == extensions.AGENT_EXITED:
                self._exited(each, seq, drafts)
            elif each.item_id is not None and "decidedBy" in (each.annotations or {}):
                self._resolved(each, seq, drafts)
        if drafts:
            self._client.tell(drafts)

    def tell_again(self, each: Draft, seq: int) -> None:
        """An entry of an earlier server, whose agents are gone: what they asked is not asked any more."""
        is_request = "method" in each.frame and each.frame.get("id") is not None
        drafts: list[Draft] = []
        if each.sender == "agent" and not is_request:
            self._of_agent(each, seq, drafts)
        elif each.method == extensions.AGENT_EXITED:
            self._exited(each, seq, drafts)
        if drafts:
            self._client.tell(drafts)

    def _of_agent(self, each: Draft, seq: int, drafts: list[Draft]) -> None:
        frame, method = each.frame, each.method
        if "method" not in frame:
            self._answer(each, seq, drafts)
            return
        annotations = each.annotations or {}
        if method == acp.SESSION_UPDATE:
            if "replay" in annotations and not self._wants_history:
                return
            self._tell(each.payload, frame, seq, drafts)
        elif frame.get("id") is not None:
            self._request(each, seq, drafts)
        elif method == extensions.AGENT_UNPARSED:
            params = as_dict(frame.get("params"))
            told = {"error": params.get("reason"), "raw": params.get("text")}
            self._own(INVALID_STDOUT, told, seq, drafts)
        elif method is not None and not method.startswith(extensions.PREFIX):
            self._tell(each.payload, frame, seq, drafts)

    @property
    def _wants_history(self) -> bool:
        return self.opening is not None and self.opening.method == acp.SESSION_LOAD

    def _answer(self, each: Draft, seq: int, drafts: list[Draft]) -> None:
        frame = each.frame
        id = frame.get("id")
        asked = self.in_flight.pop(id, None) if isinstance(id, str | int) else None
        if asked is not None:
            raw = each.payload if asked.id is id or _same(asked.id, id) else None
            raw = raw or dumps({**frame, "id": asked.id})
            place = {"session_id": self.acp_id, "source": self._source(seq)}
            self._client.answered(asked, raw, drafts, **place)
        elif self.opening is not None and each.method in OPENINGS and "error" not in frame:
            self._opened(frame, seq, drafts)

    def _opened(self, frame: Frame, seq: int, drafts: list[Draft]) -> None:
        opening, self.opening = self.opening, None
        assert opening is not None
        result = as_dict(frame.get("result"))
        if self.acp_id is None and (inner := as_str(result.get("sessionId"))) is not None:
            self.acp_id = self._choose_id(inner)
            if self.acp_id != inner:
                result = {**result, "sessionId": self.acp_id}
        raw = dumps({**frame, "id": opening.id, "result": result})
        self._client.opened(self)
        self._client.answered(opening, raw, drafts, source=self._source(seq))

    def _request(self, each: Draft, seq: int, drafts: list[Draft]) -> None:
        conversation, method = self.conversation, each.method
        assert conversation is not None
        assert method is not None
        if "refused" in (each.annotations or {}) or method == extensions.HOOK:
            return
        if method in conversation.services:
            return
        rpc_id = each.frame["id"]
        if each.item_id is not None and not conversation.requests.is_asked(rpc_id):
            return  # the policy has answered it
        frame, raw = each.frame, each.payload
        if not _same(id := self._client.put(self, rpc_id), rpc_id):
            frame = {**frame, "id": id}
            raw = dumps(frame)
        self._tell(raw, frame, seq, drafts)

    def _resolved(self, each: Draft, seq: int, drafts: list[Draft]) -> None:
        id = self._client.withdraw(self, each.frame.get("id"))
        if id is not None and (each.annotations or {}).get("decidedBy") != "cancel":
            self._own(acp.CANCEL_REQUEST, {"requestId": id}, seq, drafts, names_session=False)

    def _exited(self, each: Draft, seq: int, drafts: list[Draft]) -> None:
        self._client.gone(self)
        params = as_dict(each.frame.get("params"))
        if params.get("expected") is True:
            return
        code, signal = params.get("exitCode"), params.get("signal")
        told: dict[str, Any] = {"success": code == 0, "code": code}
        if signal is not None:
            told["signal"] = signal
        self._own(AGENT_EXITED, told, seq, drafts)

    def _own(
        self,
        method: str,
        params: dict[str, Any],
        seq: int,
        drafts: list[Draft],
        *,
        names_session: bool = True,
    ) -> None:
        if names_session and self.acp_id is not None:
            params["sessionId"] = self.acp_id
        frame = notification(method, params)
        drafts.append(draft(dumps(frame), frame, session_id=self.acp_id, source=self._source(seq)))

    def _tell(self, raw: bytes, frame: Frame, seq: int, drafts: list[Draft]) -> None:
        params = frame.get("params")
        named = params.get("sessionId") if isinstance(params, dict) else None
        if self._is_renamed(named):
            named = self.acp_id
            frame = {**frame, "params": {**as_dict(params), "sessionId": named}}
            raw = dumps(frame)
        place = named if isinstance(named, str) else self.acp_id
        drafts.append(draft(raw, frame, session_id=place, source=self._source(seq)))

    def _is_renamed(self, named: Any) -> bool:
        """It is the session, by the name that its agent has for it and the client has not."""
        if self.conversation is None or named is None or self.acp_id in (None, named):
            return False
        return bool(named == self.conversation.state.agent_session_id)

    def _source(self, seq: int) -> Any:
        return [self.session_id, seq]


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other
