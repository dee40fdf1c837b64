"""What the host is asked before and after a tool, where the session has hooks: the requests, and what is made of
the answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.frames.jsonrpc import request
from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.pi.gate import Permission, Result
from sandbox_agent_server.agents.pi.tools import call_fields

__all__ = ["AFTER_TOOL", "BEFORE_TOOL", "HookAnswer", "HookRequests", "read_hooks"]

BEFORE_TOOL: Final = "before_tool"
AFTER_TOOL: Final = "after_tool"
_FAILED: Final = "What was to be asked before this tool call did not answer."


def read_hooks(value: Any) -> frozenset[str]:
    """`_meta.hooks` of a request that opens a session."""
    given = as_dict(value)
    return frozenset(event for event in (BEFORE_TOOL, AFTER_TOOL) if given.get(event) is True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookAnswer:
    decision: str | None = None
    """`allow` or `deny`; else it is asked for as without a hook."""
    message: str | None = None
    updated_input: dict[str, Any] | None = None
    context: str | None = None

    @classmethod
    def read(cls, result: Mapping[str, Any] | None) -> HookAnswer:
        """Of one that failed: it cannot have said yes."""
        if result is None:
            return cls(decision="deny", message=_FAILED)
        updated = result.get("updatedInput")
        return cls(
            decision=as_text(result.get("decision")),
            message=as_text(result.get("message")),
            updated_input=updated if isinstance(updated, dict) else None,
            context=as_text(result.get("context")),
        )


class HookRequests:
    def __init__(self, *, session_id: str, cwd: str) -> None:
        self._session_id = session_id
        self._cwd = cwd

    def before(self, id: str, permission: Permission) -> Frame:
        given = permission.input
        return self._request(id, BEFORE_TOOL, permission.tool_call_id, permission.tool_name, given)

    def after(self, id: str, result: Result) -> Frame:
        output = {"text": result.text, "isError": result.is_error}
        return self._request(
            id, AFTER_TOOL, result.tool_call_id, result.tool_name, result.input, output=output
        )

    def _request(
        self, id: str, event: str, call_id: str, name: str, given: Any, **more: Any
    ) -> Frame:
        call = {"toolCallId": call_id, "name": name, **call_fields(name, given, cwd=self._cwd)}
        params = {"sessionId": self._session_id, "event": event, "toolCall": call, **more}
        return request(id, extensions.HOOK, params)
