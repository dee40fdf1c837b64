"""Mistral Vibe, by its own `vibe-acp`. It opens in `accept-edits`; a session puts it into `ask`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.lenient import as_dict, as_text, compact

from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.known.retold_calls import Call, RetoldCalls, text_block
from sandbox_agent_server.agents.known.specs import refusing

__all__ = ["DEFINITION", "VibeToolCalls"]


class VibeToolCalls(RetoldCalls):
    """A permission has only the id of its call, and the title of a command has the tool before it."""

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


DEFINITION = acp_definition(
    "vibe",
    "Mistral Vibe",
    command=["vibe-acp"],
    install_hint=(
        "Run `sandbox-agent-server install-agent vibe`, or `uv tool install mistral-vibe`."
    ),
    login_hint="Set MISTRAL_API_KEY, or run `vibe --setup`.",
    env_names=("MISTRAL_*", "VIBE_*"),
    prepare=refusing("Mistral Vibe", ".vibe/*.toml", ".vibe/tools", ".vibe/hooks*"),
    normaliser=VibeToolCalls,
    permission_modes={
        "ask": "ask",
        "accept-edits": "accept-edits",
        "bypass": "auto-approve",
    },
)
