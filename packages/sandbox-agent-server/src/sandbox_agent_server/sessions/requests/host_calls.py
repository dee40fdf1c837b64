"""Calls of a client's functions before the policy: what is known of them, and which permissions are about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sandbox_agent_core.api.host_tools import HOST_SERVER, HostTool
from sandbox_agent_core.lenient import as_str
from sandbox_agent_core.tool_facts import ToolFacts

from sandbox_agent_server.sessions.requests.answers import PendingRequest

__all__ = ["as_host_call", "is_asked_by_us"]

_CALLED = (
    "mcp__{server}__{tool}",
    "mcp_{server}_{tool}",
    "{server}_{tool}",
    "{server}-{tool}",
    "{server}__{tool}",
)
"""How agents call a tool of an MCP server."""


def as_host_call(
    request: PendingRequest, tools: Mapping[str, HostTool], *, now_ms: int
) -> PendingRequest:
    name = as_str(request.params.get("tool")) or ""
    tool = tools.get(name)
    kind = "read" if tool is not None and tool.read_only else "other"
    expires_ms = request.expires_ms if tool is None else now_ms + round(tool.timeout_s * 1000)
    facts = ToolFacts(kinds=(kind,), names=(f"mcp__{HOST_SERVER}__{name}",), has_input=True)
    return replace(request, facts=facts, expires_ms=expires_ms)


def is_asked_by_us(request: PendingRequest, tools: Mapping[str, HostTool]) -> bool:
    """The agent asks a permission for a function of the client: whether a person is asked is for the function to say
    (`approve`), and then the server asks."""
    if not tools or request.kind != "permission" or str(request.rpc_id).startswith("host_"):
        return False
    known = {pattern.format(server=HOST_SERVER, tool=name) for name in tools for pattern in _CALLED}
    names = {name for told in request.facts.tellings for name in told.names}
    return bool(names) and names <= known
