"""What is Cloudflare's own: containers that come back empty, faults at each step, files, tunnels and sleep."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_client import SandboxAgent, errors
from sandbox_agent_client.sandboxes.wheels import server_wheels
from sandbox_agent_cloudflare import CloudflareProvider
from sandbox_agent_cloudflare import machine as machine_module
from sandbox_agent_cloudflare.bridge import Bridge
from sandbox_agent_cloudflare.machine import CloudflareMachine
from sandbox_agent_core.spi.provider import SandboxRef, SandboxSpec
from support.fakes.cloudflare import KEY, FakeBridge
from support.ports import free_port
from support.wheelhouse import installed_wheelhouse

DEADLINE_S = 30.0


def provider_of(fake: FakeBridge, **options: Any) -> CloudflareProvider:
    return CloudflareProvider(**{"url": fake.url, "api_key": KEY, **options})


def machine_of(fake: FakeBridge) -> CloudflareMachine:
    return CloudflareMachine(Bridge(url=fake.url, key=KEY, request_timeout_s=10), "abc")


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


# -- before anything is made


async def test_without_a_bridge_the_preflight_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CLOUDFLARE_SANDBOX_URL", raising=False)
    with pytest.raises(errors.ProviderAuthError, match="CLOUDFLARE_SANDBOX_URL"):
        await SandboxAgent.start("cloudflare")


async def test_a_key_that_the_bridge_refuses_is_told_before_anything_is_made(
    bridge: FakeBridge,
) -> None:
    with pytest.raises(errors.ProviderAuthError, match="SANDBOX_API_KEY"):
        await SandboxAgent.start(provider_of(bridge, api_key="wrong"))
    assert bridge.calls == {"stats": 1}


async def test_a_worker_without_the_bridge_is_told(bridge: FakeBridge) -> None:
    with pytest.raises(errors.ProviderError, match="no Cloudflare bridge"):
        await SandboxAgent.start(provider_of(bridge, url=f"{bridge.url}/elsewhere"))


@pytest.mark.parametrize("options", [{"server_port": 3000}, {"server_port": 80}, {"url": "x"}])
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        CloudflareProvider(**options)


# -- faults


@pytest.mark.parametrize(
    ("operation", "fault", "expected"),
    [
        ("create", (503, "pool_error"), errors.ProviderUnavailable),
        ("create", (403, None), errors.ProviderAuthError),
        ("exec", (503, "capacity_exceeded"), errors.ProviderQuotaExceeded),
        ("exec", (502, "exec_transport_error"), errors.ProviderUnavailable),
        ("write", (502, "workspace_archive_write_error"), errors.ProviderUnavailable),
        ("tunnel", (502, "tunnel_error"), errors.ProviderUnavailable),
        ("tunnel", (400, "invalid_request"), errors.ProviderError),
        ("create", (200, None), errors.ProviderError),  # not the bridge's answer
        ("exec", (200, None), errors.ProviderUnavailable),  # one that broke off
        ("tunnel", (200, None), errors.ProviderError),
    ],
)
async def test_a_fault_is_an_error_of_ours_and_nothing_is_left(
    bridge: FakeBridge,
    operation: str,
    fault: tuple[int, str | None],
    expected: type[errors.SandboxAgentError],
) -> None:
    bridge.faults[operation] = [fault]
    with pytest.raises(expected) as caught:
        await SandboxAgent.start(provider_of(bridge))
    assert type(caught.value) is expected
    assert bridge.containers == {}


async def test_too_many_requests_are_asked_again_and_then_an_error(bridge: FakeBridge) -> None:
    bridge.faults = {"create": [(429, None)], "exec": [(429, None)]}
    async with SandboxAgent.start(provider_of(bridge)) as client:
        assert (await client.health()).status == "ok"
    bridge.faults = {"create": [(429, None)] * 3}
    with pytest.raises(errors.ProviderQuotaExceeded):
        await SandboxAgent.start(provider_of(bridge))
    assert bridge.containers == {}


async def test_a_bridge_that_does_not_answer_is_a_timeout(bridge: FakeBridge) -> None:
    bridge.faults["write"] = [None]
    with pytest.raises(errors.ProviderTimeout):
        await SandboxAgent.start(provider_of(bridge, request_timeout=0.5))
    assert bridge.containers == {}


async def test_a_bridge_that_is_not_there_is_unavailable() -> None:
    provider = CloudflareProvider(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(errors.ProviderUnavailable):
        await SandboxAgent.start(provider)


async def test_a_container_that_starts_while_it_is_cancelled_is_destroyed(
    bridge: FakeBridge,
) -> None:
    bridge.may_start.clear()
    task = asyncio.ensure_future(SandboxAgent.start(provider_of(bridge)))
    await until(lambda: bridge.calls["exec"])
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    bridge.may_start.set()
    await asyncio.wait([task], timeout=DEADLINE_S)
    assert task.cancelled()
    assert bridge.containers == {}


# -- containers that come back empty


async def test_looking_for_what_is_gone_leaves_no_container_behind(bridge: FakeBridge) -> None:
    provider = provider_of(bridge)
    ref = await provider.create(SandboxSpec())
    bridge.sleep(ref.id)
    for wanted in (
        provider.endpoint(ref),
        provider.ensure_server(ref),
        provider.logs(ref),
        provider.extend(ref, 60),
        provider.endpoint(SandboxRef(provider="cloudflare", id="abcdefg")),
    ):
        with pytest.raises(errors.SandboxNotFound):
            await wanted
        assert bridge.containers == {}


async def test_what_is_no_id_does_not_get_into_a_path(bridge: FakeBridge) -> None:
    provider = provider_of(bridge)
    ref = SandboxRef(provider="cloudflare", id="../pool/shutdown-prewarmed")
    with pytest.raises(errors.SandboxNotFound):
        await provider.endpoint(ref)
    await provider.destroy(ref)
    assert not bridge.calls


async def test_a_file_is_moved_whole_and_is_never_readable_for_others(
    bridge: FakeBridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_module, "MOST_BYTES", 1000)
    machine = machine_of(bridge)
    await machine.run("true", timeout_s=10)
    target = bridge.containers["abc"].home / "it's a file"
    content = bytes(range(256)) * 10
    await machine.write(str(target), content, mode=0o640)
    assert target.read_bytes() == content
    assert target.stat().st_mode & 0o777 == 0o640
    assert bridge.calls["write"] == 3
    await machine.write(str(target), b"")
    assert target.read_bytes() == b""
    with pytest.raises(errors.ProviderError, match="cannot be written"):
        await machine.write(str(tmp_path / "no" / "such" / "directory"), b"x")
    assert list((tmp_path / "abc" / "workspace").iterdir()) == []


async def test_a_command_that_takes_too_long_is_a_timeout(bridge: FakeBridge) -> None:
    with pytest.raises(errors.ProviderTimeout):
        await machine_of(bridge).run("sleep 60", timeout_s=0.2)


# -- sleep, tunnels, secrets


async def test_a_sandbox_is_kept_awake_as_long_as_its_worker_allows(bridge: FakeBridge) -> None:
    provider = provider_of(bridge, sleep_after=300)
    async with SandboxAgent.start(provider) as client:
        before = bridge.calls["exec"]
        await client.sandbox.extend(300)
        after = bridge.calls["exec"]
        assert after > before
        with pytest.raises(errors.ProviderError, match="sleepAfter"):
            await client.sandbox.extend(301)
        assert bridge.calls["exec"] > after


async def test_tunnels_are_named_and_secrets_are_only_where_they_belong(
    bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of the caller")
    provider = provider_of(bridge, tunnel_name="agents", env={"A": "provider", "B": "provider"})
    async with SandboxAgent.start(provider, env={"A": "a-secret"}) as client:
        ref = client.sandbox.ref
        (asked, *_) = [body for kind, body in bridge.bodies if kind == "tunnel"]
        assert asked == {"port": 2468, "name": f"agents-{ref.id[:12]}"}
        assert (await provider.endpoint(ref)).url == client.base_url
        told = json.dumps(bridge.bodies)
        assert client.token is not None
        assert client.token not in told
        assert "a-secret" not in told
        state = bridge.containers[ref.id].home / ".sandbox-agent"
        environment = (state / "environment").read_text()
        assert environment == "export A=a-secret\nexport B=provider\n"
        for private in ("environment", "token"):
            assert (state / private).stat().st_mode & 0o077 == 0
        with pytest.raises(errors.InvalidRequest):
            await provider.port_url(ref, 3000)
        assert (await provider.port_url(ref, 8080)).url.startswith("http://127.0.0.1:")


@pytest.mark.slow
async def test_the_server_is_uploaded_and_installed_without_network(tmp_path: Path) -> None:
    with FakeBridge(tmp_path, has_server=False).running() as fake:
        provider = provider_of(fake, server_port=free_port())
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
        assert fake.containers == {}
