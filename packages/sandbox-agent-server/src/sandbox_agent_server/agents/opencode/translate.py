"""OpenCode's events as ACP frames. Pure: event in, frames out.

Nothing is dropped: what ACP has no word for goes on as the notification `_opencode/<type>` with the
properties as they came, except for `_NOISE`, which is about other things or repeats what was said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sandbox_agent_core.frames import Frame, RequestId, acp
from sandbox_agent_core.frames.jsonrpc import notification, request

from sandbox_agent_server.agents.native import translator as native
from sandbox_agent_server.agents.opencode.asking import (
    permission_params,
    permission_reply,
    question_answers,
    question_params,
)
from sandbox_agent_server.agents.opencode.grants import Grants
from sandbox_agent_server.agents.opencode.native import Native, as_dict, dicts, text_in
from sandbox_agent_server.agents.opencode.offers import Offers
from sandbox_agent_server.agents.opencode.parts import Parts, Update
from sandbox_agent_server.agents.opencode.turns import Turn, count
from sandbox_agent_server.agents.opencode.variant import Variant

__all__ = ["Call", "Output", "Translator"]

_NOISE: Final = frozenset(
    {
        "catalog.updated",
        "file.edited",  # the tool call says it
        "file.watcher.updated",
        "integration.updated",
        "lsp.client.diagnostics",
        "lsp.updated",
        "mcp.tools.changed",
        "message.part.removed",
        "message.removed",
        "models-dev.refreshed",
        "plugin.added",
        "project.directories.updated",
        "project.updated",
        "reference.updated",
        "server.connected",
        "server.heartbeat",
        "session.diff",
        "session.turn.close",
        "session.turn.open",
        "sync",  # every event once more, for a copy of the whole state
        "vcs.branch.updated",
    }
)
_PLAN_STATUSES: Final = {
    "in_progress": "in_progress",
    "completed": "completed",
    # A plan has no word for it: nothing is left to do.
    "cancelled": "completed",
}
_PRIORITIES: Final = frozenset({"high", "medium", "low"})
_COST_DIGITS: Final = 9


class Call(NamedTuple):
    """To be posted to OpenCode."""

    path: str
    body: Native | None


@dataclass(slots=True)
class Output(native.Output):
    calls: list[Call] = field(default_factory=list)
    asks_status: bool = False
    """The session may be idle: only its status tells."""


class Translator:
    """One session. `feed` it every event of its server."""

    def __init__(self, variant: Variant, *, session: Native, offers: Offers) -> None:
        self._variant = variant
        self.session_id = str(session.get("id"))
        self.offers = offers
        self.turn: Turn | None = None
        self._parts = Parts(self.session_id)
        self._asked: dict[str, Native] = {}
        self._grants = Grants()
        self._title = text_in(session, "title")
        self._spent = _cost_of(session)
        self._costs: dict[str, float] = {}
        """Of each message of the turn: it is told again and again."""
        self._last_usage: Update = {}
        self._answer: list[Call] = []
        self._asks_status = False
        self._readers: dict[str, Callable[[Native, bool], list[Frame]]] = {
            "message.part.delta": self._delta,
            "message.part.updated": self._part,
            "message.updated": self._message,
            "permission.asked": self._permission,
            "permission.replied": self._settled,
            "question.asked": self._question,
            "question.rejected": self._settled,
            "question.replied": self._settled,
            "session.error": self._error,
            "session.idle": self._idle,
            "session.status": self._status,
            "session.updated": self._session,
            "todo.updated": self._plan,
        }

    @property
    def is_prompted(self) -> bool:
        return self.turn is not None

    # What the client does

    def begin_turn(self, id: RequestId) -> None:
        self._parts.begin_turn()
        self._costs.clear()
        self.turn = Turn(id, self._variant.login_hint)

    def cancel(self) -> list[Call]:
        if self.turn is None:
            return []
        self.turn.is_cancelled = True
        return [self._abort()]

    def end_turn(self) -> list[Frame]:
        """The answer to the prompt. Nothing when it was given already."""
        turn, self.turn = self.turn, None
        return [] if turn is None else [turn.answer()]

    def answer(self, id: Any, result: dict[str, Any] | None) -> list[Call]:
        """The client's answer to one of our requests."""
        asked = self._asked.pop(id, None) if isinstance(id, str) else None
        if asked is None:
            return []
        if "questions" not in asked:
            return [_reply(id, self._decided(asked, permission_reply(result)))]
        answers = question_answers(asked, result)
        if answers is None:
            return [Call(f"/question/{id}/reject", None)]
        return [Call(f"/question/{id}/reply", {"answers": answers})]

    def choose(self, option: str, value: Any) -> list[Frame]:
        """Raises: InvalidParams. In another mode everything is asked again."""
        self.offers.choose(option, value)
        if option == "mode":
            self._grants.clear()
        return self.config_updates()

    # What OpenCode says

    def feed(self, event: Native) -> Output:
        self._answer, self._asks_status = [], False
        kind, properties = str(event.get("type")), as_dict(event.get("properties"))
        frames = self._feed(kind, properties)
        return Output(frames, calls=self._answer, asks_status=self._asks_status)

    def config_updates(self) -> list[Frame]:
        """The options as they are now."""
        options = {
            "sessionUpdate": acp.CONFIG_OPTION_UPDATE,
            "configOptions": self.offers.config_options(),
        }
        mode = {"sessionUpdate": acp.CURRENT_MODE_UPDATE, "currentModeId": self.offers.mode}
        return self._updates([options, mode])

    def commands_update(self) -> Frame:
        return self._updates(
            [
                {
                    "sessionUpdate": acp.AVAILABLE_COMMANDS_UPDATE,
                    "availableCommands": self.offers.commands,
                }
            ]
        )[0]

    def extension(self, kind: str, properties: Native) -> Frame:
        return notification(
            f"{self._variant.extension}{kind}", {"sessionId": self.session_id, **properties}
        )

    def _feed(self, kind: str, properties: Native) -> list[Frame]:
        if kind in _NOISE:
            return []
        info = as_dict(properties.get("info"))
        if kind == "session.created":
            self._parts.read_session(info)
            return []
        session = text_in(properties, "sessionID") or text_in(info, "sessionID")
        if session is not None and not self._parts.is_ours(session):
            return []  # of another session of the same server
        if (read := self._readers.get(kind)) is None:
            return [self.extension(kind, properties)]
        return read(properties, session == self.session_id)

    def _delta(self, properties: Native, _is_main: bool) -> list[Frame]:
        return self._updates(self._parts.delta(properties))

    def _part(self, properties: Native, _is_main: bool) -> list[Frame]:
        updates = self._parts.updated(as_dict(properties.get("part")))
        if updates is None:
            return [self.extension("message.part.updated", properties)]
        return self._updates(updates)

    def _message(self, properties: Native, is_main: bool) -> list[Frame]:
        message = as_dict(properties.get("info"))
        if text_in(message, "id") is None:
            return [self.extension("message.updated", properties)]
        self._parts.read_message(message)
        turn = self.turn
        if message.get("role") == "user":
            if not is_main or turn is None or not self._parts.is_of_turn(message):
                return []
            turn.has_begun = True
            return self.config_updates() if self.offers.read_used(message) else []
        if turn is None or not self._parts.is_of_turn(message):
            return []
        turn.read_message(message, is_main=is_main)
        self._spend(message)
        if turn.is_stuck:
            self._answer.append(self._abort())
        is_complete = as_dict(message.get("time")).get("completed") is not None
        return self._usage(message) if is_main and is_complete else []

    def _usage(self, message: Native) -> list[Frame]:
        model = f"{message.get('providerID')}/{message.get('modelID')}"
        size, used = self.offers.context_size(model), count(message.get("tokens"))["totalTokens"]
        if size is None or not used:
            return []
        cost = {"amount": round(self._spent, _COST_DIGITS), "currency": "USD"}
        update = {"sessionUpdate": acp.USAGE_UPDATE, "used": used, "size": size, "cost": cost}
        if update == self._last_usage:
            return []
        self._last_usage = update
        return self._updates([update])

    def _spend(self, message: Native) -> None:
        message_id, cost = str(message.get("id")), _cost_of(message)
        self._spent += cost - self._costs.get(message_id, 0.0)
        self._costs[message_id] = cost

    def _permission(self, asked: Native, _is_main: bool) -> list[Frame]:
        asked_id = text_in(asked, "id")
        if asked_id is None:
            return [self.extension("permission.asked", asked)]
        if self._grants.cover(asked):
            self._answer.append(_reply(asked_id, {"reply": "once"}))
            return []
        self._asked[asked_id] = asked
        part, call_id = self._parts.call(as_dict(asked.get("tool")))
        params = permission_params(
            asked,
            part,
            session_id=self.session_id,
            call_id=call_id or asked_id,
            parent=self._parts.parent_of(text_in(asked, "sessionID")),
        )
        return [request(asked_id, acp.SESSION_REQUEST_PERMISSION, params)]

    def _decided(self, asked: Native, reply: Native) -> Native:
        if reply["reply"] != "always":
            return reply
        self._grants.add(asked)
        return {"reply": "once"}

    def _question(self, asked: Native, _is_main: bool) -> list[Frame]:
        asked_id = text_in(asked, "id")
        if asked_id is None:
            return [self.extension("question.asked", asked)]
        self._asked[asked_id] = asked
        _, call_id = self._parts.call(as_dict(asked.get("tool")))
        params = question_params(asked, session_id=self.session_id, call_id=call_id)
        return [request(asked_id, acp.ELICITATION_CREATE, params)]

    def _settled(self, properties: Native, _is_main: bool) -> list[Frame]:
        """Answered, by us or (an `always` covers others that wait) by itself."""
        asked_id = text_in(properties, "requestID")
        if asked_id is None or self._asked.pop(asked_id, None) is None:
            return []
        return [notification(acp.CANCEL_REQUEST, {"requestId": asked_id})]

    def _plan(self, properties: Native, is_main: bool) -> list[Frame]:
        if not is_main:
            return []  # what a sub-agent means to do is not what the session does
        entries = [
            {
                "content": todo["content"],
                "status": _PLAN_STATUSES.get(str(todo.get("status")), "pending"),
                "priority": todo["priority"] if todo.get("priority") in _PRIORITIES else "medium",
            }
            for todo in dicts(properties.get("todos"))
            if text_in(todo, "content")
        ]
        return self._updates([{"sessionUpdate": acp.PLAN, "entries": entries}])

    def _status(self, properties: Native, is_main: bool) -> list[Frame]:
        kind = as_dict(properties.get("status")).get("type")
        turn = self.turn if is_main else None
        if turn is not None and turn.is_cancelled and kind != "idle":
            # It was cancelled before there was anything to abort.
            self._answer.append(self._abort())
        return [self.extension("session.status", properties)] if kind == "retry" else []

    def _idle(self, _properties: Native, is_main: bool) -> list[Frame]:
        turn = self.turn
        if turn is None or not is_main or not turn.has_begun:
            return []
        if turn.is_answered:
            return self.end_turn()
        self._asks_status = True
        return []

    def _error(self, properties: Native, is_main: bool) -> list[Frame]:
        if is_main and self.turn is not None:
            self.turn.read_error(properties.get("error"))
            # Some errors come before a message, and no idle after them.
            self._asks_status = True
            return []
        return [self.extension("session.error", properties)]

    def _session(self, properties: Native, is_main: bool) -> list[Frame]:
        info = as_dict(properties.get("info"))
        title = text_in(info, "title")
        if not is_main or title is None or title == self._title:
            return []
        self._title = title
        return self._updates([{"sessionUpdate": acp.SESSION_INFO_UPDATE, "title": title}])

    def _abort(self) -> Call:
        return Call(f"/session/{self.session_id}/abort", None)

    def _updates(self, updates: list[Update]) -> list[Frame]:
        return [
            notification(acp.SESSION_UPDATE, {"sessionId": self.session_id, "update": update})
            for update in updates
        ]


def _reply(asked_id: str, reply: Native) -> Call:
    return Call(f"/permission/{asked_id}/reply", reply)


def _cost_of(native: Native) -> float:
    """In US dollars, as OpenCode reckons."""
    cost = native.get("cost")
    return cost if isinstance(cost, (int, float)) and not isinstance(cost, bool) else 0.0
