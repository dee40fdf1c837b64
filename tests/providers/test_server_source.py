"""A sandbox never gets its server from an index that nobody named, and what is missing is said before one is made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import SandboxAgent
from sandbox_agent_client.sandboxes import launch, preflight
from sandbox_agent_core.errors import ProviderNotInstalled, ServerStartFailed
from sandbox_agent_core.provisioning import Machine, provision
from sandbox_agent_core.provisioning.provider import MachineProvider
from sandbox_agent_core.spi.provider import Endpoint, SandboxRef, SandboxSpec, Wheel
from sandbox_agent_core.testing.machine import DirectoryMachine
from sandbox_agent_daytona import DaytonaProvider
from sandbox_agent_docker import build_image
from sandbox_agent_e2b import E2BProvider
from sandbox_agent_modal import ModalProvider
from sandbox_agent_vercel import VercelProvider

SERVER = Wheel("sandbox_agent_server-0.1.0-py3-none-any.whl", b"")
OTHER = Wheel("pip-26.0-py3-none-any.whl", b"")
BARE = SandboxSpec()


class Bare(MachineProvider[SandboxRef]):
    """Machines without anything in them."""

    name = "bare"
    vendor = "Bare"
    sdk = "json"

    def __init__(self, root: Path, *, env: dict[str, str] | None = None) -> None:
        super().__init__(env=env, workdir=None, server_port=1, ready_timeout=1)
        self.root = root
        self.made = 0

    @asynccontextmanager
    async def _made(self, spec: SandboxSpec) -> AsyncIterator[SandboxRef]:
        self.made += 1
        yield SandboxRef(provider=self.name, id="one")

    @asynccontextmanager
    async def _running(self, ref: SandboxRef) -> AsyncIterator[SandboxRef]:
        yield ref

    def _machine(self, sandbox: SandboxRef) -> Machine:
        return DirectoryMachine(self.root, path="/usr/bin:/bin")

    def _id(self, sandbox: SandboxRef) -> str:
        return sandbox.id

    async def _reach(self, sandbox: SandboxRef, port: int) -> Endpoint:
        return Endpoint(url="http://127.0.0.1:1")

    async def destroy(self, ref: SandboxRef) -> None:
        pass


async def test_a_start_without_a_server_to_bring_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "server_wheels", lambda: ())
    provider = Bare(tmp_path)
    with pytest.raises(ProviderNotInstalled, match="pip install sandbox-agent-server") as caught:
        await SandboxAgent.start(provider)
    assert caught.value.details["check"] == "server"
    assert provider.made == 0


async def test_the_check_of_a_provider_says_so_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await preflight.preflight(Bare(tmp_path))).ok
    monkeypatch.setattr(preflight, "server_wheels", lambda: ())
    answer = await preflight.preflight(Bare(tmp_path))
    assert [check.name for check in answer.checks if not check.ok] == ["server"]


@pytest.mark.parametrize(
    "spec",
    [
        replace(BARE, wheels=lambda: [SERVER]),
        replace(BARE, wheelhouse=[OTHER, SERVER]),
        replace(BARE, wheelhouse=lambda: [SERVER]),
        replace(BARE, env={"PIP_INDEX_URL": "https://pypi.example.org/simple"}),
        replace(BARE, env={"UV_DEFAULT_INDEX": "https://pypi.example.org/simple"}),
    ],
)
async def test_what_brings_a_server_is_enough(spec: SandboxSpec, tmp_path: Path) -> None:
    assert (await Bare(tmp_path).check_server(spec)).ok


async def test_an_index_may_also_be_an_option_of_the_provider(tmp_path: Path) -> None:
    assert (await Bare(tmp_path, env={"PIP_INDEX_URL": "https://x/simple"}).check_server(BARE)).ok
    assert not (await Bare(tmp_path, env={"PIP_INDEX_URL": ""}).check_server(BARE)).ok
    # This one adds to an index that nobody named.
    extra = {"PIP_EXTRA_INDEX_URL": "https://x/simple"}
    assert not (await Bare(tmp_path, env=extra).check_server(BARE)).ok


async def test_a_wheelhouse_without_a_server_is_none(tmp_path: Path) -> None:
    check = await Bare(tmp_path).check_server(replace(BARE, wheelhouse=[OTHER]))
    assert not check.ok
    assert "wheelhouse" in check.message


@pytest.mark.parametrize(
    ("plain", "named"),
    [
        (E2BProvider(), E2BProvider("mine")),
        (E2BProvider(), E2BProvider(create_options={"template": "mine"})),
        (ModalProvider(), ModalProvider("mine")),
        (DaytonaProvider(), DaytonaProvider("mine")),
        (DaytonaProvider(), DaytonaProvider(snapshot="mine")),
        (VercelProvider(), VercelProvider("mine")),
    ],
    ids=lambda provider: type(provider).__name__,
)
async def test_an_image_that_was_named_may_have_one(plain: Any, named: Any) -> None:
    assert not (await plain.check_server(BARE)).ok
    assert (await named.check_server(BARE)).ok


async def test_an_image_that_turns_out_to_have_none_gets_none_from_an_index(tmp_path: Path) -> None:
    machine = DirectoryMachine(tmp_path, path="/usr/bin:/bin")
    with pytest.raises(ServerStartFailed, match="pip install sandbox-agent-server") as caught:
        await provision(machine, BARE, machine.layout, port=1)
    assert caught.value.details["step"] == "find_server"
    assert not Path(machine.layout.venv).exists()


async def test_an_image_is_not_built_with_a_server_from_an_index_that_nobody_named() -> None:
    with pytest.raises(ProviderNotInstalled, match="pip install sandbox-agent-server"):
        await build_image(docker_host="tcp://127.0.0.1:1")
