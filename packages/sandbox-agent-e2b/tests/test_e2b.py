"""What is told to E2B, and what its refusals become; through the real SDK."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_client import SandboxAgent
from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderAuthError,
    ProviderError,
    ProviderQuotaExceeded,
    ProviderUnavailable,
    SandboxNotFound,
)
from sandbox_agent_core.spi.provider import SandboxRef, SandboxSpec
from sandbox_agent_e2b import E2BProvider
from support.fakes.e2b import FakeE2B
from support.fakes.e2b_provider import ThroughTheFake
from support.ports import free_port
from support.wheelhouse import BARE_PYTHON, installed_wheelhouse


def test_importing_it_does_not_import_the_sdk() -> None:
    code = "import sys, sandbox_agent_e2b; sys.exit('e2b' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_sandbox_is_private_labelled_and_lives_as_long_as_it_is_told(
    fake: FakeE2B,
) -> None:
    provider = ThroughTheFake(
        fake.url,
        template="mine",
        lifetime=1800,
        internet=False,
        server_port=free_port(),
        create_options={"metadata": {"all": "mine"}, "envs": {"A": "b"}},
    )
    ref = await provider.create(SandboxSpec(labels={"x": "y"}))
    endpoint = await provider.endpoint(ref)
    await provider.destroy(ref)

    (_, body), *_ = fake.bodies
    assert (body["templateID"], body["timeout"], body["autoPause"]) == ("mine", 1800, True)
    assert (body["metadata"], body["envVars"]) == ({"all": "mine"}, {"A": "b"})
    assert body["allow_internet_access"] is False
    assert body["network"] == {"allowPublicTraffic": False}
    assert provider.hosts[-1].endswith(f"-{ref.id}.e2b.test")
    assert endpoint.headers.keys() == {"e2b-traffic-access-token"}


async def test_no_secret_is_in_what_e2b_is_told_to_run(fake: FakeE2B, e2b: ThroughTheFake) -> None:
    async with SandboxAgent.start(e2b, env={"API_KEY": "sk-very-secret"}) as client:
        token = client.token
    commands = str([body for kind, body in fake.bodies if kind == "start"])
    assert token is not None
    assert token not in commands
    assert "sk-very-secret" not in commands
    assert "sk-very-secret" not in str(fake.bodies[0])


async def test_without_its_own_token_nobody_gets_to_a_private_sandbox(
    e2b: ThroughTheFake,
) -> None:
    async with SandboxAgent.start(e2b) as client, httpx.AsyncClient(trust_env=False) as http:
        headers = {"authorization": f"Bearer {client.token}"}
        answer = await http.get(f"{client.base_url}/v1/health", headers=headers)
    assert answer.status_code == httpx.codes.FORBIDDEN


async def test_other_ports_are_reached_in_a_public_sandbox_only(
    fake: FakeE2B, e2b: ThroughTheFake
) -> None:
    async with SandboxAgent.start(e2b) as client:
        reached = await client.sandbox.port_url(8000)
        assert reached.via == "provider"
        assert list(reached.headers) == ["e2b-traffic-access-token"]
    port = free_port()
    public = ThroughTheFake(fake.url, server_port=port, public_traffic=True)
    async with SandboxAgent.start(public) as client, httpx.AsyncClient(trust_env=False) as http:
        url = await client.sandbox.port_url(port)
        assert url.headers == {}
        assert (await http.get(f"{url}/v1/sessions")).status_code == httpx.codes.UNAUTHORIZED


async def test_a_template_without_the_server_gets_ours(fake: FakeE2B, tmp_path: Path) -> None:
    fake.path = f"{BARE_PYTHON.parent}:/usr/bin:/bin"
    steps: list[str] = []
    provider = ThroughTheFake(fake.url, server_port=free_port())
    wheels = installed_wheelhouse()
    spec = SandboxSpec(
        wheels=lambda: [wheel for wheel in wheels if wheel.filename.startswith("sandbox_agent")],
        wheelhouse=wheels,
        report=steps.append,
    )
    ref = await provider.create(spec)
    endpoint = await provider.endpoint(ref)
    async with httpx.AsyncClient(trust_env=False) as http:
        headers = {**endpoint.headers, "authorization": f"Bearer {endpoint.token}"}
        assert (await http.get(f"{endpoint.url}/v1/health", headers=headers)).is_success
    await provider.destroy(ref)
    assert any("install" in step for step in steps)


@pytest.mark.parametrize(
    ("statuses", "error"),
    [
        ([401], ProviderAuthError),
        ([403], ProviderError),
        ([429] * 9, ProviderQuotaExceeded),
        ([500], ProviderUnavailable),
        ([503] * 9, ProviderUnavailable),
    ],
)
async def test_what_e2b_refuses_is_a_typed_error_and_leaves_nothing(
    fake: FakeE2B, e2b: ThroughTheFake, statuses: list[int], error: type[ProviderError]
) -> None:
    fake.faults["create"] = statuses
    with pytest.raises(error) as caught:
        await e2b.create(SandboxSpec())
    assert caught.value.retryable == error.retryable
    assert fake.boxes == {}


async def test_too_many_requests_are_tried_again(fake: FakeE2B, e2b: ThroughTheFake) -> None:
    fake.faults["create"] = [429]
    ref = await e2b.create(SandboxSpec())
    assert fake.calls["create"] == 2
    await e2b.destroy(ref)


async def test_an_unknown_template_and_a_wrong_key_say_what_to_do(fake: FakeE2B) -> None:
    with pytest.raises(ProviderError, match="template"):
        await ThroughTheFake(fake.url, template="no-such-template").create(SandboxSpec())
    wrong = ThroughTheFake(fake.url, api_key="e2b_" + "1" * 40)
    answer = await wrong.preflight()
    assert not answer.ok
    assert "E2B_API_KEY" in str(answer)
    assert answer.checks[-1].error is ProviderAuthError


async def test_without_a_key_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("E2B_API_KEY", raising=False)
    answer = await E2BProvider().preflight()
    assert not answer.ok
    assert "Set E2B_API_KEY" in str(answer)


async def test_an_e2b_that_does_not_answer_is_unavailable() -> None:
    nowhere = ThroughTheFake(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ProviderUnavailable):
        await nowhere.list()


async def test_a_create_that_is_cancelled_while_e2b_makes_it_leaves_nothing(
    fake: FakeE2B, e2b: ThroughTheFake
) -> None:
    fake.hold_create.clear()
    task = asyncio.create_task(e2b.create(SandboxSpec()))
    async with asyncio.timeout(30):
        while not fake.boxes:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    fake.hold_create.set()
    assert task.cancelled()
    assert fake.boxes == {}


async def test_a_paused_sandbox_has_no_endpoint_and_looking_does_not_wake_it(
    fake: FakeE2B, e2b: ThroughTheFake
) -> None:
    ref = await e2b.create(SandboxSpec())
    await e2b.pause(ref)
    for doing in (e2b.endpoint(ref), e2b.logs(ref)):
        with pytest.raises(ProviderError, match="paused"):
            await doing
    assert fake.boxes[ref.id].is_paused
    await e2b.resume(ref)
    assert not fake.boxes[ref.id].is_paused
    await e2b.destroy(ref)


async def test_pausing_from_another_process_does_not_wake_it(
    fake: FakeE2B, e2b: ThroughTheFake
) -> None:
    ref = await e2b.create(SandboxSpec())
    other = ThroughTheFake(fake.url, server_port=e2b._port)
    await other.pause(ref)
    await other.pause(ref)
    assert fake.boxes[ref.id].is_paused
    assert (fake.calls["pause"], fake.calls["connect"]) == (1, 0)
    await other.destroy(ref)


async def test_extending_never_shortens(fake: FakeE2B, e2b: ThroughTheFake) -> None:
    ref = await e2b.create(SandboxSpec())
    ends = fake.boxes[ref.id].ends
    await e2b.extend(ref, 60)
    assert fake.boxes[ref.id].ends == ends
    await e2b.extend(ref, 7200)
    assert fake.boxes[ref.id].ends > ends
    await e2b.destroy(ref)
    with pytest.raises(SandboxNotFound):
        await e2b.extend(ref, 60)


async def test_a_look_from_another_process_prolongs_no_life(
    fake: FakeE2B, e2b: ThroughTheFake
) -> None:
    ref = await e2b.create(SandboxSpec())
    ends = fake.boxes[ref.id].ends
    other = ThroughTheFake(fake.url, server_port=e2b._port)
    assert (await other.endpoint(SandboxRef.from_json(ref.to_json()))).token
    assert fake.boxes[ref.id].ends == ends
    await e2b.destroy(ref)


@pytest.mark.parametrize("options", [{"lifetime": 0}, {"on_timeout": "sleep"}])
def test_a_wrong_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(options))):
        E2BProvider(**options)
