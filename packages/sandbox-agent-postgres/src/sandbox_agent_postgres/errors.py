"""What psycopg raises, as errors of ours: mapped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors as sqlstate
from sandbox_agent_core.errors import StorageError

from sandbox_agent_postgres.address import Address

__all__ = ["database_errors"]

# A connection that was refused has no SQLSTATE, just words, in the language of the server: hints, and no more.
_HINTS: Final = (
    ("authentication failed", "Check the user and the password (PGPASSWORD, ~/.pgpass)."),
    ("no password supplied", "It wants a password: PGPASSWORD, ~/.pgpass, or in the URL."),
    ("no pg_hba.conf entry", "Its pg_hba.conf lets nobody in who comes like this."),
    ("database ", "Make it with `createdb`, or check its name."),
    ("role ", "Make the user with `createuser`, or check its name."),
    ("starting up", "It does so for a moment after its start or a crash: try again."),
    ("too many clients", "Its `max_connections` are in use: give a smaller `pool_size`, or use a pooler."),
    ("remaining connection slots", "Its `max_connections` are in use: give a smaller `pool_size`, or use a pooler."),
    ("Is the server running", "Check its host and port, and that it runs."),
    ("resolve host", "Check the name of its host."),
    ("timeout expired", "It did not answer within `connect_timeout` seconds."),
)  # fmt: skip


@contextmanager
def database_errors(address: Address) -> Iterator[None]:
    """Raises: StorageError. Its text names the database, and no password."""
    try:
        yield
    except (psycopg.Error, UnicodeEncodeError) as exc:
        raise StorageError(_told(exc, address)) from exc


def _told(exc: Exception, address: Address) -> str:
    said = " ".join(_without_password(str(exc), address).split()) or type(exc).__name__
    match exc:
        case sqlstate.InsufficientPrivilege():
            user = address.parameters.get("user", "USER")
            return (
                f"The database {address} allows too little: {said}. Its owner can run "
                f'`CREATE SCHEMA "{address.schema}" AUTHORIZATION "{user}"`.'
            )
        case sqlstate.ReadOnlySqlTransaction():
            return f"The database {address} takes no writes: {said}. Is it a standby?"
        case psycopg.OperationalError() if exc.sqlstate is None:
            hint = next((hint for words, hint in _HINTS if words in said), "")
            return f"The database {address} cannot be reached: {said} {hint}".strip()
    return f"The database {address} failed: {said}"


def _without_password(text: str, address: Address) -> str:
    password = address.parameters.get("password")
    return text.replace(str(password), "***") if password else text
