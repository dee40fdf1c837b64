"""Kimi's tool calls: the arguments come in pieces as if they were output, and a permission says them in a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_list, as_str, as_text, compact
from sandbox_agent_core.projection.tools import is_diff

from sandbox_agent_server.agents.known.retold_calls import Call, RetoldCalls, text_block

__all__ = ["KimiToolCalls"]

_DONE: Final = "Command executed successfully."
_FAILED: Final = re.compile(r"\n?Command failed with exit code: (\d+)\.\s*\Z")
_BEFORE_THE_END: Final = ("pending", "in_progress")
_ASKING: Final = "Requesting approval"


class KimiToolCalls(RetoldCalls):
    def retell(self, update: Call, told: Mapping[str, Any]) -> Call:
        retold = dict(update)
        if update.get("status") in _BEFORE_THE_END:
            retold.pop("content", None)
            # It says that a call is at work before it asks whether it may be.
            retold["status"] = "pending"
            arguments = _arguments(update)
            retold |= compact(rawInput=arguments)
            name = told.get("name") or as_text(update.get("title"))
            retold |= compact(name=name) | _described({**told, **retold})
            changes = [each for each in as_list(update.get("content")) if is_diff(each)]
            if changes := changes or _written(name, arguments):
                retold["content"] = changes
        elif told.get("kind") == "execute" and isinstance(update.get("rawOutput"), str):
            retold |= _output(update["rawOutput"])
        return retold

    def retell_asked(self, call: Call, told: Mapping[str, Any]) -> Call:
        said = [each for each in as_list(call.get("content")) if not _is_sentence(each)]
        asked = call | compact(title=told.get("title")) | ({"content": said} if said else {})
        if not said:
            asked.pop("content", None)
        return asked


def _arguments(update: Call) -> dict[str, Any] | None:
    """None while they are not whole."""
    if given := as_dict(update.get("rawInput")):
        return given
    for each in as_list(update.get("content")):
        text = as_str(as_dict(as_dict(each).get("content")).get("text"))
        try:
            found = json.loads(text or "")
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return None


def _described(call: Mapping[str, Any]) -> Call:
    arguments = as_dict(call.get("rawInput"))
    command, path = as_text(arguments.get("command")), as_text(arguments.get("path"))
    if call.get("kind") == "execute" and command is not None:
        return {"title": command}
    if path is not None and not call.get("locations"):
        return {"locations": [{"path": path}]}
    return {}


def _written(name: Any, arguments: Mapping[str, Any] | None) -> list[Call]:
    given = arguments or {}
    path, text = as_text(given.get("path")), as_str(given.get("content"))
    if name != "Write" or path is None or text is None:
        return []
    return [{"type": "diff", "path": path, "newText": text}]


def _output(said: str) -> Call:
    failed = _FAILED.search(said)
    text = said[: failed.start()] if failed else "" if said == _DONE else said
    output = {"stdout": text, "exitCode": int(failed[1]) if failed else 0}
    return {"rawOutput": output, "content": [text_block(text)] if text else []}


def _is_sentence(each: Any) -> bool:
    text = as_str(as_dict(as_dict(each).get("content")).get("text"))
    return text is not None and text.startswith(_ASKING)
