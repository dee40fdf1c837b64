"""PostgreSQL for tests: a cluster of their own on a Unix socket, which may be killed and started again.

`postgres` refuses to run as root, so there it runs as the user that Debian's package makes. It is a direct child: of
one that was started by `pg_ctl`, the lock file outlives a kill for as long as nobody reaps the process.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from support.optional import skip_without

__all__ = [
    "PostgresCluster",
    "as_postgres",
    "postgres",
    "postgres_cluster",
    "postgres_of_its_own",
    "postgres_url",
    "why_no_postgres",
]

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
POSTGRES_USER = "postgres"
SUPERUSER = "tests"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """One for all tests of a worker, which take databases of their own. Nobody may stop it."""
    if reason := why_no_postgres():
        skip_without(reason)
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres: PostgresCluster) -> Iterator[str]:
    """Of a schema that is not there yet."""
    with postgres.schema() as url:
        yield url


@pytest.fixture
def postgres_of_its_own() -> Iterator[PostgresCluster]:
    """To kill it."""
    if reason := why_no_postgres():
        skip_without(reason)
    with postgres_cluster(is_durable=True) as cluster:
        yield cluster


def why_no_postgres() -> str | None:
    """What a cluster lacks here."""
    if sys.platform != "linux":
        return "a PostgreSQL of the tests' own needs Linux"
    if _programs() is None:
        return "PostgreSQL is missing: apt-get install postgresql"
    return None


class PostgresCluster:
    """Trusts its superuser and wants a password of others; listens on no port."""

    def __init__(self, directory: Path, *, is_durable: bool) -> None:
        """`is_durable`: it may be killed. Else it writes without waiting for the disk."""
        programs = _programs()
        assert programs is not None
        self._programs = programs
        self.directory = directory
        self._data = directory / "data"
        self._is_durable = is_durable
        self._server: subprocess.Popen[bytes] | None = None
        self._names = count(1)
        self._run(
            "initdb", "-D", self._data, "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8",
            "--locale=C.UTF-8", "--no-sync", "--no-instructions",
        )  # fmt: skip
        rules = f"local all {SUPERUSER} trust\nlocal all all scram-sha-256\n"
        (self._data / "pg_hba.conf").write_text(rules, encoding="utf-8")

    def start(self) -> None:
        """It answers when this returns."""
        speed = "on" if self._is_durable else "off"
        settings = {
            "listen_addresses": "",
            "max_connections": "50",
            "fsync": speed,
            "full_page_writes": speed,
            "autovacuum": "off",
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "postgres.log").open("ab") as log:
            self._server = subprocess.Popen(
                [*as_postgres(), self._programs / "postgres", "-D", self._data, "-k", self.directory, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )  # fmt: skip
        self._wait_until_it_answers(self._server)

    def kill(self) -> None:
        """As a crash: the whole of it is gone at once, and nobody was told."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()
        self._server = None

    def stop(self) -> None:
        """Clients are thrown out."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(STOP_TIMEOUT_S)
            self._server = None

    def url(self, database: str = "postgres", *, user: str = SUPERUSER, **parameters: str) -> str:
        query = {"host": str(self.directory), **parameters}
        said = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return f"postgresql://{user}@/{database}?{said}"

    @contextlib.contextmanager
    def database(self, options: str = "") -> Iterator[str]:
        """The URL of an empty one, which is gone afterwards."""
        name = f"test_{next(self._names)}"
        self.execute(f"CREATE DATABASE {name} {options}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextlib.contextmanager
    def schema(self) -> Iterator[str]:
        """The URL of a store in one of its own, which is quicker than a database."""
        name = f"test_{next(self._names)}"
        yield self.url(schema=name)
        self.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")

    def execute(self, statement: str, *, database: str = "postgres") -> list[tuple[object, ...]]:
        """As superuser; the rows, if there are any."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _wait_until_it_answers(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError as exc:
                if server.poll() is not None or time.monotonic() > deadline:
                    log = (self.directory / "postgres.log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL did not start: {exc}\n{log}") from exc
            time.sleep(0.02)

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [*as_postgres(), self._programs / program, *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=60)


@contextlib.contextmanager
def postgres_cluster(*, is_durable: bool = False) -> Iterator[PostgresCluster]:
    """One that runs, and is removed afterwards."""
    temporary = Path(tempfile.gettempdir())
    if os.geteuid() == 0:
        # The folder of the run is its user's alone, and PostgreSQL has to get through it.
        temporary.chmod(temporary.stat().st_mode | 0o011)
    directory = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has at most 107 bytes
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, POSTGRES_USER, POSTGRES_USER)
        cluster = PostgresCluster(directory, is_durable=is_durable)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(directory)


def _programs() -> Path | None:
    """The folder of the newest version that is installed; Debian has none of them on the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(
        versions, key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))], default=None
    )


def as_postgres() -> list[str]:
    """What it is started with: it ends with this process, and is never root."""
    if os.geteuid() != 0:
        return ["setpriv", "--pdeathsig=INT"]
    return [
        "setpriv", f"--reuid={POSTGRES_USER}", f"--regid={POSTGRES_USER}", "--init-groups", "--pdeathsig=INT",
    ]  # fmt: skip
