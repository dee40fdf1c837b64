"""Bodies of the prompts of a session, and of cancelling them."""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import Field, field_validator, model_validator

from sandbox_agent_core.api.base import RequestBody, ResponseBody
from sandbox_agent_core.api.turns import LimitsRequest, TurnInfo
from sandbox_agent_core.events.turn import LimitKind
from sandbox_agent_core.events.usage import Cost

__all__ = [
    "PROMPT_MAX_CHARS",
    "CancelRequest",
    "CancelResult",
    "PromptAccepted",
    "PromptRequest",
    "PromptResult",
]

PROMPT_MAX_CHARS: Final = 200
"""Of a prompt, where sessions and turns are listed."""


class PromptRequest(RequestBody):
    """Exactly one of `text` and `content`."""

    text: str | None = None
    content: list[dict[str, Any]] | None = Field(
        default=None, description="ACP content blocks: text, image, audio, resource, resource_link."
    )
    output_schema: dict[str, Any] | None = Field(
        default=None,
        description="JSON schema of the answer, its root an object. Agents that keep to schemas give it as `output` of "
        "`turn.ended`; others are asked for it in words, and the answer is their text.",
    )
    limits: LimitsRequest | None = Field(
        default=None, description="What the turn may take at most; the server stops it."
    )

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.text is None) == (self.content is None):
            raise ValueError("give either `text` or `content`")
        if self.content is not None and not self.content:
            raise ValueError("`content` has no block")
        return self

    @field_validator("output_schema")
    @classmethod
    def _is_an_object(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if schema is not None and schema.get("type") != "object":
            raise ValueError('the root of `outputSchema` must have `"type": "object"`')
        return schema

    def blocks(self) -> list[dict[str, Any]]:
        if self.content is not None:
            return self.content
        return [{"type": "text", "text": self.text}]


class PromptAccepted(ResponseBody):
    turn_id: str
    position: int = Field(description="0: it runs now; n: n turns are before it.")
    seq: int = Field(
        description="Cursor before the turn: read events after it to see all of the turn."
    )
    emulated: bool | None = Field(
        default=None,
        description="True: the agent has no such operation, and is asked for it in words.",
    )


class PromptResult(ResponseBody):
    turn_id: str
    stop_reason: str
    usage: dict[str, Any] | None = None
    cost: Cost | None = Field(default=None, description="As in `turn.ended`.")
    model_calls: int | None = Field(default=None, description="As in `turn.ended`.")
    limit: LimitKind | None = Field(default=None, description="As in `turn.ended`.")
    output: Any = Field(default=None, description="As in `turn.ended`.")


class CancelRequest(RequestBody):
    """At most one of `turnId` and `taskId`; `tasks` with neither."""

    turn_id: str | None = Field(
        default=None,
        description="Only this turn, running or queued. Default: the running and all queued.",
    )
    task_id: str | None = Field(default=None, description="Only this background task.")
    tasks: bool | None = Field(
        default=None,
        description="Whether all background tasks are stopped, too. Default: only when no turn runs and none "
        "is queued, so that what a person stops is what the agent does at the moment.",
    )

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        if self.turn_id is not None and self.task_id is not None:
            raise ValueError("give either `turnId` or `taskId`")
        if self.tasks is not None and (self.turn_id or self.task_id) is not None:
            raise ValueError("`tasks` means all of them: give no id with it")
        return self


class CancelResult(ResponseBody):
    cancelled: list[str] = Field(description="Turn ids. Empty when nothing was running or queued.")
    tasks: list[str] = Field(
        default_factory=list, description="Ids of the background tasks that were told to stop."
    )
    turns: list[TurnInfo] = Field(
        default_factory=list,
        description="With `wait`: the turns of `cancelled`, with how they ended, what they used and cost. One that did "
        "not end within `cancel_wait_s` is still `running`.",
    )
