"""Bodies of what a session can be asked beside prompts: steering, compacting, reviewing, forking, going back."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sandbox_agent_core.api.base import RequestBody, ResponseBody
from sandbox_agent_core.api.prompts import PromptRequest
from sandbox_agent_core.api.sessions import TITLE_MAX_CHARS
from sandbox_agent_core.ids import SESSION_ID_PATTERN

__all__ = [
    "CompactRequest",
    "ForkSession",
    "NativeRequest",
    "NativeResult",
    "ReviewRequest",
    "ReviewTarget",
    "RewindRequest",
    "RewindResult",
    "SteerRequest",
    "SteerResult",
]


class SteerRequest(PromptRequest):
    """Exactly one of `text` and `content`. What is said into a turn has no schema and no limits of its own."""

    @model_validator(mode="after")
    def _is_part_of_a_turn(self) -> Self:
        if self.limits is not None or self.output_schema is not None:
            raise ValueError(
                "`limits` and `outputSchema` are of prompts, not of what is said into a turn"
            )
        return self


class SteerResult(ResponseBody):
    how: Literal["steered", "queued", "started"] = Field(
        description="`steered`: the agent took it into the turn that runs. `started`: no turn ran, so it began "
        "one. `queued`: it is a turn of its own after those before it, because the agent cannot be steered, or "
        "did not take it."
    )
    turn_id: str = Field(description="The turn that it is in now.")
    position: int | None = Field(
        default=None, description="Of a turn of its own: n turns are before it."
    )
    seq: int = Field(description="Cursor before it: read events after it to see what comes of it.")


class CompactRequest(RequestBody):
    instructions: str | None = Field(
        default=None, description="What the summary is to keep, for agents that take that."
    )


class ReviewTarget(RequestBody):
    type: Literal["uncommitted", "branch", "commit", "custom"] = "uncommitted"
    branch: str | None = Field(default=None, min_length=1, description="Of `branch`: the base.")
    sha: str | None = Field(default=None, min_length=1, description="Of `commit`.")
    instructions: str | None = Field(
        default=None, min_length=1, description="Of `custom`: what is to be reviewed, and how."
    )

    @model_validator(mode="after")
    def _names_its_target(self) -> Self:
        wanted = {"branch": "branch", "commit": "sha", "custom": "instructions"}.get(self.type)
        for name in ("branch", "sha", "instructions"):
            is_given = getattr(self, name) is not None
            if is_given != (name == wanted):
                verb = "takes" if name == wanted else "takes no"
                raise ValueError(f"a target of the type `{self.type}` {verb} `{name}`")
        return self


class ReviewRequest(RequestBody):
    target: ReviewTarget = Field(default_factory=ReviewTarget)


class ForkSession(RequestBody):
    """Members left out are as in the session that is forked, but for those that say otherwise."""

    id: str | None = Field(
        default=None,
        pattern=f"^{SESSION_ID_PATTERN}$",
        description="Chosen by the caller; else made.",
    )
    before_turn_id: str | None = Field(
        default=None,
        description="Begin with what was before this turn. Default: with all of it; while a turn runs, with "
        "what was before that.",
    )
    cwd: str | None = Field(
        default=None,
        description="Another workspace. Agents fork by themselves only in the same one; else the transcript is "
        "given to the fork.",
    )
    mode: str | None = None
    model: str | None = None
    metadata: dict[str, Any] | None = None
    title: str | None = Field(
        default=None, max_length=TITLE_MAX_CHARS, description="Default: none of its own."
    )
    env: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="Over that of the session. Never stored: after a restart of the server it must be given again.",
    )
    mcp_servers: list[dict[str, Any]] = Field(
        default_factory=list,
        repr=False,
        description="Instead of those of the session, which are never stored either.",
    )


class RewindRequest(RequestBody):
    turn_id: str | None = Field(
        default=None,
        description="Back to before this turn, which a prompt began. Default: the last one.",
    )
    files: bool = Field(default=True, description="Put files back that the agent has changed.")
    conversation: bool = Field(default=True, description="Let the agent forget the turns.")
    dry_run: bool = Field(default=False, description="Only say what would change.")

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.files and not self.conversation:
            raise ValueError("ask for `files`, `conversation` or both")
        return self


class RewindResult(ResponseBody):
    before_turn_id: str
    turn_ids: list[str] = Field(
        description="The turns that are no part of the conversation any more, or would not be, oldest first."
    )
    files: bool
    conversation: bool
    how: Literal["native", "transcript"] | None = Field(
        default=None,
        description="How the agent forgets. `native`: by itself. `transcript`: it begins anew, and is given what "
        "was before as text with the next prompt. Null when it forgets nothing.",
    )
    files_changed: list[str] | None = Field(
        default=None, description="Files that were put back, if the agent says."
    )
    dry_run: bool = False


class NativeRequest(RequestBody):
    method: str = Field(
        min_length=1,
        max_length=256,
        description="Of the agent's own protocol, as it is called there.",
    )
    params: dict[str, Any] = Field(default_factory=dict)


class NativeResult(ResponseBody):
    result: Any = Field(default=None, description="What the agent answered, as it is.")
