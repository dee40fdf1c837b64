"""What every transcript store has to do, as tests. A store's test module subclasses the suite:

    class TestMine(StoreConformance):
        @pytest.fixture
        async def open(self, tmp_path: Path) -> OpenStore:
            return lambda: MyStore(tmp_path / "store")

What a store has no methods for is skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sandbox_agent_core.errors import LeaseLost, SessionNotFound, SessionOwned, StorageError
from sandbox_agent_core.frames import LogEntry, extensions
from sandbox_agent_core.frames.jsonrpc import notification, request
from sandbox_agent_core.spi.persistence import (
    Lease,
    SessionRecord,
    SupportsLeases,
    SupportsRetention,
    SupportsSearch,
    TranscriptStore,
)

__all__ = ["OpenStore", "StoreConformance", "message", "piece", "prompt", "session"]

OpenStore = Callable[[], TranscriptStore]
"""Another object for the very same store, as another process would make it."""

TIME_MS = 1_700_000_000_000
TTL_S = 30.0
TAKERS = 20
WRITERS = 4
LOG_ENTRIES = 60
LAPSE_TIMEOUT_S = 10.0
STRANGE = "half \ud83d, NUL \0, whole 🙂, \u2028, \x7f"


def session(id: str = "ses_1", *, minute: int = 0, **members: Any) -> SessionRecord:
    created_at = f"2026-01-01T00:{minute:02}:00.000Z"
    return SessionRecord(id=id, agent="mock", created_at=created_at, **members)


def piece(seq: int, text: str = "hi", *, id: str = "ses_1") -> LogEntry:
    """A delta of the agent's message."""
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
    return _entry(id, seq, "agent", notification("session/update", {"update": update}))


def message(seq: int, text: str, *, id: str = "ses_1", minute: int = 0) -> LogEntry:
    """One of the agent's, whole."""
    content = [{"type": "text", "text": text}]
    said = notification(extensions.MESSAGE_COMPLETED, {"role": "assistant", "content": content})
    return _entry(id, seq, "server", said, minute=minute)


def prompt(seq: int, text: str, *, id: str = "ses_1", minute: int = 0) -> LogEntry:
    params = {"sessionId": "a", "prompt": [{"type": "text", "text": text}]}
    return _entry(id, seq, "client", request(seq, "session/prompt", params), minute=minute)


def _entry(id: str, seq: int, sender: Any, payload: dict[str, Any], *, minute: int = 0) -> LogEntry:
    return LogEntry(
        session_id=id,
        seq=seq,
        time_ms=TIME_MS + minute * 60_000 + seq,
        sender=sender,
        payload=payload,
        turn_id="turn_1",
        method=payload["method"],
    )


