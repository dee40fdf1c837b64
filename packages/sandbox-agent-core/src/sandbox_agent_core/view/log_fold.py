"""A log to its transcript, without folding what is repeated whole later."""

from __future__ import annotations

from sandbox_agent_core.events import MessageDelta, ReasoningDelta
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project
from sandbox_agent_core.view.fold import TranscriptFolder
from sandbox_agent_core.view.model import Transcript

__all__ = ["LogFolder"]


class LogFolder:
    """Takes the entries of a log in order. Its transcript is that of `fold` over all events: completions carry the
    whole of an item, so deltas are kept only until they come."""

    def __init__(self) -> None:
        self._folder = TranscriptFolder()
        self._open: dict[str | None, list[MessageDelta | ReasoningDelta]] = {}

    def apply(self, entry: LogEntry) -> None:
        event = project(entry)
        if isinstance(event, (MessageDelta, ReasoningDelta)):
            self._open.setdefault(entry.item_id, []).append(event)
        elif event is not None:
            self._open.pop(entry.item_id, None)
            self._folder.apply(event)

    def transcript(self) -> Transcript:
        """As of the last entry. To be called once, at the end."""
        deltas = [event for deltas in self._open.values() for event in deltas]
        self._folder.apply_open(sorted(deltas, key=lambda event: event.seq))
        return self._folder.transcript
