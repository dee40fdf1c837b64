"""Sandboxes that are server processes of this machine.

Unless `confine` says so, agents are not confined here; what they may do is up to the permission policy of
their sessions.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox_agent_core.errors import (
    ConfinementUnavailable,
    ProviderNotInstalled,
    ProviderTimeout,
    SandboxNotFound,
    ServerStartFailed,
)
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.spi.confinement import Confinement
from sandbox_agent_core.spi.options import check_environment
from sandbox_agent_core.spi.provider import (
    Check,
    Endpoint,
    PortUrl,
    Preflight,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
)

from sandbox_agent_client._data_dir import data_dir as user_data_dir
from sandbox_agent_client.sandboxes.local.confining import as_confinement, server_flags
from sandbox_agent_client.sandboxes.local.confining import check as check_confinement
from sandbox_agent_client.sandboxes.local.data_dir_lock import user_of
from sandbox_agent_client.sandboxes.local.server import (
    LocalServer,
    known_servers,
    server_command,
    spawn,
)

__all__ = ["LocalProvider"]

START_TIMEOUT_S = 30.0
POLL_S = 0.02
LOG_TAIL_LINES = 30
AGENT_INSTALL_TIMEOUT_S = 900.0
_PRIVATE = ("sandboxes", "cli", "server")
"""Of this user's data directory: tokens, and what was said in other sessions."""


