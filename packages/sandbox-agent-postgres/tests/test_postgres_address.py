from __future__ import annotations

import socket

import pytest
from sandbox_agent_core.errors import InvalidRequest, StorageError
from sandbox_agent_postgres import PostgresStore
from sandbox_agent_postgres.address import POOL_SIZE, SCHEMA, Address
from support.postgres import PostgresCluster

SECRET = "s3cr3t-words"


def test_what_is_ours_in_a_url_is_not_told_to_libpq() -> None:
    url = f"postgresql://me:{SECRET}@db:5433/agents?sslmode=require&schema=team&pool_size=9"
    address = Address.parse(url)
    assert (address.schema, address.pool_size, address.timeout_s) == ("team", 9, 10.0)
    said = {name: address.parameters[name] for name in ("host", "port", "dbname", "sslmode")}
    assert said == {"host": "db", "port": "5433", "dbname": "agents", "sslmode": "require"}
    assert str(address) == "postgresql://me@db:5433/agents"
    assert SECRET not in repr(address)
    given = Address.parse(url, schema="mine", pool_size=1)
    assert (given.schema, given.pool_size) == ("mine", 1)


def test_what_is_not_said_has_a_default() -> None:
    address = Address.parse("postgresql://")
    assert (address.schema, address.pool_size) == (SCHEMA, POOL_SIZE)
    assert "password" not in address.parameters


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@host:port/db",
        f"postgresql://me:p@{SECRET}@host/db",
        f"postgresql://me:p/{SECRET}@host/db",
        f"postgresql://me:p%zz{SECRET}@host/db",
        f"postgresql://me:p@{SECRET}:w@host/db",
        f"postgresql://me:{SECRET}@host/db?connect_timeout=soon",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        PostgresStore(url)
    assert SECRET not in f"{caught.value} {caught.value.details}"
    assert caught.value.__cause__ is None


def test_a_parameter_that_nobody_knows_is_named() -> None:
    with pytest.raises(InvalidRequest, match="sslmod"):
        PostgresStore("postgresql://host/db?sslmod=require")


@pytest.mark.parametrize(
    "option", ["pool_size=0", "pool_size=many", "schema=", f"schema={'x' * 64}", "schema=a%00b"]
)
def test_an_option_out_of_its_range_is_refused(option: str) -> None:
    with pytest.raises(InvalidRequest, match=option.partition("=")[0]):
        PostgresStore(f"postgresql://host/db?{option}")


async def test_a_database_that_refuses_says_what_to_do(
    postgres: PostgresCluster, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"postgresql://me:{SECRET}@127.0.0.1:{unused.getsockname()[1]}/db"
        refusals = {
            postgres.url("nowhere"): "createdb",
            postgres.url(user="nobody", password=SECRET): "password",
            postgres.url(user="nobody"): "PGPASSWORD",
            nobody: "host and port",
            f"postgresql://me:{SECRET}@no-such-host.invalid/db": "name of its host",
        }
        for url, hint in refusals.items():
            store = PostgresStore(url)
            with pytest.raises(StorageError, match=hint) as caught:
                await store.list_sessions()
            assert SECRET not in f"{caught.value} {caught.value.__cause__}"
            await store.close()
    assert SECRET not in caplog.text
