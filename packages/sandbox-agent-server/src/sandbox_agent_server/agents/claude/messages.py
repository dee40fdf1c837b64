"""Messages of the model and of its tools as ACP updates; remembers what was streamed already."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import as_dict, as_list, as_text, dicts_in

from sandbox_agent_server.agents.claude.plan import Plan
from sandbox_agent_server.agents.claude.tool_results import result_fields
from sandbox_agent_server.agents.claude.tools import tool_fields
from sandbox_agent_server.agents.native.content import text_block
from sandbox_agent_server.agents.native.translator import Native, Update

__all__ = ["Messages", "Read"]


class Read(NamedTuple):
    """What a message says in ACP's words; not understood means that some of it is not in them."""

    updates: list[Update]
    is_understood: bool = True


_MAX_OPEN_TOOLS: Final = 1024
_MAX_AGENTS: Final = 256
_CHUNKS: Final = {"text": acp.AGENT_MESSAGE_CHUNK, "thinking": acp.AGENT_THOUGHT_CHUNK}
_CONTEXT: Final = (
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
)
_TOOL_USES: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})


@dataclass(slots=True)
class _Block:
    kind: str
    streamed_chars: int = 0


@dataclass(slots=True)
class _Stream:
    """The message that is being streamed; one for each agent (the main one, sub-agents)."""

    message_id: str | None = None
    blocks: dict[str, _Block] = field(default_factory=dict)
    unconfirmed: deque[_Block] = field(default_factory=deque)
    """Blocks whose full message has not come yet."""


@dataclass(frozen=True, slots=True)
class _OpenTool:
    name: str
    input: Any


