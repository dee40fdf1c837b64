"""The ladder on a real machine: `sh`, Python, a server process, in a directory of the test's own."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import socket
import stat
import sys
import tarfile
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_client.sandboxes.wheels import server_wheels
from sandbox_agent_core.errors import ProviderTimeout, ServerStartFailed
from sandbox_agent_core.provisioning import (
    CommandResult,
    ensure_running,
    find_home,
    provision,
    read_token,
    tail_log,
)
from sandbox_agent_core.spi.provider import SandboxSpec, Wheel
from sandbox_agent_core.testing.machine import DirectoryMachine
from support.ports import free_port
from support.wheelhouse import (
    BARE_PYTHON,
    INSPECTOR_PAGE,
    OUR_SERVER,
    inspector_wheel,
    installed_wheelhouse,
)

OFFLINE = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "UV_OFFLINE": "1"}
"""An index that nobody serves: what is not in the wheelhouse cannot be installed."""
OUR_UV = Path(sys.executable).parent / "uv"
TOOLS = ("sh", "cat", "chmod", "date", "grep", "gzip", "mkdir", "mv", "nohup", "rm", "setsid", "sleep", "tail", "tar")  # fmt: skip


class Recording(DirectoryMachine):
    """Remembers what it was told, to see what is in it."""

    def __init__(self, home: Path, *, path: str) -> None:
        super().__init__(home, path=path)
        self.scripts: list[str] = []
        self.written: list[str] = []

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        self.scripts.append(script)
        return await super().run(script, timeout_s=timeout_s)

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        self.written.append(path)
        await super().write(path, content, mode=mode)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with the tools that every image has, and nothing else."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in TOOLS:
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found is not None, name
        (directory / name).symlink_to(found)
    return directory


@pytest.fixture
async def machine(tmp_path: Path, tools: Path) -> AsyncIterator[Recording]:
    """Without Python, until a test puts one into its tools."""
    machine = Recording(tmp_path / "home", path=str(tools))
    yield machine
    await machine.stop_server(signal.SIGKILL)


@pytest.fixture
def steps() -> list[str]:
    return []


@pytest.fixture
def spec(steps: list[str]) -> SandboxSpec:
    return SandboxSpec(
        env=OFFLINE, wheels=server_wheels, wheelhouse=installed_wheelhouse, report=steps.append
    )


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """A package index on loopback, with the wheels of these tests."""
    root = tmp_path / "index"
    for wheel in installed_wheelhouse():
        project = root / "simple" / wheel.filename.partition("-")[0].replace("_", "-")
        project.mkdir(parents=True, exist_ok=True)
        (project / wheel.filename).write_bytes(wheel.content)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=root)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()
        thread.join()


def add_program(tools: Path, name: str, script: str) -> None:
    program = tools / name
    program.unlink(missing_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def add_python(tools: Path) -> None:
    # A link would do, but then Python looks for its library beside the link.
    add_program(tools, "python3", f'exec {BARE_PYTHON} "$@"')


async def health(port: int, token: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(
            f"http://127.0.0.1:{port}/v1/health", headers={"Authorization": f"Bearer {token}"}
        )


async def page(port: int) -> bytes:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"http://127.0.0.1:{port}/ui/")).content


async def test_a_bare_python_gets_the_server_from_a_wheelhouse_without_network(
    machine: Recording, tools: Path, spec: SandboxSpec, steps: list[str]
) -> None:
    add_python(tools)
    port = free_port()
    secret = 'it\'s $HOME "quoted"\nand has two lines'
    spec = dataclasses.replace(spec, env={**OFFLINE, "A_SECRET": secret})
    token = await provision(
        machine, spec, machine.layout, host="127.0.0.1", port=port, cwd=str(machine.home / "work")
    )

    assert (await health(port, token)).json()["inspector"] is False
    assert (await health(port, "wrong")).status_code == 401
    assert await read_token(machine, machine.layout) == token
    assert steps[0].startswith("uploading")
    assert steps[1:] == [
        "installing the server from the wheelhouse with pip",
        "starting the server",
    ]
    pid = int(Path(machine.layout.pid).read_text())
    assert json.loads(Path(machine.layout.ready).read_text())["pid"] == pid
    assert Path(f"/proc/{pid}/cwd").resolve() == machine.home / "work"
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert f"A_SECRET={secret}".encode() in environment
    assert b"SANDBOX_AGENT_TRUST_WORKSPACE=true" in environment.split(b"\0")
    for told in (*machine.scripts, Path(f"/proc/{pid}/cmdline").read_text(), environment.decode()):
        assert token not in told
    assert all("two lines" not in script for script in machine.scripts)
    for private in (machine.layout.token, machine.layout.environment, machine.layout.log):
        assert stat.S_IMODE(Path(private).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(machine.layout.state).stat().st_mode) == 0o700


async def test_a_server_that_was_stopped_starts_again_with_its_token_and_its_log(
    machine: Recording, tools: Path, spec: SandboxSpec
) -> None:
    add_program(tools, "sandbox-agent-server", f'exec {OUR_SERVER} "$@"')
    port = free_port()
    token = await provision(machine, spec, machine.layout, host="127.0.0.1", port=port)
    first = Path(machine.layout.pid).read_text()
    await ensure_running(machine, machine.layout)
    assert Path(machine.layout.pid).read_text() == first

    await machine.stop_server()
    await ensure_running(machine, machine.layout)
    assert Path(machine.layout.pid).read_text() != first
    assert (await health(port, token)).is_success
    log = await tail_log(machine, machine.layout)
    assert log.count(f"http://127.0.0.1:{port}") >= 2
    assert len((await tail_log(machine, machine.layout, tail=1)).splitlines()) == 1


async def test_a_number_that_now_belongs_to_another_program_is_not_taken_for_the_server(
    machine: Recording, tools: Path, spec: SandboxSpec
) -> None:
    add_program(tools, "sandbox-agent-server", f'exec {OUR_SERVER} "$@"')
    port = free_port()
    token = await provision(machine, spec, machine.layout, host="127.0.0.1", port=port)
    await machine.stop_server()
    Path(machine.layout.pid).write_text(str(os.getpid()))
    await ensure_running(machine, machine.layout)
    assert (await health(port, token)).is_success


async def test_a_server_in_the_image_is_used_and_nothing_is_uploaded(
    machine: Recording, tools: Path, spec: SandboxSpec, steps: list[str]
) -> None:
    add_program(tools, "sandbox-agent-server", f'exec {OUR_SERVER} "$@"')
    port = free_port()
    token = await provision(machine, spec, machine.layout, host="127.0.0.1", port=port)
    assert (await health(port, token)).is_success
    assert steps == ["starting the server"]
    assert not [path for path in machine.written if path.endswith(".whl")]


async def test_the_spec_can_say_that_workspaces_are_not_trusted(
    machine: Recording, tools: Path, spec: SandboxSpec
) -> None:
    add_program(tools, "sandbox-agent-server", f'exec {OUR_SERVER} "$@"')
    spec = dataclasses.replace(spec, env={**OFFLINE, "SANDBOX_AGENT_TRUST_WORKSPACE": "false"})
    await provision(machine, spec, machine.layout, host="127.0.0.1", port=free_port())
    pid = Path(machine.layout.pid).read_text().strip()
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert b"SANDBOX_AGENT_TRUST_WORKSPACE=false" in environment


async def test_a_server_of_another_version_in_the_image_is_passed_over(
    machine: Recording, tools: Path, spec: SandboxSpec, steps: list[str]
) -> None:
    add_python(tools)
    add_program(tools, "sandbox-agent-server", "echo sandbox-agent-server 99.7.1")
    port = free_port()
    token = await provision(machine, spec, machine.layout, host="127.0.0.1", port=port)
    assert (await health(port, token)).json()["version"] != "99.7.1"
    assert "installing the server from the wheelhouse with pip" in steps


async def test_uv_is_used_where_it_is(
    machine: Recording, tools: Path, spec: SandboxSpec, steps: list[str]
) -> None:
    add_python(tools)
    add_program(tools, "uv", f'exec {OUR_UV} "$@"')
    port = free_port()
    token = await provision(machine, spec, machine.layout, host="127.0.0.1", port=port)
    assert (await health(port, token)).is_success
    assert "installing the server from the wheelhouse with uv" in steps


async def test_our_wheels_and_the_inspector_find_their_dependencies_in_the_index_of_the_sandbox(
    machine: Recording, tools: Path, spec: SandboxSpec, steps: list[str], index: str
) -> None:
    add_python(tools)
    spec = dataclasses.replace(
        spec,
        env={"PIP_INDEX_URL": index},
        inspector=lambda: [inspector_wheel()],
        wheelhouse=(),
    )
    port = free_port()
    token = await provision(machine, spec, machine.layout, host="127.0.0.1", port=port)
    assert (await health(port, token)).json()["inspector"] is True
    assert await page(port) == INSPECTOR_PAGE
    assert "installing the server from our wheels with pip" in steps


@pytest.mark.parametrize("has_inspector", [True, False])
async def test_where_the_server_is_not_installed_here_it_comes_from_the_index(
    machine: Recording,
    tools: Path,
    spec: SandboxSpec,
    steps: list[str],
    index: str,
    tmp_path: Path,
    has_inspector: bool,
) -> None:
    """With uv, which is told of pip's index. The Inspector, too, if it is there; if not, that is no failure."""
    add_python(tools)
    add_program(tools, "uv", f'exec {OUR_UV} "$@"')
    if has_inspector:
        project = tmp_path / "index" / "simple" / "sandbox-agent-inspector"
        project.mkdir()
        (project / inspector_wheel().filename).write_bytes(inspector_wheel().content)
    spec = dataclasses.replace(
        spec,
        env={"PIP_INDEX_URL": index},
        wheels=lambda: (),
        inspector=lambda: (),
        wheelhouse=(),
    )
    port = free_port()
    token = await provision(machine, spec, machine.layout, host="127.0.0.1", port=port)
    assert (await health(port, token)).json()["inspector"] is has_inspector
    assert steps == ["installing the server from the index with uv", "starting the server"]


