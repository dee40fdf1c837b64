# Generated from `_async/requests.py` by `scripts/unasync.py`: do not edit.
"""What an agent asks a person, with the answers as methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox_agent_core.api.requests import RequestInfo, Resolution, Scope
from sandbox_agent_core.errors import OperationNotSupported
from sandbox_agent_core.events import (
    Diff,
    PermissionOption,
    Question,
    ToolCallFields,
    ToolCompleted,
)
from sandbox_agent_core.tool_facts import facts_of

from sandbox_agent_client._calls.requests import options_of, questions_of, tool_call_of
from sandbox_agent_client._sync._backend import Replies

__all__ = [
    "AfterToolSync",
    "AnyRequest",
    "BeforeToolSync",
    "HostToolCallSync",
    "PermissionRequestSync",
    "QuestionRequestSync",
    "request_of",
]

Respond = Callable[..., Resolution]
AnswerValue = str | bool | float | list[str]


class _Request:
    def __init__(self, info: RequestInfo, respond: Respond) -> None:
        self.info = info
        """As the server tells it: `asked_at`, `expires_at`, `default`, `resolution`, …"""
        self.replies = Replies()
        """What its methods were asked to answer."""
        self._respond = respond

    def _answer(self, **members: Any) -> Resolution:
        return self.replies.begin(lambda: self._respond(self.id, **members))

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def session_id(self) -> str:
        """Whose agent asks."""
        return self.info.session_id or ""

    @property
    def turn_id(self) -> str | None:
        return self.info.turn_id

    @property
    def is_pending(self) -> bool:
        """As of when this object was made."""
        return self.info.resolution is None


class _OfTool(_Request):
    """About a tool call."""

    def __init__(self, info: RequestInfo, respond: Respond) -> None:
        super().__init__(info, respond)
        self.tool_call: ToolCallFields | None = tool_call_of(info)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.title!r}>"

    @property
    def title(self) -> str:
        """What the agent wants to do, for people."""
        return self.tool_call.title if self.tool_call is not None else ""

    @property
    def command(self) -> str | None:
        """The command line, when it is about one: the text that the rules of the policy match."""
        return self.info.command or facts_of(self.info.tool_call or {}).command

    @property
    def paths(self) -> list[str]:
        """The files that it is about, as the agent names them."""
        return self.info.paths or list(facts_of(self.info.tool_call or {}).paths)

    @property
    def diffs(self) -> list[Diff]:
        """What it would change, when the agent tells it."""
        return [] if self.tool_call is None else self.tool_call.diffs


class PermissionRequestSync(_OfTool):
    """The agent waits for a permission. The first answer counts; a later one raises `RequestAlreadyResolved`."""

    def __init__(self, info: RequestInfo, respond: Respond) -> None:
        super().__init__(info, respond)
        self.options: list[PermissionOption] = options_of(info)
        """Those that can be chosen; `info.options` has all that the agent gave, malformed ones too."""

    @property
    def is_for_hook(self) -> bool:
        """The session's hook before tools is asked through it, before a person is."""
        return self.info.hook is not None

    def before_tool(self) -> BeforeToolSync:
        """The hook that is asked through it."""
        return BeforeToolSync(self.info, self._respond)

    def allow(
        self,
        *,
        updated_input: Mapping[str, Any] | None = None,
        scope: Scope = "once",
        actor: str | None = None,
    ) -> Resolution:
        """Allow it, for this once or for the rest of the session.

        `updated_input` is what the tool gets instead, in the shape of `info.tool_call["rawInput"]`; for this once only.

        Raises:
            OperationNotSupported: the agent takes no other input, or nobody can remember it for the session.
            InputForbidden: rules or the mode of the session deny that input.
        """
        return self._answer(reply="allow", updated_input=updated_input, scope=scope, actor=actor)

    def deny(
        self,
        *,
        message: str | None = None,
        stop: bool | None = None,
        scope: Scope = "once",
        actor: str | None = None,
    ) -> Resolution:
        """Refuse it, and tell the model why (`message`). `stop`: the turn ends with that, or goes on; None: as the
        session says (`on_reject`), else as the agent does it.

        Raises:
            OperationNotSupported: the agent takes no message, cannot be told to go on, or offers no refusal for
                the session.
        """
        on_reject = None if stop is None else "stop" if stop else "continue"
        return self._answer(
            reply="reject", message=message, on_reject=on_reject, scope=scope, actor=actor
        )

    def allow_once(self, *, actor: str | None = None) -> Resolution:
        return self._answer(reply="once", actor=actor)

    def allow_always(self, *, actor: str | None = None) -> Resolution:
        """Where the agent offers no such option, this once."""
        return self._answer(reply="always", actor=actor)

    def reject(self, *, actor: str | None = None) -> Resolution:
        return self._answer(reply="reject", actor=actor)

    def respond(self, option_id: str, *, actor: str | None = None) -> Resolution:
        """Choose one of `options`."""
        return self._answer(option_id=option_id, actor=actor)


