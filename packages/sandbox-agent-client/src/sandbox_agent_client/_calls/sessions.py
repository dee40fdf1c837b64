"""`/v1/sessions`: their life, their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, TypedDict

from sandbox_agent_core.agent_options import AgentOptions
from sandbox_agent_core.api.host_tools import RegisterHostTools
from sandbox_agent_core.api.policy import PermissionPolicy
from sandbox_agent_core.api.requests import OnReject
from sandbox_agent_core.api.sessions import (
    CreateSession,
    PatchSession,
    ResumeSession,
    SessionHooks,
    SessionInfo,
    SessionList,
)

from sandbox_agent_client._calls.call import (
    Call,
    body,
    built,
    joined,
    nothing,
    path,
    query,
    reads,
    text_of,
)
from sandbox_agent_client.mcp import McpServers
from sandbox_agent_client.tools import Tool

__all__ = [
    "SessionOptions",
    "create",
    "delete",
    "get",
    "list_page",
    "patch",
    "resume",
]

_info = reads(SessionInfo)


class SessionOptions(TypedDict, total=False):
    """What a session can be created with. None is as left out."""

    cwd: str | PathLike[str] | None
    """In the sandbox, absolute; in a local one also relative to here, or `~`. Default: the server's own directory."""
    model: str | None
    mode: str | None
    """`ask`, `accept-edits`, `read-only`, `plan`, `bypass`, or one of the agent's own."""
    thought_level: str | None
    additional_directories: Sequence[str | PathLike[str]] | None
    """As `cwd`: what the agent works on besides `cwd`. Not every agent takes any."""
    mcp_servers: McpServers | None
    """`McpStdio` and `McpHttp`, ACP's JSON, or by name as in an `.mcp.json`. They can hold keys: never stored."""
    system_prompt: str | None
    """Added to the agent's own."""
    env: Mapping[str, str] | None
    """For the agent; where keys belong. Never logged or stored."""
    base_url: str | Mapping[str, str] | None
    """Where its model requests go, a gateway or proxy: a URL for the agent's main provider, or
    provider (`anthropic`, `openai`, …) -> URL."""
    trust_workspace: bool | None
    """Whether hooks, plugins and MCP programs that the workspace brings along run. Permissions hold either way."""
    tools: Sequence[Tool | Callable[..., Any]] | None
    """Functions of this program that the agent can call, as `Session.tool` says."""
    permission_policy: PermissionPolicy | Mapping[str, Any] | None
    hooks: SessionHooks | Mapping[str, bool] | None
    """`before_tool`, `after_tool`: which `Session.on_tool` will be called with."""
    on_reject: OnReject | None
    """Whether a turn goes on after a refusal, unless the answer says it. Default: as the agent does it."""
    agent_options: AgentOptions | Mapping[str, Any] | None
    """What only this agent has: a model of `agent_options` such as `ClaudeOptions`, or its fields. Never secrets: it
    is stored and shown."""
    metadata: Mapping[str, Any] | None
    """Yours: stored and given back."""
    title: str | None
    """What people call it. Default: what its agent calls it, if it does."""
    diffs: bool | None
    """Whether `TurnDiff` tells what each turn has done to the files. Default: as the server was told."""


def as_wire(tools: RegisterHostTools | None) -> dict[str, Any] | None:
    return None if tools is None else tools.model_dump(mode="json", by_alias=True)


def create(request: CreateSession) -> Call[SessionInfo]:
    # Starting an agent can take longer than any sensible timeout of an ordinary request
    # (an agent that installs itself on first use): the server has its own deadline for it.
    return Call(
        method="POST",
        path=path("sessions"),
        body=body(request),
        parse=_info,
        has_deadline=False,
        is_once=True,
    )


def list_page(
    *,
    limit: int | None = None,
    cursor: str | None = None,
    agent: str | Sequence[str] | None = None,
    status: str | Sequence[str] | None = None,
    title: str | None = None,
    q: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Call[SessionList]:
    """Raises: InvalidRequest."""
    wanted = {f"metadata.{name}": text_of(value) for name, value in (metadata or {}).items()}
    return Call(
        method="GET",
        path=path("sessions"),
        query={
            **query(
                limit=limit,
                cursor=cursor,
                agent=joined(agent),
                status=joined(status),
                title=title,
                q=q,
            ),
            **wanted,
        },
        parse=reads(SessionList),
    )


def get(session_id: str) -> Call[SessionInfo]:
    return Call(method="GET", path=path("sessions", session_id), parse=_info)


def patch(session_id: str, **members: Any) -> Call[SessionInfo]:
    """Raises: InvalidRequest."""
    return Call(
        method="PATCH",
        path=path("sessions", session_id),
        body=body(built(PatchSession, **members)),
        parse=_info,
    )


def delete(session_id: str, *, purge: bool = False) -> Call[None]:
    """End it; `purge` also removes what the server has of it."""
    return Call(
        method="DELETE",
        path=path("sessions", session_id),
        query=query(purge=purge or None),
        parse=nothing,
    )


def resume(
    session_id: str,
    *,
    env: Mapping[str, str] | None = None,
    mcp_servers: McpServers | None = None,
    tools: RegisterHostTools | None = None,
) -> Call[SessionInfo]:
    """Raises: InvalidRequest."""
    return Call(
        method="POST",
        path=path("sessions", session_id, "resume"),
        body=body(built(ResumeSession, env=env, mcp_servers=mcp_servers, tools=as_wire(tools))),
        parse=_info,
        has_deadline=False,
    )