async def test_without_a_new_enough_python_the_error_says_what_to_do(
    machine: Recording, tools: Path, spec: SandboxSpec
) -> None:
    add_program(tools, "python3", "exit 1")
    with pytest.raises(ServerStartFailed, match=r"no Python 3\.11") as caught:
        await provision(machine, spec, machine.layout, host="127.0.0.1", port=1)
    assert caught.value.details["step"] == "find_python"
    assert not [path for path in machine.written if path.endswith(".whl")]


async def test_a_standalone_interpreter_in_the_wheelhouse_is_brought_along(
    machine: Recording, spec: SandboxSpec, steps: list[str]
) -> None:
    files = [*installed_wheelhouse(), standalone_python()]
    spec = dataclasses.replace(spec, wheelhouse=files)
    port = free_port()
    token = await provision(machine, spec, machine.layout, host="127.0.0.1", port=port)
    assert (await health(port, token)).is_success
    assert steps[0] == "uploading cpython-test-install_only.tar.gz"


async def test_an_interpreter_for_another_platform_is_an_error(
    machine: Recording, spec: SandboxSpec
) -> None:
    broken = Wheel("cpython-other.tar.gz", archive("python/bin/python3", "#!/bin/sh\nexit 1\n"))
    spec = dataclasses.replace(spec, wheelhouse=[*installed_wheelhouse(), broken])
    with pytest.raises(ServerStartFailed, match=r"cpython-other\.tar\.gz does not run"):
        await provision(machine, spec, machine.layout, host="127.0.0.1", port=1)


