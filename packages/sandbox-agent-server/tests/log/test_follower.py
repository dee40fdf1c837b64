"""Whoever follows a log gets every entry after a cursor once, in order, however slow it takes them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_log import open_log, say, words
from sandbox_agent_server.log.follower import Follower
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.log.views import Batch
from still_clock import StillClock

Send = Callable[[list[str]], Coroutine[Any, Any, None]]
HEARTBEAT = ["heartbeat"]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SessionLog]:
    log = open_log(tmp_path)
    yield log
    log.close()


class Client:
    """Takes what is sent to it: at once, or when the test lets it."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.sends = 0
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.failure: Exception | None = None

    async def send(self, body: list[str]) -> None:
        self.sends += 1
        if self.failure is not None:
            raise self.failure
        await self.is_open.wait()
        self.got += body


def rendered(batch: Batch) -> list[str] | None:
    """Entries that begin with `_` show nothing."""
    return [word for word in words(list(batch.entries)) if not word.startswith("_")] or None


def follower_of(
    log: SessionLog,
    send: Send,
    *,
    after: int = 0,
    render: Callable[[Batch], list[str] | None] = rendered,
    heartbeat_s: float = 60,
) -> Follower[list[str]]:
    return Follower(
        log, after, render=render, send=send, heartbeat=HEARTBEAT, heartbeat_s=heartbeat_s
    )


@asynccontextmanager
async def following(log: SessionLog, send: Send, **given: Any) -> Any:
    """It runs, and is up to date when this begins."""
    task = asyncio.ensure_future(follower_of(log, send, **given).run())
    try:
        await up_to_date(log)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.0005)


async def up_to_date(log: SessionLog) -> None:
    await until(lambda: log.has_followers)


async def settled() -> None:
    """Everything that the loop had to do is done."""
    for _ in range(10):
        await asyncio.sleep(0)


# Up to date


async def test_what_is_appended_is_sent_within_the_very_append(log: SessionLog) -> None:
    client = Client()
    say(log, "a")
    async with following(log, client.send):
        assert client.got == ["a"]
        say(log, "b")
        assert client.got == ["a", "b"]
        say(log, "c", "d")
        say(log, "_", "e")
        assert client.got == ["a", "b", "c", "d", "e"]
        assert client.sends == 4


async def test_a_cursor_in_the_middle_gets_what_is_behind_it(log: SessionLog) -> None:
    client = Client()
    say(log, *"abcd")
    async with following(log, client.send, after=2):
        say(log, "e")
        assert client.got == ["c", "d", "e"]


async def test_a_cursor_beyond_the_end_gets_what_is_behind_it_once_there_is_something(
    log: SessionLog,
) -> None:
    client = Client()
    say(log, "a")
    async with following(log, client.send, after=4):
        say(log, "b")
        await up_to_date(log)
        say(log, "c", "d", "e")
        await until(lambda: client.got == ["e"])
        await up_to_date(log)
        say(log, "f")
        assert client.got == ["e", "f"]


async def test_a_batch_that_shows_nothing_is_not_sent(log: SessionLog) -> None:
    client = Client()
    say(log, "_", "_")
    async with following(log, client.send):
        say(log, "_")
        assert client.sends == 0
        say(log, "a")
        assert client.got == ["a"]


# Slow, and behind


async def test_one_that_waits_to_send_reads_the_file_meanwhile_and_comes_back(
    log: SessionLog,
) -> None:
    client = Client()
    async with following(log, client.send):
        client.is_open.clear()
        say(log, "a")
        assert not log.has_followers  # an append is not held up by it
        for word in "bcdef":
            say(log, word)
        assert client.sends == 1  # and nothing is held for it
        client.is_open.set()
        await up_to_date(log)
        assert client.got == list("abcdef")
        assert client.sends == 2
        say(log, "g")
        assert client.got[-1] == "g"


async def test_one_that_is_far_behind_gets_it_in_slices_and_starves_nobody(log: SessionLog) -> None:
    client, text = Client(), "x" * 1000
    for number in range(20):
        say(log, *[f"{number}-{each}-{text}" for each in range(100)])
    turns = 0

    async def somebody_else() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(somebody_else())
    async with following(log, client.send):
        assert [word.partition("-x")[0] for word in client.got] == [
            f"{number}-{each}" for number in range(20) for each in range(100)
        ]
    other.cancel()
    assert client.sends > 2
    assert turns > client.sends


