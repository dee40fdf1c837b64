"""The lines that Pi reads in its RPC mode: commands, and answers to the dialogs of its extensions."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["CANCELLED_DIALOG", "command", "dialog_answer"]

CANCELLED_DIALOG: Final = {"cancelled": True}


def command(id: str, type: str, **fields: Any) -> Native:
    """Pi repeats the id in its response."""
    return {"id": id, "type": type, **fields}


def dialog_answer(dialog_id: str, answer: Native) -> Native:
    """`answer`: `{value}`, `{confirmed}` or `{cancelled}`. Pi ignores one that nobody waits for."""
    return {"type": "extension_ui_response", "id": dialog_id, **answer}
