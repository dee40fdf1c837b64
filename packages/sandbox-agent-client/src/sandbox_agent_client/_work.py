"""What came of a prompt: its turn, the background tasks that were started, and the turns that the agent began by
itself because of them. Read from the entries of a session, without I/O."""

from __future__ import annotations

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.events import (
    Event,
    Fault,
    TaskEnded,
    TaskStarted,
    TurnStarted,
)
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project

from sandbox_agent_client._result import BackgroundTask, FollowUp
from sandbox_agent_client._turn import TurnReader

__all__ = ["WorkReader"]


class WorkReader:
    """Takes the entries of a session from a prompt on, gives the events of its work, and knows when it is over."""

    def __init__(self, turn: TurnReader) -> None:
        self._turn = turn
        self._own: dict[str, tuple[TurnReader, TurnStarted]] = {}
        self._tasks: dict[str, BackgroundTask] = {}
        self._may_go_on = False
        """A task has ended, and the agent may begin a turn because of it."""

    @property
    def is_over(self) -> bool:
        return not self._is_at_work and not self._may_go_on

    @property
    def is_settling(self) -> bool:
        """It is over, unless the agent begins a turn of its own now."""
        return not self._is_at_work and self._may_go_on

    @property
    def _is_at_work(self) -> bool:
        return (
            not self._turn.is_over
            or any(task.status is None for task in self._tasks.values())
            or any(not reader.is_over for reader, _ in self._own.values())
        )

    @property
    def tasks(self) -> tuple[BackgroundTask, ...]:
        """In the order of their begins."""
        return tuple(self._tasks.values())

    @property
    def follow_ups(self) -> tuple[FollowUp, ...]:
        """Those that are over, in their order."""
        return tuple(
            _follow_up(reader, start) for reader, start in self._own.values() if reader.is_over
        )

    def take(self, entry: LogEntry) -> Event | None:
        """The event, when the entry is one and belongs to the work."""
        if entry.method == extensions.AGENT_EXITED:
            self._may_go_on = False
        if entry.method == extensions.TURN_STARTED and entry.sender == "agent":
            self._begin(entry)
        for reader in (self._turn, *(reader for reader, _ in self._own.values())):
            if (event := reader.take(entry)) is not None:
                self._note(event)
                return event
        return None

    def _begin(self, entry: LogEntry) -> None:
        start = project(entry)
        if isinstance(start, TurnStarted) and start.turn_id is not None:
            self._own[start.turn_id] = TurnReader(start.turn_id), start
            self._may_go_on = False

    def _note(self, event: Event) -> None:
        match event:
            case TaskStarted():
                self._tasks[event.task_id] = BackgroundTask(
                    task_id=event.task_id,
                    kind=event.kind,
                    title=event.title,
                    tool_call_id=event.tool_call_id,
                )
            case TaskEnded() if (task := self._tasks.get(event.task_id)) is not None:
                self._tasks[event.task_id] = BackgroundTask(
                    task_id=task.task_id,
                    kind=task.kind,
                    title=task.title,
                    tool_call_id=task.tool_call_id,
                    status=event.status,
                    summary=event.summary,
                    error=event.error,
                )
                # Who stopped it wants no more of it; and when the agent is gone, nothing follows.
                self._may_go_on |= event.status != "stopped" and event.sender == "agent"
            case _:
                pass


def _follow_up(reader: TurnReader, start: TurnStarted) -> FollowUp:
    try:
        result = reader.result()
    except SandboxAgentError as exc:
        fault = Fault(code=exc.code, message=exc.message)
        return FollowUp(
            turn_id=reader.turn_id, task_id=start.task_id, stop_reason="error", error=fault
        )
    return FollowUp(
        turn_id=reader.turn_id,
        task_id=start.task_id,
        stop_reason=result.stop_reason,
        usage=result.usage,
        text=result.text,
    )
