"""Behind PgBouncer in transaction mode, where each transaction may meet another connection."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from sandbox_agent_client.testing.stores import message, session
from sandbox_agent_postgres import PostgresStore
from support.optional import skip_without
from support.postgres import PostgresCluster, as_postgres

START_TIMEOUT_S = 10.0
PORT = 6432
"""Of no network: part of the socket's name."""


@pytest.fixture(scope="module")
def pooler(postgres: PostgresCluster) -> Iterator[Path]:
    """The directory of its socket; it has fewer connections than there are stores."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        skip_without("PgBouncer is missing: apt-get install pgbouncer")
    directory = postgres.directory / "pooler"
    directory.mkdir(exist_ok=True)
    settings = {
        "auth_type": "any",
        "default_pool_size": "2",
        "listen_addr": "",
        "listen_port": f"{PORT}",
        "pool_mode": "transaction",
        "unix_socket_dir": f"{directory}",
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    databases = f"[databases]\n* = host={postgres.directory} user=tests\n"
    file = directory / "pgbouncer.ini"
    file.write_text("\n".join((databases, "[pgbouncer]", *lines, "")), encoding="utf-8")
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres")
    with (directory / "pgbouncer.log").open("wb") as log:
        running = subprocess.Popen(
            [*as_postgres(), program, "-q", file], stdout=log, stderr=log, cwd="/"
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (directory / f".s.PGSQL.{PORT}").exists():
            assert time.monotonic() < deadline, (directory / "pgbouncer.log").read_text()
            time.sleep(0.02)
        yield directory
    finally:
        running.terminate()
        running.wait()


@pytest.fixture
def pooled_url(pooler: Path, postgres: PostgresCluster, postgres_url: str) -> str:
    return (
        postgres_url.replace(quote(f"{postgres.directory}", safe=""), quote(f"{pooler}", safe=""))
        + f"&port={PORT}"
    )


async def test_many_stores_share_few_connections(
    pooled_url: str, postgres: PostgresCluster
) -> None:
    stores = [PostgresStore(pooled_url) for _ in range(6)]

    async def use(store: PostgresStore, id: str) -> None:
        lease = await store.acquire_lease(id, holder=id, ttl_s=30)
        await store.put_session(session(id), lease=lease)
        for seq in range(1, 11):
            await store.append(id, [message(seq, "word", id=id)], lease=lease)

    await asyncio.gather(*(use(store, f"ses_{n}") for n, store in enumerate(stores)))
    assert [await stores[0].last_seq(f"ses_{n}") for n in range(6)] == [10] * 6
    assert len(await stores[1].search("word", limit=100)) == 60
    with psycopg.connect(postgres.url()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sandbox-agent'"
        ).fetchone()
    assert row is not None
    assert row[0] <= 2
    for store in stores:
        await store.close()
