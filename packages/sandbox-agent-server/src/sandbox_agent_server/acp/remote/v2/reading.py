"""Entries of a session's log as what they say to a client of version 2: who works, who waits, and what is said.

A prompt is answered when it is in the log; how its turn fares, `state_update` tells everybody alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox_agent_core.frames import LogEntry, acp, extensions, operations
from sandbox_agent_core.frames.jsonrpc import CANCELLED, INTERNAL_ERROR
from sandbox_agent_core.lenient import as_dict, as_list, as_str, dicts_in
from sandbox_agent_core.projection import turn_data

from sandbox_agent_server.acp.remote.reading import (
    FOR_A_PERSON,
    SPLIT_BYTES,
    Item,
    Passed,
    PromptAnswered,
    Resolved,
    Said,
    Standing,
    asked_of,
    ended_by_agent,
    ended_by_server,
    is_told,
    message,
    piecewise,
    without_settled,
)
from sandbox_agent_server.acp.remote.v2.options import config_options
from sandbox_agent_server.acp.remote.v2.updates import (
    CHUNKS,
    SETTINGS,
    Update,
    commands,
    tool_call,
    updates,
)
from sandbox_agent_server.agents.runner.config_options import ConfigOptions
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Entry

__all__ = ["Now", "Reading"]

_SETS: Final = frozenset(
    {
        acp.SESSION_SET_MODE,
        acp.SESSION_SET_MODEL,
        acp.SESSION_SET_CONFIG_OPTION,
        acp.SESSION_NEW,
        acp.SESSION_LOAD,
        acp.SESSION_RESUME,
        acp.SESSION_FORK,
    }
)
"""An agent that starts anew may offer something else."""
_PERMISSION: Final = "Permission required"


@dataclass(frozen=True, slots=True)
class Now:
    """How a session stands at the end of its log."""

    seq: int
    turns: frozenset[str]
    """That have begun, and not ended."""
    waiting: frozenset[str]
    """Requests of these turns that wait for a person."""
    options: ConfigOptions


class Reading:
    """A `Reader`. What came before now is history: it has no states, but one at the end of it."""

    def __init__(
        self,
        session_id: str,
        now: Now,
        *,
        is_resumed: bool,
    ) -> None:
        """`is_resumed`: the client is told how the session stands also when nothing is going on."""
        self._session_id = session_id
        self._now = now
        self._turns = set(now.turns)
        self._waiting = set(now.waiting)
        self._options = now.options
        self._state = self._state_now()
        self._first: Update | None = {"sessionUpdate": "state_update", "state": self._state}
        if self._state == "idle" and not is_resumed:
            # A new session is idle until it is told otherwise; a client may take this for the end of its prompt.
            self._first = None

    def standing(self) -> list[bytes]:
        first, self._first = self._first, None
        return [] if first is None else [self._notification(first)]

    def read(self, entries: Iterable[Entry]) -> list[Item]:
        read = [(entry.to_log_entry(self._session_id), len(entry.line)) for entry in entries]
        settled = {entry.item_id for entry, _ in read if _is_resolution(entry)}
        items: list[Item] = []
        for entry, size_bytes in read:
            if entry.seq > self._now.seq:
                items += self._standing()
            items += self._read(entry, size_bytes, settled)
            if entry.seq == self._now.seq:
                items += self._standing()
        return [*without_settled(items), Passed(read[-1][0].seq if read else 0)]

    def _standing(self) -> Iterator[Item]:
        messages = self.standing()
        if messages:
            yield Standing(messages)

    def _read(self, entry: LogEntry, size_bytes: int, settled: set[str | None]) -> Iterator[Item]:
        method, notes = entry.method, as_dict(entry.annotations)
        if "method" not in entry.payload:
            yield from self._response(entry, notes)
        elif entry.sender == "agent" and method in FOR_A_PERSON:
            yield from self._asked(entry, notes, settled)
        elif method in (extensions.TURN_STARTED, extensions.TURN_ENDED, extensions.TURN_DROPPED):
            yield from self._turn(entry, notes)
        elif entry.sender == "agent":
            if is_told(entry, notes):
                yield from self._from_agent(entry, notes, size_bytes)
        elif entry.sender == "client" and method in operations.BEGIN_A_TURN:
            yield from self._prompted(entry, size_bytes)
        elif method == extensions.TOOL_COMPLETED:
            yield self._closed_call(entry)
        elif method == extensions.COMMANDS_UPDATED:
            known = commands(as_dict(entry.payload.get("params")).get("commands"))
            update = {"sessionUpdate": acp.AVAILABLE_COMMANDS_UPDATE, "availableCommands": known}
            yield self._said(entry, [update])

    # Turns

    def _prompted(self, entry: LogEntry, size_bytes: int) -> Iterator[Item]:
        turn_id = entry.turn_id
        if turn_id is None:
            return
        params = as_dict(entry.payload.get("params"))
        data = turn_data(entry.payload["method"], params, entry.annotations)
        yield self._said(entry, _user_message(turn_id, data.get("content"), size_bytes))
        yield from self._moved(entry, begun=turn_id)
        yield PromptAnswered(entry.seq, turn_id, {"result": {"messageId": turn_id}})

    def _response(self, entry: LogEntry, notes: dict[str, Any]) -> Iterator[Item]:
        if entry.sender != "agent":
            if _is_resolution(entry) and entry.item_id is not None:
                yield Resolved(entry.seq, entry.item_id)
                yield from self._moved(entry, settled=entry.item_id)
        elif entry.method == operations.SESSION_STEER:
            # It may have ended by the time of the answer.
            steered = as_dict(notes.get("steered"))
            if steered and "error" not in entry.payload:
                turn_id = as_str(steered.get("turnId")) or entry.turn_id
                id = f"{turn_id}.{entry.seq}"
                yield self._said(entry, _user_message(id, steered.get("content"), 0))
        elif entry.method in _SETS:
            if "error" not in entry.payload:
                result = entry.payload.get("result")
                yield from self._set(entry, self._options.after_answer(entry.method, notes, result))
        elif (over := ended_by_agent(entry, notes)) is not None:
            yield from self._ended(entry, over, notes.get("limit"))

    def _turn(self, entry: LogEntry, notes: dict[str, Any]) -> Iterator[Item]:
        """What the server says of a turn; or the agent, of one that it began itself."""
        params = as_dict(entry.payload.get("params"))
        turn_id = entry.turn_id or as_str(params.get("turnId"))
        if turn_id is None or (entry.sender == "agent" and "background" not in notes):
            return
        if entry.method == extensions.TURN_STARTED:
            yield from self._moved(entry, begun=turn_id)
        elif entry.sender == "agent":
            result = {"stopReason": as_str(params.get("stopReason")) or "end_turn"}
            told = {"error": params["error"]} if params.get("error") else {"result": result}
            yield from self._moved(entry, ended=turn_id, outcome=told)
        elif (over := ended_by_server(entry)) is not None:
            has_begun = turn_id in self._turns or (
                entry.method == extensions.TURN_ENDED and entry.seq <= self._now.seq
            )
            if has_begun:
                yield from self._ended(entry, over, params.get("limit"))
            else:
                refusal = over.answer if "error" in over.answer else _GIVEN_UP
                yield PromptAnswered(entry.seq, over.turn_id, refusal)

    def _ended(self, entry: LogEntry, over: PromptAnswered, limit: Any) -> Iterator[Item]:
        outcome = over.answer
        if isinstance(limit, str):
            # `cancelled` would say that a person wanted it.
            fault = {"code": INTERNAL_ERROR, "message": f"stopped at a limit: {limit}"}
            outcome = {"error": {**fault, "data": {"limit": limit}}}
        yield from self._moved(entry, ended=over.turn_id, outcome=outcome)
        yield PromptAnswered(entry.seq, over.turn_id, {"result": {"messageId": over.turn_id}})

    # States

    def _moved(
        self,
        entry: LogEntry,
        *,
        begun: str | None = None,
        ended: str | None = None,
        outcome: dict[str, Any] | None = None,
        asked: str | None = None,
        settled: str | None = None,
    ) -> Iterator[Item]:
        if entry.seq <= self._now.seq:
            return
        if begun is not None:
            self._turns.add(begun)
        if ended is not None:
            self._turns.discard(ended)
        if asked is not None:
            self._waiting.add(asked)
        if settled is not None:
            self._waiting.discard(settled)
        if not self._turns:
            self._waiting.clear()
        state = self._state_now()
        if state != self._state:
            self._state = state
            update: Update = {"sessionUpdate": "state_update", "state": state}
            if state == "idle" and outcome is not None:
                update |= _reason(outcome)
            yield self._said(entry, [update])

    def _state_now(self) -> str:
        if not self._turns:
            return "idle"
        return "requires_action" if self._waiting else "running"

    def _asked(
        self, entry: LogEntry, notes: dict[str, Any], settled: set[str | None]
    ) -> Iterator[Item]:
        asked = asked_of(entry, notes)
        if asked is None:
            return
        is_permission = asked.method == acp.SESSION_REQUEST_PERMISSION
        # Version 1 has begun without modes, and agents leave the first one out.
        params = _permission(asked.params) if is_permission else {"mode": "form", **asked.params}
        yield replace(asked, params=params)
        if asked.request_id not in settled and entry.turn_id in self._turns:
            yield from self._moved(entry, asked=asked.request_id)

    # What is said

    def _from_agent(
        self, entry: LogEntry, notes: dict[str, Any], size_bytes: int
    ) -> Iterator[Item]:
        params = as_dict(entry.payload.get("params"))
        update = params.get("update")
        if entry.payload["method"] != acp.SESSION_UPDATE or not isinstance(update, dict):
            yield Said(entry.seq, [message(entry, entry.payload["method"], params)])
        elif update.get("sessionUpdate") in SETTINGS:
            yield from self._set(entry, self._options.after_update(entry.payload))
        else:
            told = list(
                updates(update, item_id=entry.item_id, common_commands=notes.get("commands"))
            )
            if size_bytes > SPLIT_BYTES and update.get("sessionUpdate") in CHUNKS:
                told = [part for one in told for part in piecewise(one)]
            yield self._said(entry, told, params)

    def _closed_call(self, entry: LogEntry) -> Said:
        """The agent left it open, and will not speak of it again."""
        call_id = as_dict(entry.payload.get("params")).get("toolCallId")
        update = {"sessionUpdate": acp.TOOL_CALL_UPDATE, "toolCallId": call_id, "status": "failed"}
        return self._said(entry, [update])

    def _set(self, entry: LogEntry, options: ConfigOptions) -> Iterator[Item]:
        """The answer to a client that begins to follow has what was set before."""
        if entry.seq <= self._now.seq:
            return
        before, self._options = self._options, options
        if (told := config_options(options)) != config_options(before):
            yield self._said(
                entry, [{"sessionUpdate": acp.CONFIG_OPTION_UPDATE, "configOptions": told}]
            )

    def _said(
        self, entry: LogEntry, told: list[Update], params: dict[str, Any] | None = None
    ) -> Said:
        return Said(
            entry.seq,
            [message(entry, acp.SESSION_UPDATE, {**(params or {}), "update": one}) for one in told],
        )

    def _notification(self, update: Update) -> bytes:
        params = {"sessionId": self._session_id, "update": update}
        return dumps({"jsonrpc": "2.0", "method": acp.SESSION_UPDATE, "params": params})


_GIVEN_UP: Final[dict[str, Any]] = {"error": {"code": CANCELLED, "message": "Request cancelled"}}


def _is_resolution(entry: LogEntry) -> bool:
    return (
        "method" not in entry.payload and entry.sender != "agent" and entry.method in FOR_A_PERSON
    )


def _user_message(message_id: str, content: Any, size_bytes: int) -> list[Update]:
    """Whole where it fits into a message, so that it may be told again."""
    blocks = dicts_in(as_list(content))
    if size_bytes <= SPLIT_BYTES:
        whole = {"sessionUpdate": "user_message", "messageId": message_id, "content": blocks}
        return [whole]
    return [
        part
        for block in blocks
        for part in piecewise(
            {
                "sessionUpdate": acp.USER_MESSAGE_CHUNK,
                "messageId": message_id,
                "content": block,
            }
        )
    ]


def _reason(outcome: dict[str, Any]) -> dict[str, Any]:
    if "error" not in outcome:
        return {"stopReason": as_dict(outcome.get("result")).get("stopReason")}
    error = as_dict(outcome["error"])
    code = error.get("code")
    told: dict[str, Any] = {
        "code": code if isinstance(code, int) and not isinstance(code, bool) else INTERNAL_ERROR,
        "message": str(error.get("message")),
    }
    if error.get("data") is not None:
        told["data"] = error["data"]
    return {"stopReason": "error", "error": told}


def _permission(params: dict[str, Any]) -> dict[str, Any]:
    call = params.get("toolCall")
    kept = {name: value for name, value in params.items() if name != "toolCall"}
    if not isinstance(call, dict):
        return {"title": _PERMISSION, **kept}
    told = tool_call(call)
    title = as_str(told.get("title")) or _PERMISSION
    return {"title": title, "subject": {"type": "tool_call", "toolCall": told}, **kept}
