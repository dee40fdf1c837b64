"""Which server to run in a sandbox: the image's own, else our wheels, else one from an index that the caller named; and
the agents beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from posixpath import join

from sandbox_agent_core.errors import ServerStartFailed
from sandbox_agent_core.provisioning import scripts
from sandbox_agent_core.provisioning.image_recipe import inspectors_in, server_requirements
from sandbox_agent_core.provisioning.layout import ServerLayout
from sandbox_agent_core.provisioning.machine import QUICK_TIMEOUT_S, CommandResult, Machine
from sandbox_agent_core.provisioning.scripts import Exit
from sandbox_agent_core.provisioning.server_source import no_server, wheelhouse_of
from sandbox_agent_core.spi.provider import SandboxSpec, Wheel

__all__ = ["Found", "expect_success", "find", "install_agents", "install_server"]

INSTALL_TIMEOUT_S = 300.0
"""For the server and its dependencies, which may come from an index."""
AGENT_INSTALL_TIMEOUT_S = 900.0
"""For one agent: some are hundreds of megabytes."""
UNPACK_TIMEOUT_S = 120.0
"""For an uploaded interpreter, tens of megabytes."""
OUTPUT_TAIL_LINES = 30
"""Of what an installer says, in an error."""

_NO_PYTHON = (
    "The sandbox has no Python 3.11 or newer, which the server needs. Use an image that has it (such as "
    "python:3.12-slim) or the server itself, or put a standalone build of Python "
    "(cpython-*-install_only.tar.gz) into the wheelhouse."
)
_NO_INSTALLER = (
    "The sandbox has Python, but neither uv nor pip nor a complete venv module to install the server "
    "with. Install one in the image (on Debian: python3-venv), or give a wheelhouse: it brings pip."
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a machine has already."""

    server: str | None
    """The path of a server of our minor version."""
    other_servers: Sequence[str]
    """The versions of those that are not."""
    python: str | None
    """The path of an interpreter that is new enough."""
    uv: bool


async def find(machine: Machine, layout: ServerLayout) -> Found:
    """Make the state directory and look around.

    Raises:
        ServerStartFailed: the directory cannot be made.
    """
    done = await machine.run(scripts.probe(layout), timeout_s=QUICK_TIMEOUT_S)
    expect_success(
        done,
        f"{layout.state} cannot be made in the sandbox: its user needs a home that can be written",
        step="probe",
    )
    pairs = [line.partition("=") for line in done.stdout.splitlines()]
    servers = [value.partition("=") for key, _, value in pairs if key == "server"]
    ours = _minor(version("sandbox-agent-core"))
    return Found(
        server=next((path for said, _, path in servers if _minor(said) == ours), None),
        other_servers=[said for said, _, _ in servers if _minor(said) != ours],
        python=next((value for key, _, value in pairs if key == "python"), None),
        uv=any(key == "uv" for key, _, _ in pairs),
    )


async def install_server(
    machine: Machine,
    spec: SandboxSpec,
    layout: ServerLayout,
    found: Found,
    env: Mapping[str, str],
    *,
    node: bool = False,
) -> str:
    """Install a server into the layout's virtual environment; the path of its program.

    `env`: what the caller gives to the sandbox. `node`: with Node.js beside it.

    Raises:
        ServerStartFailed: there is no server to install, no Python, nothing to install with, or the installer
            failed.
    """
    if (why := no_server(spec, env)) is not None:
        raise ServerStartFailed(f"The sandbox has no server. {why}", step="find_server")
    wheelhouse = wheelhouse_of(spec)
    interpreter = next((file for file in wheelhouse if _is_interpreter(file)), None)
    python = found.python
    if python is None and interpreter is not None:
        python = await _bring_python(machine, spec, layout, interpreter)
    # Without a wheelhouse there may be a network, from which uv can fetch an interpreter.
    if python is None and (wheelhouse or not found.uv):
        raise ServerStartFailed(_NO_PYTHON, step="find_python")
    own = spec.wheels()
    house = [file for file in wheelhouse if not _is_interpreter(file)]
    inspector = _inspector(spec, house)
    await _upload(machine, spec, layout, house, [*(inspector or ()), *own])
    requirements = server_requirements(
        own, (), inspector=inspector, node=node, directory=layout.wheels
    )
    script = scripts.install(
        layout,
        requirements.needed,
        optional=requirements.optional,
        python=python,
        uv=found.uv,
        offline=bool(wheelhouse),
        pip_wheel=next(
            (join(layout.wheels, f.filename) for f in wheelhouse if f.filename.startswith("pip-")),
            None,
        ),
    )
    spec.report(_description(own, wheelhouse, found))
    done = await machine.run(script, timeout_s=INSTALL_TIMEOUT_S)
    if done.exit_code == Exit.NO_INSTALLER:
        raise ServerStartFailed(_NO_INSTALLER, step="install_server")
    if done.exit_code == Exit.NO_VENV and python is None:
        raise ServerStartFailed(_NO_PYTHON, step="find_python", log=done.output)
    expect_success(done, _install_failure(wheelhouse), step="install_server")
    return join(layout.venv, "bin", "sandbox-agent-server")


