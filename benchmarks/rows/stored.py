"""1 000 sessions over 20 servers, followed by one program into one PostgreSQL: how fast, how late, how large it gets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass

from sandbox_agent_client import SandboxAgent, Session
from sandbox_agent_postgres import PostgresStore
from support.postgres import postgres_cluster, why_no_postgres

from benchmarks.contenders import TOKEN, OurServer
from benchmarks.process_memory import read_memory
from benchmarks.row import Plan, Row

SERVERS = 20
SESSIONS = 1_000
QUICK_SERVERS = 2
QUICK_SESSIONS = 20
PROMPT = "burst 100x200"
"""One of each session, all at once."""
STORED_TIMEOUT_S = 300.0
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Followed:
    events: int
    wrong: int
    """Lost, doubled or reordered."""
    turns_s: float
    lag_s: float
    """From the end of the last turn until all of it was stored."""
    grown_mib: float


def measure(plan: Plan) -> list[Row]:
    """The peer stores nothing."""
    if plan.skips_ours or why_no_postgres():
        return []
    servers = QUICK_SERVERS if plan.is_quick else SERVERS
    sessions = QUICK_SESSIONS if plan.is_quick else SESSIONS
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(postgres_cluster(is_durable=True))
        started = [OurServer() for _ in range(servers)]
        for server in started:
            stack.enter_context(server)
        done = asyncio.run(_follow(cluster.url(), started, sessions))
    what = f"{sessions:,} sessions over {servers} servers into PostgreSQL: ".replace(",", " ")
    return [
        Row(
            what + "events stored",
            "events/s",
            done.events / (done.turns_s + done.lag_s),
            digits=0,
            note=f"{done.events:,} events",
        ),
        Row(what + "lost, doubled or reordered", "events", done.wrong, budget="= 0", digits=0),
        Row(what + "all stored after the last turn", "s", done.lag_s, digits=2),
        Row(
            what + "memory of the program that follows",
            "MiB",
            done.grown_mib,
            note="more than before its prompts",
        ),
    ]


async def _follow(url: str, servers: list[OurServer], sessions: int) -> Followed:
    store = PostgresStore(url)
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                SandboxAgent.connect(
                    f"http://127.0.0.1:{server.port}", token=TOKEN, persistence=store
                )
            )
            for server in servers
        ]
        opened = [await clients[n % len(clients)].create_session("mock") for n in range(sessions)]
        before = read_memory(os.getpid()).rss_mib
        started = time.monotonic()
        await asyncio.gather(*(session.prompt(PROMPT) for session in opened))
        turned = time.monotonic()
        lengths = {session.id: await _length(session) for session in opened}
        await _until_stored(store, lengths)
        stored = time.monotonic()
        grown = read_memory(os.getpid()).peak_rss_mib - before
    wrong = [await _wrong(store, id, length) for id, length in lengths.items()]
    await store.close()
    return Followed(
        events=sum(lengths.values()),
        wrong=sum(wrong),
        turns_s=turned - started,
        lag_s=stored - turned,
        grown_mib=grown,
    )


async def _length(session: Session) -> int:
    return (await session.refresh()).last_seq


async def _until_stored(store: PostgresStore, lengths: dict[str, int]) -> None:
    async with asyncio.timeout(STORED_TIMEOUT_S):
        for id, length in lengths.items():
            while await store.last_seq(id) < length:  # noqa: ASYNC110 - a store tells nobody
                await asyncio.sleep(POLL_S)


async def _wrong(store: PostgresStore, id: str, length: int) -> int:
    entries = await store.entries(id, limit=2 * length)
    places = {entry.seq for entry in entries}
    return len(entries) - len(places) + len(places ^ set(range(1, length + 1)))
