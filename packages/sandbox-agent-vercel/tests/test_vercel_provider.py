"""What is Vercel's own: faults at each step, tags, lifetimes, sessions that end, and where secrets go."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import httpx
import pytest
from sandbox_agent_client import SandboxAgent, errors
from sandbox_agent_client.sandboxes.wheels import server_wheels
from sandbox_agent_core.spi.labels import CREATED, KEPT, OURS, RUN, VERSION
from sandbox_agent_core.spi.provider import SandboxSpec
from sandbox_agent_vercel import VercelProvider
from sandbox_agent_vercel.tags import MOST_LABELS, MOST_TAGS, from_tags, to_tags
from support.fakes.vercel import PROJECT, TEAM, TOKEN, FakeVercel
from support.ports import free_port
from support.wheelhouse import installed_wheelhouse

DEADLINE_S = 30.0


def provider_of(fake: FakeVercel, **options: Any) -> VercelProvider:
    given = {"base_url": fake.url, "token": TOKEN, "team_id": TEAM, "project_id": PROJECT}
    return VercelProvider(**{**given, **options})


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


# -- credentials


async def test_without_credentials_the_preflight_says_what_to_set(
    vercel: FakeVercel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("VERCEL_")]:
        monkeypatch.delenv(name)
    with pytest.raises(errors.ProviderAuthError, match="VERCEL_TOKEN"):
        await SandboxAgent.start(VercelProvider(base_url=vercel.url))
    assert not vercel.calls


async def test_credentials_that_vercel_refuses_are_told_before_anything_is_made(
    vercel: FakeVercel,
) -> None:
    with pytest.raises(errors.ProviderAuthError, match="VERCEL_TOKEN"):
        await SandboxAgent.start(provider_of(vercel, token="wrong"))
    assert vercel.calls["create"] == 0


async def test_credentials_come_from_the_environment(
    vercel: FakeVercel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VERCEL_OIDC_TOKEN", raising=False)
    for name, value in (("TOKEN", TOKEN), ("TEAM_ID", TEAM), ("PROJECT_ID", PROJECT)):
        monkeypatch.setenv(f"VERCEL_{name}", value)
    assert (await VercelProvider(base_url=vercel.url).preflight()).ok


@pytest.mark.parametrize("options", [{"token": "t"}, {"team_id": "t"}, {"lifetime": 0}])
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        VercelProvider(**options)


# -- faults


@pytest.mark.parametrize(
    ("operation", "status", "expected"),
    [
        ("create", 402, errors.ProviderQuotaExceeded),
        ("create", 503, errors.ProviderUnavailable),
        ("run", 503, errors.ProviderUnavailable),
        ("write", 503, errors.ProviderUnavailable),
        ("write", 410, errors.ProviderError),
        ("run", 403, errors.ProviderAuthError),
    ],
)
async def test_a_fault_is_an_error_of_ours_and_nothing_is_left(
    vercel: FakeVercel, operation: str, status: int, expected: type[errors.SandboxAgentError]
) -> None:
    vercel.faults[operation] = [status]
    with pytest.raises(expected) as caught:
        await SandboxAgent.start(provider_of(vercel))
    assert type(caught.value) is expected
    assert vercel.boxes == {}


async def test_too_many_requests_are_asked_again_and_then_an_error(vercel: FakeVercel) -> None:
    vercel.faults = {"create": [429], "write": [429]}
    async with SandboxAgent.start(provider_of(vercel)) as client:
        assert (await client.health()).status == "ok"
    assert vercel.calls["create"] == 2
    vercel.faults = {"create": [429] * 3}
    with pytest.raises(errors.ProviderQuotaExceeded) as caught:
        await SandboxAgent.start(provider_of(vercel))
    assert caught.value.retryable
    assert vercel.boxes == {}


async def test_an_api_that_does_not_answer_is_a_timeout(vercel: FakeVercel) -> None:
    vercel.faults["create"] = [0]
    with pytest.raises(errors.ProviderTimeout):
        await SandboxAgent.start(provider_of(vercel, request_timeout=0.3))
    assert vercel.boxes == {}


async def test_an_api_that_is_not_there_is_unavailable() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    provider = VercelProvider(base_url=nowhere, token=TOKEN, team_id=TEAM, project_id=PROJECT)
    with pytest.raises(errors.ProviderUnavailable):
        await SandboxAgent.start(provider)


async def test_a_create_that_is_cancelled_while_vercel_makes_it_leaves_nothing(
    vercel: FakeVercel,
) -> None:
    vercel.may_create.clear()
    task = asyncio.ensure_future(SandboxAgent.start(provider_of(vercel)))
    await until(lambda: vercel.calls["create"])
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    vercel.may_create.set()
    await asyncio.wait([task], timeout=DEADLINE_S)
    assert task.cancelled()
    assert vercel.calls["destroy"] == 1
    assert vercel.boxes == {}


# -- tags


async def test_labels_fit_into_the_tags_that_vercel_takes(vercel: FakeVercel) -> None:
    mine = {"team": "infra", "env": "test", "who": "me"}
    provider = provider_of(vercel)
    async with SandboxAgent.start(provider, labels=mine, keep=True) as client:
        (info,) = await provider.list({"team": "infra"})
        assert {**mine, OURS: "1", KEPT: "1"}.items() <= info.labels.items()
        assert {RUN, VERSION, CREATED} <= info.labels.keys()
        (box,) = vercel.boxes.values()
        assert len(box.tags) == MOST_TAGS
        await client.sandbox.destroy()
    with pytest.raises(errors.InvalidRequest, match=str(MOST_LABELS)):
        await SandboxAgent.start(provider, labels={**mine, "one": "more"})
    assert vercel.boxes == {}


def test_tags_of_others_are_labels_too() -> None:
    assert from_tags({"a": "b"}, None) == {"a": "b"}
    labels = {OURS: "1", VERSION: "0.1.0", RUN: "run_1", "a": "b"}
    assert from_tags(to_tags(labels), None) == labels


# -- lifetimes


async def test_only_what_is_missing_is_added_to_a_lifetime(vercel: FakeVercel) -> None:
    provider = provider_of(vercel, lifetime=600)
    async with SandboxAgent.start(provider) as client:
        (box,) = vercel.boxes.values()
        await client.sandbox.extend(300)
        assert vercel.calls["extend"] == 0
        await client.sandbox.extend(900)
        assert 890_000 < box.timeout_ms < 910_000


async def test_a_stopped_sandbox_has_no_endpoint_until_it_is_resumed(vercel: FakeVercel) -> None:
    provider = provider_of(vercel)
    ref = await provider.create(SandboxSpec())
    before = await provider.endpoint(ref)
    await provider.pause(ref)
    await provider.pause(ref)
    for wanted in (provider.endpoint(ref), provider.logs(ref), provider.extend(ref, 60)):
        with pytest.raises(errors.ProviderError) as caught:
            await wanted
        assert caught.value.details["state"] == "paused"
    assert vercel.calls["resume"] == 0
    await provider.resume(ref)
    await provider.ensure_server(ref)
    assert vercel.calls["resume"] == 1
    after = await provider.endpoint(ref)
    assert after.token == before.token
    await provider.destroy(ref)
    assert ("destroy", "true") in [
        (kind, body.get("deleteOrphanSnapshots")) for kind, body in vercel.bodies
    ]


async def test_a_sandbox_that_would_lose_its_files_is_not_paused(vercel: FakeVercel) -> None:
    provider = provider_of(vercel, create_options={"persistent": False})
    async with SandboxAgent.start(provider) as client:
        with pytest.raises(errors.ProviderError, match="persistent"):
            await provider.pause(client.sandbox.ref)
        assert (await client.health()).status == "ok"


# -- what is sent


async def test_options_reach_vercel_and_secrets_only_where_they_belong(
    vercel: FakeVercel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of the caller")
    provider = provider_of(
        vercel,
        env={"A": "provider", "B": "provider"},
        vcpus=2,
        internet=False,
        ports=[3000],
        snapshot_expiration=86400,
        create_options={"region": "iad1", "tags": {"team": "infra"}, "ports": [4000]},
    )
    async with SandboxAgent.start(provider, env={"A": "a-secret"}) as client:
        assert client.token is not None
        assert (await provider.port_url(client.sandbox.ref, 3000)).url.startswith("http")
        with pytest.raises(errors.PortNotOpen, match="ports"):
            await provider.port_url(client.sandbox.ref, 3001)
        (created,) = [body for kind, body in vercel.bodies if kind == "create"]
        assert "env" not in created
        assert created["resources"] == {"vcpus": 2}
        assert created["networkPolicy"]["mode"] == "deny-all"
        assert created["snapshotExpiration"] == 86_400_000
        assert created["timeout"] == 1_800_000
        assert created["region"] == "iad1"
        assert created["ports"] == [2468, 3000, 4000]
        assert [info.labels["team"] for info in await provider.list()] == ["infra"]
        told = json.dumps(vercel.bodies)
        assert client.token not in told
        assert "a-secret" not in told
        (box,) = vercel.boxes.values()
        state = box.machine.home / ".sandbox-agent"
        assert (state / "environment").read_text() == "export A=a-secret\nexport B=provider\n"
        for private in ("environment", "token"):
            assert (state / private).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("wrong", [{"ports": "no numbers"}, {"imag": "x"}])
async def test_an_option_that_the_sdk_does_not_take_is_refused(
    vercel: FakeVercel, wrong: dict[str, Any]
) -> None:
    with pytest.raises(errors.InvalidRequest, match="create_options"):
        await SandboxAgent.start(provider_of(vercel, create_options=wrong))
    assert vercel.boxes == {}


@pytest.mark.slow
async def test_the_server_is_uploaded_and_installed_without_network(tmp_path: Any) -> None:
    with FakeVercel(tmp_path, has_server=False).running() as fake:
        provider = provider_of(fake, server_port=free_port())
        steps: list[str] = []
        spec = SandboxSpec(
            env={"PIP_INDEX_URL": "http://127.0.0.1:1/simple"},
            wheels=server_wheels,
            wheelhouse=installed_wheelhouse,
            report=steps.append,
        )
        ref = await provider.create(spec)
        endpoint = await provider.endpoint(ref)
        async with httpx.AsyncClient(trust_env=False) as http:
            headers = {"Authorization": f"Bearer {endpoint.token}"}
            answer = await http.get(f"{endpoint.url}/v1/health", headers=headers)
        assert answer.json()["status"] == "ok"
        assert "installing the server from the wheelhouse with pip" in steps
        await provider.destroy(ref)
        assert fake.boxes == {}
