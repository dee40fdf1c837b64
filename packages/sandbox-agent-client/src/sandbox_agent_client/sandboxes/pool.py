"""How many sandboxes there are ahead of time, and who gets which. Knows no provider: a `Source` makes and removes them.

All of it is on one event loop, and each decision is one synchronous step (`_advance`), so nothing is locked.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, Protocol, TypeVar

from sandbox_agent_core.errors import (
    InvalidRequest,
    PoolClosed,
    PoolExhausted,
    SandboxAgentError,
)

__all__ = ["Pool", "PoolLimits", "PoolStatus", "Source"]

logger = logging.getLogger(__name__)

OVERFLOW = 10
"""Sandboxes beyond `size`, when nothing else is said."""
MAX_AGE_S = 3600.0
MAX_STARTING = 4
"""That are made at the same time."""
RENEW_AT = 0.9
"""Of its age, when the successor of a warm one is begun."""
CHECK_EVERY_S = 30.0
ATTEMPTS = 3
"""To make one, failed in a row, until whoever waits is told."""
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0

T = TypeVar("T")
S = TypeVar("S")


class Source(Protocol[S]):
    """Every error of it is a SandboxAgentError."""

    async def make(self) -> S:
        """A new one, ready for use. A failure or cancellation leaves nothing behind."""
        ...

    async def check(self, one: S, /) -> None:
        """Raises when it is not fit to be handed out now."""
        ...

    async def look_after(self, one: S, /) -> None:
        """From time to time, while nobody has it. Raises when it is not fit any more."""
        ...

    async def destroy(self, one: S, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    size: int
    max_size: int | None = None
    max_age_s: float | None = MAX_AGE_S
    max_starting: int = MAX_STARTING
    expected: int | None = None
    """How often one will be asked for, where that is known."""

    def __post_init__(self) -> None:
        """Raises: InvalidRequest."""
        if self.size < 0:
            raise InvalidRequest(f"`size` is the number of warm sandboxes, not {self.size!r}.")
        if self.total < max(1, self.size):
            raise InvalidRequest(
                f"`max_size` counts all sandboxes of the pool: at least {max(1, self.size)}, not {self.max_size!r}."
            )
        if self.max_age_s is not None and not self.max_age_s > 0:
            raise InvalidRequest(f"`max_age` is in seconds and above 0, not {self.max_age_s!r}.")
        if self.max_starting < 1:
            raise InvalidRequest(f"`max_starting` is at least 1, not {self.max_starting!r}.")
        if self.expected is not None and self.expected < 0:
            raise InvalidRequest(f"`expected` is a number of sandboxes, not {self.expected!r}.")

    @property
    def total(self) -> int:
        return self.size + OVERFLOW if self.max_size is None else self.max_size


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """What `pool.status()` answers. The sandboxes that exist, or may, are `warm + starting + in_use + ending`."""

    name: str
    """Also the value of the label `sandbox-agent-pool`."""
    warm: int
    """Ready to be handed out."""
    starting: int
    in_use: int
    """Handed out, or about to be."""
    ending: int
    """That are being destroyed."""
    waiting: int
    """Calls of `acquire` that have none yet."""
    failed: int
    """Attempts to make one, in a row, since the last that succeeded."""
    last_error: SandboxAgentError | None
    """Of the last attempt that failed; None after one that succeeded."""


@dataclass(eq=False, slots=True)
class _Warm(Generic[T]):
    one: T
    made_at: float


@dataclass(eq=False, slots=True)
class _Waiter(Generic[T]):
    came_at: float
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """It has been given one to check, or an error."""
    candidate: _Warm[T] | None = None
    error: SandboxAgentError | None = None


class Pool(Generic[T]):
    """Keeps `size` warm. Hands out in the order in which was asked, and none twice."""

    def __init__(self, source: Source[T], *, name: str, limits: PoolLimits) -> None:
        self.name = name
        self._source = source
        self._limits = limits
        self._is_open = False
        self._warm: deque[_Warm[T]] = deque()  # the oldest first
        self._line: dict[int, _Waiter[T]] = {}  # in the order of coming
        self._places = count()
        self._lent: dict[int, T] = {}  # by id(): they need not be hashable
        self._handed_out = 0
        self._starting: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._caretaker: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._failed = 0
        self._last_error: SandboxAgentError | None = None
        self._retry_at = -math.inf
        self._retry: asyncio.TimerHandle | None = None

    @property
    def is_over(self) -> bool:
        """It is closed, and nothing of it exists any more; not while `close` is still at work."""
        return not self._is_open and self._caretaker is None and not self._total

    @property
    def status(self) -> PoolStatus:
        waiters = list(self._line.values())  # a copy: threads may ask
        checked = sum(waiter.candidate is not None for waiter in waiters)
        return PoolStatus(
            name=self.name,
            warm=len(self._warm),
            starting=len(self._starting),
            in_use=len(self._lent) + checked,
            ending=len(self._ending),
            waiting=len(waiters),
            failed=self._failed,
            last_error=self._last_error,
        )

    async def open(self) -> None:
        """Begin to fill it."""
        if not self._is_open:
            self._is_open = True
            self._caretaker = asyncio.create_task(self._look_after(), name=f"pool {self.name}")
            self._advance()

    async def filled(self) -> None:
        """Until all are warm that are made ahead.

        Raises:
            PoolClosed
            SandboxAgentError: why they cannot be made.
        """
        self.check_open()
        self._try_now()
        while len(self._warm) < self._ahead:
            if self._is_hopeless and not self._starting:
                raise self._error()
            await self._changed.wait()
            self.check_open()

    async def acquire(self, *, timeout_s: float | None) -> T:
        """The oldest that is warm, or the next that is made. The caller gives it back with `release`.

        Raises:
            PoolClosed
            PoolExhausted: none in time.
            SandboxAgentError: why none can be made.
        """
        self.check_open()
        waiter: _Waiter[T] = _Waiter(came_at=self._now())
        place = next(self._places)
        self._line[place] = waiter
        self._try_now()
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                found = await self._served(waiter)
        except TimeoutError as exc:
            if not deadline.expired():
                raise
            raise self._exhausted(timeout_s) from exc
        else:
            waiter.candidate = None
            self._lent[id(found)] = found
            self._handed_out += 1
            return found
        finally:
            # Cancelled, or too late: the one that it was to get is as good as before, and the next one's.
            del self._line[place]
            if waiter.candidate is not None:
                self._warm.appendleft(waiter.candidate)
            self._advance()

    async def release(self, one: T) -> None:
        """Destroy it: what was used is not clean. Doing it twice does nothing.

        Raises:
            ProviderError: it could not be destroyed, and may still cost money.
        """
        if self._lent.pop(id(one), None) is None:
            return
        await asyncio.shield(self._end(one))

    async def close(self) -> None:
        """Destroy what is warm and what is being made; waits for that. What is in use stays until it is released."""
        if self._is_open:
            self._is_open = False
            for task in self._starting:
                task.cancel()
            self._tell_all(self._closed)
            self._advance()
        while self._line or self._starting or self._ending:
            await self._changed.wait()
        if self._retry is not None:
            self._retry.cancel()
        if self._caretaker is not None:
            self._caretaker.cancel()
            await asyncio.wait([self._caretaker])
            self._caretaker = None

    # -- one step

    def _advance(self) -> None:
        """Whatever there is to do now that something has changed."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if not self._is_open:
            while self._warm:
                self._end(self._warm.popleft().one)
            return
        self._recycle()
        for waiter in self._line.values():
            if not self._warm:
                break
            if waiter.candidate is None and waiter.error is None:
                waiter.candidate = self._warm.popleft()
                waiter.told.set()
        for _ in range(self._missing()):
            task = asyncio.create_task(self._start(), name=f"pool {self.name}: start")
            self._starting.add(task)
            # Not at its end, where a task that was cancelled before it began never comes.
            task.add_done_callback(self._started)

    def _recycle(self) -> None:
        """Who is too old goes, and who is nearly so when the successor is there."""
        fresh = self._fresh()
        for warm in list(self._warm):
            age = self._now() - warm.made_at
            if age >= self._max_age_s or (
                age >= RENEW_AT * self._max_age_s and fresh >= self._ahead
            ):
                self._warm.remove(warm)
                logger.info("pool %s: %r is %d s old: replacing it", self.name, warm.one, age)
                self._end(warm.one)

    def _missing(self) -> int:
        """How many are to be begun now."""
        if self._now() < self._retry_at:
            return 0
        waiting = sum(
            waiter.candidate is None and waiter.error is None for waiter in self._line.values()
        )
        wanted = self._ahead + waiting - self._fresh() - len(self._starting)
        # One alone tries whether the provider is back.
        at_once = 1 if self._failed else self._limits.max_starting
        return min(wanted, at_once - len(self._starting), self._limits.total - self._total)

    def _fresh(self) -> int:
        renewed = RENEW_AT * self._max_age_s
        return sum(self._now() - warm.made_at < renewed for warm in self._warm)

    # -- what goes on at the same time

    async def _start(self) -> None:
        try:
            one = await self._source.make()
        except SandboxAgentError as exc:
            self._has_failed(exc)
        else:
            self._failed, self._last_error, self._retry_at = 0, None, -math.inf
            self._warm.append(_Warm(one, self._now()))

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting.discard(task)
        self._advance()

    async def _served(self, waiter: _Waiter[T]) -> T:
        while True:
            await waiter.told.wait()
            waiter.told.clear()
            if waiter.error is not None:
                raise waiter.error
            candidate = waiter.candidate
            assert candidate is not None
            try:
                await self._source.check(candidate.one)
            except SandboxAgentError as exc:
                logger.warning("pool %s: %r is not fit: %s", self.name, candidate.one, exc)
                waiter.candidate = None
                self._end(candidate.one)
                if candidate.made_at > waiter.came_at:
                    raise  # made for it just now: the next would be no better
                self._advance()
            if waiter.error is not None:
                raise waiter.error  # closed meanwhile
            if waiter.candidate is candidate:
                return candidate.one

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            await asyncio.gather(*(self._look_at(warm) for warm in list(self._warm)))
            self._advance()

    async def _look_at(self, warm: _Warm[T]) -> None:
        try:
            await self._source.look_after(warm.one)
        except SandboxAgentError as exc:
            if warm in self._warm:  # or it was handed out meanwhile, and has been checked for that
                logger.warning("pool %s: %r is not fit: %s", self.name, warm.one, exc)
                self._warm.remove(warm)
                self._end(warm.one)

    def _end(self, one: T) -> asyncio.Task[None]:
        task = asyncio.create_task(self._source.destroy(one), name=f"pool {self.name}: end")
        self._ending.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled() and (exc := task.exception()):
            logger.error("pool %s: a sandbox may be left behind", self.name, exc_info=exc)
        self._advance()

    # -- failures

    def _has_failed(self, exc: SandboxAgentError) -> None:
        self._failed += 1
        self._last_error = exc
        logger.warning("pool %s: no sandbox (%d in a row): %s", self.name, self._failed, exc)
        if not self._is_open:
            return
        # What no repetition mends is tried again only for somebody who asks.
        pause_s = min(FIRST_RETRY_S * 2 ** min(self._failed - 1, 10), LONGEST_RETRY_S)
        self._retry_at = self._now() + pause_s if exc.retryable else math.inf
        if self._retry is not None:
            self._retry.cancel()
        if exc.retryable:
            self._retry = asyncio.get_running_loop().call_later(pause_s, self._try_now)
        if self._is_hopeless:
            self._tell_all(self._error)

    @property
    def _is_hopeless(self) -> bool:
        exc = self._last_error
        return exc is not None and (self._failed >= ATTEMPTS or not exc.retryable)

    def _try_now(self) -> None:
        """Somebody asks, or the pause is over: the provider may be back."""
        self._retry_at = -math.inf
        self._advance()

    def _tell_all(self, error: Callable[[], SandboxAgentError]) -> None:
        for waiter in self._line.values():
            if waiter.candidate is None or not self._is_open:
                waiter.error = error()
                waiter.told.set()

    def _error(self) -> SandboxAgentError:
        """The last one, for one more to raise."""
        assert self._last_error is not None
        error = copy.copy(self._last_error)
        error.__cause__ = self._last_error
        return error

    def _exhausted(self, timeout_s: float | None) -> PoolExhausted:
        status = self.status
        return PoolExhausted(
            f"No sandbox of the pool {self.name!r} in {timeout_s:g} s: {status.in_use} are in use, "
            f"{status.starting} starting, {self._limits.total} is the most there may be."
            + (f" The last that failed: {self._last_error}" if self._last_error else ""),
            pool=self.name,
            inUse=status.in_use,
            starting=status.starting,
            maxSize=self._limits.total,
        )

    def check_open(self) -> None:
        """Any thread may ask. Raises: PoolClosed."""
        if not self._is_open:
            raise self._closed()

    def _closed(self) -> PoolClosed:
        return PoolClosed(
            f"The pool {self.name!r} is not open: it is used inside of its block.", pool=self.name
        )

    # -- numbers

    @property
    def _ahead(self) -> int:
        """How many are to be warm beside those for who waits: `size`, until fewer will still come."""
        if self._limits.expected is None:
            return self._limits.size
        to_come = self._limits.expected - self._handed_out - len(self._line)
        return min(self._limits.size, max(0, to_come))

    @property
    def _total(self) -> int:
        status = self.status
        return status.warm + status.starting + status.in_use + status.ending

    @property
    def _max_age_s(self) -> float:
        return math.inf if self._limits.max_age_s is None else self._limits.max_age_s

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
