"""From a bare machine to a server that listens."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping

from sandbox_agent_core.errors import ServerStartFailed
from sandbox_agent_core.provisioning import scripts
from sandbox_agent_core.provisioning.installing import (
    expect_success,
    find,
    install_agents,
    install_server,
)
from sandbox_agent_core.provisioning.layout import ServerLayout
from sandbox_agent_core.provisioning.machine import QUICK_TIMEOUT_S, Machine
from sandbox_agent_core.provisioning.scripts import Exit
from sandbox_agent_core.spi.provider import SandboxSpec

__all__ = ["ensure_running", "provision", "read_token", "tail_log"]

READY_TIMEOUT_S = 60.0
"""From the start of the server until it listens."""
LOG_TAIL_LINES = 30
"""Of the server's log, in an error."""
TOKEN_BYTES = 32


async def provision(
    machine: Machine,
    spec: SandboxSpec,
    layout: ServerLayout,
    *,
    port: int,
    host: str = "0.0.0.0",  # noqa: S104 - a sandbox is reached from outside, and the server asks for its token
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    token: str | None = None,
    ready_timeout_s: float = READY_TIMEOUT_S,
) -> str:
    """Make the server listen on the machine's `port`; its token.

    `cwd` is its directory, made where it is missing, and the default of its sessions. `env` is what the
    server gets, `spec.env` unless the provider has put that into the environment of the machine itself
    (then `{}`). It is kept in a file that only the machine's user can read. So is the token, a fresh one unless the
    provider has put a `token` into the environment of the machine, as SANDBOX_AGENT_TOKEN.

    Raises:
        ServerStartFailed: nothing to install it from or with, or it ended, or it did not listen in time;
            `details.step` says where, `details.log` has the last lines of what it or its installer said.
        ProviderError: the machine failed.
    """
    found = await find(machine, layout)
    environment = spec.env if env is None else env
    await machine.write(layout.environment, scripts.environment_file(environment))
    server = found.server
    if server is None:
        server = await install_server(machine, spec, layout, found, {**spec.env, **environment})
    await install_agents(machine, spec, layout, server)
    if token is None:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await machine.write(layout.token, token.encode())
    script = scripts.start(
        layout, server, host=host, port=port, cwd=cwd, npm_registry=spec.npm_registry
    )
    await machine.write(layout.start_script, script.encode(), mode=0o700)
    spec.report("starting the server")
    await ensure_running(machine, layout, timeout_s=ready_timeout_s)
    return token


async def ensure_running(
    machine: Machine, layout: ServerLayout, *, timeout_s: float = READY_TIMEOUT_S
) -> None:
    """Start the provisioned server where it does not run, and wait until it listens.

    It gets the same token, environment and port as before, and goes on with the sessions in its log.

    Raises:
        ServerStartFailed: it was never provisioned here, or it ended, or it did not listen in time.
    """
    done = await machine.run(scripts.prepare_start(layout), timeout_s=QUICK_TIMEOUT_S)
    if done.exit_code == Exit.NOT_PROVISIONED:
        raise ServerStartFailed(
            f"There is no server in this sandbox: {layout.start_script} is missing.", step="start"
        )
    if done.exit_code != Exit.ALREADY_RUNNING:
        expect_success(done, "The server's files cannot be written", step="start")
        await machine.spawn(f"exec sh {shlex.quote(layout.start_script)}")
    waited = await machine.run(
        scripts.wait_ready(layout, timeout_s), timeout_s=timeout_s + QUICK_TIMEOUT_S
    )
    if waited.exit_code == 0:
        return
    log = await tail_log(machine, layout, tail=LOG_TAIL_LINES)
    if waited.exit_code == Exit.SERVER_DIED:
        what = "The server ended while it started."
    elif waited.exit_code == Exit.NOT_READY:
        what = f"The server did not listen within {timeout_s:g} s."
    else:
        what = f"Waiting for the server failed with status {waited.exit_code}. {waited.output}"
    raise ServerStartFailed(f"{what}\n{log}".strip(), step="start", log=log)


async def read_token(machine: Machine, layout: ServerLayout) -> str:
    """The token of the provisioned server, for a client that takes the sandbox over.

    Raises:
        ServerStartFailed: it was never provisioned here.
    """
    done = await machine.run(scripts.token(layout), timeout_s=QUICK_TIMEOUT_S)
    token = done.stdout.strip()
    if done.exit_code != 0 or not token:
        raise ServerStartFailed(
            f"There is no server in this sandbox: {layout.token} cannot be read.", step="token"
        )
    return token


async def tail_log(machine: Machine, layout: ServerLayout, *, tail: int = 200) -> str:
    """The last lines of the server's log; empty when there is none. With less than `tail` lines since
    the last start, those of its life before come first. Where the server is gone and the sandbox was out of memory,
    a line at the end says so."""
    done = await machine.run(scripts.tail(layout, max(0, tail)), timeout_s=QUICK_TIMEOUT_S)
    return done.stdout.rstrip("\n")
