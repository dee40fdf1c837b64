"""The schema, as numbered steps: `0001.sql`, `0002.sql`, … Each is applied once, in order, by whoever comes first."""

from __future__ import annotations

from importlib.resources import files

from psycopg import AsyncConnection, sql
from sandbox_agent_core.errors import StorageError

__all__ = ["VERSION", "migrate"]

VERSION = 1
"""Of the schema that this package reads and writes."""

_ENCODING = "UTF8"


async def migrate(connection: AsyncConnection, schema: str) -> None:
    """Make the schema, or bring it up to date. One that is needs no more rights than to read and write.

    Raises:
        StorageError: it is of a newer version of this package, or the database cannot hold it.
        psycopg.Error
    """
    if await _is_current(connection, schema):
        return
    async with connection.transaction():
        # Kept until the end of the transaction, so it also works behind a pooler.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (schema,))
        if await _is_current(connection, schema):
            return  # another one was first
        await _prepare(connection, schema)
        for version in range(await _version(connection, schema) + 1, VERSION + 1):
            await connection.execute(_named(_script(version), schema))
            record = _named("INSERT INTO {schema}.migration (version) VALUES (%s)", schema)
            await connection.execute(record, (version,))


async def _is_current(connection: AsyncConnection, schema: str) -> bool:
    version = await _version(connection, schema)
    if version > VERSION:
        raise StorageError(
            f"The schema {schema!r} of the database was made by a newer version (it has version {version}, this one "
            f"knows {VERSION}): upgrade sandbox-agent-postgres.",
            version=version,
            known=VERSION,
        )
    return version == VERSION


async def _version(connection: AsyncConnection, schema: str) -> int:
    """0 when there is nothing yet."""
    there = await connection.execute(
        "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'migration'", (schema,)
    )
    if await there.fetchone() is None:
        return 0
    found = await connection.execute(
        _named("SELECT coalesce(max(version), 0) FROM {schema}.migration", schema)
    )
    row = await found.fetchone()
    return int(row[0]) if row is not None else 0


async def _prepare(connection: AsyncConnection, schema: str) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != _ENCODING:
        raise StorageError(
            f"The database has the encoding {encoding}, and transcripts need {_ENCODING}: "
            f"`createdb --encoding={_ENCODING} --template=template0 NAME`."
        )
    there = await connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,))
    # To make one that is there, `IF NOT EXISTS`, needs the right to make it.
    if await there.fetchone() is None:
        await connection.execute(_named("CREATE SCHEMA {schema}", schema))
    await connection.execute(
        _named(
            "CREATE TABLE IF NOT EXISTS {schema}.migration "
            "(version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
            schema,
        )
    )


def _script(version: int) -> str:
    return (files(__name__) / f"{version:04}.sql").read_text(encoding="utf-8")


def _named(statement: str, schema: str) -> sql.Composed:
    return sql.SQL(statement).format(schema=sql.Identifier(schema))