class Messages:
    def __init__(self, *, cwd: str) -> None:
        self._cwd = cwd
        self._streams: dict[str | None, _Stream] = {}
        self._tools: dict[str, _OpenTool] = {}
        self._agents: dict[str, str] = {}
        """Sub-agents, and the tool calls that started them."""
        self._repeated: frozenset[str] = frozenset()
        self._plan = Plan()
        self._usage: dict[str, Any] = {}
        self.model: str | None = None
        """Of the last answer to the main agent."""
        self.last_error: str | None = None
        """What the last message of the turn says was wrong with it."""

    @property
    def context_tokens(self) -> int | None:
        """How much of the context the main agent's last request and its answer take."""
        counts = [self._usage.get(key) for key in _CONTEXT]
        known = [count for count in counts if isinstance(count, int)]
        return sum(known) if known else None

    def end_turn(self) -> None:
        # Sub-agents in the background go on with what they say.
        self._streams.pop(None, None)
        self.last_error = None

    def forget_context(self) -> None:
        """The conversation was cleared."""
        self._usage = {}
        self._plan = Plan()

    def read_compaction(self, message: Native) -> None:
        """Messages that are kept are written once more, under the same uuids."""
        metadata = as_dict(message.get("compact_metadata"))
        self._usage = {"input_tokens": metadata.get("post_tokens")}
        kept = as_dict(metadata.get("preserved_messages"))
        uuids = kept.get("all_uuids") or kept.get("uuids")
        listed = as_list(uuids)
        self._repeated = frozenset(str(uuid) for uuid in listed)

    # Streaming

    def stream_event(self, message: Native) -> Read:
        parent, event = as_text(message.get("parent_tool_use_id")), as_dict(message.get("event"))
        match event.get("type"):
            case "content_block_delta":
                return self._delta(parent, event)
            case "message_start":
                self._start(parent, as_dict(event.get("message")))
                return Read([])
            case "content_block_start":
                return Read(self._block_start(parent, event))
            case "message_delta":
                if parent is None:
                    self._count(event.get("usage"))
                return Read([])
            case _:
                return Read([], is_understood=False)

    def _start(self, parent: str | None, started: Mapping[str, Any]) -> None:
        self._streams[parent] = _Stream(as_text(started.get("id")))
        if parent is None:
            self._usage = {}
            self._count(started.get("usage"))
            self.model = as_text(started.get("model")) or self.model

    def _count(self, usage: Any) -> None:
        self._usage.update(
            {key: value for key, value in as_dict(usage).items() if value is not None}
        )

    def _block_start(self, parent: str | None, event: Mapping[str, Any]) -> list[Update]:
        content = as_dict(event.get("content_block"))
        kind = str(content.get("type"))
        if kind not in _CHUNKS:
            # A tool call comes whole with its `assistant` message.
            return []
        stream = self._streams.setdefault(parent, _Stream())
        block = _Block(kind)
        stream.blocks[str(event.get("index"))] = block
        stream.unconfirmed.append(block)
        return self._streamed(parent, stream, block, content.get(block.kind))

    def _delta(self, parent: str | None, event: Mapping[str, Any]) -> Read:
        delta = as_dict(event.get("delta"))
        kind = str(delta.get("type")).removesuffix("_delta")
        if kind not in _CHUNKS:
            return Read([], is_understood=False)
        stream = self._streams.setdefault(parent, _Stream())
        index = str(event.get("index"))
        block = stream.blocks.get(index)
        if block is None:
            block = stream.blocks[index] = _Block(kind)
            stream.unconfirmed.append(block)
        return Read(self._streamed(parent, stream, block, delta.get(kind)))

    def _streamed(
        self, parent: str | None, stream: _Stream, block: _Block, text: Any
    ) -> list[Update]:
        if not isinstance(text, str) or not text:
            return []
        block.streamed_chars += len(text)
        return [_chunk(_CHUNKS[block.kind], text, stream.message_id, parent)]

    # Whole messages

    def assistant(self, message: Native) -> Read:
        """One block of an answer, or all of one that was not streamed."""
        if as_text(message.get("uuid")) in self._repeated:
            return Read([])
        parent, body = as_text(message.get("parent_tool_use_id")), as_dict(message.get("message"))
        if parent is None:
            self.last_error = as_text(message.get("error"))
        updates: list[Update] = []
        is_understood = True
        for block in _blocks(body.get("content")):
            kind = str(block.get("type"))
            if kind in _CHUNKS:
                updates += self._whole(message, parent, body.get("id"), block)
            elif kind in _TOOL_USES:
                updates.append(self._tool_call(block, parent))
            elif kind.endswith("tool_result"):
                updates += self._tool_result(block, message, parent)
            else:
                is_understood = False
        return Read(updates, is_understood)

    def _whole(
        self, message: Native, parent: str | None, message_id: Any, block: Mapping[str, Any]
    ) -> list[Update]:
        """The part of a block that was not streamed: nothing, or all of a synthetic message."""
        kind = str(block["type"])
        text = block.get(kind)
        told = self._confirm(parent, message_id, kind)
        if not isinstance(text, str) or len(text) <= told:
            return []
        update = _chunk(_CHUNKS[kind], text[told:], message_id, parent)
        if message.get("is_api_error_message") is True:
            update.setdefault("_meta", {})["claudeCode"] = {"isApiError": True}
        return [update]

    def _confirm(self, parent: str | None, message_id: Any, kind: str) -> int:
        """How many characters of the next block of this message were streamed."""
        stream = self._streams.get(parent)
        if stream is None or stream.message_id != message_id:
            return 0
        while stream.unconfirmed:
            block = stream.unconfirmed.popleft()
            if block.kind == kind:
                return block.streamed_chars
        return 0

    def announce(self, asked: Mapping[str, Any]) -> list[Update]:
        """A permission is asked for a call: tell of the call first if it was not told yet.

        Seen on 2.1.197, where a sub-agent asks before its message is written.
        """
        tool_id, name = asked.get("tool_use_id"), asked.get("tool_name")
        if not isinstance(tool_id, str) or not isinstance(name, str) or tool_id in self._tools:
            return []
        block = {"id": tool_id, "name": name, "input": asked.get("input")}
        return [self._tool_call(block, self.parent_of(asked))]

    def parent_of(self, asked: Mapping[str, Any]) -> str | None:
        """The tool call that started the sub-agent that asks; None for the main agent."""
        return self._agents.get(str(asked.get("agent_id")))

    def read_task(self, message: Native) -> list[Update]:
        """`task_started`: what a tool call started, a sub-agent or a command in the background."""
        tool_id = as_text(message.get("tool_use_id"))
        if tool_id is None:
            return []
        if len(self._agents) >= _MAX_AGENTS:
            del self._agents[next(iter(self._agents))]
        self._agents[str(message.get("task_id"))] = tool_id
        return [self.running(tool_id)]

    def _tool_call(self, block: Mapping[str, Any], parent: str | None) -> Update:
        tool_id, name = str(block.get("id")), str(block.get("name") or "")
        fields = tool_fields(name, block.get("input"), cwd=self._cwd)
        meta = _meta(parent, {"toolName": name})
        if tool_id in self._tools:
            return _tool_update(tool_id, {**fields, "_meta": meta})
        if len(self._tools) >= _MAX_OPEN_TOOLS:
            del self._tools[next(iter(self._tools))]
        self._tools[tool_id] = _OpenTool(name, block.get("input"))
        return {
            "sessionUpdate": acp.TOOL_CALL,
            "toolCallId": tool_id,
            "name": name,
            "status": "pending",
            **fields,
            "_meta": meta,
        }

    def running(self, tool_id: str) -> Update:
        return _tool_update(tool_id, {"status": "in_progress"})

    def granted(
        self, tool_id: str, changed: Mapping[str, Any] | None, *, is_running: bool
    ) -> Update:
        """`changed`: its input by whoever allowed it, which is not the model's."""
        fields: dict[str, Any] = {"status": "in_progress"} if is_running else {}
        tool = self._tools.get(tool_id)
        if changed is not None and tool is not None:
            self._tools[tool_id] = _OpenTool(tool.name, changed)
            fields |= tool_fields(tool.name, changed, cwd=self._cwd)
        return _tool_update(tool_id, fields)

    def user(self, message: Native) -> Read:
        """Tool results, and the prompt of a sub-agent."""
        parent = as_text(message.get("parent_tool_use_id"))
        blocks = _blocks(as_dict(message.get("message")).get("content"))
        results = [block for block in blocks if str(block.get("type")).endswith("tool_result")]
        if results:
            # The record beside the results is of one call: useless when there are several.
            native = message if len(results) == 1 else {}
            updates = [
                update for block in results for update in self._tool_result(block, native, parent)
            ]
            return Read(updates, is_understood=len(results) == len(blocks))
        if parent is not None and blocks and all(as_text(block.get("text")) for block in blocks):
            return Read(
                [
                    _chunk(acp.USER_MESSAGE_CHUNK, str(block["text"]), message.get("uuid"), parent)
                    for block in blocks
                ]
            )
        return Read([], is_understood=False)

    def local_output(self, text: str, message_id: Any) -> Update:
        return _chunk(acp.AGENT_MESSAGE_CHUNK, text, message_id, None)

    def _tool_result(
        self, block: Mapping[str, Any], message: Mapping[str, Any], parent: str | None
    ) -> list[Update]:
        tool_id = str(block.get("tool_use_id"))
        tool = self._tools.pop(tool_id, None)
        native = message.get("tool_use_result")
        fields = result_fields(tool.name if tool else None, block, native)
        claude: dict[str, Any] = {"toolName": tool.name} if tool else {}
        for entry in _blocks(message.get("tool_result_meta")):
            if entry.get("id") == tool_id:
                claude["result"] = {key: value for key, value in entry.items() if key != "id"}
        updates = [_tool_update(tool_id, {**fields, "_meta": _meta(parent, claude)})]
        if tool is not None and fields["status"] == "completed":
            entries = self._plan.after(tool.name, tool.input, native)
            if entries is not None:
                updates.append({"sessionUpdate": acp.PLAN, "entries": entries})
        return updates


def _chunk(kind: str, text: str, message_id: Any, parent: str | None) -> Update:
    update: Update = {"sessionUpdate": kind, "content": text_block(text)}
    if isinstance(message_id, str):
        update["messageId"] = message_id
    if parent is not None:
        update["_meta"] = {"parentToolCallId": parent}
    return update


def _tool_update(tool_id: str, fields: Mapping[str, Any]) -> Update:
    return {"sessionUpdate": acp.TOOL_CALL_UPDATE, "toolCallId": tool_id, **fields}


def _meta(parent: str | None, claude: Mapping[str, Any]) -> dict[str, Any]:
    meta: dict[str, Any] = {"claudeCode": dict(claude)}
    if parent is not None:
        meta["parentToolCallId"] = parent
    return meta


def _blocks(value: Any) -> list[dict[str, Any]]:
    """Content as blocks; a string is one block of text."""
    if isinstance(value, str):
        return [text_block(value)]
    return dicts_in(value)
