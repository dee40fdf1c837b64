"""The server of this machine that runs in the background, one for each data directory, and its files.

`DATA_DIR/server/`: `server.json` (its process), `ready.json` (where it listens, written by the server itself), `token`
and `server.log`. Starting and stopping take turns by a lock, so that two starts find the same server.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandbox_agent_client._data_dir import data_dir
from sandbox_agent_client.cli.variables import TOKEN_VARIABLE, URL_VARIABLE
from sandbox_agent_client.errors import Conflict, ProviderNotInstalled, ServerStartFailed
from sandbox_agent_client.sandboxes.local.server import server_command, started_at

__all__ = ["Daemon", "log_file", "start", "stop", "token_file"]

START_TIMEOUT_S = 30.0
STOP_GRACE_S = 15.0
"""The server ends its agents in this time; then it is killed."""
KILL_TIMEOUT_S = 5.0
SWEEP_TIMEOUT_S = 20.0
POLL_S = 0.02
LOG_MAX_BYTES = 16 * 1024 * 1024
"""A log that is larger is put aside, as `server.log.1`, at the next start."""
LOG_TAIL_LINES = 30
NO_TOKEN_VARIABLE = "SANDBOX_AGENT_NO_TOKEN"  # noqa: S105 - the name of a variable
_PID = "server.json"
_READY = "ready.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """One that runs and listens."""

    pid: int
    started_at: str
    """Of the process, in this system's own words: tells it from a later one with the same pid."""
    since: str
    """RFC 3339, UTC."""
    arguments: list[str]
    """What the server was started with."""
    url: str = ""

    @classmethod
    def running(cls) -> Daemon | None:
        known = _known()
        return known if known is not None and known.url and known.is_alive else None

    @property
    def is_alive(self) -> bool:
        return started_at(self.pid) == self.started_at

    def token(self) -> str | None:
        """None: it takes none."""
        if "--no-token" in self.arguments:
            return None
        with contextlib.suppress(OSError):
            return token_file().read_text("utf-8").strip()
        return None

    def stop(self) -> None:
        """TERM, then KILL for its whole process group. Blocks until then."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        if not self._ended(STOP_GRACE_S):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._ended(KILL_TIMEOUT_S)
            self._sweep()
        _forget()

    @property
    def data_dir(self) -> Path:
        """Where its sessions are."""
        for number, argument in enumerate(self.arguments):
            name, has_value, value = argument.partition("=")
            if name == "--data-dir":
                following = self.arguments[number + 1 : number + 2]
                return Path(value if has_value else "".join(following)).expanduser()
        return data_dir()

    def _sweep(self) -> None:
        """End what agents left that a killed server could not stop."""
        with contextlib.suppress(OSError, ProviderNotInstalled, subprocess.TimeoutExpired):
            subprocess.run(  # noqa: S603 - our own server
                [*server_command(), "sweep", "--data-dir", str(self.data_dir)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=SWEEP_TIMEOUT_S,
                check=False,
            )

    def _ended(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.is_alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True


def start(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[Daemon, bool]:
    """The server, and whether this call has started it.

    Raises:
        Conflict: one runs that was started with other arguments.
        ProviderNotInstalled: the package of the server is not here.
        ServerStartFailed: it ended, or did not listen in time; with the end of its log.
    """
    with _lock():
        found = Daemon.running()
        if found is not None:
            if arguments and list(arguments) != found.arguments:
                raise Conflict(
                    f"A server runs already at {found.url} (process {found.pid}), started with other options: "
                    "`sandbox-agent server stop` ends it."
                )
            return found, False
        if (half := _known()) is not None and half.is_alive:
            half.stop()
        return _spawned(arguments, environ), True


def stop() -> Daemon | None:
    """The one that was stopped."""
    with _lock():
        known = _known()
        if known is None or not known.is_alive:
            _forget()
            return None
        known.stop()
        return known


def token_file() -> Path:
    return _directory() / "token"


def log_file() -> Path:
    return _directory() / "server.log"


def _spawned(arguments: Sequence[str], environ: Mapping[str, str]) -> Daemon:
    _forget()
    command = [*server_command(), *arguments, "--ready-file", str(_directory() / _READY)]
    env = dict(environ)
    if "--no-token" not in arguments:
        env[TOKEN_VARIABLE] = _kept_token(environ)
        env.pop(NO_TOKEN_VARIABLE, None)
    if log_file().exists() and log_file().stat().st_size > LOG_MAX_BYTES:
        log_file().replace(log_file().with_name("server.log.1"))
    begin = log_file().stat().st_size if log_file().exists() else 0
    with log_file().open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own server
            command,
            cwd=Path.home() if Path.home().is_dir() else "/",
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    made = Daemon(
        pid=process.pid,
        started_at=started_at(process.pid) or "",
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        arguments=list(arguments),
    )
    _write(_directory() / _PID, json.dumps(asdict(made)))
    deadline = time.monotonic() + START_TIMEOUT_S
    try:
        while (ready := Daemon.running()) is None:
            ended = process.poll()
            if ended is not None or time.monotonic() > deadline:
                how = "did not listen in time" if ended is None else f"ended with status {ended}"
                said = _log_since(begin)
                raise ServerStartFailed(
                    f"The server {how}.\n{said}".rstrip(), step="start", exitCode=ended, log=said
                )
            time.sleep(POLL_S)
    except BaseException:
        if process.poll() is None:
            made.stop()
        process.wait()
        _forget()
        raise
    return ready


def _kept_token(environ: Mapping[str, str]) -> str:
    """The one that is given, else that of the last time, so that who knows it is let in again."""
    # Beside the URL of another server it is that one's.
    token = "" if environ.get(URL_VARIABLE) else environ.get(TOKEN_VARIABLE, "")
    if not token:
        with contextlib.suppress(OSError):
            token = token_file().read_text("utf-8").strip()
    token = token or secrets.token_urlsafe(32)
    _write(token_file(), token + "\n")
    return token


def _known() -> Daemon | None:
    """The last one, whether it runs or not."""
    try:
        told = Daemon(**json.loads((_directory() / _PID).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    with contextlib.suppress(OSError, ValueError, KeyError):
        ready = json.loads((_directory() / _READY).read_text("utf-8"))
        if ready["pid"] == told.pid:
            return Daemon(**{**asdict(told), "url": str(ready["url"])})
    return told


def _forget() -> None:
    for name in (_PID, _READY):
        (_directory() / name).unlink(missing_ok=True)


def _log_since(begin: int) -> str:
    with log_file().open("rb") as log:
        log.seek(begin)
        lines = log.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    _directory().mkdir(mode=0o700, parents=True, exist_ok=True)
    with (_directory() / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    """For this user alone, and never half."""
    part = path.with_name(path.name + ".part")
    part.touch(mode=0o600)
    part.write_text(text, "utf-8")
    part.replace(path)


def _directory() -> Path:
    return data_dir() / "server"