async def test_python_without_anything_to_install_with_is_an_error(
    machine: Recording, tools: Path, spec: SandboxSpec
) -> None:
    """As on Debian, whose python3 has no pip and half a venv module."""
    add_program(tools, "python3", f'if [ "$1" = -m ]; then exit 1; fi\nexec {BARE_PYTHON} "$@"')
    with pytest.raises(ServerStartFailed, match="python3-venv"):
        await provision(
            machine,
            dataclasses.replace(spec, wheelhouse=()),
            machine.layout,
            host="127.0.0.1",
            port=1,
        )


async def test_what_the_wheelhouse_lacks_is_in_the_error(
    machine: Recording, tools: Path, spec: SandboxSpec
) -> None:
    add_python(tools)
    lacking = [w for w in installed_wheelhouse() if not w.filename.startswith("starlette")]
    with pytest.raises(ServerStartFailed, match="starlette") as caught:
        await provision(
            machine,
            dataclasses.replace(spec, wheelhouse=lacking),
            machine.layout,
            host="127.0.0.1",
            port=1,
        )
    assert caught.value.details["step"] == "install_server"
    assert "starlette" in caught.value.details["log"]


async def test_an_agent_that_cannot_be_installed_is_an_error(
    machine: Recording, tools: Path, spec: SandboxSpec, steps: list[str]
) -> None:
    add_program(
        tools,
        "sandbox-agent-server",
        'case "$1" in --version) echo sandbox-agent-server $VERSION;; install-agent) echo no $2 >&2; exit 4;; esac',
    )
    machine.env["VERSION"] = server_wheels()[0].filename.split("-")[1]
    spec = dataclasses.replace(spec, agents=["claude"])
    with pytest.raises(ServerStartFailed, match="no claude") as caught:
        await provision(machine, spec, machine.layout, host="127.0.0.1", port=1)
    assert caught.value.details["step"] == "install_agent"
    assert steps == ["installing the agent claude"]


