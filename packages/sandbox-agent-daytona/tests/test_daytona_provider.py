"""What is Daytona's own: faults at each step, states, lifetimes, names, and where secrets go."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_client import SandboxAgent, errors
from sandbox_agent_client.sandboxes.wheels import server_wheels
from sandbox_agent_core.inspector import inspector_link
from sandbox_agent_core.provisioning import calls, sdk
from sandbox_agent_core.spi.labels import OURS, RUN
from sandbox_agent_core.spi.provider import SandboxRef, SandboxSpec
from sandbox_agent_daytona import DaytonaProvider, lifecycle
from support.fakes.daytona import API_KEY, Box, FakeDaytona
from support.ports import free_port
from support.wheelhouse import INSPECTOR_PAGE, inspector_wheel, installed_wheelhouse

DEADLINE_S = 30.0
EXAMPLE = Path(__file__).parents[3] / "examples" / "sandboxes.py"


def provider_of(fake: FakeDaytona, **options: Any) -> DaytonaProvider:
    return DaytonaProvider(**{"api_key": API_KEY, "api_url": fake.api_url, **options})


def only_box(fake: FakeDaytona) -> Box:
    (box,) = fake.boxes.values()
    return box


def minutes_left(box: Box) -> float:
    assert box.destroy_at is not None
    return (box.destroy_at - datetime.now(UTC)) / timedelta(minutes=1)


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking again does not take half a second."""
    monkeypatch.setattr(calls, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(lifecycle, "LOOK_S", 0.01)


# -- before anything is made


async def test_without_a_key_the_preflight_says_what_to_set(daytona: FakeDaytona) -> None:
    with pytest.raises(errors.ProviderAuthError, match="DAYTONA_API_KEY"):
        await SandboxAgent.start(provider_of(daytona, api_key=None))
    assert not daytona.calls


async def test_a_key_that_daytona_refuses_is_told_before_anything_is_made(
    daytona: FakeDaytona,
) -> None:
    with pytest.raises(errors.ProviderAuthError, match="DAYTONA_API_KEY"):
        await SandboxAgent.start(provider_of(daytona, api_key="wrong"))
    assert daytona.calls["create"] == 0


async def test_key_and_address_come_from_the_environment(
    daytona: FakeDaytona, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYTONA_API_KEY", API_KEY)
    monkeypatch.setenv("DAYTONA_API_URL", daytona.api_url)
    assert (await DaytonaProvider().preflight()).ok


async def test_an_sdk_of_another_series_is_told_of_and_used(
    daytona: FakeDaytona, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "version", lambda _name: "2.0.0a3")
    answer = await provider_of(daytona).preflight()
    assert answer.ok
    assert "daytona 2.0.0a3 is newer" in str(answer)
    assert any(check.is_warning for check in answer.checks)


async def test_an_sdk_that_is_too_old_is_refused(
    daytona: FakeDaytona, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "version", lambda _name: "0.100.0")
    with pytest.raises(errors.ProviderNotInstalled, match=r"0\.100\.0"):
        await SandboxAgent.start(provider_of(daytona))
    assert not daytona.calls


@pytest.mark.parametrize(
    "options",
    [
        {"image": "debian:12", "snapshot": "s"},
        {"cpu": 2},
        {"internet": False, "allowed_domains": ["pypi.org"]},
        {"lifetime": -1},
        {"auto_stop": -1},
        {"pause_as": "sleep"},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        DaytonaProvider(**options)


@pytest.mark.parametrize(
    "wrong", [{"auto_stop": 5}, {"env_vars": 7}, {"auto_archive_interval": -5}]
)
async def test_create_options_that_the_sdk_does_not_take_are_refused(
    daytona: FakeDaytona, wrong: dict[str, Any]
) -> None:
    with pytest.raises(errors.InvalidRequest):
        await SandboxAgent.start(provider_of(daytona, create_options=wrong))
    assert daytona.calls["create"] == 0


# -- faults


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("operation", "status", "expected"),
    [
        ("create", 400, errors.InvalidRequest),
        ("create", 401, errors.ProviderAuthError),
        ("create", 403, errors.ProviderAuthError),
        ("create", 409, errors.ProviderError),
        ("create", 503, errors.ProviderUnavailable),
        ("create", 504, errors.ProviderTimeout),
        ("get", 503, errors.ProviderUnavailable),
        ("execute", 404, errors.SandboxNotFound),
        ("execute", 408, errors.ProviderTimeout),
        ("execute", 502, errors.ProviderUnavailable),
        ("upload", 400, errors.ProviderError),
        ("upload", 503, errors.ProviderUnavailable),
        ("permissions", 500, errors.ProviderUnavailable),
    ],
)
async def test_a_fault_is_an_error_of_ours_and_nothing_is_left(
    daytona: FakeDaytona, operation: str, status: int, expected: type[errors.SandboxAgentError]
) -> None:
    daytona.faults[operation] = [status]
    with pytest.raises(expected) as caught:
        await SandboxAgent.start(provider_of(daytona))
    assert type(caught.value) is expected
    assert daytona.boxes == {}


@pytest.mark.usefixtures("quick")
async def test_a_preview_link_is_asked_for_again(daytona: FakeDaytona) -> None:
    daytona.faults["preview"] = [503, 429]
    async with SandboxAgent.start(provider_of(daytona)) as client:
        assert (await client.health()).status == "ok"
    assert daytona.boxes == {}


@pytest.mark.usefixtures("quick")
async def test_too_many_requests_are_asked_again_and_then_an_error(daytona: FakeDaytona) -> None:
    daytona.faults = {"create": [429], "upload": [429], "execute": [429]}
    async with SandboxAgent.start(provider_of(daytona)) as client:
        assert (await client.health()).status == "ok"
    assert daytona.calls["create"] == 2
    daytona.faults = {"create": [429] * 3}
    with pytest.raises(errors.ProviderQuotaExceeded) as caught:
        await SandboxAgent.start(provider_of(daytona))
    assert caught.value.retryable
    assert daytona.boxes == {}


@pytest.mark.parametrize("status", [400, 403])
async def test_an_organizations_limit_is_told_by_its_words(
    daytona: FakeDaytona, status: int
) -> None:
    daytona.fault_message = "Total CPU limit exceeded. Maximum allowed: 10."
    daytona.faults["create"] = [status]
    with pytest.raises(errors.ProviderQuotaExceeded, match="sweep"):
        await SandboxAgent.start(provider_of(daytona))
    assert daytona.calls["create"] == 1


async def test_a_snapshot_that_is_not_there_is_said(daytona: FakeDaytona) -> None:
    with pytest.raises(errors.ProviderError, match="no-such-snapshot"):
        await SandboxAgent.start(provider_of(daytona, snapshot="no-such-snapshot"))


async def test_an_api_that_does_not_answer_is_a_timeout(daytona: FakeDaytona) -> None:
    async with SandboxAgent.start(provider_of(daytona, request_timeout=1)) as client:
        daytona.faults["ttl"] = [0]
        with pytest.raises(errors.ProviderTimeout):
            await client.sandbox.extend(100 * 60)
    assert daytona.boxes == {}


async def test_an_api_that_is_not_there_is_unavailable() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/api"
    with pytest.raises(errors.ProviderUnavailable):
        await SandboxAgent.start(DaytonaProvider(api_key=API_KEY, api_url=nowhere))


async def test_a_sandbox_that_breaks_while_it_starts_is_an_error_and_removed(
    daytona: FakeDaytona,
) -> None:
    daytona.may_create.clear()
    task = asyncio.ensure_future(SandboxAgent.start(provider_of(daytona)))
    await until(lambda: daytona.calls["create"])
    daytona.first_state = "error"
    daytona.may_create.set()
    with pytest.raises(errors.ProviderError, match="its disk is full"):
        await task
    assert daytona.boxes == {}


# -- creates that are left in the middle


@pytest.mark.parametrize("busy_for", [0, 2])
async def test_a_create_that_is_cancelled_while_daytona_makes_it_leaves_nothing(
    daytona: FakeDaytona, busy_for: int
) -> None:
    daytona.may_create.clear()
    daytona.busy_for = busy_for
    task = asyncio.ensure_future(SandboxAgent.start(provider_of(daytona)))
    await until(lambda: daytona.calls["create"])
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await until(lambda: daytona.calls["get"])
    daytona.may_create.set()
    await asyncio.wait([task], timeout=DEADLINE_S)
    assert task.cancelled()
    assert daytona.calls["destroy"] == busy_for + 1
    assert daytona.boxes == {}


@pytest.mark.usefixtures("quick")
async def test_a_create_that_takes_too_long_leaves_nothing(
    daytona: FakeDaytona, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox_agent_daytona.options.CREATE_TIMEOUT_S", 1.0)
    daytona.first_state = "pulling_snapshot"
    with pytest.raises(errors.ProviderTimeout):
        await SandboxAgent.start(provider_of(daytona))
    assert daytona.boxes == {}


@pytest.mark.usefixtures("quick")
async def test_a_sandbox_of_the_same_name_is_left_alone(daytona: FakeDaytona) -> None:
    provider = provider_of(daytona, create_options={"name": "mine"})
    ref = await provider.create(SandboxSpec())
    with pytest.raises(errors.ProviderError, match="already exists"):
        await provider.create(SandboxSpec())
    assert daytona.calls["destroy"] == 0
    assert (await provider.endpoint(ref)).token
    await provider.destroy(ref)


async def test_what_cannot_be_removed_is_logged_by_name(
    daytona: FakeDaytona, caplog: pytest.LogCaptureFixture
) -> None:
    daytona.faults = {"upload": [500], "destroy": [403]}
    with pytest.raises(errors.ProviderUnavailable):
        await SandboxAgent.start(provider_of(daytona))
    assert f"{only_box(daytona).name} may be left behind" in caplog.text


# -- states


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("pause_as", "state"), [("stop", "stopped"), ("freeze", "paused")])
async def test_a_sandbox_that_sleeps_has_no_endpoint_until_it_is_resumed(
    daytona: FakeDaytona, pause_as: str, state: str
) -> None:
    provider = provider_of(daytona, pause_as=pause_as)
    ref = await provider.create(SandboxSpec(labels={OURS: "1", RUN: "r"}))
    before = await provider.endpoint(ref)
    await provider.pause(ref)
    await provider.pause(ref)
    assert only_box(daytona).state == state
    for wanted in (provider.endpoint(ref), provider.logs(ref)):
        with pytest.raises(errors.ProviderError) as caught:
            await wanted
        assert caught.value.details["state"] == state
    assert [info.state for info in await provider.list()] == [state]
    assert daytona.calls["start"] == 0
    await provider.resume(ref)
    await provider.resume(ref)
    await provider.ensure_server(ref)
    assert daytona.calls["start"] == 1
    after = await provider.endpoint(ref)
    assert after.token == before.token
    assert after.headers != before.headers  # Daytona's own token is another one
    await provider.destroy(ref)


async def test_a_broken_sandbox_says_why_and_can_be_destroyed(daytona: FakeDaytona) -> None:
    provider = provider_of(daytona)
    ref = await provider.create(SandboxSpec())
    box = only_box(daytona)
    box.state = box.next_state = "error"
    for wanted in (provider.endpoint(ref), provider.ensure_server(ref), provider.pause(ref)):
        with pytest.raises(errors.ProviderError, match="its disk is full"):
            await wanted
    await provider.destroy(ref)
    assert daytona.boxes == {}


async def test_a_server_that_ended_is_started_again(daytona: FakeDaytona) -> None:
    provider = provider_of(daytona)
    async with SandboxAgent.start(provider) as client:
        await asyncio.to_thread(only_box(daytona).machine.stop)
        await provider.ensure_server(client.sandbox.ref)
        assert (await client.health()).status == "ok"


async def test_what_is_being_destroyed_is_not_found_and_not_listed(daytona: FakeDaytona) -> None:
    provider = provider_of(daytona)
    daytona.is_list_late = True
    ref = await provider.create(SandboxSpec(labels={OURS: "1"}))
    box = only_box(daytona)
    box.state = box.next_state = "destroying"
    with pytest.raises(errors.SandboxNotFound):
        await provider.endpoint(ref)
    await provider.destroy(ref)
    assert daytona.calls["destroy"] == 0
    assert await provider.list() == []


# -- lifetimes


@pytest.mark.usefixtures("quick")
async def test_a_lifetime_is_only_prolonged_and_paused_ones_have_their_own(
    daytona: FakeDaytona,
) -> None:
    provider = provider_of(daytona, lifetime=600, paused_lifetime=86400)
    async with SandboxAgent.start(provider) as client:
        box = only_box(daytona)
        assert 9 < minutes_left(box) <= 10
        await client.sandbox.extend(300)
        assert daytona.calls["ttl"] == 0
        await client.sandbox.extend(1200)
        assert 19 < minutes_left(box) <= 20
        await client.sandbox.pause()
        assert 1439 < minutes_left(box) <= 1440
        await client.sandbox.resume()
        assert 9 < minutes_left(box) <= 10
        assert daytona.calls["activity"] == 0


async def test_without_a_lifetime_there_is_nothing_to_prolong(daytona: FakeDaytona) -> None:
    provider = provider_of(daytona, lifetime=None, auto_stop=900)
    async with SandboxAgent.start(provider) as client:
        box = only_box(daytona)
        assert (box.wanted.ttl_minutes, box.wanted.auto_stop_interval) == (0, 15)
        await client.sandbox.extend(300)
        assert daytona.calls["ttl"] == 0
        assert daytona.calls["activity"] >= 1


# -- what is sent


async def test_options_reach_daytona_and_secrets_only_the_sandbox(
    daytona: FakeDaytona, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of the caller")
    provider = provider_of(
        daytona,
        image="python:3.12-slim",
        cpu=2,
        memory_gb=4,
        env={"A": "provider", "B": "b-secret"},
        allowed_domains=["pypi.org", "github.com"],
        volumes={"vol-1": "/data"},
        secrets={"KEY": "key-of-the-organization"},
        create_options={"labels": {"team": "infra"}, "auto_archive_interval": 90},
    )
    async with SandboxAgent.start(provider, env={"A": "a-secret"}) as client:
        assert client.token is not None
        (created,) = [body for kind, body in daytona.bodies if kind == "create"]
        assert created["buildInfo"]["dockerfileContent"] == "FROM python:3.12-slim\n"
        assert (created["cpu"], created["memory"], created["autoArchiveInterval"]) == (2, 4, 90)
        assert "networkBlockAll" not in created
        assert created["domainAllowList"] == "pypi.org,github.com"
        assert created["volumes"] == [{"volumeId": "vol-1", "mountPath": "/data"}]
        assert created["secrets"] == [{"KEY": "key-of-the-organization"}]
        assert {"team": "infra", OURS: "1"}.items() <= created["labels"].items()
        assert (created["ttlMinutes"], created["autoStopInterval"]) == (60, 0)
        assert created["public"] is False
        said = json.dumps(daytona.bodies)
        assert not [s for s in (client.token, "a-secret", "b-secret", "caller") if s in said]
        home = only_box(daytona).machine.home
        environment = (home / ".sandbox-agent" / "environment").read_text()
        assert "a-secret" in environment
        assert "b-secret" in environment
        for file in ("token", "environment"):
            assert (home / ".sandbox-agent" / file).stat().st_mode & 0o077 == 0


async def test_the_gateway_wants_its_own_token(daytona: FakeDaytona) -> None:
    async with SandboxAgent.start(provider_of(daytona)) as client:
        provider = provider_of(daytona)
        endpoint = await provider.endpoint(client.sandbox.ref)
        assert endpoint.token == client.token
        async with httpx.AsyncClient(trust_env=False) as http:
            ours = {"Authorization": f"Bearer {endpoint.token}"}
            url = f"{endpoint.url}/v1/sessions"
            assert (await http.get(url, headers=ours)).status_code == 401
            both = {**ours, **endpoint.headers}
            assert (await http.get(url, headers=both)).status_code == 200
            brief = provider_of(daytona, link_lifetime=90)
            link = await brief.port_url(client.sandbox.ref, 2468)
            assert (await http.get(f"{link}/v1/sessions", headers=ours)).status_code == 200
        assert ("signed", {"expiresInSeconds": "90"}) in daytona.bodies


async def test_errors_of_a_script_are_told_apart_from_its_output(daytona: FakeDaytona) -> None:
    provider = provider_of(daytona)
    ref = await provider.create(SandboxSpec())
    async with provider._running(ref) as sandbox:
        machine = provider._machine(sandbox)
        done = await machine.run("echo out; echo err >&2; exit 3", timeout_s=10)
        assert (done.exit_code, done.stdout, done.stderr) == (3, "out\n", "err\n")
        killed = await machine.run("echo out; kill -9 $PPID", timeout_s=10)
        assert killed.exit_code == 137
        assert killed.stdout.startswith("out\n")
        with pytest.raises(errors.ProviderTimeout):
            await machine.run("sleep 30", timeout_s=1)
        with pytest.raises(errors.ProviderError, match="outside"):
            await machine.write("/etc/passwd", b"")
    await provider.destroy(ref)


async def test_a_reference_from_the_list_is_enough(daytona: FakeDaytona) -> None:
    provider = provider_of(daytona)
    async with SandboxAgent.start(provider) as client:
        (info,) = await provider.list()
        assert info.created_at is not None
        assert "code-toolbox-language" not in info.labels
        bare = SandboxRef(provider="daytona", id=info.ref.id)
        assert (await provider.endpoint(bare)).token == client.token


@pytest.mark.slow
async def test_the_server_is_uploaded_and_installed_without_network(tmp_path: Path) -> None:
    with FakeDaytona(tmp_path, has_server=False).running() as fake:
        provider = provider_of(fake, server_port=free_port())
        steps: list[str] = []
        spec = SandboxSpec(
            env={"PIP_INDEX_URL": "http://127.0.0.1:1/simple"},
            wheels=server_wheels,
            inspector=lambda: [inspector_wheel()],
            wheelhouse=installed_wheelhouse,
            report=steps.append,
        )
        ref = await provider.create(spec)
        endpoint = await provider.endpoint(ref)
        async with httpx.AsyncClient(trust_env=False) as http:
            headers = {"Authorization": f"Bearer {endpoint.token}", **endpoint.headers}
            answer = await http.get(f"{endpoint.url}/v1/health", headers=headers)
            page = await http.get(inspector_link(endpoint.url, None), headers=endpoint.headers)
        assert answer.json()["inspector"] is True
        assert page.content == INSPECTOR_PAGE
        assert "installing the server from the wheelhouse with pip" in steps
        await provider.destroy(ref)
        assert fake.boxes == {}


def test_it_is_found_by_its_name_and_leaves_nothing_open(
    daytona: FakeDaytona, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE), "daytona"],
        cwd=tmp_path,
        env={
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "DAYTONA_API_KEY": API_KEY,
            "DAYTONA_API_URL": daytona.api_url,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Unclosed" not in done.stderr
    assert daytona.calls["create"] == daytona.calls["destroy"] == 1
    assert daytona.boxes == {}
