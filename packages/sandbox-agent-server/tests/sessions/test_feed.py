"""The feed of all sessions: nothing is missing and nothing comes twice, whatever happens between its cursors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_server.http.feed_stream import FeedQuery, follow_feed
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.activity import MAX_LEAD_MS, Activity
from sandbox_agent_server.log.entry import Draft
from sandbox_agent_server.log.step import Step
from sandbox_agent_server.sessions import feed as feed_module
from sandbox_agent_server.sessions.archive import SessionArchive
from sandbox_agent_server.sessions.feed import Feed
from sandbox_agent_server.sessions.feed_cursor import BEGINNING, FeedCursor, Range, read_cursor
from sandbox_agent_server.settings import Settings
from sandbox_agent_server.store.index import IndexRow, SessionIndex

START_MS = 1_800_000_000_000


class Logs:
    """The logs of a server: written as it writes them, with a clock of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.wall_ms = START_MS
        self.open()

    def open(self) -> None:
        self.index = SessionIndex(self.directory)
        self.archive = SessionArchive(
            self.index, Settings.model_validate({"data_dir": self.directory}), lambda _agent: {}
        )
        newest = self.index.newest_ms(until_ms=self.wall_ms + MAX_LEAD_MS)
        self.archive.activity = Activity(last_ms=newest, wall_ms=lambda: self.wall_ms)
        self.held: dict[str, object] = {}
        """Logs of sessions that are live."""

    async def close(self) -> None:
        await self.archive.close()
        self.index.close()

    async def restart(self) -> None:
        for session_id in list(self.held):
            self.rest(session_id)
        await self.close()
        self.open()

    def write(self, session_id: str, count: int = 1) -> None:
        log = self.archive.log(session_id)
        is_new = not log.last_seq
        self.held[session_id] = log
        step = Step(log.next_seq, log.now_ms)
        for _ in range(count):
            frame = notification("x", {"text": "y" * 40})
            step.append(Draft("agent", dumps(frame), frame, method="x"))
        log.append(step)
        if is_new:
            self.save(session_id)

    def save(self, session_id: str) -> None:
        log = self.archive.log(session_id)
        self.index.save(
            IndexRow(
                id=session_id, seq=log.last_seq, updated_ms=log.last_time_ms,
                size_bytes=log.file.size_bytes, is_open=False,
                state={"settings": {"agent": session_id.partition("-")[0]}},
            )
        )  # fmt: skip

    def rest(self, session_id: str) -> None:
        """It is no longer live: its row says all that is in its log."""
        self.archive.log(session_id).rest()
        self.save(session_id)
        self.held.pop(session_id, None)

    def last_seqs(self) -> dict[str, int]:
        ids = [id for _, id in self.index.changed_since(0, after_key=0, limit=10_000)]
        return {id: self.archive.log(id).last_seq for id in ids}


@pytest.fixture
async def logs(tmp_path: Path) -> Iterator[Logs]:  # type: ignore[misc]
    logs = Logs(tmp_path / "data")
    yield logs
    await logs.close()


class Reader:
    """What one reader got, over any number of connections."""

    def __init__(
        self, logs: Logs, cursor: str | None = BEGINNING, *, may_repeat: bool = False
    ) -> None:
        self.logs = logs
        self.seen: dict[str, int] = {}
        self.may_repeat = may_repeat
        self.feed = Feed(logs.archive, None if cursor is None else read_cursor(cursor))

    async def read(self, pieces: int = 10_000, *, max_entries: int = 1000) -> None:
        for _ in range(pieces):
            piece = await self.feed.read(max_entries=max_entries, max_bytes=100_000)
            if piece is None:
                return
            seqs = [entry.seq for entry in piece.entries]
            expected = self.seen.get(piece.session_id, 0) + 1
            assert seqs == list(range(seqs[0], seqs[-1] + 1))
            if self.may_repeat:
                assert seqs[0] <= expected, piece.session_id
            else:
                assert seqs[0] == expected, piece.session_id
            self.seen[piece.session_id] = max(expected - 1, seqs[-1])

    def cursor(self) -> tuple[str, dict[str, int]]:
        return self.feed.cursor().to_text(), dict(self.seen)

    def reconnect(self, at: tuple[str, dict[str, int]]) -> None:
        self.feed.close()
        text, self.seen = at[0], dict(at[1])
        self.feed = Feed(self.logs.archive, read_cursor(text))


async def test_from_the_beginning_everything_comes_once_in_the_order_of_each_session(
    logs: Logs,
) -> None:
    for number in range(250):  # more than are looked for at a time
        logs.write(f"a-{number}", 3)
        logs.rest(f"a-{number}")
        logs.wall_ms += number % 2
    reader = Reader(logs)
    await reader.read()
    assert reader.seen == logs.last_seqs()
    reader.reconnect(reader.cursor())
    await reader.read()
    assert reader.seen == logs.last_seqs()


async def test_from_now_on_only_what_is_written_afterwards_comes(logs: Logs) -> None:
    logs.write("a-1", 3)
    logs.write("a-2", 3)
    logs.rest("a-2")
    reader = Reader(logs, None)
    reader.seen = logs.last_seqs()
    await reader.read()
    logs.write("a-1")
    logs.write("a-2")
    logs.write("a-3", 2)
    await reader.read()
    assert reader.seen == {"a-1": 4, "a-2": 4, "a-3": 2}


