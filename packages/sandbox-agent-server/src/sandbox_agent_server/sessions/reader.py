"""What is known of sessions, whether anything happens in them or not; looking makes none live."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sandbox_agent_core.api.sessions import SessionInfo, SessionList
from sandbox_agent_core.errors import InvalidRequest, SessionDamaged

from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.sessions.archive import SessionArchive
from sandbox_agent_server.sessions.feed import Feed
from sandbox_agent_server.sessions.feed_cursor import FeedCursor
from sandbox_agent_server.sessions.info import damaged_info, session_info
from sandbox_agent_server.sessions.listing import EVERY_SESSION, SCANNED_AT_MOST, SessionFilter
from sandbox_agent_server.sessions.session import Session
from sandbox_agent_server.store.index import IndexRow

__all__ = ["SessionReader"]


class SessionReader:
    def __init__(self, archive: SessionArchive, live: Mapping[str, Session]) -> None:
        self._archive = archive
        self._live = live

    def log(self, session_id: str) -> SessionLog:
        """To read it, also when it says nothing of a session any more.

        Raises: SessionNotFound, SessionDamaged, StorageError.
        """
        live = self._live.get(session_id)
        if live is not None:
            return live.log
        row = self._archive.row(session_id)
        try:
            return self._archive.open(row)[0]
        except SessionDamaged:
            return self._archive.readable_log(session_id)

    def info(self, session_id: str) -> SessionInfo:
        """Raises: SessionNotFound."""
        return self._info(self._archive.row(session_id))

    def list(
        self, *, cursor: str | None, limit: int, wanted: SessionFilter = EVERY_SESSION
    ) -> SessionList:
        """Newest first. A page of what `wanted` leaves may have fewer than `limit`, even none, and not be the last.

        Raises: InvalidRequest for a cursor that is not one of ours.
        """
        rows, has_more = self._archive.page(
            before_key=_key_of(cursor), limit=limit if wanted.is_empty else SCANNED_AT_MOST
        )
        found: list[SessionInfo] = []
        for row in rows:
            if (info := self._wanted_info(row, wanted)) is not None:
                found.append(info)
                if len(found) == limit:
                    break
        has_more = has_more or (bool(rows) and row is not rows[-1])
        return SessionList.model_construct(
            sessions=found, next_cursor=str(row.key) if has_more else None
        )

    def _wanted_info(self, row: IndexRow, wanted: SessionFilter) -> SessionInfo | None:
        if wanted.is_empty:
            return self._info(row)
        settings = row.state.get("settings")
        if isinstance(settings, dict) and not wanted.may_match(
            settings.get("agent"), settings.get("metadata")
        ):
            return None
        info = self._info(row)
        return info if wanted.matches(info) else None

    def feed(self, cursor: FeedCursor | None, *, agents: Collection[str] = ()) -> Feed:
        """All sessions as one log, from a cursor or from now on; only those of the `agents`, if there are any.

        Raises: InvalidRequest, StorageError.
        """
        if not agents:
            return Feed(self._archive, cursor)
        return Feed(self._archive, cursor, wants=lambda id: self._archive.agent_of(id) in agents)

    def pending_requests(self, session_id: str) -> Sequence[dict[str, Any]]:
        """What waits for an answer, oldest first. Raises: SessionNotFound, SessionDamaged."""
        row = self._archive.row(session_id)
        live = self._live.get(session_id)
        state = self._archive.look(row).state if live is None else live.state
        return tuple(state.pending.values())

    def all_pending(
        self, *, agents: Collection[str], kinds: Collection[str], after: tuple[str, str, str] | None
    ) -> Iterator[dict[str, Any]]:
        """What waits for an answer in all sessions, oldest first, each with its `sessionId`. `after`: those behind
        the one that was asked at that time, of that session, with that id."""
        waiting = [
            ((asked["askedAt"], session.id, asked["id"]), asked)
            for session in self._live.values()
            if not agents or session.state.settings.agent in agents
            for asked in session.state.pending.values()
            if not kinds or asked["kind"] in kinds
        ]
        for place, asked in sorted(waiting, key=lambda one: one[0]):
            if after is None or place > after:
                yield {"sessionId": place[1], **asked}

    def requests(
        self, session_id: str, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[dict[str, Any]], str | None]:
        """A page of what the agent ever asked, oldest first, and the cursor of the next.

        Raises:
            SessionNotFound, SessionDamaged, InvalidRequest for a cursor that is not one of ours.
        """
        self._archive.row(session_id)
        rows, has_more = self._archive.requests(
            session_id, after_key=_key_of(cursor) or 0, limit=limit
        )
        shown = [
            one.asked if one.resolution is None else {**one.asked, "resolution": one.resolution}
            for one in rows
        ]
        return shown, str(rows[-1].key) if has_more else None

    def of_agent(self, agent: str, agent_session_id: str) -> str | None:
        """The newest session that is this one to its agent, of the newest `SCANNED_AT_MOST`."""
        for session in self._live.values():
            state = session.state
            if (state.settings.agent, state.agent_session_id) == (agent, agent_session_id):
                return session.id
        rows, _ = self._archive.page(before_key=None, limit=SCANNED_AT_MOST)
        for row in rows:
            settings = row.state.get("settings")
            if (
                row.state.get("agentSessionId") == agent_session_id
                and isinstance(settings, dict)
                and settings.get("agent") == agent
            ):
                return row.id
        return None

    def agent_uptimes(self) -> Mapping[str, float]:
        """Agents of which a process runs, and for how many seconds the oldest has."""
        found: dict[str, float] = {}
        for session in self._live.values():
            if (uptime_s := session.agent.uptime_s) is not None:
                agent = session.state.settings.agent
                found[agent] = max(uptime_s, found.get(agent, 0.0))
        return found

    def _info(self, row: IndexRow) -> SessionInfo:
        live = self._live.get(row.id)
        if live is not None:
            return live.info()
        try:
            state, seq, updated_ms = self._archive.look(row)
        except SessionDamaged as exc:
            return damaged_info(row, exc.details["reason"])
        return session_info(
            row.id,
            state,
            status="dormant" if state.ended_ms is None else "ended",
            last_seq=seq,
            updated_ms=updated_ms,
        )


def _key_of(cursor: str | None) -> int | None:
    # int() also takes "1_0" and Arabic digits, and SQLite takes 64 bit.
    if cursor is None or (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        return None if cursor is None else int(cursor)
    raise InvalidRequest(f"`cursor` {cursor[:64]!r} is not a `nextCursor` of an earlier page")