async def install_agents(
    machine: Machine, spec: SandboxSpec, layout: ServerLayout, server: str
) -> None:
    """Those of the spec, by that server's program.

    Raises:
        ServerStartFailed: one could not be installed.
    """
    for agent in spec.agents:
        spec.report(f"installing the agent {agent}")
        done = await machine.run(
            scripts.install_agent(layout, server, agent, npm_registry=spec.npm_registry),
            timeout_s=AGENT_INSTALL_TIMEOUT_S,
        )
        expect_success(done, f"The agent {agent!r} could not be installed", step="install_agent")


def expect_success(done: CommandResult, failure: str, *, step: str) -> None:
    """Raises: ServerStartFailed with the end of the output, when the script did not succeed."""
    if done.exit_code == 0:
        return
    log = "\n".join(done.output.splitlines()[-OUTPUT_TAIL_LINES:])
    raise ServerStartFailed(
        f"{failure} (status {done.exit_code}).\n{log}".strip(),
        step=step,
        exitCode=done.exit_code,
        log=log or None,
    )


async def _bring_python(
    machine: Machine, spec: SandboxSpec, layout: ServerLayout, interpreter: Wheel
) -> str:
    spec.report(f"uploading {interpreter.filename}")
    archive = join(layout.state, "python.tar.gz")
    await machine.write(archive, interpreter.content)
    done = await machine.run(scripts.unpack_python(layout, archive), timeout_s=UNPACK_TIMEOUT_S)
    expect_success(
        done,
        f"{interpreter.filename} does not run in the sandbox; is it for its platform?",
        step="find_python",
    )
    return join(layout.python, "bin", "python3")


def _inspector(spec: SandboxSpec, wheelhouse: Sequence[Wheel]) -> Sequence[Wheel] | None:
    """The one that is beside the client, else the wheelhouse's; empty: an index may have it. None: without."""
    if spec.inspector is None:
        return None
    found = spec.inspector() or inspectors_in(wheelhouse)
    return found if found or not wheelhouse else None


async def _upload(
    machine: Machine,
    spec: SandboxSpec,
    layout: ServerLayout,
    wheelhouse: Sequence[Wheel],
    own: Sequence[Wheel],
) -> None:
    # Ours come last: a wheelhouse may hold an older build of the same version.
    files = {wheel.filename: wheel for wheel in (*wheelhouse, *own)}
    if files:
        size = sum(len(wheel.content) for wheel in files.values())
        spec.report(f"uploading {len(files)} wheels ({size / 1e6:.1f} MB)")
    for wheel in files.values():
        await machine.write(join(layout.wheels, wheel.filename), wheel.content)


def _description(own: Sequence[Wheel], wheelhouse: Sequence[Wheel], found: Found) -> str:
    installer = "uv" if found.uv else "pip"
    if wheelhouse:
        return f"installing the server from the wheelhouse with {installer}"
    origin = "our wheels" if own else "the index"
    instead = f" (the image has {found.other_servers[0]})" if found.other_servers else ""
    return f"installing the server from {origin} with {installer}{instead}"


def _install_failure(wheelhouse: Sequence[Wheel]) -> str:
    if wheelhouse:
        return (
            "The server could not be installed from the wheelhouse. It must be built for the sandbox's "
            "Python and platform: `sandbox-agent wheelhouse build --help`"
        )
    return (
        "The server could not be installed. If the sandbox has no network, give a wheelhouse; if it "
        "needs an index of its own, set PIP_INDEX_URL in the sandbox's env"
    )


def _is_interpreter(file: Wheel) -> bool:
    return file.filename.startswith("cpython-") and file.filename.endswith(".tar.gz")


def _minor(text: str) -> str | None:
    """`sandbox-agent-server 0.3.1` -> `0.3`."""
    found = re.search(r"(\d+\.\d+)\.\d", text)
    return found[1] if found else None
