"""Calls of a client's functions, on their way through the log: asked as the agent's request, answered by the client.

The client takes a call by saying that it is at it, and says so again while it is (a lease). So a call that nobody
takes, or whose client is gone, ends within the lease and not at its deadline; a client that reconnects in time goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from sandbox_agent_core.api.host_tools import HOST_SERVER, HostTool, HostToolAnswer
from sandbox_agent_core.errors import Conflict, SandboxAgentError
from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification, request
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.sessions.conversation import Conversation
from sandbox_agent_server.sessions.host_tools.mcp import McpTools, tool_error

__all__ = ["HostToolCalls"]

_OPTIONS = [
    {"optionId": "allow", "name": "Allow", "kind": "allow_once"},
    {"optionId": "always", "name": "Allow for this session", "kind": "allow_always"},
    {"optionId": "reject", "name": "Reject", "kind": "reject_once"},
]


class HostToolCalls:
    """Of one session, as long as it is live."""

    def __init__(
        self,
        conversation: Conversation,
        limits: Limits,
        *,
        tools: Callable[[], Sequence[HostTool]],
        client: Callable[[], str | None],
        version: str,
    ) -> None:
        """`client`: who registered the tools last."""
        self._conversation = conversation
        self._lease_s = limits.host_tool_lease_s
        self._max_bytes = limits.max_host_tool_bytes
        self._client = client
        self._always: set[str] = set()
        self._asked: dict[object, str] = {}
        """The agent's id of a call -> ours, of what it waits for at the moment."""
        self._leases: dict[str, asyncio.TimerHandle] = {}
        self.mcp = McpTools(tools, self._call, cancel=self._withdraw, version=version)
        conversation.requests.host_tools = lambda: {tool.name: tool for tool in tools()}

    async def _call(self, tool: HostTool, given: dict[str, Any], id: object) -> dict[str, Any]:
        """An MCP `CallToolResult`, whatever happens."""
        try:
            if tool.approve == "ask" and tool.name not in self._always:
                allowed = await self._ask(
                    acp.SESSION_REQUEST_PERMISSION, _permission(tool, given), id
                )
                outcome = as_dict(as_dict(allowed.get("result")).get("outcome"))
                if outcome.get("optionId") == "always":
                    self._always.add(tool.name)
                elif outcome.get("optionId") != "allow":
                    return tool_error(f"The call of {tool.name} was not allowed.")
            params = {"tool": tool.name, "input": given, "client": self._client()}
            answer = await self._ask(extensions.HOST_TOOL, params, id)
        except SandboxAgentError as exc:
            return tool_error(f"{tool.name} could not be called: {exc.message}")
        if "error" in answer:
            return tool_error(
                f"{tool.name} did not answer: {as_dict(answer['error']).get('message')}"
            )
        return as_dict(answer.get("result"))

    async def _ask(self, method: str, params: dict[str, Any], id: object) -> dict[str, Any]:
        """Raises: Unavailable: there is no agent any more."""
        conversation = self._conversation
        session_id = conversation.state.agent_session_id
        rpc_id = new_id("host")
        frame = request(rpc_id, method, {"sessionId": session_id, **params})
        self._asked[id] = rpc_id
        try:
            answer = conversation.ask_for_agent(WireFrame(dumps(frame), frame))
            if method == extensions.HOST_TOOL:
                self._begin_lease(rpc_id)
            return await answer
        except asyncio.CancelledError:
            self._withdraw(id)
            raise
        finally:
            self._asked.pop(id, None)
            self._end_lease(rpc_id)

    def _withdraw(self, id: object) -> None:
        """The agent no longer waits for it."""
        rpc_id = self._asked.pop(id, None) if isinstance(id, (str, int)) else None
        if rpc_id is not None:
            frame = notification(acp.CANCEL_REQUEST, {"requestId": rpc_id})
            self._conversation.withdraw_for_agent(rpc_id, WireFrame(dumps(frame), frame))

    # The client's end

    def answer(self, request_id: str, body: HostToolAnswer) -> float:
        """Take a call, go on with it, or answer it. The seconds within which it is to be gone on with.

        Raises:
            Conflict: the tools are those of another client by now, which answers.
            RequestNotFound, RequestAlreadyResolved: nobody waits for it.
            StorageError: not recorded; it stays open.
        """
        if body.client != self._client():
            raise Conflict(
                "these tools were registered by another client since, and calls are for that one"
            )
        requests = self._conversation.requests
        rpc_id = requests.host_call(request_id)
        if body.content is None:
            self._begin_lease(rpc_id)
            return self._lease_s
        result: dict[str, Any] = {"content": body.content}
        if body.structured is not None:
            result["structuredContent"] = body.structured
        if body.is_error:
            result["isError"] = True
        if len(dumps(result)) > self._max_bytes:
            result = tool_error(
                f"The result has more than `max_host_tool_bytes` ({self._max_bytes})."
            )
        requests.answer_host_call(request_id, result)
        return self._lease_s

    def _begin_lease(self, rpc_id: str) -> None:
        self._end_lease(rpc_id)
        loop = asyncio.get_running_loop()
        self._leases[rpc_id] = loop.call_later(self._lease_s, self._lapsed, rpc_id)

    def _end_lease(self, rpc_id: str) -> None:
        if (timer := self._leases.pop(rpc_id, None)) is not None:
            timer.cancel()

    def _lapsed(self, rpc_id: str) -> None:
        self._leases.pop(rpc_id, None)
        why = f"No client offers the tools of {HOST_SERVER!r} at the moment: the program that has them is gone, or does not answer."
        if not self._conversation.requests.fail_host_call(rpc_id, tool_error(why)):
            self._begin_lease(rpc_id)  # the disk is full: it is said when it can be


def _permission(tool: HostTool, given: dict[str, Any]) -> dict[str, Any]:
    shown = ", ".join(f"{name}={value!r}" for name, value in given.items())
    call = {
        "toolCallId": new_id("call"),
        "title": f"{tool.name}({shown[:200]})",
        "kind": "read" if tool.read_only else "other",
        "name": f"mcp__{HOST_SERVER}__{tool.name}",
        "rawInput": given,
    }
    return {"toolCall": call, "options": _OPTIONS}
