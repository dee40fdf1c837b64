"""Reads a request of any of the four APIs as the same thing: turns, offered tools, images."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from .actions import JSON

ApiName = Literal["anthropic", "responses", "chat", "gemini"]
Role = Literal["user", "assistant", "result"]

_CALLS_FOUND = "tool_call"
"""Qwen's: what a search found is not offered from then on, but called through this."""
_FUNCTION = re.compile(r"<function>(.*?)</function>", re.S)

_RESULT_ITEMS = frozenset(
    {
        "function_call_output",
        "custom_tool_call_output",
        "local_shell_call_output",
        "shell_call_output",
    }
)


@dataclass(frozen=True, slots=True)
class Turn:
    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class OfferedTool:
    name: str
    kind: str
    schema: JSON
    namespace: str | None = None
    """Of the Responses API: a group of tools (an MCP server's, Codex's sub-agents)."""
    through: str | None = None
    """The tool that calls this one, for what a search found and the request does not offer by itself."""

    @property
    def full_name(self) -> str:
        return f"{self.namespace}__{self.name}" if self.namespace else self.name

    @property
    def properties(self) -> JSON:
        return self.schema.get("properties") or {}


@dataclass(frozen=True, slots=True)
class Image:
    media_type: str
    base64_length: int


@dataclass(frozen=True, slots=True)
class Conversation:
    turns: list[Turn]
    tools: dict[str, OfferedTool]
    images: list[Image]
    body: JSON


def read_conversation(api: ApiName, body: JSON) -> Conversation:
    messages = body.get({"responses": "input", "gemini": "contents"}.get(api, "messages")) or []
    read_turns, read_tools = _READERS[api]
    turns = list(read_turns(messages))
    tools = {tool.name: tool for tool in read_tools(_offered(api, body)) if tool.name}
    if _CALLS_FOUND in tools:
        tools = {tool.name: tool for tool in _found(turns)} | tools
    return Conversation(
        turns=turns,
        tools=tools,
        images=list(_images(messages)),
        body=body,
    )


def _found(turns: list[Turn]) -> Iterator[OfferedTool]:
    """What searches of the agent have shown so far."""
    for turn in turns:
        if turn.role != "result":
            continue
        for described in _FUNCTION.findall(turn.text):
            function = json.loads(described)
            schema = function.get("parametersJsonSchema") or function.get("parameters") or {}
            yield OfferedTool(function["name"], "function", schema, through=_CALLS_FOUND)


def _offered(api: ApiName, body: JSON) -> list[JSON]:
    tools: list[JSON] = body.get("tools") or []
    items = body.get("input")
    if api != "responses" or not isinstance(items, list):
        return tools
    # For its newest models Codex offers them as the first item of the conversation.
    return tools + [
        tool for item in items if item.get("type") == "additional_tools" for tool in item["tools"]
    ]


def _text_of(content: Any) -> str:
    match content:
        case str():
            return content
        case list():
            return "\n".join(_text_of(part) for part in content)
        case dict():
            for key in ("text", "content", "output", "input_text"):
                if key in content:
                    return _text_of(content[key])
    return ""


def _images(node: Any) -> Iterator[Image]:
    """Every image of a request, also those inside tool results."""
    match node:
        case list():
            for child in node:
                yield from _images(child)
        case {"source": {"type": "base64", "media_type": str(media), "data": str(data)}}:
            yield Image(media, len(data))
        case {"inlineData": {"mimeType": str(media), "data": str(data)}}:
            yield Image(media, len(data))
        case {"image_url": {"url": str(url)}} | {"image_url": str(url)}:
            media, _, data = url.removeprefix("data:").partition(";base64,")
            yield Image(media, len(data))
        case dict():
            for child in node.values():
                yield from _images(child)


# ---- Anthropic


def _anthropic_turns(messages: list[JSON]) -> Iterator[Turn]:
    for message in messages:
        content = message["content"]
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        for block in blocks:
            if block.get("type") == "tool_result":
                yield Turn("result", _text_of(block.get("content")))
            elif block.get("type") == "text":
                role: Role = "user" if message["role"] == "user" else "assistant"
                yield Turn(role, block.get("text", ""))


def _anthropic_tools(tools: list[JSON]) -> Iterator[OfferedTool]:
    for tool in tools:
        yield OfferedTool(tool.get("name", ""), "function", tool.get("input_schema") or {})


# ---- OpenAI Chat Completions


def _chat_turns(messages: list[JSON]) -> Iterator[Turn]:
    roles: dict[str, Role] = {"tool": "result", "user": "user", "assistant": "assistant"}
    for message in messages:
        if role := roles.get(message["role"]):
            yield Turn(role, _text_of(message.get("content") or ""))


def _chat_tools(tools: list[JSON]) -> Iterator[OfferedTool]:
    for tool in tools:
        function = tool.get("function") or {}
        yield OfferedTool(function.get("name", ""), "function", function.get("parameters") or {})


# ---- OpenAI Responses


def _responses_turns(items: list[JSON] | str) -> Iterator[Turn]:
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    for item in items:
        kind = item.get("type", "message")
        if kind in _RESULT_ITEMS:
            output = item.get("output")
            yield Turn("result", _text_of(output) or json.dumps(output))
        elif kind == "message" and item.get("role") in ("user", "assistant"):
            yield Turn(item["role"], _text_of(item.get("content")))


def _responses_tools(tools: list[JSON], namespace: str | None = None) -> Iterator[OfferedTool]:
    for tool in tools:
        if tool.get("type") == "namespace":
            yield from _responses_tools(tool.get("tools") or [], tool.get("name"))
            continue
        name = tool.get("name") or tool.get("type") or ""
        kind, schema = tool.get("type") or "function", tool.get("parameters") or {}
        yield OfferedTool(name, kind, schema, namespace)


# ---- Gemini


def _gemini_turns(contents: list[JSON]) -> Iterator[Turn]:
    for message in contents:
        for part in message.get("parts", []):
            if "functionResponse" in part:
                yield Turn("result", json.dumps(part["functionResponse"].get("response")))
            elif "text" in part:
                yield Turn("assistant" if message.get("role") == "model" else "user", part["text"])


def _gemini_tools(tools: list[JSON]) -> Iterator[OfferedTool]:
    for tool in tools:
        for function in tool.get("functionDeclarations") or []:
            schema = function.get("parametersJsonSchema") or function.get("parameters") or {}
            yield OfferedTool(function.get("name", ""), "function", schema)


_READERS: dict[ApiName, tuple[Any, Any]] = {
    "anthropic": (_anthropic_turns, _anthropic_tools),
    "chat": (_chat_turns, _chat_tools),
    "responses": (_responses_turns, _responses_tools),
    "gemini": (_gemini_turns, _gemini_tools),
}
