"""What Qwen tells of tokens: beside empty pieces of text, one for each call of its model. As the usage of the turn, and
of the context."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.frames.jsonrpc import RequestId, notification
from sandbox_agent_core.lenient import as_dict, as_int, as_str, as_text, compact, dicts_in
from sandbox_agent_core.projection.messages import parent_of
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.agents.acp.normalising import AsItIs
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.qwen.turns import QWEN_TURN_ENDED, QWEN_TURN_STARTED

__all__ = ["QwenUsage"]

_EMPTY: Final = "_qwencode/empty_chunk"
_CHUNKS: Final = (acp.AGENT_MESSAGE_CHUNK, acp.AGENT_THOUGHT_CHUNK)


class QwenUsage(AsItIs):
    def __init__(self) -> None:
        self._prompt: RequestId | None = None
        self._used: Counter[str] = Counter()
        self._size: int | None = None

    def outgoing(self, frame: Frame) -> tuple[()]:
        if frame.get("method") == acp.SESSION_PROMPT:
            self._prompt = frame.get("id")
            self._used.clear()
        return ()

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return [frame for each in batch for frame in self._read(each)]

    def _read(self, each: WireFrame) -> list[WireFrame]:
        frame = each.frame
        if "method" not in frame:
            return [self._answer(each)]
        params = as_dict(frame.get("params"))
        if frame["method"] == QWEN_TURN_STARTED:
            self._used.clear()
        elif frame["method"] == QWEN_TURN_ENDED and self._used:
            return [wire({**frame, "params": {**params, "usage": dict(self._used)}})]
        update = as_dict(params.get("update"))
        if frame["method"] != acp.SESSION_UPDATE or update.get("sessionUpdate") not in _CHUNKS:
            return [each]
        meta = as_dict(update.get("_meta"))
        told = [each]
        content = as_dict(update.get("content"))
        if content.get("type") == "text" and not content.get("text"):
            told = [wire(notification(_EMPTY, params)), *self._count(params, meta)]
        return [*told, *_compacted(params, as_dict(meta.get("contextCompression")))]

    def _count(self, params: dict[str, Any], meta: dict[str, Any]) -> list[WireFrame]:
        used = {
            name: count
            for name, value in as_dict(meta.get("usage")).items()
            if (count := as_int(value)) is not None
        }
        self._used.update(used)
        if not used:
            return []
        told = [wire(notification(extensions.MODEL_RESPONDED, _responded(params, used)))]
        if self._size is None or "totalTokens" not in used:
            return told
        update = {
            "sessionUpdate": acp.USAGE_UPDATE,
            "used": used["totalTokens"],
            "size": self._size,
        }
        return [*told, wire(notification(acp.SESSION_UPDATE, {**params, "update": update}))]

    def _answer(self, each: WireFrame) -> WireFrame:
        result = as_dict(each.frame.get("result"))
        self._size = _size(as_dict(result.get("models"))) or self._size
        if each.frame.get("id") != self._prompt or self._prompt is None:
            return each
        self._prompt = None
        if not self._used or "usage" in result or "error" in each.frame:
            return each
        return wire({**each.frame, "result": {**result, "usage": dict(self._used)}})


def _responded(params: dict[str, Any], used: dict[str, int]) -> dict[str, Any]:
    return compact(
        sessionId=as_text(params.get("sessionId")),
        usage=used,
        parentToolCallId=parent_of(as_dict(params.get("update"))),
    )


def _size(models: dict[str, Any]) -> int | None:
    """Of the context of the model that a session opens with."""
    for model in dicts_in(models.get("availableModels")):
        if as_str(model.get("modelId")) == models.get("currentModelId"):
            return as_int(as_dict(model.get("_meta")).get("contextLimit"))
    return None


def _compacted(params: dict[str, Any], told: dict[str, Any]) -> list[WireFrame]:
    if told.get("phase") != "done":
        return []
    data = compact(
        sessionId=as_text(params.get("sessionId")),
        trigger="manual",
        preTokens=as_int(told.get("originalTokenCount")),
        postTokens=as_int(told.get("newTokenCount")),
    )
    return [wire(notification(extensions.CONTEXT_COMPACTED, data))]
