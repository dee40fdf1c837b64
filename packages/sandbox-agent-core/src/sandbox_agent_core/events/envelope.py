"""What every event carries, whatever its type."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field, SkipValidation, model_serializer

from sandbox_agent_core.frames.entry import Sender, rfc3339
from sandbox_agent_core.frames.jsonrpc import Frame
from sandbox_agent_core.wire.model import WireModel

__all__ = ["UniversalEvent"]


class UniversalEvent(WireModel):
    """The envelope. On the wire the fields of a type are under `data`; here they stand beside these."""

    seq: int
    """Position of the log entry it comes from. Rises, but has gaps: not every entry is an event."""
    session_id: str
    """The session."""
    time: datetime
    """When the server logged it (UTC, milliseconds)."""
    type: str
    """What happened."""
    turn_id: str | None = None
    """The turn it belongs to; absent outside of turns."""
    sender: Sender
    """Who put the frame on the wire: `client`, `agent` or `server`."""
    payload: SkipValidation[Frame | None] = Field(default=None, repr=False, exclude=True)
    """The raw frame it was projected from. Python only: never part of a dump, which may not hold what it may."""

    @property
    def id(self) -> str:
        """`<session id>:<seq>`, unique over all sessions of a server."""
        return f"{self.session_id}:{self.seq}"

    def to_wire(self) -> dict[str, Any]:
        """The documented JSON: `{seq, id, sessionId, time, type, turnId?, sender, data}`; `model_dump_json()` is the
        same as text."""
        wire: dict[str, Any] = {
            "seq": self.seq,
            "id": self.id,
            "sessionId": self.session_id,
            "time": rfc3339(round(self.time.timestamp() * 1000)),
            "type": self.type,
        }
        if self.turn_id is not None:
            wire["turnId"] = self.turn_id
        wire["sender"] = self.sender
        flat = super().to_wire()
        wire["data"] = {name: value for name, value in flat.items() if name not in _ENVELOPE}
        return wire

    @model_serializer(when_used="json")
    def _as_on_the_wire(self) -> dict[str, Any]:
        return self.to_wire()

    @classmethod
    def _data_fields(cls) -> list[str]:
        """Names of the fields that a type adds to the envelope, in their order."""
        return [name for name in cls.model_fields if name not in UniversalEvent.model_fields]


_ENVELOPE = frozenset(field.alias or name for name, field in UniversalEvent.model_fields.items())
