"""What all stores decide alike, without I/O: whose a session is, what of a batch is new, what is old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sandbox_agent_core.errors import LeaseLost, SessionOwned, StorageError
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.spi.persistence import Lease, SessionRecord

__all__ = ["check_lease", "follows", "has_ended_before", "new_entries", "next_lease"]


def next_lease(
    current: Lease | None, session_id: str, *, holder: str, now: datetime, ttl_s: float
) -> Lease:
    """Raises: SessionOwned."""
    if current is not None and current.expires_at > now and current.holder != holder:
        until = current.expires_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        raise SessionOwned(
            f"Session {session_id!r} is written by {current.holder}, at least until {until}.",
            sessionId=session_id,
            holder=current.holder,
            expiresAt=until,
        )
    return Lease(
        session_id=session_id,
        holder=holder,
        generation=1 if current is None else current.generation + 1,
        expires_at=now + timedelta(seconds=ttl_s),
    )


def check_lease(lease: Lease, current: Lease | None) -> None:
    """Raises: LeaseLost."""
    if current is None or (lease.holder, lease.generation) != (current.holder, current.generation):
        raise LeaseLost(
            f"Session {lease.session_id!r} is not written by {lease.holder} any more.",
            sessionId=lease.session_id,
            holder=current.holder or None if current is not None else None,
        )


def new_entries(
    session_id: str, entries: Sequence[LogEntry], *, last_seq: int
) -> Sequence[LogEntry]:
    """Those behind what is stored. Raises: StorageError: there is a gap."""
    new = [entry for entry in entries if entry.seq > last_seq]
    for expected, entry in enumerate(new, last_seq + 1):
        if entry.seq != expected:
            raise StorageError(
                f"Entry {entry.seq} of session {session_id!r} does not follow entry {expected - 1}.",
                lastSeq=expected - 1,
                seq=entry.seq,
            )
    return new


def follows(record: SessionRecord, before: SessionRecord) -> bool:
    """In a list of the newest first."""
    return (record.created_at, record.id) < (before.created_at, before.id)


def has_ended_before(ended_at: str | None, moment: datetime) -> bool:
    return ended_at is not None and datetime.fromisoformat(ended_at) < moment
