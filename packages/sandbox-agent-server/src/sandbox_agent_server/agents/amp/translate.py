"""Amp's stream of messages as ACP frames. Pure: message in, frames out.

The format is Claude Code's, with whole messages and Amp's own tools. Nothing is dropped: what ACP has
no word for goes on as the notification `_amp/<type>` with the message as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId, acp
from sandbox_agent_core.frames.jsonrpc import (
    AUTH_REQUIRED,
    INTERNAL_ERROR,
    error_response,
    response,
)
from sandbox_agent_core.lenient import as_int, as_str, as_text, dicts_in

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.amp.launch import LOGIN_HINT
from sandbox_agent_server.agents.amp.tools import call_fields
from sandbox_agent_server.agents.native.translator import Native, Output, SessionTranslator

__all__ = ["Translator", "failure"]

_CHUNKS: Final = {"text": acp.AGENT_MESSAGE_CHUNK, "thinking": acp.AGENT_THOUGHT_CHUNK}
_TOKENS: Final = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "cachedReadTokens": "cache_read_input_tokens",
    "cachedWriteTokens": "cache_creation_input_tokens",
}
_LOGIN: Final = ("No API key found", "Invalid or missing API key", "amp login")


@dataclass(slots=True)
class _Call:
    shown_id: str
    name: str
    input: Any
    is_asked: bool = False
    is_told: bool = False
    """By Amp itself, under its own id."""


@dataclass(slots=True)
class _Prompt:
    id: RequestId
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_TOKENS, 0))


class Translator(SessionTranslator):
    """One session, which lasts over many processes."""

    extension_prefix = "_amp/"

    def __init__(
        self, *, session_id: str, thread: str | None, cwd: str, new_id: Callable[[], str]
    ) -> None:
        super().__init__(session_id)
        self.thread = thread
        """Amp's own id of the conversation; None until it has one."""
        self._cwd = cwd
        self._new_id = new_id
        self._prompt: _Prompt | None = None
        self._calls: dict[str, _Call] = {}
        self._init: Native | None = None

    @property
    def is_prompted(self) -> bool:
        return self._prompt is not None

    def begin(self, id: RequestId) -> None:
        self._prompt = _Prompt(id)
        self._calls.clear()

    def cancelled(self) -> list[Frame]:
        """The process was stopped because the client wanted that."""
        prompt, self._prompt = self._prompt, None
        return [response(prompt.id, {"stopReason": "cancelled"})] if prompt is not None else []

    def failed(self, message: str) -> list[Frame]:
        """No result will come."""
        prompt, self._prompt = self._prompt, None
        return [failure(prompt.id, message)] if prompt is not None else []

    def feed(self, message: Native) -> Output:
        return Output(self._translate(message))

    def _translate(self, message: Native) -> list[Frame]:
        match message:
            case {"type": "system", "subtype": "init"}:
                return self._initialised(message)
            case {"type": "assistant", "message": dict(body)}:
                return self._assistant(message, body)
            case {"type": "user", "message": dict(body)}:
                return self._user(message, body)
            case {"type": "result"}:
                return self._result(message)
            case _:
                return [self._passed_on(message)]

    def ask(self, name: str, tool_input: Any) -> tuple[list[Frame], Native]:
        """Amp wants to run a tool, and does not say which call that is.

        Returns what to tell first, and the tool call for the permission.
        """
        frames: list[Frame] = []
        call = self._find(name, tool_input, lambda item: not item.is_asked)
        if call is None:
            call = _Call(self._new_id(), name, tool_input)
            self._calls[call.shown_id] = call
            frames.append(self._tool_call(call, None))
        call.is_asked = True
        about = {"toolCallId": call.shown_id, "name": name, "status": "pending"}
        return frames, about | call_fields(name, tool_input, cwd=self._cwd)

    def running(self, tool_call_id: str) -> Frame:
        return self.update(
            {
                "sessionUpdate": acp.TOOL_CALL_UPDATE,
                "toolCallId": tool_call_id,
                "status": "in_progress",
            }
        )

    def _initialised(self, message: Native) -> list[Frame]:
        frames = []
        thread = message.get("session_id")
        if isinstance(thread, str) and thread and thread != self.thread:
            # The id to continue with: only now does Amp have one.
            self.thread = thread
            meta = {"agentSessionId": thread}
            frames.append(self.update({"sessionUpdate": acp.SESSION_INFO_UPDATE, "_meta": meta}))
        if message != self._init:
            self._init = message
            frames.append(self._passed_on(message))
        return frames

    def _assistant(self, message: Native, body: Native) -> list[Frame]:
        parent = as_text(message.get("parent_tool_use_id"))
        message_id = as_text(body.get("id")) or self._new_id()
        frames: list[Frame] = []
        for block in dicts_in(body.get("content")):
            kind = str(block.get("type"))
            if kind in _CHUNKS and as_text(block.get(kind)):
                content = {"type": "text", "text": block[kind]}
                update = {"sessionUpdate": _CHUNKS[kind], "content": content}
                frames.append(self.update(update | {"messageId": message_id} | _meta(parent)))
            elif kind == "tool_use":
                frames += self._tool_use(block, parent)
        return frames + self._count(body, message_id, parent)

    def _tool_use(self, block: Native, parent: str | None) -> list[Frame]:
        id, name, given = str(block.get("id")), str(block.get("name")), block.get("input")
        # It may have been asked about before it was told, and is known under our id then.
        call = self._find(name, given, lambda item: item.is_asked and not item.is_told)
        if call is None:
            call = _Call(id, name, given)
        is_new = not call.is_asked
        call.is_told = True
        self._calls.pop(call.shown_id, None)
        self._calls[id] = call
        return [self._tool_call(call, parent)] if is_new else []

    def _user(self, message: Native, body: Native) -> list[Frame]:
        """Results of tools; the text of the prompt is repeated here, and said already."""
        parent = as_text(message.get("parent_tool_use_id"))
        return [
            self._tool_result(block, parent)
            for block in dicts_in(body.get("content"))
            if block.get("type") == "tool_result"
        ]

    def _tool_result(self, block: Native, parent: str | None) -> Frame:
        id = str(block.get("tool_use_id"))
        call = self._calls.pop(id, None)
        text = block.get("content")
        text = text if isinstance(text, str) else jsonio.dumps(text).decode()
        output = _parsed(text)
        update: Native = {
            "sessionUpdate": acp.TOOL_CALL_UPDATE,
            "toolCallId": call.shown_id if call is not None else id,
            "status": "failed" if block.get("is_error") is True else "completed",
            "rawOutput": output,
        }
        if isinstance(output, dict) and as_int(output.get("exitCode")) is not None:
            # Of a command.
            text = as_str(output.get("output")) or ""
            update["rawOutput"] = {"stdout": text, "exitCode": output["exitCode"]}
            update["content"] = []
            if output["exitCode"] != 0:
                update["status"] = "failed"
        changed = call is not None and "content" in call_fields(
            call.name, call.input, cwd=self._cwd
        )
        if text and not (changed and update["status"] == "completed"):
            update["content"] = [{"type": "content", "content": {"type": "text", "text": text}}]
        return self.update(update | _meta(parent))

    def _count(self, body: Native, message_id: str, parent: str | None) -> list[Frame]:
        usage = body.get("usage")
        if not isinstance(usage, dict):
            return []
        counts = {name: as_int(usage.get(key)) or 0 for name, key in _TOKENS.items()}
        if self._prompt is not None:
            for name, count in counts.items():
                self._prompt.tokens[name] += count
        used = sum(counts.values())
        tokens = {**counts, "totalTokens": used}
        model = as_text(body.get("model"))
        told = [self.model_responded(tokens, call_id=message_id, model=model, parent=parent)]
        size = usage.get("max_tokens")
        if parent is not None or not isinstance(size, int):
            return told
        update = {"sessionUpdate": acp.USAGE_UPDATE, "used": used, "size": size}
        return [*told, self.update(update)]

    def _result(self, message: Native) -> list[Frame]:
        prompt, self._prompt = self._prompt, None
        if prompt is None:
            return [self._passed_on(message)]
        if message.get("subtype") == "error_max_turns":
            reason = "max_turn_requests"
        elif message.get("is_error") is True:
            return [failure(prompt.id, str(message.get("error") or message.get("result")))]
        else:
            reason = "end_turn"
        usage = {**prompt.tokens, "totalTokens": sum(prompt.tokens.values())}
        return [response(prompt.id, {"stopReason": reason, "usage": usage})]

    def _find(self, name: str, tool_input: Any, fits: Callable[[_Call], bool]) -> _Call | None:
        for call in self._calls.values():
            if call.name == name and call.input == tool_input and fits(call):
                return call
        return None

    def _tool_call(self, call: _Call, parent: str | None) -> Frame:
        update = {
            "sessionUpdate": acp.TOOL_CALL,
            "toolCallId": call.shown_id,
            "name": call.name,
            "status": "pending",
            **call_fields(call.name, call.input, cwd=self._cwd),
        }
        return self.update(update | _meta(parent))

    def _passed_on(self, message: Native) -> Frame:
        return self.extension(str(message.get("type")), message)


def failure(id: RequestId, message: str) -> Frame:
    if any(text in message for text in _LOGIN):
        return error_response(id, AUTH_REQUIRED, f"{message} {LOGIN_HINT}")
    return error_response(id, INTERNAL_ERROR, message)


def _parsed(text: str) -> Any:
    """Most of Amp's tools answer with JSON: a command with `{output, exitCode}`."""
    try:
        value = jsonio.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) else text


def _meta(parent: str | None) -> Native:
    return {"_meta": {"parentToolCallId": parent}} if parent is not None else {}
