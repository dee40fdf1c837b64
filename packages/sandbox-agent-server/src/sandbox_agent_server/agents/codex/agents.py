"""The threads of a session: the main one, and those of sub-agents with the tool calls that started them."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_list, as_text

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Agents"]

_MAX_AGENTS: Final = 256


class Agents:
    def __init__(self, main_thread_id: str) -> None:
        self.main = main_thread_id
        self._parents: dict[str, str] = {}
        self._starting: dict[str, str] = {}
        """Threads, and the call of theirs that is starting a sub-agent."""

    def knows(self, thread_id: Any) -> bool:
        """A sub-agent that was announced."""
        return isinstance(thread_id, str) and thread_id in self._parents

    def parent_of(self, thread_id: Any) -> str | None:
        """The tool call of the sub-agent whose thread this is; None for the main agent.

        A thread that nobody announced is its own parent: what it says is not the main agent's.
        """
        if not isinstance(thread_id, str) or thread_id == self.main:
            return None
        return self._parents.get(thread_id, thread_id)

    def read_item(self, item: Native, thread_id: Any) -> None:
        item_id = str(item.get("id"))
        match item:
            case {"type": "collabAgentToolCall", "tool": "spawnAgent"}:
                if item.get("status") == "inProgress":
                    self._starting[str(thread_id)] = item_id
                else:
                    self._starting.pop(str(thread_id), None)
                for receiver in as_list(item.get("receiverThreadIds")):
                    self._learn(receiver, item_id)
            case {"type": "subAgentActivity", "kind": "started", "agentThreadId": str(thread)}:
                self._learn(thread, item_id)

    def read_thread(self, thread: Any) -> None:
        """`thread/started`: it may come before the call that started it says so."""
        thread = as_dict(thread)
        thread_id, by = as_text(thread.get("id")), str(thread.get("parentThreadId"))
        if thread_id is not None and thread_id != self.main and by in self._starting:
            self._learn(thread_id, self._starting[by])

    def _learn(self, thread_id: Any, tool_id: str) -> None:
        if not isinstance(thread_id, str) or thread_id in self._parents:
            return
        if len(self._parents) >= _MAX_AGENTS:
            del self._parents[next(iter(self._parents))]
        self._parents[thread_id] = tool_id