async def test_a_server_that_ends_says_why(
    machine: Recording, tools: Path, spec: SandboxSpec
) -> None:
    add_program(tools, "sandbox-agent-server", f'exec {OUR_SERVER} "$@"')
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerStartFailed, match="cannot listen") as caught:
            await provision(machine, spec, machine.layout, host="127.0.0.1", port=port)
    assert str(port) in caught.value.details["log"]


async def test_a_server_without_its_token_says_so(
    machine: Recording, tools: Path, spec: SandboxSpec
) -> None:
    add_program(tools, "sandbox-agent-server", f'exec {OUR_SERVER} "$@"')
    await provision(machine, spec, machine.layout, host="127.0.0.1", port=free_port())
    await machine.stop_server()
    Path(machine.layout.token).unlink()
    with pytest.raises(ServerStartFailed, match="There is no SANDBOX_AGENT_TOKEN"):
        await ensure_running(machine, machine.layout)


async def test_a_server_that_never_listens_is_an_error_in_time(
    machine: Recording, tools: Path, spec: SandboxSpec
) -> None:
    version = server_wheels()[0].filename.split("-")[1]
    add_program(
        tools,
        "sandbox-agent-server",
        f'if [ "$1" = --version ]; then echo x {version}; exit; fi\necho still loading\nexec sleep 600',
    )
    with pytest.raises(ServerStartFailed, match="did not listen") as caught:
        await provision(machine, spec, machine.layout, host="127.0.0.1", port=1, ready_timeout_s=1)
    assert caught.value.details["log"] == "still loading"


async def test_a_home_that_cannot_be_written_is_an_error(
    machine: Recording, spec: SandboxSpec
) -> None:
    (machine.home / ".sandbox-agent").write_text("in the way")
    with pytest.raises(ServerStartFailed, match="home that can be written"):
        await provision(machine, spec, machine.layout, host="127.0.0.1", port=1)


async def test_a_machine_without_a_server_says_so(machine: Recording) -> None:
    with pytest.raises(ServerStartFailed, match="no server in this sandbox"):
        await ensure_running(machine, machine.layout)
    with pytest.raises(ServerStartFailed, match="no server in this sandbox"):
        await read_token(machine, machine.layout)
    assert await tail_log(machine, machine.layout) == ""


async def test_the_home_is_the_users(machine: Recording) -> None:
    assert await find_home(machine) == str(machine.home)
    machine.env["HOME"] = "/proc/nowhere"
    with pytest.raises(ServerStartFailed, match="home"):
        await find_home(machine)


async def test_a_script_that_does_not_end_is_given_up(machine: Recording) -> None:
    with pytest.raises(ProviderTimeout):
        await machine.run("sleep 600", timeout_s=0.05)


def standalone_python() -> Wheel:
    """In form like the builds of python-build-standalone; it borrows this machine's library."""
    script = f'#!/bin/sh\nexec {BARE_PYTHON} "$@"\n'
    return Wheel("cpython-test-install_only.tar.gz", archive("python/bin/python3", script))


def archive(name: str, text: str) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(text), 0o755
        tar.addfile(entry, BytesIO(text.encode()))
    return buffer.getvalue()
