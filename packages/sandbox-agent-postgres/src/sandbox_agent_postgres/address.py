"""Where a store is: what its URL says to libpq, and what it says to us."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sandbox_agent_core.errors import InvalidRequest

__all__ = ["POOL_SIZE", "SCHEMA", "Address"]

SCHEMA: Final = "sandbox_agent"
POOL_SIZE: Final = 4
"""Connections of one process, at most. A few are as fast as many: what counts is how much one transaction carries."""

_MAX_SCHEMA_BYTES: Final = 63
"""Of a name in PostgreSQL, which cuts what is longer."""
_OURS: Final = frozenset({"schema", "pool_size"})

_DEFAULTS: Final = {
    "application_name": "sandbox-agent",
    "connect_timeout": "10",
    # A server that is gone without a word is noticed within a minute, and not within hours.
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "50000",
}
"""What libpq is told where the URL says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    parameters: dict[str, Any] = field(repr=False)
    """Of libpq; may hold a password."""
    schema: str = SCHEMA
    pool_size: int = POOL_SIZE

    @classmethod
    def parse(cls, url: str, *, schema: str | None = None, pool_size: int | None = None) -> Address:
        """`postgresql://user@host/database?schema=…&pool_size=…`, and everything else that libpq understands.

        Raises:
            InvalidRequest: it does not understand it. The message repeats nothing that may be a password.
        """
        rest, _, query = url.partition("?")
        said = parse_qsl(query, keep_blank_values=True)
        ours = {name: value for name, value in said if name in _OURS}
        theirs = urlencode([pair for pair in said if pair[0] not in _OURS])
        return cls(
            parameters=_DEFAULTS | _parameters(f"{rest}?{theirs}" if theirs else rest),
            schema=_schema(schema if schema is not None else ours.get("schema", SCHEMA)),
            pool_size=_pool_size(pool_size if pool_size is not None else ours.get("pool_size", POOL_SIZE)),
        )  # fmt: skip

    @property
    def timeout_s(self) -> float:
        """How long is waited for a connection."""
        return float(self.parameters["connect_timeout"])

    def __str__(self) -> str:
        """For people and logs: without the password."""
        said = self.parameters
        user = f"{said['user']}@" if "user" in said else ""
        port = f":{said['port']}" if "port" in said else ""
        host = said.get("host") or said.get("hostaddr") or ""
        service = f"?service={said['service']}" if "service" in said else ""
        return f"postgresql://{user}{host}{port}/{said.get('dbname', '')}{service}"


def _parameters(url: str) -> dict[str, Any]:
    try:
        said = conninfo_to_dict(url)
    except psycopg.Error as exc:
        # libpq quotes what it does not understand, and that may be half of a password. The name of a parameter is none.
        reason = str(exc).strip()
        what = f" ({reason})" if reason.startswith("invalid URI query parameter") else ""
        raise InvalidRequest(f"This is no URL of a PostgreSQL database{what}. {_FORM}") from None
    # An `@`, `/` or `:` in a password that is not encoded makes a piece of it another part of the URL.
    port = str(said.get("port", ""))
    if "@" in f"{said.get('host', '')}{said.get('dbname', '')}" or port.strip("0123456789,"):
        raise InvalidRequest(f"The parts of this URL cannot be told apart. {_FORM}")
    timeout = str(said.get("connect_timeout", "1"))
    if not timeout.isdecimal() or int(timeout) == 0:
        raise InvalidRequest("`connect_timeout` is a whole number of seconds, at least 1.")
    return said


_FORM: Final = (
    "Its form is `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`; in the password `@` is written `%40`, `/` `%2F` and "
    "`:` `%3A`. Or leave it out, and set PGPASSWORD or use ~/.pgpass."
)


def _schema(name: str) -> str:
    if not name or len(name.encode(errors="replace")) > _MAX_SCHEMA_BYTES or not name.isprintable():
        raise InvalidRequest(f"`schema` is a name of 1 to {_MAX_SCHEMA_BYTES} bytes, not {name!r}.")
    return name


def _pool_size(value: int | str) -> int:
    try:
        size = int(value)
    except ValueError:
        size = 0
    if size < 1:
        raise InvalidRequest(f"`pool_size` is a number of connections, at least 1, not {value!r}.")
    return size
