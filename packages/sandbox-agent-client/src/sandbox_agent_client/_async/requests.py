"""What an agent asks a person, with the answers as methods."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from sandbox_agent_core.api.requests import RequestInfo, Resolution
from sandbox_agent_core.events import PermissionOption, Question, ToolCallFields

from sandbox_agent_client._calls.requests import command_of, tool_call_of

__all__ = ["PermissionRequest", "QuestionRequest", "request_of"]

Respond = Callable[..., Coroutine[Any, Any, Resolution]]
AnswerValue = str | bool | float | list[str]


class _Request:
    def __init__(self, info: RequestInfo, respond: Respond) -> None:
        self.info = info
        """As the server tells it: `asked_at`, `expires_at`, `default`, `resolution`, …"""
        self._respond = respond

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def turn_id(self) -> str | None:
        return self.info.turn_id

    @property
    def is_pending(self) -> bool:
        """As of when this object was made."""
        return self.info.resolution is None


class PermissionRequest(_Request):
    """The agent waits for a permission. The first answer counts; a later one raises `RequestAlreadyResolved`."""

    def __init__(self, info: RequestInfo, respond: Respond) -> None:
        super().__init__(info, respond)
        self.tool_call: ToolCallFields | None = tool_call_of(info)
        self.options = [PermissionOption.model_validate(option) for option in info.options]

    def __repr__(self) -> str:
        return f"<PermissionRequest {self.id} {self.title!r}>"

    @property
    def title(self) -> str:
        """What the agent wants to do, for people."""
        return self.tool_call.title if self.tool_call is not None else ""

    @property
    def command(self) -> str | None:
        """The command line, when it is about one."""
        return command_of(self.tool_call)

    async def allow_once(self, *, actor: str | None = None) -> Resolution:
        return await self._respond(self.id, reply="once", actor=actor)

    async def allow_always(self, *, actor: str | None = None) -> Resolution:
        """Where the agent offers no such option, this once."""
        return await self._respond(self.id, reply="always", actor=actor)

    async def reject(self, *, actor: str | None = None) -> Resolution:
        return await self._respond(self.id, reply="reject", actor=actor)

    async def respond(self, option_id: str, *, actor: str | None = None) -> Resolution:
        """Choose one of `options`."""
        return await self._respond(self.id, option_id=option_id, actor=actor)


class QuestionRequest(_Request):
    """The agent waits for an answer. The first one counts; a later one raises `RequestAlreadyResolved`."""

    def __init__(self, info: RequestInfo, respond: Respond) -> None:
        super().__init__(info, respond)
        self.questions = [Question.model_validate(question) for question in info.questions]

    def __repr__(self) -> str:
        return f"<QuestionRequest {self.id} {self.message!r}>"

    @property
    def message(self) -> str:
        """What it is about."""
        return self.info.message or ""

    async def answer(
        self, answers: Mapping[str, AnswerValue], *, actor: str | None = None
    ) -> Resolution:
        """By the `id` of each question; a list where several may be chosen."""
        return await self._respond(self.id, answers=dict(answers), actor=actor)

    async def decline(self, *, actor: str | None = None) -> Resolution:
        return await self._respond(self.id, decline=True, actor=actor)


def request_of(info: RequestInfo, respond: Respond) -> PermissionRequest | QuestionRequest:
    if info.kind == "permission":
        return PermissionRequest(info, respond)
    return QuestionRequest(info, respond)