class QuestionRequestSync(_Request):
    """The agent waits for an answer. The first one counts; a later one raises `RequestAlreadyResolved`."""

    def __init__(self, info: RequestInfo, respond: Respond) -> None:
        super().__init__(info, respond)
        self.questions: list[Question] = questions_of(info)

    def __repr__(self) -> str:
        return f"<QuestionRequestSync {self.id} {self.message!r}>"

    @property
    def message(self) -> str:
        """What it is about."""
        return self.info.message or ""

    def answer(self, answers: Mapping[str, AnswerValue], *, actor: str | None = None) -> Resolution:
        """By the `id` of each question; a list where several may be chosen."""
        return self._answer(answers=dict(answers), actor=actor)

    def decline(self, *, actor: str | None = None) -> Resolution:
        return self._answer(decline=True, actor=actor)


class BeforeToolSync(_OfTool):
    """A tool is about to run. A callback that calls none of the methods has no opinion: it is as without a hook."""

    def allow(
        self, *, updated_input: Mapping[str, Any] | None = None, actor: str | None = None
    ) -> Resolution:
        """It runs, and nobody else is asked; with `updated_input` instead of its own (`info.tool_call["rawInput"]`).

        Raises:
            OperationNotSupported: the agent takes no other input.
            InputForbidden: rules or the mode of the session deny it.
        """
        given = None if updated_input is None else dict(updated_input)
        return self._hook({"decision": "allow", "updatedInput": given}, actor)

    def deny(self, *, message: str | None = None, actor: str | None = None) -> Resolution:
        """It does not run. `message` is for the model, of an agent that can tell it."""
        return self._hook({"decision": "deny", "message": message}, actor)

    def ask(self, *, actor: str | None = None) -> Resolution:
        """A person decides, whatever the policy says."""
        return self._hook({"decision": "ask"}, actor)

    def proceed(self, *, actor: str | None = None) -> Resolution:
        """No opinion."""
        return self._hook({}, actor)

    def _hook(self, said: Mapping[str, Any], actor: str | None) -> Resolution:
        hook = {name: value for name, value in said.items() if value is not None}
        return self._answer(hook=hook, actor=actor)


class AfterToolSync(_OfTool):
    """A tool has run. A callback that says nothing adds nothing."""

    has_effect = True
    """False: its agent does not ask, so this was only seen, and nothing can be added."""

    @classmethod
    def observed(cls, event: ToolCompleted) -> AfterToolSync:
        """Of an agent without hooks."""

        def refuse(request_id: str, **_members: Any) -> Resolution:
            raise OperationNotSupported(
                "the agent of the session has no hook after tools: what it did can be seen, and nothing added",
                operation="hooks.afterTool",
            )

        time = event.time.isoformat()
        info = RequestInfo(
            id=event.tool_call_id,
            session_id=event.session_id,
            kind="hook",
            hook="after_tool",
            turn_id=event.turn_id,
            output=event.output,
            asked_at=time,
            expires_at=time,
            default="none",
        )
        seen = cls(info, refuse)
        seen.has_effect = False
        seen.tool_call = event
        return seen

    @property
    def output(self) -> Any:
        """What came of it, as the agent tells it."""
        return self.info.output

    def add_context(self, context: str, *, actor: str | None = None) -> Resolution:
        """Tell the model something besides the output."""
        return self._answer(hook={"context": context}, actor=actor)

    def proceed(self, *, actor: str | None = None) -> Resolution:
        """Nothing to add."""
        return self._answer(hook={}, actor=actor)


class HostToolCallSync(_Request):
    """The agent called a function of a program (`SessionSync.tool`). That program answers it."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.tool}>"

    @property
    def tool(self) -> str:
        """The name of the function."""
        return self.info.tool or ""

    @property
    def input(self) -> dict[str, Any]:
        """The arguments."""
        return self.info.input or {}


AnyRequest = (
    PermissionRequestSync | QuestionRequestSync | BeforeToolSync | AfterToolSync | HostToolCallSync
)


def request_of(info: RequestInfo, respond: Respond) -> AnyRequest:
    match info.kind, info.hook:
        case "permission", _:
            return PermissionRequestSync(info, respond)
        case "hook", "after_tool":
            return AfterToolSync(info, respond)
        case "hook", _:
            return BeforeToolSync(info, respond)
        case "host_tool", _:
            return HostToolCallSync(info, respond)
        case _:
            return QuestionRequestSync(info, respond)
