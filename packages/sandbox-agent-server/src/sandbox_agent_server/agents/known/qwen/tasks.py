"""Commands that Qwen leaves in the background (since 0.24): it tells that one has begun as the result of its call, and
that one is over as a message of its own beside those of its model."""

from __future__ import annotations

import re
from itertools import count
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId, acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification, request
from sandbox_agent_core.lenient import as_dict, as_text, compact, dicts_in
from sandbox_agent_core.spi.agent import TASK_STOP, WireFrame

from sandbox_agent_server.agents.acp.normalising import AsItIs
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.acp.tool_frames import tool_call_in

__all__ = ["QwenTasks"]

_BEGUN: Final = re.compile(r"Background shell started\.\nid: (\S+)")
_TOLD: Final = "_qwencode/background_task"
_CANCEL: Final = "qwen/control/session/task/cancel"
_OVER: Final = "background_task_completed"
_OF_HARNESS: Final = (_OVER, "background_notification")
_ENDS: Final = {"completed": "completed", "failed": "failed"}


class QwenTasks(AsItIs):
    def __init__(self) -> None:
        self._commands: dict[str, str] = {}
        """Of the calls of this turn."""
        self._running: set[str] = set()
        self._ids = (f"sandbox-agent-task-{number}" for number in count(1))
        self._stopping: dict[RequestId, dict[str, Any]] = {}
        """By the id of our request: the params of the client's."""

    def outgoing(self, frame: Frame) -> tuple[()]:
        if frame.get("method") == acp.SESSION_PROMPT:
            self._commands.clear()
        return ()

    def to_agent(self, frame: Frame) -> Frame | None:
        if frame.get("method") != TASK_STOP:
            return frame
        id, params = next(self._ids), as_dict(frame.get("params"))
        self._stopping[id] = params
        return request(id, _CANCEL, {**params, "taskKind": "shell"})

    def incoming(self, batch: list[WireFrame]) -> list[WireFrame]:
        return [frame for each in batch for frame in self._read(each)]

    def _read(self, each: WireFrame) -> list[WireFrame]:
        frame = each.frame
        if "method" not in frame:
            if (stopped := self._stopping.pop(frame.get("id") or "", None)) is None:
                return [each]
            # It says nothing more of one that it has stopped.
            is_stopped = as_dict(frame.get("result")).get("cancelled") is True
            return self._ended(stopped, stopped) if is_stopped else []
        if call := tool_call_in(frame):
            return [*self._begun(frame, call), each]
        params = as_dict(frame.get("params"))
        meta = as_dict(as_dict(params.get("update")).get("_meta"))
        if frame["method"] != acp.SESSION_UPDATE or meta.get("source") not in _OF_HARNESS:
            return [each]
        told = wire(notification(_TOLD, params))
        ended = self._ended(params, as_dict(meta.get("backgroundTask")))
        return [told, *ended] if meta["source"] == _OVER else [told]

    def _begun(self, frame: Frame, call: dict[str, Any]) -> list[WireFrame]:
        call_id = as_text(call.get("toolCallId")) or ""
        if command := as_text(as_dict(call.get("rawInput")).get("command")):
            self._commands[call_id] = command
        texts = [as_dict(item.get("content")).get("text") for item in dicts_in(call.get("content"))]
        begun = next((found for text in texts if (found := _BEGUN.match(str(text)))), None)
        if begun is None or call.get("status") != "completed" or begun[1] in self._running:
            return []
        self._running.add(begun[1])
        told = compact(
            sessionId=as_text(as_dict(frame.get("params")).get("sessionId")),
            taskId=begun[1],
            kind="shell",
            title=self._commands.get(call_id),
            toolCallId=call_id,
        )
        return [wire(notification(extensions.TASK_STARTED, told))]

    def _ended(self, params: dict[str, Any], task: dict[str, Any]) -> list[WireFrame]:
        task_id = as_text(task.get("taskId"))
        if task_id not in self._running:
            return []
        self._running.discard(task_id)
        told = compact(
            sessionId=as_text(params.get("sessionId")),
            taskId=task_id,
            status=_ENDS.get(str(task.get("status")), "stopped"),
        )
        return [wire(notification(extensions.TASK_ENDED, told))]
