"""What became of the context when Claude compacted it: told in two messages, wanted as one."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.lenient import as_dict, as_int, as_text, compact

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Compaction"]


class Compaction:
    def __init__(self) -> None:
        self._told: dict[str, Any] | None = None

    def read(self, message: Native) -> dict[str, Any] | None:
        """Every message, before anything else is made of it. Returns the fields of a compaction that was told by
        the one before: its summary comes behind it, if it comes."""
        told, self._told = self._told, None
        if message.get("subtype") == "compact_boundary":
            metadata = as_dict(message.get("compact_metadata"))
            self._told = compact(
                trigger="manual" if metadata.get("trigger") == "manual" else "auto",
                preTokens=as_int(metadata.get("pre_tokens")),
                postTokens=as_int(metadata.get("post_tokens")),
            )
        if told is not None and message.get("isSynthetic") is True:
            summary = as_text(as_dict(message.get("message")).get("content"))
            return told | compact(summary=summary)
        return told
