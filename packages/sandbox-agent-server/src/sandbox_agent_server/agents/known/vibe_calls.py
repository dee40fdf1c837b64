"""Vibe's tool calls: a permission has only their id, and the title of a command has the tool before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.lenient import as_dict, as_text, compact

from sandbox_agent_server.agents.known.retold_calls import Call, RetoldCalls, text_block

__all__ = ["VibeToolCalls"]


class VibeToolCalls(RetoldCalls):
    def retell(self, update: Call, told: Mapping[str, Any]) -> Call:
        name = as_text(as_dict(update.get("_meta")).get("tool_name"))
        command = as_text(as_dict(update.get("rawInput")).get("command"))
        is_command = update.get("kind") == "execute"
        retold = update | compact(name=name, title=command if is_command else None)
        output = as_dict(update.get("rawOutput"))
        if is_command and "stdout" in output and "content" not in update:
            texts = (as_text(output.get("stdout")), as_text(output.get("stderr")))
            retold["content"] = [text_block(text) for text in texts if text]
        return retold
