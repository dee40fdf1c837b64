"""Who gets which sandbox of a pool, and how many there are: the logic, with a scripted source and a scripted clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_agent_client import errors
from sandbox_agent_client.sandboxes import pool as pool_module
from sandbox_agent_client.sandboxes.pool import OVERFLOW, Pool, PoolLimits

DOWN = errors.ProviderUnavailable("down")
REFUSED = errors.ProviderAuthError("refused")


@dataclass(eq=False)
class Box:
    number: int
    is_fit: bool = True

    def __repr__(self) -> str:
        return f"box {self.number}"


@dataclass
class Scripted:
    """Answers when the test says so: each call waits for its turn."""

    made: int = 0
    alive: set[Box] = field(default_factory=set)
    most: int = 0
    asked: list[asyncio.Future[None]] = field(default_factory=list)
    """Calls of `make` that have no answer yet."""
    ending: list[tuple[Box, asyncio.Future[None]]] = field(default_factory=list)
    ends_at_once: bool = True
    makes_fit_ones: bool = True

    async def make(self) -> Box:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.asked.append(turn)
        self._count()
        try:
            await turn
        finally:
            if turn in self.asked:
                self.asked.remove(turn)
        box = Box(self.made, is_fit=self.makes_fit_ones)
        self.made += 1
        self.alive.add(box)
        return box

    async def check(self, box: Box, /) -> None:
        await asyncio.sleep(0)
        assert box in self.alive
        if not box.is_fit:
            raise errors.ServerStartFailed(f"{box} does not answer")

    async def look_after(self, box: Box, /) -> None:
        await self.check(box)

    async def destroy(self, box: Box, /) -> None:
        assert box in self.alive, "destroyed twice"
        if not self.ends_at_once:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.ending.append((box, turn))
            await turn
        self.alive.remove(box)

    def _count(self) -> None:
        self.most = max(self.most, len(self.alive) + len(self.asked))

    def answer(self, error: Exception | None = None) -> bool:
        """The oldest call."""
        if not self.asked:
            return False
        turn = self.asked.pop(0)
        if error is None:
            turn.set_result(None)
        else:
            turn.set_exception(error)
        return True


class Clocked(asyncio.SelectorEventLoop):
    """Its clock stands still until the test moves it."""

    now = 1000.0

    def time(self) -> float:
        return self.now


class World:
    def __init__(self) -> None:
        self.loop = Clocked()
        self.runner = asyncio.Runner(loop_factory=lambda: self.loop)

    def settle(self) -> None:
        async def turns() -> None:
            for _ in range(12):
                await asyncio.sleep(0)

        self.runner.run(turns())

    def run(self, work: Any) -> Any:
        task = self.spawn(work)
        self.settle()
        assert task.done()
        return task.result()

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        async def begin() -> asyncio.Task[Any]:
            task = asyncio.ensure_future(work)
            # Not every test looks at what became of each.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
            return task

        task = self.runner.run(begin())
        self.settle()
        return task

    def pass_time(self, seconds: float) -> None:
        self.loop.now += seconds
        self.settle()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    with world.runner:
        yield world


Opened = tuple[Pool[Box], Scripted]


@pytest.fixture
def opened(world: World) -> Iterator[Callable[..., Opened]]:
    pools: list[Opened] = []

    def open(size: int = 2, **limits: Any) -> Opened:
        source = Scripted()
        pool = Pool(source, name="p", limits=PoolLimits(size=size, **limits))
        world.run(pool.open())
        pools.append((pool, source))
        return pool, source

    yield open
    for pool, source in pools:
        world.run(pool.close())
        for box in list(pool._lent.values()):
            world.run(pool.release(box))
        assert pool.is_over
        assert not source.alive


def fill(world: World, source: Scripted) -> None:
    while source.answer():
        world.settle()


def test_what_is_warm_is_handed_out_oldest_first_and_replaced(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=2)
    assert pool.status.starting == 2
    fill(world, source)
    assert [world.run(pool.acquire(timeout_s=None)).number for _ in range(2)] == [0, 1]
    assert (pool.status.in_use, pool.status.starting, pool.status.warm) == (2, 2, 0)


def test_what_was_used_is_destroyed_and_never_handed_out_again(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=1, max_size=1)
    fill(world, source)
    first = world.run(pool.acquire(timeout_s=None))
    waiting = world.spawn(pool.acquire(timeout_s=None))
    assert not source.asked, "one is the most there may be"
    world.run(pool.release(first))
    world.run(pool.release(first))  # twice does nothing
    assert first not in source.alive
    fill(world, source)
    assert waiting.result() is not first


def test_who_waits_is_served_in_order_also_when_one_of_them_gives_up(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=0, max_size=3)
    waiting = [world.spawn(pool.acquire(timeout_s=None)) for _ in range(3)]
    waiting[0].cancel()
    world.settle()
    source.answer()
    world.settle()
    assert [task.done() for task in waiting] == [True, True, False]
    fill(world, source)
    assert waiting[2].done()


def test_one_that_is_cancelled_while_its_sandbox_is_checked_loses_none(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=1, max_size=1)
    fill(world, source)

    async def cancel_in_the_middle() -> None:
        task = asyncio.ensure_future(pool.acquire(timeout_s=None))
        await asyncio.sleep(0)
        assert pool.status.in_use == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    world.run(cancel_in_the_middle())
    assert pool.status.warm == 1
    assert world.run(pool.acquire(timeout_s=None)).number == 0


def test_one_that_does_not_answer_is_replaced_before_it_is_handed_out(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=2)
    fill(world, source)
    min(source.alive, key=lambda box: box.number).is_fit = False
    assert world.run(pool.acquire(timeout_s=None)).number == 1
    assert pool.status.starting == 2


def test_what_is_broken_when_it_is_new_is_told_instead_of_made_again_for_ever(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=0)
    source.makes_fit_ones = False
    waiting = world.spawn(pool.acquire(timeout_s=None))
    world.loop.now += 1
    fill(world, source)
    assert isinstance(waiting.exception(), errors.ServerStartFailed)


def test_the_unfit_are_found_while_nobody_asks(world: World, opened: Callable[..., Opened]) -> None:
    pool, source = opened(size=1)
    fill(world, source)
    next(iter(source.alive)).is_fit = False
    world.pass_time(pool_module.CHECK_EVERY_S)
    assert (pool.status.warm, pool.status.starting) == (0, 1)


def test_the_old_are_replaced_by_successors_that_are_there_already(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=2, max_age_s=1000)
    fill(world, source)
    world.pass_time(920)
    assert (pool.status.warm, pool.status.starting) == (2, 2)
    fill(world, source)
    assert sorted(box.number for box in source.alive) == [2, 3]


def test_none_is_handed_out_that_is_too_old(world: World, opened: Callable[..., Opened]) -> None:
    pool, source = opened(size=1, max_age_s=10)
    fill(world, source)
    world.loop.now += 10  # and nobody has looked since
    waiting = world.spawn(pool.acquire(timeout_s=None))
    fill(world, source)
    assert waiting.result().number == 1


def test_more_than_are_warm_are_made_for_who_waits_up_to_the_most_there_may_be(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=1, max_starting=100)
    waiting = [world.spawn(pool.acquire(timeout_s=None)) for _ in range(40)]
    assert len(source.asked) == 1 + OVERFLOW
    fill(world, source)
    assert [task.done() for task in waiting] == [True] * 11 + [False] * 29


def test_no_more_are_made_ahead_than_are_still_to_come(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=2, expected=3)
    for _ in range(3):
        fill(world, source)
        world.run(pool.acquire(timeout_s=None))
    assert source.made == 3
    assert (pool.status.warm, pool.status.starting) == (0, 0)
    world.run(pool.filled())
    waiting = world.spawn(pool.acquire(timeout_s=None))
    fill(world, source)
    assert waiting.result().number == 3, "who was not expected gets one all the same"


def test_only_so_many_are_made_at_the_same_time(
    world: World, opened: Callable[..., Opened]
) -> None:
    _, source = opened(size=10, max_starting=3)
    assert len(source.asked) == 3
    source.answer()
    world.settle()
    assert len(source.asked) == 3


def test_a_timeout_says_how_many_are_in_use(world: World, opened: Callable[..., Opened]) -> None:
    pool, source = opened(size=1, max_size=1)
    fill(world, source)
    world.run(pool.acquire(timeout_s=None))
    waiting = world.spawn(pool.acquire(timeout_s=5))
    world.pass_time(5)
    error = waiting.exception()
    assert isinstance(error, errors.PoolExhausted)
    assert error.details == {"pool": "p", "inUse": 1, "starting": 0, "maxSize": 1}
    assert pool.status.waiting == 0


def test_a_provider_that_is_down_is_told_after_three_attempts(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=1)
    waiting = [world.spawn(pool.acquire(timeout_s=None)) for _ in range(2)]
    while source.answer(DOWN):
        world.settle()
    assert all(isinstance(task.exception(), errors.ProviderUnavailable) for task in waiting)
    assert waiting[0].exception() is not waiting[1].exception()
    status = pool.status
    assert (status.failed, status.last_error, status.starting) == (3, DOWN, 0)


def test_a_failure_is_tried_again_after_a_pause_and_one_success_ends_it(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=1)
    for failed, pause in enumerate((1, 2, 4, 8), 1):
        source.answer(DOWN)
        world.settle()
        assert pool.status.failed == failed
        world.pass_time(pause - 0.01)
        assert not source.asked
        world.pass_time(0.02)
        assert len(source.asked) == 1
    fill(world, source)
    assert (pool.status.warm, pool.status.failed, pool.status.last_error) == (1, 0, None)


def test_what_no_repetition_mends_is_told_at_once_and_tried_again_when_somebody_asks(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=1)
    source.answer(REFUSED)
    world.settle()
    world.pass_time(100_000)
    assert not source.asked
    for _ in range(2):
        waiting = world.spawn(pool.acquire(timeout_s=None))
        assert len(source.asked) == 1
        source.answer(REFUSED)
        world.settle()
        assert isinstance(waiting.exception(), errors.ProviderAuthError)
    waiting = world.spawn(pool.acquire(timeout_s=None))
    fill(world, source)
    assert waiting.result().number == 0


def test_waiting_until_it_is_warm(world: World, opened: Callable[..., Opened]) -> None:
    pool, source = opened(size=2)
    waiting = world.spawn(pool.filled())
    source.answer()
    world.settle()
    assert not waiting.done()
    fill(world, source)
    assert waiting.done()
    failing, source = opened(size=1)
    waiting = world.spawn(failing.filled())
    source.answer(REFUSED)
    world.settle()
    assert isinstance(waiting.exception(), errors.ProviderAuthError)


def test_closing_destroys_what_nobody_has_and_tells_who_waits(
    world: World, opened: Callable[..., Opened]
) -> None:
    pool, source = opened(size=1, max_size=2)
    fill(world, source)
    used = world.run(pool.acquire(timeout_s=None))
    waiting = [world.spawn(pool.acquire(timeout_s=None)) for _ in range(3)]
    world.run(pool.close())
    assert all(isinstance(task.exception(), errors.PoolClosed) for task in waiting)
    assert source.alive == {used}
    assert not source.asked
    assert not pool.is_over
    with pytest.raises(errors.PoolClosed):
        world.run(pool.acquire(timeout_s=None))
    world.run(pool.release(used))
    assert pool.is_over


def test_a_sandbox_counts_until_it_is_gone(world: World, opened: Callable[..., Opened]) -> None:
    pool, source = opened(size=1, max_size=1)
    fill(world, source)
    source.ends_at_once = False
    releasing = world.spawn(pool.release(world.run(pool.acquire(timeout_s=None))))
    assert pool.status.ending == 1
    assert not source.asked
    source.ends_at_once = True
    source.ending.pop()[1].set_result(None)
    world.settle()
    assert releasing.done()
    assert len(source.asked) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"size": -1}, {"max_size": 1}, {"max_age_s": 0}, {"max_starting": 0}, {"expected": -1}],
)
def test_limits_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        PoolLimits(**{"size": 2} | wrong)


class Play:
    """Operations on a pool by many users, looked at after each."""

    def __init__(self, limits: PoolLimits) -> None:
        self.world = World()
        self.source = Scripted()
        self.limits = limits
        self.pool = Pool(self.source, name="p", limits=limits)
        self.waiting: list[asyncio.Task[Box]] = []
        self.held: list[Box] = []
        self.had: set[Box] = set()
        self.has_broken_ones = False

    def acquire(self, which: int) -> None:
        self.waiting.append(self.world.spawn(self.pool.acquire(timeout_s=None)))

    def cancel(self, which: int) -> None:
        if self.waiting:
            self.waiting[which % len(self.waiting)].cancel()

    def cancel_at_once(self, which: int) -> None:
        async def begin() -> None:
            task = asyncio.ensure_future(self.pool.acquire(timeout_s=None))
            for _ in range(which):
                await asyncio.sleep(0)
            task.cancel()
            self.waiting.append(task)

        self.world.run(begin())

    def release(self, which: int) -> None:
        if self.held:
            self.world.run(self.pool.release(self.held.pop(which % len(self.held))))

    def make(self, which: int) -> None:
        self.source.answer()

    def fail(self, which: int) -> None:
        self.source.answer(DOWN)

    def refuse(self, which: int) -> None:
        self.source.answer(REFUSED)

    def hurt(self, which: int) -> None:
        if self.source.alive:
            alive = sorted(self.source.alive, key=lambda box: box.number)
            alive[which % len(alive)].is_fit = False
            self.has_broken_ones = True

    def age(self, which: int) -> None:
        self.world.pass_time(which * 20)

    def look(self) -> None:
        self.world.settle()
        served = [task.done() for task in self.waiting if not task.cancelling()]
        if not self.has_broken_ones:  # who gets a broken one is overtaken
            assert served == sorted(served, reverse=True), "not in order"
        for task in [task for task in self.waiting if task.done()]:
            self.waiting.remove(task)
            if not task.cancelled() and task.exception() is None:
                assert task.result() not in self.had, "handed out twice"
                self.had.add(task.result())
                self.held.append(task.result())
        status = self.pool.status
        there = status.warm + status.starting + status.in_use + status.ending
        assert there == len(self.source.alive) + len(self.source.asked)
        assert max(there, self.source.most) <= self.limits.total
        assert len(self.source.asked) <= self.limits.max_starting

    def be_well(self) -> None:
        """Until everybody is served."""
        for _ in range(200):
            if not self.waiting:
                return
            self.release(0)
            if not self.source.answer():
                self.world.pass_time(pool_module.LONGEST_RETRY_S)
            self.look()
        raise AssertionError("somebody waits for ever")

    def end(self) -> None:
        self.world.run(self.pool.close())
        while self.held:
            self.release(0)
        assert self.pool.is_over
        assert not self.source.alive
        assert not self.source.asked


OPERATIONS = [
    Play.acquire, Play.cancel, Play.cancel_at_once, Play.release, Play.make, Play.fail, Play.refuse, Play.hurt, Play.age
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 7)), max_size=40),
    st.integers(0, 3),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_no_interleaving_breaks_what_a_pool_promises(
    operations: list[tuple[Callable[[Play, int], None], int]], size: int, more: int, at_once: int
) -> None:
    limits = PoolLimits(size=size, max_size=size + more, max_age_s=100, max_starting=at_once)
    play = Play(limits)
    with play.world.runner:
        play.world.run(play.pool.open())
        for operation, which in operations:
            operation(play, which)
            play.look()
        play.be_well()
        play.end()
