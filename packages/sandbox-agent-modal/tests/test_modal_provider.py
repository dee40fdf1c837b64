"""What is Modal's own: faults at each step, lifetimes, tunnels, files, and where secrets go."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from grpclib import Status
from sandbox_agent_client import SandboxAgent, errors
from sandbox_agent_client.sandboxes.wheels import server_wheels
from sandbox_agent_core.spi.provider import SandboxSpec
from sandbox_agent_modal import ModalProvider
from sandbox_agent_modal.machine import CHUNK_BYTES, ModalMachine
from support.fakes.modal import TOKEN_ID, TOKEN_SECRET, FakeModal
from support.fakes.modal_provider import ThroughTheFake
from support.ports import free_port
from support.wheelhouse import installed_wheelhouse

DEADLINE_S = 20.0


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


# -- credentials and options


async def test_a_token_that_modal_refuses_is_told_before_anything_is_made(
    modal: FakeModal,
) -> None:
    with pytest.raises(errors.ProviderAuthError, match="modal token new"):
        await SandboxAgent.start(ThroughTheFake(token_secret="wrong"))
    assert modal.calls["SandboxCreateV2"] == 0


async def test_without_a_token_the_preflight_says_what_to_do(
    modal: FakeModal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODAL_TOKEN_ID", raising=False)
    monkeypatch.delenv("MODAL_TOKEN_SECRET", raising=False)
    with pytest.raises(errors.ProviderAuthError, match="MODAL_TOKEN_ID"):
        await SandboxAgent.start(ModalProvider())
    assert modal.calls["SandboxCreateV2"] == 0


@pytest.mark.parametrize(
    "options", [{"lifetime": 0}, {"lifetime": 86401}, {"token_id": "alone"}], ids=str
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        ModalProvider(**options)


@pytest.mark.usefixtures("modal")
@pytest.mark.parametrize("wrong", [{"imag": "x"}, {"region": 1}, {"timeout": "long"}], ids=str)
async def test_an_option_that_the_sdk_does_not_take_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        await SandboxAgent.start(ThroughTheFake(create_options=wrong))


# -- faults


@pytest.mark.parametrize(
    ("call", "status", "expected"),
    [
        ("AppGetOrCreate", Status.PERMISSION_DENIED, errors.ProviderAuthError),
        ("SandboxCreateV2", Status.RESOURCE_EXHAUSTED, errors.ProviderQuotaExceeded),
        ("SandboxCreateV2", Status.INVALID_ARGUMENT, errors.InvalidRequest),
        ("TaskExecStart", Status.NOT_FOUND, errors.SandboxNotFound),
        ("TaskExecStdinWrite", Status.PERMISSION_DENIED, errors.ProviderAuthError),
        ("SandboxGetTunnelsV2", Status.FAILED_PRECONDITION, errors.SandboxAgentError),
    ],
    ids=str,
)
async def test_a_fault_is_an_error_of_ours_and_nothing_is_left(
    modal: FakeModal, call: str, status: Status, expected: type[errors.SandboxAgentError]
) -> None:
    modal.faults[call] = [status]
    with pytest.raises(expected) as caught:
        await SandboxAgent.start(ThroughTheFake())
    assert caught.value.details["provider"] == "modal"
    assert modal.alive == []


async def test_what_is_down_for_a_moment_is_asked_again(modal: FakeModal) -> None:
    down = [Status.UNAVAILABLE]
    modal.faults = {"SandboxCreateV2": down, "TaskExecStart": [*down], "AppGetOrCreate": [*down]}
    async with SandboxAgent.start(ThroughTheFake()) as client:
        assert (await client.health()).status == "ok"
    assert modal.calls["SandboxCreateV2"] == 2
    assert modal.alive == []


async def test_what_stays_down_is_an_error(modal: FakeModal) -> None:
    modal.faults["SandboxCreateV2"] = [Status.UNAVAILABLE] * 20
    with pytest.raises(errors.ProviderUnavailable):
        await SandboxAgent.start(ThroughTheFake(create_timeout=30))
    assert modal.alive == []


async def test_an_api_that_does_not_answer_is_a_timeout(modal: FakeModal) -> None:
    modal.faults["SandboxCreateV2"] = [None] * 20
    with pytest.raises(errors.ProviderTimeout):
        await SandboxAgent.start(ThroughTheFake(create_timeout=0.5))
    assert modal.alive == []


async def test_an_api_that_is_not_there_is_unavailable(
    modal: FakeModal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODAL_SERVER_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises((errors.ProviderUnavailable, errors.ProviderTimeout)):
        await SandboxAgent.start(ThroughTheFake(request_timeout=3))
    assert not modal.calls


async def test_a_create_that_is_cancelled_while_modal_makes_it_leaves_nothing(
    modal: FakeModal,
) -> None:
    modal.may_create.clear()
    task = asyncio.ensure_future(SandboxAgent.start(ThroughTheFake()))
    await until(lambda: modal.calls["SandboxCreateV2"])
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    modal.may_create.set()
    await asyncio.wait([task], timeout=DEADLINE_S)
    assert task.cancelled()
    assert len(modal.boxes) == 1
    assert modal.alive == []


# -- lifetimes, tunnels, files, secrets


async def test_a_sandbox_that_modal_ended_is_not_found_though_modal_remembers_it(
    modal: FakeModal,
) -> None:
    provider = ThroughTheFake()
    ref = await provider.create(SandboxSpec())
    modal.kill(ref.id)
    for wanted in (provider.endpoint(ref), provider.logs(ref), provider.ensure_server(ref)):
        with pytest.raises(errors.SandboxNotFound):
            await wanted
    await provider.destroy(ref)
    assert await provider.list() == []


async def test_nothing_is_listed_and_nothing_made_where_there_is_no_app(modal: FakeModal) -> None:
    assert await ThroughTheFake(app="another").list() == []
    assert modal.apps == {}


async def test_options_reach_modal_and_secrets_only_where_they_belong(
    modal: FakeModal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of the caller")
    provider = ThroughTheFake(
        image="python:3.12-slim",
        env={"A": "provider", "B": "provider"},
        lifetime=7200,
        idle_timeout=600,
        cpu=2,
        internet=False,
        ports=[3000],
        region="us-east",
        create_options={"memory": 4096, "tags": {"team": "infra"}, "encrypted_ports": [4000]},
    )
    async with SandboxAgent.start(provider, env={"A": "a-secret"}) as client:
        (box,) = modal.alive
        asked = box.request.definition
        assert asked.timeout_secs == 7200
        assert asked.idle_timeout_secs == 600
        assert asked.resources.milli_cpu == 2000
        assert asked.resources.memory_mb == 4096
        assert [port.port for port in asked.open_ports.ports] == [2468, 3000, 4000]
        assert [info.labels["team"] for info in await provider.list()] == ["infra"]
        assert asked.network_access.network_access_type == asked.network_access.ALLOWLIST
        told = json.dumps(modal.commands) + str(box.request)
        assert client.token is not None
        assert client.token not in told
        assert "a-secret" not in told
        state = box.machine.home / ".sandbox-agent"
        assert (state / "environment").read_text() == "export A=a-secret\nexport B=provider\n"
        for private in ("environment", "token"):
            assert (state / private).stat().st_mode & 0o077 == 0
        ref = client.sandbox.ref
        url = (await ModalProvider.endpoint(provider, ref)).url
        assert url.startswith("https://")
        assert (await ModalProvider.port_url(provider, ref, 3000)).url.startswith("https://")
        with pytest.raises(errors.PortNotOpen, match="ports"):
            await provider.port_url(ref, 3001)


async def test_a_large_file_arrives_whole_and_with_its_mode(modal: FakeModal) -> None:
    import modal as sdk

    provider = ThroughTheFake()
    ref = await provider.create(SandboxSpec())
    home = modal.boxes[ref.id].machine.home
    client = await sdk.Client.from_credentials.aio(TOKEN_ID, TOKEN_SECRET)
    sandbox = await sdk.Sandbox.from_id.aio(ref.id, client=client)
    try:
        machine = ModalMachine(sandbox)
        content = bytes(range(256)) * (CHUNK_BYTES // 100)
        await machine.write(str(home / "it's a file"), content, mode=0o640)
        assert (home / "it's a file").read_bytes() == content
        assert (home / "it's a file").stat().st_mode & 0o777 == 0o640
        await machine.write(str(home / "empty"), b"")
        assert (home / "empty").read_bytes() == b""
        with pytest.raises(errors.ProviderError, match="cannot be written"):
            await machine.write(str(home / "no" / "directory"), b"")
        with pytest.raises(errors.ProviderTimeout):
            await machine.run("sleep 60", timeout_s=1)
    finally:
        await sandbox.detach.aio()
        await client.close.aio()
        await provider.destroy(ref)


@pytest.mark.slow
async def test_the_server_is_uploaded_and_installed_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeModal(tmp_path, has_server=False).running() as fake:
        monkeypatch.setenv("MODAL_SERVER_URL", fake.url)
        provider = ThroughTheFake(server_port=free_port())
        spec = SandboxSpec(
            env={"PIP_INDEX_URL": "http://127.0.0.1:1/simple"},
            wheels=server_wheels,
            wheelhouse=installed_wheelhouse,
        )
        ref = await provider.create(spec)
        endpoint = await provider.endpoint(ref)
        async with httpx.AsyncClient(trust_env=False) as http:
            headers = {"Authorization": f"Bearer {endpoint.token}"}
            answer = await http.get(f"{endpoint.url}/v1/health", headers=headers)
        assert answer.json()["status"] == "ok"
        await provider.destroy(ref)
        assert fake.alive == []


async def test_too_little_memory_for_the_agent_is_said_before_anything_is_installed(
    modal: FakeModal,
) -> None:
    modal.faults["TaskExecStart"] = [Status.INVALID_ARGUMENT]
    steps: list[str] = []
    with pytest.raises(errors.InvalidRequest):
        await SandboxAgent.start(ThroughTheFake(), agents=["claude"], report=steps.append)
    assert any("claude needs 4096 MB" in step and "1024 MB" in step for step in steps), steps
    assert not any("installing" in step for step in steps)
