"""Bodies of `/v1/sessions/{id}/tools`: functions of a client that agents can call."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from sandbox_agent_core.api.base import RequestBody, ResponseBody

__all__ = [
    "HOST_SERVER",
    "MAX_HOST_TOOLS",
    "HostTool",
    "HostToolAnswer",
    "HostToolList",
    "HostToolState",
    "RegisterHostTools",
]

HOST_SERVER: Final = "host"
"""What the MCP server of these tools is called."""
MAX_HOST_TOOLS: Final = 128
MAX_TIMEOUT_S: Final = 3600.0


class HostTool(RequestBody):
    """A function of the client, as agents are told of it."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")
    description: str = Field(default="", max_length=8192)
    input_schema: dict[str, Any] = Field(
        default_factory=lambda: {"type": "object", "properties": {}},
        description="JSON schema of its arguments, an object.",
    )
    approve: Literal["never", "ask"] = Field(
        default="never",
        description="`ask`: whoever answers permissions is asked before each call. Rules and the mode of the session that "
        "deny it hold either way.",
    )
    read_only: bool = Field(
        default=False,
        description="It changes nothing, so it may be called in `read-only` and `plan`.",
    )
    timeout_s: float = Field(
        default=300.0, gt=0, le=MAX_TIMEOUT_S, description="Until a call must have been answered."
    )

    @field_validator("input_schema")
    @classmethod
    def _is_of_an_object(cls, schema: dict[str, Any]) -> dict[str, Any]:
        if schema.get("type") != "object":
            raise ValueError('the root of `inputSchema` must have `"type": "object"`')
        return schema


class RegisterHostTools(RequestBody):
    """All of them: tools of before that are not in it are no more."""

    client: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Made by the client, random: calls are for whoever registered last.",
    )
    tools: list[HostTool] = Field(max_length=MAX_HOST_TOOLS)

    @model_validator(mode="after")
    def _have_names_of_their_own(self) -> Self:
        names = [tool.name for tool in self.tools]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two tools have the name {min(twice)!r}")
        return self


class HostToolList(ResponseBody):
    tools: list[str] = Field(description="Names of those that the agent can call.")


class HostToolAnswer(RequestBody):
    """What came of a call. Without `content`: the client is at it, and says so again within the lease."""

    client: str = Field(description="That which registered the tools.")
    content: list[dict[str, Any]] | None = Field(
        default=None, description="MCP content blocks: text, image, audio, resource."
    )
    structured: dict[str, Any] | None = Field(default=None, description="MCP `structuredContent`.")
    is_error: bool = Field(
        default=False, description="The model is told that it failed, with `content` as the reason."
    )


class HostToolState(ResponseBody):
    lease_s: float = Field(description="Within which the client says again that it is at it.")
