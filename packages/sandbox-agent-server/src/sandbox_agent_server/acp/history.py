"""A session that is there already, told to a client that opens it: what was said, and what it can be set to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox_agent_core.frames import LogEntry, acp
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.lenient import as_dict, dicts_in

from sandbox_agent_server.acp.outbox import draft
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Draft, Entry
from sandbox_agent_server.sessions.state import SessionState

__all__ = ["history_of", "offers_of"]


def history_of(entries: Iterable[Entry], session_id: str, acp_id: str) -> list[Draft]:
    """As `session/load` tells it: the updates of the agent, and the prompts between them."""
    drafts = []
    for each in entries:
        entry = each.to_log_entry(session_id)
        for update in _updates_of(entry):
            params = {**update, "sessionId": acp_id}
            frame = notification(acp.SESSION_UPDATE, params)
            drafts.append(
                draft(dumps(frame), frame, session_id=acp_id, source=[session_id, entry.seq])
            )
    return drafts


def _updates_of(entry: LogEntry) -> list[dict[str, Any]]:
    params = as_dict(entry.payload.get("params"))
    if entry.sender == "client" and entry.method == acp.SESSION_PROMPT:
        return [
            {"update": {"sessionUpdate": acp.USER_MESSAGE_CHUNK, "content": block}}
            for block in dicts_in(params.get("prompt"))
        ]
    if entry.sender != "agent" or entry.method != acp.SESSION_UPDATE:
        return []
    annotations = entry.annotations or {}
    return [] if "replay" in annotations or "otherSession" in annotations else [params]


def offers_of(state: SessionState) -> dict[str, Any]:
    """The result of `session/load` and `session/resume`."""
    options = state.options
    result: dict[str, Any] = {}
    if options.modes:
        result["modes"] = {"currentModeId": options.mode, "availableModes": list(options.modes)}
    if options.listed_models:
        models = [
            {"modelId": model.get("id"), **{k: v for k, v in model.items() if k != "id"}}
            for model in options.listed_models
        ]
        result["models"] = {"currentModelId": options.model, "availableModels": models}
    if options.options:
        result["configOptions"] = list(options.options)
    return result
