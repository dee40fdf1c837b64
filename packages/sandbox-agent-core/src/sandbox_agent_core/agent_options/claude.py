"""Options of Claude Code."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, StringConstraints, field_validator

from sandbox_agent_core.agent_options.base import RISKY, AgentOptions
from sandbox_agent_core.api.policy import PermissionRule

__all__ = ["ClaudeOptions", "ClaudeSubagent"]

_Name = Annotated[str, StringConstraints(pattern=r"^[^\s,-][^,\n]*$", max_length=512)]
"""One of a list that is joined by commas on a command line."""
_RULE: Final = re.compile(r"(?P<tool>[\w*-]+)(?:\((?P<what>.+)\))?", re.DOTALL)
_BY_COMMAND: Final = frozenset({"Bash"})
_BY_PATH: Final = frozenset({"Edit", "MultiEdit", "NotebookEdit", "Read", "Write"})


class ClaudeSubagent(BaseModel):
    """A sub-agent that Claude may give work to."""

    model_config = AgentOptions.model_config

    description: str = Field(min_length=1, description="When to use it: the model reads this.")
    prompt: str = Field(min_length=1, description="Its system prompt.")
    tools: list[str] | None = Field(default=None, description="Those it has; all when left out.")
    disallowed_tools: list[str] | None = None
    model: str | None = Field(
        default=None, description="Such as `haiku`; `inherit` is the default."
    )


class ClaudeOptions(AgentOptions):
    """For `agent="claude"`."""

    max_turns: int | None = Field(
        default=None,
        ge=1,
        description="Model requests of one prompt, at most; it then ends with the stop reason `max_turn_requests`.",
    )
    max_budget_usd: float | None = Field(
        default=None,
        gt=0,
        description="What the agent's process may cost, in US dollars; after that prompts end with `quota_exceeded`.",
    )
    fallback_model: str | None = Field(
        default=None,
        min_length=1,
        description="The model that goes on when the session's own is overloaded; several by commas, in this order.",
    )
    allowed_tools: list[str] | None = Field(
        default=None,
        max_length=64,
        description="Tools that need no permission: `Read`, `Bash(git *)`, `Edit(src/*)`, `mcp__files__*`. They become "
        "rules at the end of the session's `permissionPolicy`, so what that denies or asks for stays so.",
    )
    disallowed_tools: list[_Name] | None = Field(
        default=None,
        max_length=64,
        description="Tools that it does not have, or may not use so: `WebSearch`, `Bash(curl *)`.",
    )
    tools: list[_Name] | None = Field(
        default=None,
        max_length=64,
        description="The built-in tools that it has, by name; an empty list is none.",
    )
    output_schema: dict[str, Any] | None = Field(
        default=None,
        description="JSON schema of an object that every prompt has to end with; one that does not has failed.",
    )
    agents: dict[str, ClaudeSubagent] | None = Field(
        default=None, max_length=64, description="Sub-agents, by name."
    )
    skills: list[str] | None = Field(
        default=None, max_length=256, description="The skills that the model is told of, by name."
    )
    plugins: list[str] | None = Field(
        default=None,
        max_length=64,
        description="Directories of plugins, absolute. What they bring runs by itself: hooks, MCP servers.",
        json_schema_extra=RISKY,
    )
    setting_sources: list[Literal["user", "project", "local"]] | None = Field(
        default=None,
        description="Whose settings count; an empty list: nobody's. `project` and `local` need `trustWorkspace`.",
    )
    betas: list[_Name] | None = Field(
        default=None, max_length=32, description="Beta headers of the Anthropic API."
    )
    system_prompt: str | None = Field(
        default=None,
        min_length=1,
        description="Instead of Claude Code's own. The session's `systemPrompt` is added to either.",
    )
    max_thinking_tokens: int | None = Field(
        default=None,
        ge=0,
        description="How much the model may think, at most; 0: not at all. "
        "Models that decide that themselves do not mind it.",
    )
    file_checkpoints: bool | None = Field(
        default=None,
        description="Keep copies of the files it edits, to rewind to. Default: true.",
    )

    @field_validator("output_schema")
    @classmethod
    def _is_of_an_object(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if schema is not None and schema.get("type") != "object":
            raise ValueError('it must be the schema of an object: {"type": "object", …}')
        return schema

    @field_validator("allowed_tools")
    @classmethod
    def _are_rules(cls, tools: list[str] | None) -> list[str] | None:
        for tool in tools or ():
            _rules(tool)
        return tools

    def allow_rules(self) -> list[PermissionRule]:
        return [rule for tool in self.allowed_tools or () for rule in _rules(tool)]


def _rules(allowed: str) -> list[PermissionRule]:
    """Raises: ValueError: it cannot be said as a rule of a policy."""
    found = _RULE.fullmatch(allowed.strip())
    if found is None:
        raise ValueError(f"{allowed!r} is no `Tool` or `Tool(what)`")
    tool, what = found["tool"], found["what"]
    if what is None:
        return [_allow(allowed, tool)]
    if tool in _BY_COMMAND and what.endswith(":*"):
        # Claude's older way to say a prefix.
        prefix = what.removesuffix(":*")
        return [_allow(allowed, tool, command=text) for text in (prefix, f"{prefix} *")]
    if tool in _BY_COMMAND:
        return [_allow(allowed, tool, command=what)]
    if tool in _BY_PATH:
        # `//` is how Claude writes an absolute path.
        return [
            _allow(allowed, tool, path=what.removeprefix("/") if what.startswith("//") else what)
        ]
    raise ValueError(
        f"{allowed!r}: what {tool} may be used for cannot be said; leave out `({what})`"
    )


def _allow(
    allowed: str, tool: str, *, command: str | None = None, path: str | None = None
) -> PermissionRule:
    name = f"allowedTools {allowed}"
    return PermissionRule(action="allow", tool_name=tool, command=command, path=path, name=name)