@pytest.mark.anyio
class StoreConformance:
    # -- what a store's test module gives

    @pytest.fixture
    async def open(self) -> OpenStore:
        """Makes objects for one and the same store, which is empty at the begin of each test."""
        raise NotImplementedError("give the fixture `open`")

    # -- of the suite

    @pytest.fixture
    async def store(self, open: OpenStore) -> AsyncIterator[TranscriptStore]:
        made = open()
        yield made
        await made.close()

    @pytest.fixture
    async def other(self, open: OpenStore) -> AsyncIterator[TranscriptStore]:
        """The same store as another process sees it."""
        made = open()
        yield made
        await made.close()

    @pytest.fixture
    def leases(self, store: TranscriptStore) -> SupportsLeases:
        if not isinstance(store, SupportsLeases):
            pytest.skip("this store has no leases")
        return store

    @pytest.fixture
    def searched(self, store: TranscriptStore) -> SupportsSearch:
        if not isinstance(store, SupportsSearch):
            pytest.skip("this store has no search")
        return store

    @pytest.fixture
    def pruned(self, store: TranscriptStore) -> SupportsRetention:
        if not isinstance(store, SupportsRetention):
            pytest.skip("this store has no retention")
        return store

    # -- sessions

    async def test_a_session_is_inserted_and_replaced(self, store: TranscriptStore) -> None:
        assert await store.get_session("ses_1") is None
        settings = {"model": "m", "nested": {"x": [1, None]}, "text": STRANGE}
        first = session(cwd="/w", sandbox={"provider": "local", "id": "x"}, settings=settings)
        await store.put_session(first)
        assert await store.get_session("ses_1") == first
        second = session(cwd="/v", ended_at="2026-01-02T00:00:00.000Z")
        await store.put_session(second)
        assert await store.get_session("ses_1") == second

    async def test_sessions_are_listed_newest_first_in_pages(self, store: TranscriptStore) -> None:
        assert await store.list_sessions() == []
        made = [session(id, minute=at) for id, at in (("a", 1), ("d", 3), ("b", 2), ("c", 2))]
        for record in made:
            await store.put_session(record)
        listed = await store.list_sessions()
        assert [one.id for one in listed] == ["d", "c", "b", "a"]
        paged: list[SessionRecord] = []
        while page := await store.list_sessions(limit=3, before=paged[-1] if paged else None):
            paged += page
            await store.put_session(session(f"new-{len(paged)}", minute=50))  # moves no page
        assert paged == listed

    async def test_a_deleted_session_leaves_nothing(self, store: TranscriptStore) -> None:
        for id in ("a", "b"):
            await store.put_session(session(id))
            await store.append(id, [piece(1, id=id), message(2, "word", id=id)])
        await store.delete_session("a")
        await store.delete_session("never-there")
        assert await store.get_session("a") is None
        assert (await store.entries("a"), await store.last_seq("a")) == ([], 0)
        assert [one.id for one in await store.list_sessions()] == ["b"]
        assert await store.last_seq("b") == 2
        if isinstance(store, SupportsSearch):
            assert [hit.session.id for hit in await store.search("word")] == ["b"]

    async def test_a_closed_store_opens_again_by_itself(self, store: TranscriptStore) -> None:
        await store.put_session(session())
        await store.close()
        await store.close()
        assert await store.get_session("ses_1") == session()

    # -- entries

    async def test_entries_come_back_as_they_were(self, store: TranscriptStore) -> None:
        assert await store.last_seq("ses_1") == 0
        assert await store.entries("ses_1") == []
        await store.put_session(session())
        annotated = replace(piece(3), annotations={"x": {"y": STRANGE}}, item_id="msg_1")
        entries = [piece(1, STRANGE), message(2, STRANGE), annotated]
        await store.append("ses_1", entries)
        assert await store.entries("ses_1") == entries
        assert await store.last_seq("ses_1") == 3

    async def test_they_are_read_in_pages(self, store: TranscriptStore) -> None:
        await store.put_session(session())
        await store.append("ses_1", [piece(seq) for seq in range(1, 1101)])
        assert [one.seq for one in await store.entries("ses_1", after=10, limit=3)] == [11, 12, 13]
        assert len(await store.entries("ses_1")) == 1000
        assert [one.seq for one in await store.entries("ses_1", after=1098)] == [1099, 1100]

    async def test_appending_twice_changes_nothing(self, store: TranscriptStore) -> None:
        await store.put_session(session())
        await store.append("ses_1", [message(1, "first"), piece(2)])
        await store.append("ses_1", [message(1, "second"), piece(2), piece(3)])
        await store.append("ses_1", [])
        assert await store.entries("ses_1") == [message(1, "first"), piece(2), piece(3)]
        if isinstance(store, SupportsSearch):
            assert [hit.seq for hit in await store.search("first")] == [1]
            assert await store.search("second") == []

    async def test_a_gap_is_refused_and_nothing_of_it_kept(self, store: TranscriptStore) -> None:
        await store.put_session(session())
        await store.append("ses_1", [piece(1)])
        for gap in ([piece(3)], [piece(2), piece(4)]):
            with pytest.raises(StorageError) as caught:
                await store.append("ses_1", gap)
            assert {"lastSeq", "seq"} <= caught.value.details.keys()
        assert await store.last_seq("ses_1") == 1

    async def test_entries_of_no_session_are_refused(self, store: TranscriptStore) -> None:
        with pytest.raises(SessionNotFound):
            await store.append("ses_1", [piece(1)])
        assert await store.last_seq("ses_1") == 0

    async def test_what_one_writes_another_reads(
        self, store: TranscriptStore, other: TranscriptStore
    ) -> None:
        await store.put_session(session())
        await store.append("ses_1", [piece(1)])
        assert await other.get_session("ses_1") == session()
        await other.append("ses_1", [piece(2)])
        assert await store.entries("ses_1") == [piece(1), piece(2)]

    async def test_many_who_append_the_same_log_store_it_once(
        self, store: TranscriptStore, other: TranscriptStore
    ) -> None:
        """As after a death whose victim nobody knows to be dead yet."""
        await store.put_session(session())
        log = [message(seq, f"number{seq}") for seq in range(1, LOG_ENTRIES + 1)]

        async def write(into: TranscriptStore, size: int) -> None:
            while (last := await into.last_seq("ses_1")) < LOG_ENTRIES:
                await into.append("ses_1", log[last : last + size])

        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(write(other if number % 2 else store, number + 3))
        assert await store.entries("ses_1") == log

    # -- leases

    async def test_of_many_takers_one_gets_the_lease(
        self, leases: SupportsLeases, other: SupportsLeases
    ) -> None:
        async def take(number: int) -> Lease | SessionOwned:
            taker = other if number % 2 else leases
            try:
                return await taker.acquire_lease("ses_1", holder=f"taker-{number}", ttl_s=TTL_S)
            except SessionOwned as exc:
                return exc

        got = await asyncio.gather(*(take(number) for number in range(TAKERS)))
        (lease,) = [one for one in got if isinstance(one, Lease)]
        assert lease.expires_at > datetime.now(UTC)
        for refusal in got:
            if isinstance(refusal, SessionOwned):
                assert refusal.details["holder"] == lease.holder
                until = datetime.fromisoformat(refusal.details["expiresAt"])
                assert abs(until - lease.expires_at) < timedelta(seconds=1)

    async def test_its_generation_goes_up_whenever_it_changes_hands(
        self, leases: SupportsLeases
    ) -> None:
        first = await leases.acquire_lease("ses_1", holder="a", ttl_s=TTL_S)
        again = await leases.acquire_lease("ses_1", holder="a", ttl_s=TTL_S)
        await leases.release_lease(again)
        await leases.release_lease(again)
        second = await leases.acquire_lease("ses_1", holder="b", ttl_s=TTL_S)
        assert 1 <= first.generation < again.generation < second.generation
        with pytest.raises(SessionOwned):
            await leases.acquire_lease("ses_1", holder="a", ttl_s=TTL_S)
        await leases.release_lease(again)  # frees nobody else's
        with pytest.raises(SessionOwned):
            await leases.acquire_lease("ses_1", holder="a", ttl_s=TTL_S)

    async def test_one_that_has_lapsed_goes_to_the_next(self, leases: SupportsLeases) -> None:
        old = await leases.acquire_lease("ses_1", holder="a", ttl_s=0.05)
        new = await _take_lapsed(leases, holder="b")
        assert new.generation > old.generation
        with pytest.raises(LeaseLost):
            await leases.renew_lease(old, ttl_s=TTL_S)

    async def test_a_renewed_lease_goes_on(self, leases: SupportsLeases) -> None:
        lease = await leases.acquire_lease("ses_1", holder="a", ttl_s=0.05)
        renewed = await leases.renew_lease(lease, ttl_s=TTL_S)
        assert renewed.generation == lease.generation
        assert renewed.expires_at > lease.expires_at
        with pytest.raises(SessionOwned):
            await leases.acquire_lease("ses_1", holder="b", ttl_s=TTL_S)

    async def test_a_stale_writer_writes_nothing(
        self, leases: SupportsLeases, other: SupportsLeases
    ) -> None:
        stale = await leases.acquire_lease("ses_1", holder="a", ttl_s=0.05)
        await leases.put_session(session(), lease=stale)
        await leases.append("ses_1", [piece(1)], lease=stale)
        current = await _take_lapsed(other, holder="b")
        for entries in ([piece(1)], [piece(2)], [piece(5)]):
            with pytest.raises(LeaseLost):
                await leases.append("ses_1", entries, lease=stale)
        with pytest.raises(LeaseLost):
            await leases.put_session(session(cwd="/elsewhere"), lease=stale)
        await other.append("ses_1", [piece(2, "mine")], lease=current)
        assert await leases.entries("ses_1") == [piece(1), piece(2, "mine")]
        assert await leases.get_session("ses_1") == session()

    async def test_nothing_is_taken_with_a_lease_that_was_given_back(
        self, leases: SupportsLeases
    ) -> None:
        lease = await leases.acquire_lease("ses_1", holder="a", ttl_s=TTL_S)
        await leases.put_session(session(), lease=lease)
        await leases.release_lease(lease)
        with pytest.raises(LeaseLost):
            await leases.append("ses_1", [piece(1)], lease=lease)
        with pytest.raises(LeaseLost):
            await leases.renew_lease(lease, ttl_s=TTL_S)

    async def test_a_deleted_session_is_nobody_s(self, leases: SupportsLeases) -> None:
        lease = await leases.acquire_lease("ses_1", holder="a", ttl_s=TTL_S)
        await leases.put_session(session(), lease=lease)
        await leases.delete_session("ses_1")
        with pytest.raises(LeaseLost):
            await leases.append("ses_1", [piece(1)], lease=lease)
        await leases.acquire_lease("ses_1", holder="b", ttl_s=TTL_S)

    # -- search

    async def test_all_words_are_in_what_is_found(self, searched: SupportsSearch) -> None:
        for number, id in enumerate(("a", "b")):
            await searched.put_session(session(id, minute=number))
        await searched.append(
            "a",
            [
                prompt(1, "Where is the Parser of foo_bar.py?", id="a"),
                piece(2, "parser", id="a"),
                message(3, "The parser is here.", id="a", minute=1),
            ],
        )
        await searched.append("b", [message(1, "No PARSER, but a grammar", id="b", minute=2)])

        async def found(query: str, limit: int = 20) -> list[tuple[str, int]]:
            hits = await searched.search(query, limit=limit)
            return [(hit.session.id, hit.seq) for hit in hits]

        assert await found("parser") == [("b", 1), ("a", 3), ("a", 1)]
        assert await found("parser", 2) == [("b", 1), ("a", 3)]
        assert await found("PARSER  grammar") == [("b", 1)]
        assert await found("foo_bar.py") == await found("py bar foo") == [("a", 1)]
        for nothing in ("pars", "parser nowhere", "", " ", "'\"", "*", "-- ;", "\0", "\ud83d"):
            assert await found(nothing) == []
        for harmless in (
            '"parser" grammar',
            "parser* grammar",
            "parser\0grammar",
            "(parser grammar",
        ):
            assert await found(harmless) == [("b", 1)]

    async def test_a_hit_shows_the_words_in_their_surroundings(
        self, searched: SupportsSearch
    ) -> None:
        await searched.put_session(session())
        text = f"{'before ' * 400}\nthe needle\nis here {'after ' * 400}"
        await searched.append("ses_1", [message(1, text)])
        (hit,) = await searched.search("Needle")
        assert hit.session == session()
        assert "the needle is here" in hit.excerpt
        assert hit.excerpt.startswith("…")
        assert hit.excerpt.endswith("…")
        assert len(hit.excerpt) < 500

    async def test_strange_text_is_searched_too(self, searched: SupportsSearch) -> None:
        await searched.put_session(session())
        long = "x" * 3000  # of one word: some databases skip it
        await searched.append("ses_1", [message(1, f"{STRANGE} {long} Straße naïve 東京 end")])
        for word in ("half", "nul", "straße", "naïve", "東京", "end"):
            assert [hit.seq for hit in await searched.search(word)] == [1], word

    # -- retention

    async def test_what_ended_long_ago_is_pruned(
        self, pruned: SupportsRetention, store: TranscriptStore
    ) -> None:
        day = datetime(2026, 1, 10, tzinfo=UTC)
        ends = {"old": "2026-01-09T23:59:59.999Z", "new": "2026-01-10T00:00:00.001Z", "open": None}
        for id, ended_at in ends.items():
            await store.put_session(session(id, ended_at=ended_at))
            await store.append(id, [message(1, "word", id=id)])
        assert await pruned.prune(ended_before=day) == 1
        assert await pruned.prune(ended_before=day) == 0
        assert {one.id for one in await store.list_sessions()} == {"new", "open"}
        assert await store.last_seq("old") == 0
        if isinstance(store, SupportsSearch):
            assert {hit.session.id for hit in await store.search("word")} == {"new", "open"}

    async def test_one_that_is_written_is_spared(
        self, pruned: SupportsRetention, leases: SupportsLeases
    ) -> None:
        day = datetime(2026, 1, 10, tzinfo=UTC)
        await leases.put_session(session(ended_at="2026-01-02T00:00:00.000Z"))
        lease = await leases.acquire_lease("ses_1", holder="a", ttl_s=TTL_S)
        assert await pruned.prune(ended_before=day) == 0
        await leases.release_lease(lease)
        assert await pruned.prune(ended_before=day) == 1


async def _take_lapsed(leases: SupportsLeases, *, holder: str) -> Lease:
    async with asyncio.timeout(LAPSE_TIMEOUT_S):
        while True:
            try:
                return await leases.acquire_lease("ses_1", holder=holder, ttl_s=TTL_S)
            except SessionOwned:
                await asyncio.sleep(0.02)