async def test_a_page_is_read_only_for_a_reader_that_has_taken_the_one_before(
    log: SessionLog,
) -> None:
    client, has_taken, waits = Client(), asyncio.Event(), 0
    for number in range(10):
        say(log, f"{number}" * 100_000)

    async def drain() -> None:
        nonlocal waits
        waits += 1
        await has_taken.wait()

    follower = Follower(
        log, 0, render=rendered, send=client.send, drain=drain, heartbeat=HEARTBEAT, heartbeat_s=60
    )
    task = asyncio.ensure_future(follower.run())
    for sends in range(3):
        await until(lambda sends=sends: waits == sends + 1)  # type: ignore[misc]
        assert client.sends == sends
        has_taken.set()
        has_taken.clear()
    has_taken.set()
    await until(lambda: len(client.got) == 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@settings(max_examples=60, deadline=None)
@given(
    before=st.integers(0, 4),
    after=st.integers(0, 8),
    story=st.lists(
        st.sampled_from(["append", "append many", "hold", "let go", "wait"]), max_size=14
    ),
)
async def test_nothing_is_missed_or_sent_twice_whenever_it_is_appended(
    before: int, after: int, story: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        log, client, written = open_log(Path(directory)), Client(), []

        def append(count: int) -> None:
            new = [f"w{len(written) + each + 1}" for each in range(count)]
            written.extend(new)
            say(log, *new)

        for _ in range(before):
            append(1)
        task = asyncio.ensure_future(follower_of(log, client.send, after=after).run())
        for act in story:
            if act == "append":
                append(1)
            elif act == "append many":
                append(70)
            elif act == "hold":
                client.is_open.clear()
            elif act == "let go":
                client.is_open.set()
            else:
                await asyncio.sleep(0)
        client.is_open.set()
        log.close()
        async with asyncio.timeout(30):
            await task
        assert client.got == written[after:]


# Many


async def test_what_many_follow_in_the_same_view_is_rendered_once(log: SessionLog) -> None:
    clients = [Client() for _ in range(5)]
    renderings: list[list[str]] = []

    def write(shown: list[tuple[int, bytes]], _last_seq: int) -> list[str]:
        renderings.append([str(seq) for seq, _ in shown])
        return renderings[-1]

    def render(batch: Batch) -> list[str]:
        return batch.body("frames", write, deltas=True)

    tasks = [
        asyncio.ensure_future(follower_of(log, client.send, render=render).run())
        for client in clients
    ]
    await settled()
    say(log, "a")
    say(log, "b", "c")
    assert renderings == [["1"], ["2", "3"]]
    assert [client.got for client in clients] == [["1", "2", "3"]] * 5
    log.close()
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


async def test_a_slow_one_or_one_that_fails_is_no_matter_to_the_others(log: SessionLog) -> None:
    slow, broken, quick = Client(), Client(), Client()
    async with (
        following(log, slow.send),
        following(log, broken.send) as broken_task,
        following(log, quick.send),
    ):
        await settled()
        slow.is_open.clear()
        broken.failure = ConnectionError("gone")
        for word in "abc":
            say(log, word)
        assert quick.got == list("abc")
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(broken_task, 5)
        assert broken.sends == 1


# Failures


async def test_what_a_send_raises_is_raised_by_run(log: SessionLog) -> None:
    client = Client()
    client.failure = ConnectionError("gone")
    say(log, "a")
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(follower_of(log, client.send).run(), 5)
    assert not log.has_followers


async def test_what_rendering_raises_is_raised_by_run_and_not_by_the_append(
    log: SessionLog,
) -> None:
    def render(batch: Batch) -> list[str] | None:
        if "b" in words(list(batch.entries)):
            raise ValueError("cannot be shown")
        return rendered(batch)

    client = Client()
    async with following(log, client.send, render=render) as task:
        say(log, "a")
        say(log, "b")
        say(log, "c")
        with pytest.raises(ValueError, match="cannot be shown"):
            await asyncio.wait_for(task, 5)
    assert client.got == ["a"]


async def test_what_a_send_waits_for_may_fail_and_the_send_says_what_comes_of_that(
    log: SessionLog,
) -> None:
    waits_for: list[asyncio.Future[None]] = []
    got: list[str] = []

    async def send(body: list[str]) -> None:
        if len(waits_for) < 3:
            waits_for.append(asyncio.get_running_loop().create_future())
            try:
                await waits_for[-1]
            except BlockingIOError:
                await asyncio.sleep(0)
            except OSError as exc:
                raise ConnectionError("the client is gone") from exc
        got.extend(body)

    async with following(log, send) as task:
        say(log, "a")
        waits_for[0].set_exception(BlockingIOError())
        await up_to_date(log)
        say(log, "b")
        waits_for[1].set_result(None)
        await up_to_date(log)
        say(log, "c")
        waits_for[2].set_exception(OSError("broken pipe"))
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(task, 5)
    assert got == ["a", "b"]


async def test_a_follower_that_is_cancelled_while_it_sends_cancels_the_send(
    log: SessionLog,
) -> None:
    cleaned_up = []

    async def send(_body: list[str]) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            cleaned_up.append(True)
            raise

    async with following(log, send) as task:
        say(log, "a")
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)
    assert cleaned_up == [True]
    assert not log.has_followers


# Silence, and the end


async def test_silence_is_filled_and_never_longer_than_it_may_be(
    log: SessionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, clock = Client(), StillClock(monkeypatch)
    task = asyncio.ensure_future(follower_of(log, client.send, heartbeat_s=10).run())
    try:
        await settled()
        await clock.move(9)
        assert client.got == []
        say(log, "a")
        await clock.move(9)
        say(log, "_")  # shows nothing: silence goes on
        assert client.got == ["a"]
        await clock.move(1.1)
        assert client.got == ["a", *HEARTBEAT]
        await clock.move(10.1)
        await clock.move(10.1)
        assert client.got == ["a", *HEARTBEAT * 3]
        say(log, "b")
        assert client.got[-1] == "b"
    finally:
        monkeypatch.undo()
        log.close()
        await asyncio.wait_for(task, 5)


async def test_a_closed_log_ends_its_followers_once_they_have_everything(log: SessionLog) -> None:
    slow, quick = Client(), Client()
    async with following(log, slow.send) as slow_task, following(log, quick.send) as quick_task:
        await settled()
        slow.is_open.clear()
        say(log, "a")
        say(log, "b")
        log.close()
        await asyncio.wait_for(quick_task, 5)
        assert not slow_task.done()
        slow.is_open.set()
        await asyncio.wait_for(slow_task, 5)
    assert slow.got == quick.got == ["a", "b"]
    late = Client()
    await asyncio.wait_for(follower_of(log, late.send).run(), 5)
    assert late.got == ["a", "b"]


async def test_a_log_that_is_deleted_ends_its_followers(log: SessionLog) -> None:
    client = Client()
    async with following(log, client.send) as task:
        say(log, "a")
        log.close()
        log.file.delete()
        await asyncio.wait_for(task, 5)
    assert client.got == ["a"]