class LocalProvider:
    """A sandbox ends with the process that made it, unless that keeps it. It has no pause: a stopped
    process keeps its memory, and what its agents are connected to would hang up."""

    name = "local"

    def __init__(
        self,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        config: str | os.PathLike[str] | None = None,
        inherit_env: bool | Sequence[str] = True,
        confine: bool | Confinement | Mapping[str, Any] = False,
        start_timeout: float = START_TIMEOUT_S,
    ) -> None:
        """`data_dir` keeps the sessions' logs; without one they are gone with the sandbox.

        `cwd` is the server's directory, the default of its sessions; `env` is added to this
        process's environment; `config` is a configuration file of the server. `inherit_env` narrows what
        agents get of the environment: `False` to what they cannot do without, names and globs
        (`["GH_TOKEN", "AWS_*"]`) to these besides. `confine` keeps agents to their workspace, with
        bubblewrap: `True`, or a `Confinement` that says more.
        """
        self._data_dir = Path(data_dir).expanduser() if data_dir is not None else None
        self._cwd = cwd
        self._env = check_environment(env or {})
        self._config = config
        self._inherit_env = _inherited(inherit_env)
        self._confinement = as_confinement(confine)
        self._start_timeout_s = start_timeout

    async def preflight(self) -> Preflight:
        try:
            found = " ".join(server_command())
        except ProviderNotInstalled as exc:
            return Preflight([Check(name="server", ok=False, message=exc.message, error=type(exc))])
        checks = [Check(name="server", ok=True, message=found)]
        if self._data_dir is not None and (user := user_of(self._data_dir)) is not None:
            checks.append(
                Check(name="data_dir", ok=False, message=user),
            )
        if self._confinement is not None:
            checks.append(await asyncio.to_thread(self._check_confinement))
        return Preflight(checks)

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        """Start a server.

        Raises:
            ProviderNotInstalled: the package `sandbox-agent-server` is not installed.
            ConfinementUnavailable: agents cannot be confined here; nothing was started.
            ServerStartFailed: the server ended or did not listen in time; `details.log` says why.
        """
        # This machine is the user's own: agents work with the user's environment, as in a terminal.
        env = {**os.environ, **self._env, **spec.env}
        if self._confinement is not None:
            await asyncio.to_thread(check_confinement, env)
        for agent in spec.agents:
            spec.report(f"installing the agent {agent}")
            await self._install_agent(agent, env)
        try:
            server = self._spawn(spec, env)
        except OSError as exc:
            raise ServerStartFailed(
                f"The local sandbox could not be made: {exc}", step="start"
            ) from exc
        try:
            await self._wait_ready(server)
        except BaseException:
            await self._stop(server)
            raise
        return _ref(server)

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        """Raises: SandboxNotFound when its server does not run any more."""
        server = _running(ref)
        url = server.url()
        if url is None:
            raise ServerStartFailed(f"The local sandbox {ref.id!r} does not listen yet.")
        return Endpoint(url=url, token=server.token())

    async def port_url(self, ref: SandboxRef, port: int) -> PortUrl:
        """Its ports are this machine's. Raises: SandboxNotFound when its server does not run any more."""
        _running(ref)
        return PortUrl(url=f"http://127.0.0.1:{port}")

    async def destroy(self, ref: SandboxRef) -> None:
        """Stop the server and its agents. Destroying one that is already gone succeeds."""
        server = _find(ref)
        if server is not None:
            await self._stop(server)

    async def list(self, labels: Mapping[str, str] | None = None) -> list[SandboxInfo]:
        """Also those whose server has ended and that nobody has destroyed: they are `stopped`."""
        wanted = (labels or {}).items()
        return [
            SandboxInfo(
                ref=_ref(server),
                state="running" if server.is_running else "stopped",
                created_at=server.created_at,
                labels=server.record.labels,
            )
            for server in known_servers(_root())
            if wanted <= server.record.labels.items()
        ]

    async def logs(self, ref: SandboxRef, *, tail: int = 200) -> str:
        server = _find(ref)
        if server is None:
            raise SandboxNotFound(f"There is no local sandbox {ref.id!r}.", provider=self.name)
        return server.log(tail=tail)

    def _check_confinement(self) -> Check:
        try:
            found = check_confinement({**os.environ, **self._env})
        except ConfinementUnavailable as exc:
            return Check(name="confinement", ok=False, message=exc.message, error=type(exc))
        return Check(name="confinement", ok=True, message=found)

    def _spawn(self, spec: SandboxSpec, env: Mapping[str, str]) -> LocalServer:
        id = new_id("local")
        directory = _root() / id
        data_dir = self._data_dir or directory / "data"
        arguments = [
            *("--host", "127.0.0.1", "--port", "0"),
            *("--data-dir", str(data_dir)),
            *("--ready-file", str(directory / "ready.json")),
        ]
        if not spec.keep:
            arguments.append("--exit-with-parent")
        if self._config is not None:
            arguments += ["--config", str(self._config)]
        arguments += self._inherit_env
        if self._confinement is not None:
            root = user_data_dir()
            hidden = [root / name for name in _PRIVATE]
            arguments += server_flags(self._confinement, hidden=[directory, *hidden])
        server = spawn(
            directory,
            [*server_command(), *arguments],
            id=id,
            token=secrets.token_urlsafe(32),
            keep=spec.keep,
            env=env,
            labels=spec.labels,
            cwd=self._cwd,
            data_dir=data_dir,
        )
        if not spec.keep:
            server.end_with_this_process()
        return server

    async def _install_agent(self, agent: str, env: Mapping[str, str]) -> None:
        config = ["--config", str(self._config)] if self._config is not None else []
        process = await asyncio.create_subprocess_exec(
            *server_command(),
            *("install-agent", agent, *config),
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(AGENT_INSTALL_TIMEOUT_S):
                output, _ = await process.communicate()
        except TimeoutError as exc:
            raise ProviderTimeout(
                f"Installing the agent {agent!r} took more than {AGENT_INSTALL_TIMEOUT_S:g} s."
            ) from exc
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            log = "\n".join(output.decode(errors="replace").splitlines()[-LOG_TAIL_LINES:])
            raise ServerStartFailed(
                f"The agent {agent!r} could not be installed (status {process.returncode}).\n{log}",
                step="install_agent",
                exitCode=process.returncode,
                log=log,
            )

    async def _stop(self, server: LocalServer) -> None:
        await asyncio.shield(asyncio.to_thread(server.stop))

    async def _wait_ready(self, server: LocalServer) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._start_timeout_s
        while server.url() is None:
            if not server.is_running:
                log = server.log(tail=LOG_TAIL_LINES)
                raise ServerStartFailed(
                    f"The server ended with status {server.exit_code} while it started.\n{log}",
                    step="start",
                    exitCode=server.exit_code,
                    log=log,
                )
            if loop.time() > deadline:
                log = server.log(tail=LOG_TAIL_LINES)
                raise ServerStartFailed(
                    f"The server did not listen within {self._start_timeout_s:g} s.\n{log}",
                    step="start",
                    log=log,
                )
            await asyncio.sleep(POLL_S)


def _inherited(inherit_env: bool | Sequence[str]) -> list[str]:
    """As flags of the server. Its configuration decides when nothing is said."""
    if inherit_env is True:
        return []
    if isinstance(inherit_env, str) or not all(isinstance(name, str) for name in inherit_env or ()):
        raise TypeError("`inherit_env` is True, False or a list of names and globs")
    return [f"--inherit-env={name}" for name in inherit_env or ()] or ["--no-inherit-env"]


def _root() -> Path:
    return user_data_dir() / "sandboxes"


def _ref(server: LocalServer) -> SandboxRef:
    return SandboxRef(
        provider=LocalProvider.name,
        id=server.record.id,
        metadata={"pid": server.record.pid, "directory": str(server.directory)},
    )


def _running(ref: SandboxRef) -> LocalServer:
    server = _find(ref)
    if server is None or not server.is_running:
        raise SandboxNotFound(
            f"The local sandbox {ref.id!r} does not run (any more).", provider=ref.provider
        )
    return server


def _find(ref: SandboxRef) -> LocalServer | None:
    """By its directory: the data directory of this process may be another than its maker's."""
    directory = ref.metadata.get("directory")
    server = LocalServer.at(Path(directory) if isinstance(directory, str) else _root() / ref.id)
    return server if server is not None and server.record.id == ref.id else None
