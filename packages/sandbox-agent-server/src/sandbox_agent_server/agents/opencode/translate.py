"""OpenCode's events as ACP frames. Pure: event in, frames out.

Nothing is dropped: what ACP has no word for goes on as the notification `_opencode/<type>` with the
properties as they came, except for `_NOISE`, which is about other things or repeats what was said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId, acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification, request
from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.native.translator import (
    Announcement,
    Native,
    Output,
    SessionTranslator,
)
from sandbox_agent_server.agents.opencode.asking import (
    Grants,
    permission_params,
    permission_reply,
    question_answers,
    question_call,
    question_params,
)
from sandbox_agent_server.agents.opencode.background import Background
from sandbox_agent_server.agents.opencode.compaction import Compaction
from sandbox_agent_server.agents.opencode.history import History, mark_of
from sandbox_agent_server.agents.opencode.offers import Offers
from sandbox_agent_server.agents.opencode.parts import Parts
from sandbox_agent_server.agents.opencode.plan import plan_update
from sandbox_agent_server.agents.opencode.spending import Spending
from sandbox_agent_server.agents.opencode.turns import Turn
from sandbox_agent_server.agents.opencode.variant import Variant

__all__ = ["ASK_STATUS", "Translator"]

ASK_STATUS: Final[Native] = {"path": "/session/status"}
"""A reply that is a question: the session may be idle, and only its status tells."""

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


class Translator(SessionTranslator):
    """One session. Its replies are `path` and `body` of what is to be posted, `ASK_STATUS`, or `held`: a
    permission for `ask_held` a little later."""

    offers: Offers

    def __init__(self, variant: Variant, *, session: Native, offers: Offers) -> None:
        super().__init__(str(session.get("id")))
        self._variant = variant
        self.offers = offers
        self.turn: Turn | None = None
        self._is_own_turn = False
        """`turn` is one that OpenCode began by itself."""
        self._background = Background()
        self._compaction = Compaction()
        self.history = History()
        """Since this process has the session."""
        self.no_prompts: set[str] = set()
        """Messages of the user that began no prompt of his."""
        self._marks = 0
        self._parts = Parts(self.session_id)
        self._asked: dict[str, Native] = {}
        self._held: dict[str, Native] = {}
        """Permissions whose calls have not been told yet."""
        self._grants = Grants()
        self._title = as_text(session.get("title"))
        self._spending = Spending(session)
        self._replies: list[Native] = []
        self._readers: dict[str, Callable[[Native, bool], list[Frame]]] = {
            "message.part.delta": self._delta,
            "message.part.updated": self._part,
            "message.updated": self._message,
            "permission.asked": self._permission,
            "permission.replied": self._settled,
            "question.asked": self._question,
            "question.rejected": self._settled,
            "question.replied": self._settled,
            "session.compacted": self._compacted,
            "session.error": self._error,
            "session.idle": self._idle,
            "session.status": self._status,
            "session.updated": self._session,
            "todo.updated": self._plan,
        }

    # What the client does

    @property
    def is_prompted(self) -> bool:
        return self.turn is not None and not self._is_own_turn

    def begin_turn(self, id: RequestId, *, is_prompt: bool = True) -> Turn:
        self._parts.begin_turn()
        self._spending.begin_turn()
        self.turn = Turn(id, self._variant.login_hint, is_prompt=is_prompt)
        self._is_own_turn = False
        self._background.woken_by = None
        return self.turn

    def stop_task(self, task_id: str) -> list[Native]:
        return [_post(f"/session/{task_id}/abort")] if self._background.stopping(task_id) else []

    def end_own_turn(self) -> list[Frame]:
        """A prompt comes: OpenCode takes it up in the run that it is in."""
        return self.end_turn() if self._is_own_turn else []

    def is_ours(self, session: str) -> bool:
        """The session itself, or one of its sub-agents'."""
        return self._parts.is_ours(session)

    def steer(self) -> str | None:
        """Something is said into the turn: its mark. None when no turn takes it."""
        if self.turn is None or self.turn.is_cancelled:
            return None
        self._marks += 1
        mark = f"steer-{self._marks}"
        self.turn.steer(mark)
        return mark

    def cancel(self) -> list[Native]:
        if self.turn is None:
            return []
        self.turn.is_cancelled = True
        return [self._abort()]

    def end_turn(self) -> list[Frame]:
        """The answer to the prompt. Nothing when it was given already."""
        turn, self.turn = self.turn, None
        is_own, self._is_own_turn = self._is_own_turn, False
        if turn is None:
            return []
        answer = turn.answer()
        if not is_own:
            return [answer]
        fields = answer["result"] if "result" in answer else {"error": answer["error"]}
        return [self.announce(extensions.TURN_ENDED, fields)]

    def answer(self, id: RequestId, result: Mapping[str, Any] | None) -> list[Native]:
        """The client's answer to one of our requests."""
        asked = self._asked.pop(id, None) if isinstance(id, str) else None
        if asked is None:
            return []
        if "questions" not in asked:
            reply = self._decided(asked, permission_reply(result))
            is_main = as_text(asked.get("sessionID")) in (None, self.session_id)
            if self.turn is not None and is_main and reply == {"reply": "reject"}:
                self.turn.is_stopped = True
            return [_post(f"/permission/{id}/reply", reply)]
        answers = question_answers(asked, result)
        if answers is None:
            return [_post(f"/question/{id}/reject")]
        return [_post(f"/question/{id}/reply", {"answers": answers})]

    def choose(self, option: str, value: Any) -> list[Frame]:
        """Raises: InvalidParams. In another mode everything is asked again."""
        self.offers.choose(option, value)
        if option == "mode":
            self._grants.clear()
        return [self.config_update(), self.mode_update()]

    # What OpenCode says

    def feed(self, message: Native) -> Output:
        self._replies = []
        kind, properties = str(message.get("type")), as_dict(message.get("properties"))
        return Output(self._feed(kind, properties), self._replies)

    def extension(self, kind: str, message: Mapping[str, Any]) -> Frame:
        """With the members of an event as they came."""
        params = {"sessionId": self.session_id, **message}
        return notification(f"{self._variant.extension}{kind}", params)

    def _feed(self, kind: str, properties: Native) -> list[Frame]:
        if kind in _NOISE:
            return []
        info = as_dict(properties.get("info"))
        if kind == "session.created":
            self._parts.read_session(info)
            return []
        session = as_text(properties.get("sessionID")) or as_text(info.get("sessionID"))
        if session is not None and not self._parts.is_ours(session):
            return []  # of another session of the same server
        if (read := self._readers.get(kind)) is None:
            return [self.extension(kind, properties)]
        return read(properties, session == self.session_id)

    def _delta(self, properties: Native, _is_main: bool) -> list[Frame]:
        return self.updates(self._parts.delta(properties))

    def _part(self, properties: Native, _is_main: bool) -> list[Frame]:
        part = as_dict(properties.get("part"))
        self.history.read_part(part)
        self._compaction.read_part(part)
        if (mark := mark_of(part)) is not None and self.turn is not None:
            self._steered(self.turn, mark, part)
        if part.get("type") == "compaction" or self._compaction.is_of(part.get("messageID")):
            return []
        updates = self._parts.updated(part)
        if updates is None:
            return [self.extension("message.part.updated", properties)]
        _, call_id = self._parts.call(part)
        announced = self._announce(self._background.read_part(part, call_id))
        return self.updates(updates) + announced + (self._ask_of_told() if self._held else [])

    def _steered(self, turn: Turn, mark: str, part: Native) -> None:
        if turn.steered(mark):
            message_id = str(part.get("messageID"))
            self.no_prompts.add(message_id)
            turn.read_user(message_id)

    def _compacted(self, properties: Native, is_main: bool) -> list[Frame]:
        if not is_main:
            return [self.extension("session.compacted", properties)]
        fields = self._compaction.done(self._spending.context_tokens)
        self._spending.begin_context()
        return [self.announce(extensions.CONTEXT_COMPACTED, fields)]

    def _announce(self, said: list[Announcement]) -> list[Frame]:
        return [self.announce(method, fields) for method, fields in said]

    def _message(self, properties: Native, is_main: bool) -> list[Frame]:
        message = as_dict(properties.get("info"))
        if as_text(message.get("id")) is None:
            return [self.extension("message.updated", properties)]
        self._parts.read_message(message)
        if is_main:
            self.history.messages.add(str(message["id"]))
        self._compaction.read_message(message)
        turn = self.turn
        if message.get("role") == "user":
            if not is_main or turn is None or not self._parts.is_of_turn(message):
                return []
            self._read_user(turn, str(message["id"]))
            is_news = self.offers.read_used(message)
            return [self.config_update(), self.mode_update()] if is_news else []
        if turn is None or not self._parts.is_of_turn(message):
            return []
        turn.read_message(message, is_main=is_main)
        self._spending.read_message(message)
        if turn.is_stuck:
            self._replies.append(self._abort())
        is_complete = as_dict(message.get("time")).get("completed") is not None
        told = self._responded(message, is_main=is_main) if is_complete else []
        # Of a summary it is what was in the context before.
        is_shown = is_main and is_complete and not self._compaction.is_of(message["id"])
        return told + (self._usage(message) if is_shown else [])

    def _responded(self, message: Native, *, is_main: bool) -> list[Frame]:
        if (call := self._spending.of_call(message)) is None:
            return []
        session = as_text(message.get("sessionID"))
        told = self.model_responded(
            call.tokens,
            call_id=str(message["id"]),
            model=_model_of(message),
            cost=call.cost,
            parent=None if is_main else self._parts.parent_of(session) or session,
        )
        return [told]

    def _read_user(self, turn: Turn, message_id: str) -> None:
        if not turn.has_begun:
            if turn.is_prompt:
                self.history.prompts.append(message_id)
            else:
                self.no_prompts.add(message_id)
        turn.read_user(message_id)

    def _usage(self, message: Native) -> list[Frame]:
        size = self.offers.context_size(_model_of(message))
        update = self._spending.update(message, size)
        return [] if update is None else [self.update(update)]

    def _permission(self, asked: Native, _is_main: bool) -> list[Frame]:
        asked_id = as_text(asked.get("id"))
        if asked_id is None:
            return [self.extension("permission.asked", asked)]
        if self._grants.cover(asked):
            self._replies.append(_post(f"/permission/{asked_id}/reply", {"reply": "once"}))
            return []
        tool = as_dict(asked.get("tool"))
        if self._parts.call(tool)[0] is None and as_text(tool.get("callID")):
            # It may ask before it tells of the call, and of the words before that.
            self._held[asked_id] = asked
            self._replies.append({"held": asked_id})
            return []
        return self._ask(asked_id, asked)

    def _ask(self, asked_id: str, asked: Native) -> list[Frame]:
        self._asked[asked_id] = asked
        tool = as_dict(asked.get("tool"))
        part, call_id = self._parts.call(tool)
        params = permission_params(
            asked,
            part,
            session_id=self.session_id,
            call_id=call_id or asked_id,
            parent=self._parts.parent_of(as_text(asked.get("sessionID"))),
        )
        told = self.updates(
            self._parts.asked(tool, params["toolCall"], as_dict(asked.get("metadata")))
        )
        return [*told, request(asked_id, acp.SESSION_REQUEST_PERMISSION, params)]

    def ask_held(self, asked_id: str) -> list[Frame]:
        """It has waited long enough for its call to be told."""
        asked = self._held.pop(asked_id, None)
        return [] if asked is None else self._ask(asked_id, asked)

    def _ask_of_told(self) -> list[Frame]:
        told = [
            asked_id
            for asked_id, asked in self._held.items()
            if self._parts.call(as_dict(asked.get("tool")))[0] is not None
        ]
        return [frame for asked_id in told for frame in self.ask_held(asked_id)]

    def _decided(self, asked: Native, reply: Native) -> Native:
        if reply["reply"] != "always":
            return reply
        self._grants.add(asked)
        return {"reply": "once"}

    def _question(self, asked: Native, _is_main: bool) -> list[Frame]:
        asked_id = as_text(asked.get("id"))
        if asked_id is None:
            return [self.extension("question.asked", asked)]
        self._asked[asked_id] = asked
        tool = as_dict(asked.get("tool"))
        _, call_id = self._parts.call(tool)
        params = question_params(asked, session_id=self.session_id, call_id=call_id)
        told = self._parts.asked(tool, question_call(asked), {})
        return [*self.updates(told), request(asked_id, acp.ELICITATION_CREATE, params)]

    def _settled(self, properties: Native, _is_main: bool) -> list[Frame]:
        """Answered, by us or (an `always` covers others that wait) by itself."""
        asked_id = as_text(properties.get("requestID"))
        self._held.pop(asked_id or "", None)
        if asked_id is None or self._asked.pop(asked_id, None) is None:
            return []
        return [notification(acp.CANCEL_REQUEST, {"requestId": asked_id})]

    def _plan(self, properties: Native, is_main: bool) -> list[Frame]:
        if not is_main:
            return []  # what a sub-agent means to do is not what the session does
        return [self.update(plan_update(properties))]

    def _status(self, properties: Native, is_main: bool) -> list[Frame]:
        kind = as_dict(properties.get("status")).get("type")
        if kind == "idle" and not is_main:
            return self._announce(self._background.idle(str(properties.get("sessionID"))))
        if kind == "busy" and is_main and self.turn is None and self._background.woken_by:
            return [self._begin_own_turn(self._background.woken_by)]
        turn = self.turn if is_main else None
        if turn is not None and turn.is_cancelled and kind != "idle":
            # It was cancelled before there was anything to abort.
            self._replies.append(self._abort())
        return [self.extension("session.status", properties)] if kind == "retry" else []

    def _begin_own_turn(self, task_id: str) -> Frame:
        self.begin_turn(0).has_begun = True
        self._is_own_turn = True
        return self.announce(extensions.TURN_STARTED, {"taskId": task_id})

    def _idle(self, properties: Native, is_main: bool) -> list[Frame]:
        if not is_main:
            return self._announce(self._background.idle(str(properties.get("sessionID"))))
        turn = self.turn
        if turn is None or not turn.has_begun:
            return []
        if turn.is_answered:
            return self.end_turn()
        self._replies.append(ASK_STATUS)
        return []

    def _error(self, properties: Native, is_main: bool) -> list[Frame]:
        if is_main and self.turn is not None:
            self.turn.read_error(properties.get("error"))
            # Some errors come before a message, and no idle after them.
            self._replies.append(ASK_STATUS)
            return []
        if not is_main:
            self._background.failed(str(properties.get("sessionID")), properties.get("error"))
        return [self.extension("session.error", properties)]

    def _session(self, properties: Native, is_main: bool) -> list[Frame]:
        info = as_dict(properties.get("info"))
        title = as_text(info.get("title"))
        if not is_main or title is None or title == self._title:
            return []
        self._title = title
        return [self.update({"sessionUpdate": acp.SESSION_INFO_UPDATE, "title": title})]

    def _abort(self) -> Native:
        return _post(f"/session/{self.session_id}/abort")


def _model_of(message: Native) -> str:
    return f"{message.get('providerID')}/{message.get('modelID')}"


def _post(path: str, body: Native | None = None) -> Native:
    return {"path": path, "body": body}
