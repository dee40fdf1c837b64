"""What is known of one session, from its events, in the formats of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox_agent_core.events import AgentStarted, Event, TurnDiff
from sandbox_agent_core.exports.atif import AtifExport, to_atif
from sandbox_agent_core.exports.inspect_ai import Sample, to_inspect
from sandbox_agent_core.view.fold import TranscriptFolder

__all__ = ["SessionExport"]


class SessionExport:
    """Takes the events of a session in order. Knows more than their transcript: the version of the agent, and the patches
    of its turns."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._folder = TranscriptFolder()
        self._began: datetime | None = None
        self._version: str | None = None
        self._patches: list[str] = []
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        self._began = self._began or event.time
        if isinstance(event, AgentStarted):
            self._version = event.version or self._version
        elif isinstance(event, TurnDiff) and event.patch:
            self._patches.append(event.patch)
        self._folder.apply(event)

    def atif(
        self, *, media: str | None = None, extra: Mapping[str, Any] | None = None
    ) -> AtifExport:
        """`media`, `extra`: as of `to_atif`."""
        return to_atif(
            self._folder.transcript,
            agent_version=self._version,
            media=media,
            extra={**self._facts(), **(extra or {})},
        )

    def sample(self, **given: Any) -> Sample:
        """`given`: members of `Sample` other than the transcript. The id is that of the session, unless there is one."""
        transcript = self._folder.transcript
        metadata = {**self._facts(), **given.pop("metadata", {})}
        given.setdefault("id", transcript.session_id or "session")
        return Sample(transcript=transcript, metadata=metadata, **given)

    def inspect(self) -> dict[str, Any]:
        """A log with this session as its only sample."""
        sample = self.sample()
        task = sample.transcript.title or "session"
        return to_inspect(
            [sample], task=task, created=self._began or datetime.fromtimestamp(0, UTC)
        )

    def _facts(self) -> dict[str, Any]:
        """The patches of the turns, in their order, apply one after the other."""
        facts = {"agentVersion": self._version, "diff": "".join(self._patches) or None}
        return {name: value for name, value in facts.items() if value is not None}
