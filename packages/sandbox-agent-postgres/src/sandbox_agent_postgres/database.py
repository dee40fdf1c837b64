"""Connections of one process to the database, for whatever event loops ask."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias, TypeVar

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sandbox_agent_core.errors import StorageError

from sandbox_agent_postgres.address import Address
from sandbox_agent_postgres.errors import database_errors
from sandbox_agent_postgres.migrations import migrate

__all__ = ["Connection", "Database"]

T = TypeVar("T")
Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]

ANSWER_TIMEOUT_S: Final = 120.0
"""For all that is done in one transaction."""
CLOSE_TIMEOUT_S: Final = 5.0
"""How long `close` waits for what is still going on; then it is cancelled."""
MAX_LIFETIME_S: Final = 3600.0
"""Of a connection: some networks forget one that is older."""

_THREAD: Final = "sandbox-agent-postgres"
# Nothing is prepared by name: behind a pooler the next transaction may meet another connection.
_CONNECTION: Final[dict[str, Any]] = {"autocommit": True, "prepare_threshold": None}


class Database:
    """A pool, on an event loop and in a thread of its own: a pool belongs to one loop, and a store is used from several
    (the program's, and those of synchronous clients). That loop is asyncio's own on all systems, which psycopg needs.

    Connects, and migrates, at the first `run`.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._opening = asyncio.Lock()
        self._turns = asyncio.Semaphore(address.pool_size)
        self._tasks: set[asyncio.Task[Any]] = set()
        runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)
        self._loop = runner.get_loop()
        # A daemon: a store that nobody closed does not keep the program from ending.
        self._thread = threading.Thread(target=_serve, args=(runner,), name=_THREAD, daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What `work` returns, on a connection in autocommit. Cancelling it cancels the statement.

        Raises:
            StorageError: the database cannot be reached, or failed.
        """
        return await self._on_loop(self._task(work))

    async def close(self) -> None:
        await self._on_loop(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _task(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with database_errors(self._address):
                return await self._with_connection(work)
        finally:
            self._tasks.discard(task)

    async def _with_connection(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        # Whoever comes when all connections are in use waits for its turn, however many are before it: that is no
        # failure. So the pool's own limit is that of a database which cannot be reached.
        async with self._turns:
            pool = await self._opened()
            try:
                async with pool.connection() as connection, asyncio.timeout(ANSWER_TIMEOUT_S):
                    return await work(connection)
            except PoolTimeout:
                await self._connect_once()  # which says why
                raise
            except TimeoutError as exc:
                raise StorageError(
                    f"The database {self._address} did not answer within {ANSWER_TIMEOUT_S:g} s."
                ) from exc

    async def _opened(self) -> AsyncConnectionPool[Connection]:
        async with self._opening:
            if self._pool is None:
                await self._connect_once()
                self._pool = pool = AsyncConnectionPool(
                    kwargs=_CONNECTION | self._address.parameters,
                    min_size=1,
                    max_size=self._address.pool_size,
                    check=AsyncConnectionPool.check_connection,
                    timeout=self._address.timeout_s,
                    max_lifetime=MAX_LIFETIME_S,
                    open=False,
                )
                await pool.open()
            return self._pool

    async def _connect_once(self) -> None:
        """Outside of the pool, which keeps to itself why it cannot connect."""
        parameters = _CONNECTION | self._address.parameters
        async with await AsyncConnection.connect(**parameters) as connection:
            await migrate(connection, self._address.schema)

    async def _shut(self) -> None:
        waiting = set(self._tasks)
        if waiting:
            _done, late = await asyncio.wait(waiting, timeout=CLOSE_TIMEOUT_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        if self._pool is not None:
            await self._pool.close()


def _serve(runner: asyncio.Runner) -> None:
    with runner:
        loop = runner.get_loop()
        asyncio.set_event_loop(loop)
        loop.run_forever()


def _is_for_others(record: logging.LogRecord) -> bool:
    return record.threadName != _THREAD or record.levelno < logging.WARNING


# psycopg warns of each connection that breaks and of each attempt to make another, also on the terminal of a program that
# has no logging. Whoever wanted the connection is told by an error.
for _name in ("psycopg", "psycopg.pool"):
    logging.getLogger(_name).addFilter(_is_for_others)