@pytest.mark.parametrize("seed", range(16))
async def test_whatever_happens_between_two_cursors_nothing_is_missing_and_nothing_comes_twice(
    logs: Logs, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_CHUNK_SESSIONS", 3)
    dice = random.Random(seed)
    cap = dice.choice([4096, 4096, 60])
    monkeypatch.setattr(feed_module, "_POSITION_BYTES", cap)
    reader = Reader(logs, may_repeat=cap == 60)
    kept = [(BEGINNING, {})]
    for _ in range(120):
        match dice.randrange(10):
            case 0 | 1 | 2 | 3:
                logs.write(f"a-{dice.randrange(14)}", dice.randrange(1, 6))
            case 4:
                if logs.held:
                    logs.rest(dice.choice(sorted(logs.held)))
            case 5:
                logs.wall_ms += dice.choice([0, 1, 1, 50, -30])
            case 6 | 7:
                await reader.read(dice.randrange(1, 6), max_entries=dice.choice([1, 2, 1000]))
            case 8:
                kept.append(reader.cursor())
            case _:
                if dice.random() < 0.2:
                    reader.feed.close()
                    await logs.restart()
                reader.reconnect(dice.choice(kept[-4:]))
    await reader.read()
    assert reader.seen == logs.last_seqs()
    reader.feed.close()


async def test_a_hundred_thousand_sessions_at_rest_cost_a_cursor_nothing(logs: Logs) -> None:
    logs.index._db.execute("BEGIN")
    logs.index._db.executemany(
        "INSERT INTO sessions (id, seq, updated_ms, size_bytes, is_open, state) VALUES (?, 1, ?, 9, 0, '{}')",
        [(f"old-{number}", START_MS - 1000) for number in range(100_000)],
    )
    logs.index._db.execute("COMMIT")
    logs.archive.activity = Activity(last_ms=START_MS - 1000, wall_ms=lambda: logs.wall_ms)
    reader = Reader(logs, FeedCursor((Range(START_MS - 900),)).to_text())
    logs.write("a-1")
    await reader.read()
    assert reader.seen == {"a-1": 1}
    logs.wall_ms += 10
    logs.write("a-2")
    await reader.read()
    assert len(reader.cursor()[0]) < 200
    assert set(reader.feed._followed) == {"a-2"}


async def test_a_reader_that_takes_nothing_is_sent_one_batch(logs: Logs) -> None:
    for _ in range(200):
        logs.write("a-1", 100)
    sent: list[int] = []
    is_taken = asyncio.Event()

    async def send(lines: list[bytes], cursor: str | None) -> None:
        sent.append(sum(map(len, lines)))

    async def drain() -> None:
        if len(sent) > 1:  # the first is the cursor that it begins at
            is_taken.clear()
            await is_taken.wait()

    query = FeedQuery(
        cursor=None, view="frames", deltas=True, agents=frozenset(), types=frozenset()
    )
    feed = Feed(logs.archive, read_cursor(BEGINNING))
    following = asyncio.create_task(
        follow_feed(feed, query, send=send, beat=drain, drain=drain, heartbeat_s=60)
    )
    for batches in (2, 3):
        while len(sent) < batches:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(sent) == batches
        assert max(sent) < 400_000
        is_taken.set()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_session_that_floods_does_not_hold_the_others_up(logs: Logs) -> None:
    logs.write("a-flood", 500)
    logs.write("a-quiet", 1)
    reader = Reader(logs)
    await reader.read(4, max_entries=10)
    assert reader.seen["a-quiet"] == 1


async def test_a_session_that_was_deleted_and_made_again_comes_from_its_beginning(
    logs: Logs,
) -> None:
    reader = Reader(logs, None)
    logs.write("a-1", 5)
    await reader.read()
    logs.held.clear()
    logs.archive.remove(logs.archive.log("a-1"))
    await reader.read()
    reader.seen.clear()
    logs.write("a-1", 2)
    await reader.read()
    assert reader.seen == {"a-1": 2}


async def test_a_clock_that_was_far_ahead_holds_no_other_session_up(logs: Logs) -> None:
    logs.wall_ms += 10 * MAX_LEAD_MS
    logs.write("a-ahead", 2)
    ahead = Reader(logs)
    await ahead.read()
    at = ahead.cursor()
    logs.wall_ms = START_MS
    logs.write("a-1")
    assert logs.archive.log("a-1").last_time_ms == START_MS
    logs.write("a-ahead")
    reader = Reader(logs)
    await reader.read()
    assert reader.seen == {"a-1": 1, "a-ahead": 3}
    reader.reconnect(reader.cursor())
    logs.write("a-1")
    await reader.read()
    assert reader.seen == {"a-1": 2, "a-ahead": 3}
    with pytest.raises(InvalidRequest, match="clock"):
        ahead.reconnect(at)


def test_a_cursor_is_what_it_was_written_as() -> None:
    cursor = FeedCursor((Range(5, "ses_1"), Range(3)), {"ses_2": 7, "ses_3": 0})
    assert read_cursor(cursor.to_text()) == cursor


@pytest.mark.parametrize(
    "text",
    ["", "1", "x", "é", "W10", "AAAA", "a" * 20_000, *(
        FeedCursor(ranges, positions).to_text()  # type: ignore[arg-type]
        for ranges, positions in [
            ((), {}), ((Range(1, "ses_1"),), {}), ((Range(1), Range(2)), {}), ((Range(-1),), {}),
            ((Range(1),), {"ses_1": -1}), ((Range(1),), {"../x": 1}), ((Range(1),), {"ses_1": "1"}),
        ]
    )],
)  # fmt: skip
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_cursor(text)
