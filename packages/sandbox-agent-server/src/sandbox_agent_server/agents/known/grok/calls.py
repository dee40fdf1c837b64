"""Grok's tool calls: kind and name stand in `_meta` at first, the output of a command is a list of bytes, and a
command that failed has completed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import as_dict, as_int, as_list, as_text, compact, dicts_in
from sandbox_agent_core.projection.tools import is_diff
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.retold_calls import Call, RetoldCalls, text_block
from sandbox_agent_server.agents.native.hunks import piece

__all__ = ["GrokToolCalls"]

_TOOL: Final = "x.ai/tool"
_KINDS: Final = {
    "execute": "execute",
    "write": "edit",
    "edit": "edit",
    "read": "read",
    "search": "search",
    "fetch": "fetch",
    "plan": "think",
}
_ALWAYS: Final = "always-allow"
_KEPT: Final = "(in this project)"
_USAGE: Final = ("inputTokens", "outputTokens", "totalTokens", "cachedReadTokens")


class GrokToolCalls(RetoldCalls):
    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return [_spelt_out(each) for each in super().incoming(batch)]

    def retell(self, update: Call, told: Mapping[str, Any]) -> Call:
        tool = as_dict(as_dict(update.get("_meta")).get(_TOOL))
        kind = _KINDS.get(as_text(tool.get("kind")) or "")
        retold = compact(name=as_text(tool.get("name")), kind=kind) | update
        output = as_dict(update.get("rawOutput"))
        if output.get("type") == "Bash":
            retold |= _output(update, output)
        return _described(retold)

    def retell_asked(self, call: Call, told: Mapping[str, Any]) -> Call:
        return _described(call)


def _described(call: Call) -> Call:
    command = as_text(as_dict(call.get("rawInput")).get("command"))
    if call.get("kind") == "execute" and command is not None:
        call = {**call, "title": command}
        if "rawOutput" not in call:
            # A description, which is part of the input, and no output.
            call.pop("content", None)
    if any(is_diff(each) for each in as_list(call.get("content"))):
        call = {**call, "content": [_change(each) for each in call["content"]]}
    return call


def _change(each: Any) -> Any:
    """A new file, or what is replaced of one."""
    if not is_diff(each):
        return each
    if not each.get("oldText"):
        return {name: value for name, value in each.items() if name != "oldText"}
    return each | piece(each["path"], each["oldText"], each["newText"])


def _output(update: Call, output: Mapping[str, Any]) -> Call:
    raw = as_list(output.get("output"))
    is_bytes = all(isinstance(each, int) and 0 <= each < 256 for each in raw)
    text = bytes(raw).decode("utf-8", "replace") if is_bytes else ""
    told: Call = {"content": [text_block(text)] if text else []}
    status, code = update.get("status"), as_int(output.get("exit_code"))
    if status == "completed":
        # Before that it says 0.
        told["rawOutput"] = compact(stdout=text, exitCode=code)
        told["status"] = "failed" if code else "completed"
    else:
        told["rawOutput"] = {"stdout": text}
    return told


def _spelt_out(each: WireFrame) -> WireFrame:
    frame = each.frame
    if frame.get("method") == acp.SESSION_REQUEST_PERMISSION:
        return _with_lasting_option(each)
    if "error" in frame:
        return _with_reason(each)
    return _with_usage(each)


def _with_lasting_option(each: WireFrame) -> WireFrame:
    """Grok keeps it for all sessions of the project, and says so in its documentation only."""
    params = as_dict(each.frame.get("params"))
    options = [
        {**option, "name": f"{option.get('name')} {_KEPT}"}
        if option.get("optionId") == _ALWAYS
        else option
        for option in dicts_in(params.get("options"))
    ]
    return wire({**each.frame, "params": {**params, "options": options}})


def _with_reason(each: WireFrame) -> WireFrame:
    """An error whose message is its kind alone."""
    error = as_dict(each.frame["error"])
    reason = as_text(error.get("data"))
    if reason is None:
        return each
    return wire({**each.frame, "error": {**error, "message": f"{error.get('message')}: {reason}"}})


def _with_usage(each: WireFrame) -> WireFrame:
    """The answer to a prompt, with its usage where ACP has it."""
    result = as_dict(each.frame.get("result"))
    usage = as_dict(as_dict(result.get("_meta")).get("usage"))
    if "stopReason" not in result or "usage" in result or not usage:
        return each
    counted = {name: usage[name] for name in _USAGE if as_int(usage.get(name)) is not None}
    return wire({**each.frame, "result": {**result, "usage": counted}})
