from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib.resources import files

import pytest
from sandbox_agent_client.testing.stores import piece, session
from sandbox_agent_core.errors import StorageError
from sandbox_agent_postgres import PostgresStore
from sandbox_agent_postgres.migrations import VERSION
from support.postgres import PostgresCluster


@pytest.fixture
async def database(postgres: PostgresCluster) -> AsyncIterator[str]:
    """The URL of one in which nobody was before."""
    with postgres.database() as url:
        yield url


def test_there_is_a_script_for_each_version() -> None:
    scripts = sorted(
        one.name for one in files("sandbox_agent_postgres.migrations").iterdir() if one.name.endswith(".sql")
    )  # fmt: skip
    assert scripts == [f"{version:04}.sql" for version in range(1, VERSION + 1)]


async def test_of_many_who_come_first_one_makes_the_tables(
    database: str, postgres: PostgresCluster
) -> None:
    stores = [PostgresStore(database) for _ in range(8)]
    await asyncio.gather(
        *(store.put_session(session(f"ses_{n}")) for n, store in enumerate(stores))
    )
    assert len(await stores[0].list_sessions()) == 8
    for store in stores:
        await store.close()
    name = database.partition("?")[0].rpartition("/")[2]
    rows = postgres.execute("SELECT version FROM sandbox_agent.migration", database=name)
    assert rows == [(version,) for version in range(1, VERSION + 1)]


async def test_stores_in_schemas_of_their_own_know_nothing_of_each_other(database: str) -> None:
    one, two = PostgresStore(database, schema="Team one"), PostgresStore(f"{database}&schema=two")
    await one.put_session(session())
    assert await two.list_sessions() == []
    await one.close()
    await two.close()


async def test_a_schema_of_a_newer_version_is_refused_in_words(
    postgres: PostgresCluster, store: PostgresStore, postgres_url: str
) -> None:
    await store.put_session(session())
    schema = store._address.schema
    postgres.execute(f"INSERT INTO {schema}.migration VALUES ({VERSION + 1})")
    late = PostgresStore(postgres_url)
    with pytest.raises(StorageError, match="upgrade sandbox-agent-postgres") as caught:
        await late.list_sessions()
    assert caught.value.details == {"version": VERSION + 1, "known": VERSION}
    await late.close()


async def test_a_user_who_may_make_nothing_uses_what_is_there_and_else_is_told(
    postgres: PostgresCluster, database: str
) -> None:
    name = database.partition("?")[0].rpartition("/")[2]
    postgres.execute("CREATE ROLE writer LOGIN PASSWORD 'a-secret'")
    url = postgres.url(name, user="writer", password="a-secret")
    store = PostgresStore(url)
    with pytest.raises(StorageError, match='CREATE SCHEMA "sandbox_agent" AUTHORIZATION "writer"'):
        await store.list_sessions()
    owner = PostgresStore(database)
    await owner.put_session(session())
    for grant in ("USAGE ON SCHEMA", "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA"):
        postgres.execute(f"GRANT {grant} sandbox_agent TO writer", database=name)
    await store.append("ses_1", [piece(1)])
    assert await owner.last_seq("ses_1") == 1
    await owner.close()
    await store.close()
    postgres.execute("DROP OWNED BY writer", database=name)
    postgres.execute("DROP ROLE writer")


async def test_a_database_of_another_encoding_is_refused(postgres: PostgresCluster) -> None:
    with postgres.database("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0") as url:
        store = PostgresStore(url)
        with pytest.raises(StorageError, match="UTF8"):
            await store.list_sessions()
        await store.close()
