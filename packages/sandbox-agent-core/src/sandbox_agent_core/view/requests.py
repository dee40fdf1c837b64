"""Permissions, questions and hooks: one item each, pending until it is resolved."""

from __future__ import annotations

from sandbox_agent_core.events import (
    HookRequested,
    HookResolved,
    HostToolCalled,
    HostToolResolved,
    PermissionRequested,
    PermissionResolved,
    QuestionRequested,
    QuestionResolved,
    UniversalEvent,
)
from sandbox_agent_core.view.model import (
    HookItem,
    HostToolItem,
    PermissionItem,
    QuestionItem,
    RequestItem,
)
from sandbox_agent_core.view.segments import Segments

__all__ = ["Requests"]

_Requested = PermissionRequested | QuestionRequested | HookRequested | HostToolCalled
_Resolved = PermissionResolved | QuestionResolved | HookResolved | HostToolResolved


class Requests:
    def __init__(self, segments: Segments, pending: list[str]) -> None:
        self._segments = segments
        self._pending = pending
        self._permissions: dict[str, PermissionItem] = {}
        self._questions: dict[str, QuestionItem] = {}
        self._hooks: dict[str, HookItem] = {}
        self._host_tools: dict[str, HostToolItem] = {}

    def requested(self, event: _Requested) -> None:
        item = self._of(event)
        _copy(event, item)
        if item.outcome is None and event.request_id not in self._pending:
            self._pending.append(event.request_id)

    def resolved(self, event: _Resolved) -> None:
        if isinstance(event, HookResolved) and event.request_id in self._permissions:
            return  # it was asked through the permission, which goes on
        item = self._of(event)
        _copy(event, item)
        item.resolved_at = event.time
        if event.request_id in self._pending:
            self._pending.remove(event.request_id)

    def _of(self, event: _Requested | _Resolved) -> RequestItem:
        request_id = event.request_id
        item: RequestItem | None
        if isinstance(event, (PermissionRequested, PermissionResolved)):
            if (item := self._permissions.get(request_id)) is not None:
                return item
            item = PermissionItem(seq=event.seq, time=event.time, request_id=request_id)
            self._permissions[request_id] = item
        elif isinstance(event, (HookRequested, HookResolved)):
            if (item := self._hooks.get(request_id)) is not None:
                return item
            item = HookItem(seq=event.seq, time=event.time, request_id=request_id)
            self._hooks[request_id] = item
        elif isinstance(event, (HostToolCalled, HostToolResolved)):
            if (item := self._host_tools.get(request_id)) is not None:
                return item
            item = HostToolItem(seq=event.seq, time=event.time, request_id=request_id)
            self._host_tools[request_id] = item
        else:
            if (item := self._questions.get(request_id)) is not None:
                return item
            item = QuestionItem(seq=event.seq, time=event.time, request_id=request_id)
            self._questions[request_id] = item
        self._segments.put(item, event.turn_id)
        return item


def _copy(event: UniversalEvent, item: RequestItem) -> None:
    fields = type(item).model_fields
    for name in event.model_fields_set.intersection(event._data_fields()):
        if name in fields:
            setattr(item, name, getattr(event, name))
