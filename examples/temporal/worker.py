"""A worker: python worker.py [HOST:PORT]. Start as many as you like, and kill them whenever you like."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator

from agent_task import AgentTask, Outcome, Task
from sandbox_agent_client import SandboxAgent, Session, Turn, errors
from sandbox_agent_client.persistence import TranscriptStore, open_store
from sandbox_agent_client.sandboxes.plugins import find_provider
from sandbox_agent_core.spi.provider import SupportsList, require
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

QUEUE = "agents"
STORE = os.environ.get("SESSIONS", "sessions.db")  # or a database of all workers: postgresql://…
LABEL = "temporal-run"
TEXT_CHARS = 10_000
STORED_WITHIN_S = 60.0
HOPELESS = (
    errors.AgentAuthRequired,
    errors.AgentNotInstalled,
    errors.InvalidRequest,
    errors.ProviderAuthError,
    errors.ProviderNotInstalled,
)
"""Whose task fails the same way with every worker."""


@activity.defn
async def work(task: Task) -> Outcome:
    """Everything here is looked for before it is made: an earlier attempt may have made it, and died."""
    try:
        async with heartbeats(every_s=task.heartbeat_s / 3), sandbox(task) as client:
            session = await session_of(client, task)
            turn = await turn_of(session, task)
            # From its first event in the log: also what was said while there was no worker.
            result = await turn.result()
            await stored(session)
    except errors.SandboxAgentError as exc:
        hopeless = isinstance(exc, HOPELESS)
        raise ApplicationError(exc.message, type=exc.code, non_retryable=hopeless) from exc
    cost = result.cost.amount if result.cost and result.cost.currency == "USD" else None
    text = result.text[-TEXT_CHARS:]
    return Outcome(session.id, turn.id, result.stop_reason, text, cost)


@activity.defn
async def clean_up(task: Task) -> None:
    provider = require(find_provider(task.sandbox), SupportsList)
    for found in await provider.list(labels()):
        await provider.destroy(found.ref)


@contextlib.asynccontextmanager
async def sandbox(task: Task) -> AsyncIterator[SandboxAgent]:
    provider = require(find_provider(task.sandbox), SupportsList)
    async with opened_store() as store:
        found = await provider.list(labels())
        start = (
            SandboxAgent.start(provider, ref=found[0].ref, persistence=store)
            if found
            # `keep`: what ends it is the clean-up, and not the end of a worker.
            else SandboxAgent.start(provider, labels=labels(), keep=True, persistence=store)
        )
        async with start as client:
            yield client


@contextlib.asynccontextmanager
async def opened_store() -> AsyncIterator[TranscriptStore]:
    store = open_store(STORE)
    try:
        yield store
    finally:
        await store.close()


async def session_of(client: SandboxAgent, task: Task) -> Session:
    try:
        return await client.get_session(session_id())
    except errors.SessionNotFound:
        keys = {name: key for name, key in os.environ.items() if name.endswith("_API_KEY")}
        return await client.create_session(
            task.agent,
            id=session_id(),
            env=keys,  # of the worker, so that no key is in Temporal's history
            permission_policy={"default": "allow"},  # nobody is asked: there is only the sandbox
        )


async def turn_of(session: Session, task: Task) -> Turn:
    turns = await session.turns(limit=1)
    return session.turn(turns[0].id) if turns else await session.send(task.prompt)


async def stored(session: Session) -> None:
    """The sandbox goes next, and its log with it. For some seconds the store still holds the session for a worker that died."""
    last_seq = (await session.refresh()).last_seq
    async with asyncio.timeout(STORED_WITHIN_S), opened_store() as store:
        while await store.last_seq(session.id) < last_seq:
            await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def heartbeats(*, every_s: float) -> AsyncIterator[None]:
    """With the session's id alone: where one is in it, the log knows. A cancellation comes as the answer to one."""

    async def beat() -> None:
        while True:
            activity.heartbeat(session_id())
            await asyncio.sleep(every_s)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()


def session_id() -> str:
    return f"ses_{activity.info().workflow_run_id}"


def labels() -> dict[str, str]:
    return {LABEL: str(activity.info().workflow_run_id)}


async def main(address: str = "127.0.0.1:7233") -> None:
    client = await Client.connect(address)
    worker = Worker(client, task_queue=QUEUE, workflows=[AgentTask], activities=[work, clean_up])
    ended = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    async with worker:
        print("working", flush=True)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
