"""Hypothesis strategies: frames as they should be, as they should not, and everything between."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_core.frames.entry import LogEntry

__all__ = ["entries", "json_values"]

# Half surrogate pairs are wanted: JavaScript agents send them.
_text = st.text(st.characters(codec=None), max_size=8)
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | _text
json_values: st.SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_text | st.sampled_from(["type", "text", "id"]), inner, max_size=3)
    ),
    max_leaves=6,
)

_ids = st.sampled_from(["a", "b", "c"])
_block = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": _text}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["image", "audio"]), "data": _text, "mimeType": _text}
    ),
    st.fixed_dictionaries({"type": _text}),
)
_tool_content = st.one_of(
    st.fixed_dictionaries({"type": st.just("content"), "content": _block}),
    st.fixed_dictionaries({"type": st.just("diff"), "path": _text, "newText": _text}),
    st.fixed_dictionaries({"type": st.just("terminal"), "terminalId": _text}),
)
_tool: dict[Any, st.SearchStrategy[Any]] = {
    "toolCallId": _ids,
    "title": _text,
    "kind": st.sampled_from(sorted(acp.TOOL_KINDS)) | _text,
    "status": st.sampled_from(sorted(acp.TOOL_STATUSES)) | _text,
    "content": st.lists(_tool_content, max_size=2),
    "locations": st.lists(
        st.fixed_dictionaries({"path": _text}, optional={"line": st.integers()}), max_size=2
    ),
    "rawInput": json_values,
    "rawOutput": json_values,
}
_UPDATES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    acp.USER_MESSAGE_CHUNK: {"content": _block, "messageId": _ids},
    acp.AGENT_MESSAGE_CHUNK: {"content": _block, "messageId": _ids},
    acp.AGENT_THOUGHT_CHUNK: {"content": _block, "messageId": _ids},
    acp.TOOL_CALL: _tool,
    acp.TOOL_CALL_UPDATE: _tool,
    acp.PLAN: {"entries": st.lists(st.fixed_dictionaries({"content": _text}), max_size=2)},
    acp.AVAILABLE_COMMANDS_UPDATE: {
        "availableCommands": st.lists(
            st.fixed_dictionaries({"name": _text, "description": _text}), max_size=2
        )
    },
    acp.CURRENT_MODE_UPDATE: {"currentModeId": _text},
    acp.CONFIG_OPTION_UPDATE: {
        "configOptions": st.lists(
            st.fixed_dictionaries({"id": _text, "currentValue": _text}), max_size=2
        )
    },
    acp.USAGE_UPDATE: {
        "used": st.integers(),
        "size": st.integers(),
        "cost": st.fixed_dictionaries({"amount": st.floats(), "currency": _text}),
    },
    "session_info_update": {"title": _text},
    "compaction_update": {"state": _text},
}
_SERVER_METHODS = [
    value
    for name, value in vars(extensions).items()
    if isinstance(value, str) and value.startswith(extensions.PREFIX) and name != "PREFIX"
]
_METHODS = [value for name, value in vars(acp).items() if name.isupper() and isinstance(value, str)]


_meta = st.fixed_dictionaries(
    {},
    optional={
        "terminal_output": st.fixed_dictionaries({"data": _text}),
        "terminal_exit": st.fixed_dictionaries({"exit_code": st.integers()}),
        "claudeCode": st.fixed_dictionaries({"toolName": _text, "parentToolUseId": _ids}),
        "parentToolCallId": _ids,
        "questions": st.lists(st.fixed_dictionaries({"question": _text}), max_size=2),
    },
)


def _update(kind: str, fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """With the first field, which the kind cannot do without, and any of the others."""
    first = next(iter(fields))
    optional: dict[Any, st.SearchStrategy[Any]] = {**fields, "_meta": _meta}
    needed = optional.pop(first)
    return st.fixed_dictionaries({"sessionUpdate": st.just(kind), first: needed}, optional=optional)


_UPDATE = st.one_of([_update(kind, fields) for kind, fields in _UPDATES.items()])
_PERMISSION = st.fixed_dictionaries(
    {
        "toolCall": st.fixed_dictionaries({}, optional=_tool),
        "options": st.lists(
            st.fixed_dictionaries({"optionId": _text, "name": _text, "kind": _text}), max_size=3
        ),
    }
)
_SCHEMA = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "array", "boolean"])},
    optional={
        "title": _text,
        "description": _text,
        "enum": st.lists(_text, max_size=2),
        "oneOf": st.lists(st.fixed_dictionaries({"const": _text, "title": _text}), max_size=2),
        "items": st.fixed_dictionaries({"enum": st.lists(_text, max_size=2)}),
    },
)
_QUESTION = st.fixed_dictionaries(
    {
        "message": _text,
        "requestedSchema": st.fixed_dictionaries(
            {"properties": st.dictionaries(_text, _SCHEMA, max_size=2)}
        ),
    },
    optional={"_meta": _meta, "url": _text},
)
_ERROR = st.fixed_dictionaries({"code": st.integers() | _text, "message": _text})
_SERVER_PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "agent": _text,
        "cwd": _text,
        "turnId": _ids,
        "stopReason": st.sampled_from(["interrupted", "error", "cancelled"]) | _text,
        "error": _ERROR,
        "messageId": _ids,
        "role": st.sampled_from(["user", "assistant"]),
        "content": st.lists(_block, max_size=2),
        "reason": _text,
        "toolCallId": _ids,
        "status": st.just("failed"),
        "continuity": st.sampled_from(["native", "replayed", "lost"]),
        "position": st.integers(),
        "pid": st.integers(),
        "command": st.lists(_text, max_size=2),
        "exitCode": st.integers(),
        "signal": st.integers() | _text,
        "stderrTail": _text,
        "code": _text,
        "message": _text,
        "retryable": st.booleans(),
        "text": _text,
        "metadata": st.dictionaries(_text, _scalars, max_size=2),
        "permissionMode": _text,
        "droppedBytes": st.integers(),
        "baseUrl": _text | st.dictionaries(_text, _text, max_size=1),
        "expected": st.booleans(),
        "late": st.booleans(),
    },
)
_STAMPED = st.fixed_dictionaries(
    {},
    optional={
        "tool": st.fixed_dictionaries({}, optional={**_tool, "_meta": _meta}),
        "late": st.booleans(),
        "replay": st.just(False),
        "expiresAt": st.integers() | st.just("2026-11-23T12:00:00Z") | _text,
        "default": _text,
        "decidedBy": st.sampled_from(["user", "policy", "timeout", "cancel"]) | _text,
        "optionKind": _text,
        "modeId": _text,
        "modelId": _text,
        "configId": _text,
        "value": json_values,
        "answers": st.dictionaries(_text, json_values, max_size=2),
    },
)
_RESULT = st.fixed_dictionaries(
    {},
    optional={
        "stopReason": st.sampled_from(sorted(acp.STOP_REASONS)) | _text,
        "usage": st.dictionaries(st.sampled_from(["inputTokens", "totalTokens"]), st.integers()),
        "outcome": st.fixed_dictionaries(
            {"outcome": st.sampled_from(["selected", "cancelled"])}, optional={"optionId": _text}
        ),
        "action": st.sampled_from(["accept", "decline", "cancel"]),
        "content": st.dictionaries(_text, json_values, max_size=2),
        "configOptions": _UPDATES[acp.CONFIG_OPTION_UPDATE]["configOptions"],
    },
)


def _call(method: Any, params: Any, *, is_request: bool) -> dict[str, Any]:
    frame = {"jsonrpc": "2.0", "method": method, "params": params}
    return frame | {"id": 0} if is_request else frame


def _calls(method: str, params: st.SearchStrategy[Any], *, request: bool) -> st.SearchStrategy[Any]:
    return st.builds(_call, st.just(method), params, is_request=st.just(request))


_SESSION_UPDATE = _calls(
    acp.SESSION_UPDATE, st.fixed_dictionaries({"update": _UPDATE}), request=False
)
_OTHER_CALL = st.one_of(
    _calls(acp.SESSION_REQUEST_PERMISSION, _PERMISSION, request=True),
    _calls(acp.ELICITATION_CREATE, _QUESTION, request=True),
    st.builds(
        _call, st.sampled_from([*_METHODS, "_vendor/x"]), json_values, is_request=st.booleans()
    ),
    st.builds(_call, st.sampled_from(_SERVER_METHODS), _SERVER_PARAMS, is_request=st.just(False)),
)
_ANSWERS = st.one_of(
    st.fixed_dictionaries({"id": st.integers() | _text, "result": _RESULT}),
    st.fixed_dictionaries({"id": st.integers() | _text, "error": _ERROR}),
)
_FROM: dict[str, st.SearchStrategy[Any]] = {
    "agent": st.sampled_from([_SESSION_UPDATE, _SESSION_UPDATE, _OTHER_CALL, _ANSWERS]).flatmap(
        lambda kind: kind
    ),
    "server": st.one_of(
        st.builds(
            _call, st.sampled_from(_SERVER_METHODS), _SERVER_PARAMS, is_request=st.just(False)
        ),
        _ANSWERS,
    ),
    "client": st.one_of(
        _calls(
            acp.SESSION_PROMPT,
            st.fixed_dictionaries({"prompt": st.lists(_block, max_size=2)}),
            request=True,
        ),
        _ANSWERS,
    ),
}


def _damaged(draw: st.DrawFn, value: Any) -> Any:
    """The same with one thing in it, at any depth, replaced by anything or left out."""
    children: list[Any] = []
    if isinstance(value, dict):
        children = list(value)
    elif isinstance(value, list):
        children = list(range(len(value)))
    if not children or draw(st.integers(0, 3)) == 0:
        return draw(json_values)
    key = draw(st.sampled_from(children))
    copy = value.copy()
    if draw(st.integers(0, 5)) == 0:
        del copy[key]
    else:
        copy[key] = _damaged(draw, value[key])
    return copy


@st.composite
def entries(draw: st.DrawFn, *, damage: bool = True) -> LogEntry:
    """Any entry. With `damage` any part of its frame and annotations may be wrong or missing."""
    sender = draw(st.sampled_from(["agent", "agent", "agent", "server", "client"]))
    frame = draw(_FROM[sender])
    annotations = draw(st.none() | _STAMPED)
    if damage and draw(st.booleans()):
        damaged = _damaged(draw, frame)
        frame = damaged if isinstance(damaged, dict) else {"method": damaged}
    if damage and annotations and draw(st.integers(0, 3)) == 0:
        annotations = _damaged(draw, annotations)
    own = frame.get("method")
    return LogEntry(
        session_id="ses_1",
        seq=draw(st.integers(1, 10**6)),
        time_ms=draw(st.integers(0, 4 * 10**12)),
        sender=sender,  # type: ignore[arg-type]
        payload=frame,
        turn_id=draw(st.sampled_from([None, "turn_1"])),
        item_id=draw(st.none() | _ids),
        method=own if isinstance(own, str) else draw(st.none() | st.sampled_from(_METHODS)),
        annotations=annotations,
    )
