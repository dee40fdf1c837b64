"""One server process of this machine and the private directory of its files.

The directory is how another process finds the server: `sandbox.json` (who it is), `ready.json` (written by the
server), `server.log`, and `token` when it is kept for others.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from sandbox_agent_core.errors import ProviderNotInstalled, SandboxNotFound, ServerStartFailed
from sandbox_agent_core.installed_from import pip_install

__all__ = ["LocalServer", "Record", "known_servers", "server_command", "spawn", "started_at"]

STOP_GRACE_S = 6.0
"""The server stops its agents in this time; then it is killed."""
KILL_TIMEOUT_S = 5.0
SWEEP_TIMEOUT_S = 20.0
POLL_S = 0.02
RECORD = "sandbox.json"
TOKEN_VARIABLE = "SANDBOX_AGENT_TOKEN"  # noqa: S105 - the name of a variable
NO_TOKEN_VARIABLE = "SANDBOX_AGENT_NO_TOKEN"  # noqa: S105

# Counted from the state, which follows the name of the program: proc_pid_stat(5), 20 and 22.
_START_TIME = 19
_THREADS = 17

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those that this process started: it has to take their exit status."""
_tokens: dict[str, str] = {}
"""By id, of those that this process started for itself alone."""
_ending_with_us: dict[str, LocalServer] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`sandbox.json`."""

    id: str
    pid: int
    started_at: str
    """Tells the process from a later one with the same pid."""
    created_at: str
    labels: Mapping[str, str]
    data_dir: str = ""
    """Of the server's logs, also when that is not in its directory here."""


class LocalServer:
    def __init__(self, directory: Path, record: Record) -> None:
        self.directory = directory
        self.record = record

    @classmethod
    def at(cls, directory: Path) -> LocalServer | None:
        """The one whose directory that is, running or not."""
        try:
            wire = json.loads((directory / RECORD).read_text(encoding="utf-8"))
            return cls(directory, Record(**wire))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def is_running(self) -> bool:
        return started_at(self.record.pid) == self.record.started_at

    @property
    def exit_code(self) -> int | None:
        """None while it runs; also when another process started it, which alone can know."""
        child = _children.get(self.record.pid)
        return child.poll() if child is not None else None

    @property
    def created_at(self) -> datetime:
        return datetime.fromisoformat(self.record.created_at)

    def url(self) -> str | None:
        """None until it listens."""
        # The file is moved into place when it is complete; a failed parse would only mean "not yet".
        with contextlib.suppress(OSError, ValueError, KeyError):
            url: str = json.loads((self.directory / "ready.json").read_text("utf-8"))["url"]
            return url
        return None

    def token(self) -> str:
        """Raises: SandboxNotFound when it is another process's alone. OSError when its directory is gone."""
        if (ours := _tokens.get(self.record.id)) is not None:
            return ours
        try:
            return (self.directory / "token").read_text("utf-8")
        except FileNotFoundError as exc:
            if not self.directory.is_dir():
                raise
            raise SandboxNotFound(
                f"The local sandbox {self.record.id!r} belongs to the process that started it, which did not "
                "keep it for others: start it with `keep=True`."
            ) from exc

    def log(self, *, tail: int) -> str:
        try:
            text = (self.directory / "server.log").read_text("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-tail:]) if tail > 0 else ""

    def end_with_this_process(self) -> None:
        """The server does so by itself; this removes its files, too."""
        _ending_with_us[self.record.id] = self

    def stop(self) -> None:
        """TERM, then KILL for its whole process group; its files are removed. Blocks until then."""
        pid = self.record.pid
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            if not self._ended(STOP_GRACE_S):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
                self._ended(KILL_TIMEOUT_S)
        child = _children.pop(pid, None)
        if child is None or child.poll() != 0:
            # It was killed, or nobody knows.
            self._sweep()
        _ending_with_us.pop(self.record.id, None)
        _tokens.pop(self.record.id, None)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _sweep(self) -> None:
        """End what agents left that a server could not stop which was killed."""
        data_dir = self.record.data_dir
        if not data_dir or not Path(data_dir).is_dir():
            return
        # One that another server uses by now is refused, and swept by that.
        with contextlib.suppress(OSError, ProviderNotInstalled, subprocess.TimeoutExpired):
            subprocess.run(  # noqa: S603 - our own server
                [*server_command(), "sweep", "--data-dir", data_dir],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=SWEEP_TIMEOUT_S,
                check=False,
            )

    def _ended(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.is_running:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True


def spawn(
    directory: Path,
    command: Sequence[str],
    *,
    id: str,
    token: str,
    keep: bool,
    env: Mapping[str, str],
    labels: Mapping[str, str],
    cwd: str | os.PathLike[str] | None,
    data_dir: Path,
) -> LocalServer:
    """Start it with its files in `directory`, which is made.

    Only with `keep` is the token among them: other processes of this user can read it then, and agents are such.

    Raises:
        ServerStartFailed: it cannot be run.
    """
    directory.mkdir(mode=0o700, parents=True)
    try:
        if keep:
            token_file = directory / "token"
            token_file.touch(mode=0o600)
            token_file.write_text(token, "utf-8")
        given = {**env, TOKEN_VARIABLE: token}
        given.pop(NO_TOKEN_VARIABLE, None)
        with (directory / "server.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own server
                command,
                cwd=cwd,
                env=given,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Its own session: Ctrl-C at the terminal is for the client, which cancels the turn.
                start_new_session=True,
            )
    except OSError as exc:
        shutil.rmtree(directory, ignore_errors=True)
        raise ServerStartFailed(f"The server cannot be run: {exc}", step="start") from exc
    _children[process.pid] = process
    _tokens[id] = token
    record = Record(
        id=id,
        pid=process.pid,
        started_at=started_at(process.pid) or "",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=dict(labels),
        data_dir=str(Path(cwd or ".").absolute() / data_dir),
    )
    part = directory / f"{RECORD}.part"
    part.write_text(json.dumps(asdict(record)), encoding="utf-8")
    part.replace(directory / RECORD)
    return LocalServer(directory, record)


@atexit.register
def _stop_ours() -> None:
    for server in list(_ending_with_us.values()):
        server.stop()


def known_servers(root: Path) -> Iterator[LocalServer]:
    """Those with a directory in `root`, by age."""
    directories = sorted(root.iterdir()) if root.is_dir() else []
    for directory in directories:
        server = LocalServer.at(directory)
        if server is not None:
            yield server


def server_command() -> list[str]:
    """Raises: ProviderNotInstalled when it is not installed."""
    beside = Path(sys.executable).parent / "sandbox-agent-server"
    if beside.is_file():
        return [str(beside)]
    on_path = shutil.which("sandbox-agent-server")
    if on_path is not None:
        return [on_path]
    if find_spec("sandbox_agent_server") is not None:
        return [sys.executable, "-m", "sandbox_agent_server"]
    raise ProviderNotInstalled(
        f"The local sandbox needs the server. Run `{pip_install('sandbox-agent-server')}`.",
        provider="local",
    )


def started_at(pid: int) -> str | None:
    """When it started, in this system's own words; None when it does not run (or only waits to be reaped).

    A pid is given out again, a pid with its start time is not.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _told_by_ps(pid)
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    # Its first thread may be dead while others still hold its files.
    is_over = fields[0] in "ZX" and int(fields[_THREADS]) <= 1
    return None if is_over else fields[_START_TIME]


def _told_by_ps(pid: int) -> str | None:
    done = subprocess.run(  # noqa: S603 - numbers only
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, start = done.stdout.strip().partition(" ")
    return None if not start or state.startswith("Z") else start.strip()
