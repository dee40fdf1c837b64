"""The built-in provider: the server as a process of this machine. Needs no account and no container.

The agents are not confined here; what they may do is up to the permission policy of their sessions.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sandbox_agent_core.errors import ProviderError, ProviderNotInstalled, ServerStartFailed
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.spi.provider import Endpoint, SandboxRef, SandboxSpec

__all__ = ["LocalProvider", "server_command"]

START_TIMEOUT_S = 30.0
STOP_GRACE_S = 6.0
"""The server stops its agents in this time; then it is killed."""
POLL_S = 0.02
LOG_TAIL_LINES = 30
TOKEN_VARIABLE = "SANDBOX_AGENT_TOKEN"  # noqa: S105 - the name of a variable
NO_TOKEN_VARIABLE = "SANDBOX_AGENT_NO_TOKEN"  # noqa: S105


@dataclass(eq=False, kw_only=True)
class _Server:
    """A server process of ours and the private directory of its files."""

    process: subprocess.Popen[bytes]
    run_dir: Path
    token: str = field(repr=False)
    url: str = ""

    def stop(self) -> None:
        """TERM, then KILL for its whole process group. Blocks for at most the grace time."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.run_dir, ignore_errors=True)


class LocalProvider:
    """Sandboxes are server processes; each belongs to the process that made it and ends with it."""

    name = "local"

    def __init__(
        self,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        config: str | os.PathLike[str] | None = None,
        start_timeout: float = START_TIMEOUT_S,
    ) -> None:
        """`data_dir` keeps the sessions' logs; without one they are gone with the sandbox.

        `cwd` is the server's directory, the default of its sessions; `env` is added to this
        process's environment; `config` is a configuration file of the server.
        """
        self._data_dir = Path(data_dir).expanduser() if data_dir is not None else None
        self._cwd = cwd
        self._env = dict(env or {})
        self._config = config
        self._start_timeout_s = start_timeout
        self._servers: dict[str, _Server] = {}

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        """Start a server.

        Raises:
            ProviderNotInstalled: the package `sandbox-agent-server` is not installed.
            ServerStartFailed: the server ended or did not listen in time; `details.log` says why.
        """
        server = self._spawn(spec)
        try:
            ready = await self._wait_ready(server)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self._discard, server))
            raise
        server.url = ready["url"]
        ref = SandboxRef(
            provider=self.name, id=new_id("local"), metadata={"pid": server.process.pid}
        )
        self._servers[ref.id] = server
        return ref

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        """Raises: ProviderError when this object did not make the sandbox, or has destroyed it."""
        server = self._servers.get(ref.id)
        if server is None:
            raise ProviderError(f"No local sandbox {ref.id!r} was made here.", provider=self.name)
        return Endpoint(url=server.url, token=server.token)

    async def destroy(self, ref: SandboxRef) -> None:
        """Stop the server and its agents. Destroying one that is already gone succeeds."""
        server = self._servers.pop(ref.id, None)
        if server is not None:
            await asyncio.shield(asyncio.to_thread(self._discard, server))

    def _discard(self, server: _Server) -> None:
        atexit.unregister(server.stop)
        server.stop()

    def _spawn(self, spec: SandboxSpec) -> _Server:
        command = server_command()
        run_dir = Path(tempfile.mkdtemp(prefix="sandbox-agent-"))
        token = secrets.token_urlsafe(32)
        arguments = [
            *("--host", "127.0.0.1", "--port", "0"),
            *("--data-dir", str(self._data_dir or run_dir / "data")),
            *("--ready-file", str(run_dir / "ready.json")),
            "--exit-with-parent",
        ]
        if self._config is not None:
            arguments += ["--config", str(self._config)]
        # This machine is the user's own: agents find their logins through the user's environment,
        # of which the server passes on only what each agent may see.
        env = {**os.environ, **self._env, **spec.env, TOKEN_VARIABLE: token}
        env.pop(NO_TOKEN_VARIABLE, None)
        try:
            with (run_dir / "server.log").open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 - our own server
                    [*command, *arguments],
                    cwd=self._cwd,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    # Its own session: Ctrl-C at the terminal is for the client, which cancels the turn.
                    start_new_session=True,
                )
        except OSError as exc:
            shutil.rmtree(run_dir, ignore_errors=True)
            raise ServerStartFailed(f"The server cannot be run: {exc}") from exc
        server = _Server(process=process, run_dir=run_dir, token=token)
        # The server also ends by itself with its parent; this removes its files, too.
        atexit.register(server.stop)
        return server

    async def _wait_ready(self, server: _Server) -> dict[str, Any]:
        ready_file = server.run_dir / "ready.json"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._start_timeout_s
        while True:
            # The file is moved into place when it is complete; a failed parse would only mean "not yet".
            with contextlib.suppress(OSError, ValueError):
                ready: dict[str, Any] = json.loads(ready_file.read_text("utf-8"))
                return ready
            status = server.process.poll()
            if status is not None:
                raise ServerStartFailed(
                    f"The server ended with status {status} while it started.\n{_tail(server)}",
                    exitCode=status,
                    log=_tail(server),
                )
            if loop.time() > deadline:
                raise ServerStartFailed(
                    f"The server did not listen within {self._start_timeout_s:g} s.\n{_tail(server)}",
                    log=_tail(server),
                )
            await asyncio.sleep(POLL_S)


def server_command() -> list[str]:
    """How the server is run here.

    Raises:
        ProviderNotInstalled: it is not installed.
    """
    beside = Path(sys.executable).parent / "sandbox-agent-server"
    if beside.is_file():
        return [str(beside)]
    on_path = shutil.which("sandbox-agent-server")
    if on_path is not None:
        return [on_path]
    if find_spec("sandbox_agent_server") is not None:
        return [sys.executable, "-m", "sandbox_agent_server"]
    raise ProviderNotInstalled(
        "The local sandbox needs the server. Run `pip install sandbox-agent-server`.",
        provider=LocalProvider.name,
    )


def _tail(server: _Server) -> str:
    try:
        text = (server.run_dir / "server.log").read_text("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])
