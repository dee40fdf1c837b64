"""From a provider to a client; and that a failure on the way destroys what was made."""

from __future__ import annotations

import asyncio
import re
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import (
    Endpoint,
    LocalProvider,
    SandboxAgent,
    SandboxAgentSync,
    SandboxRef,
    SandboxSpec,
    errors,
)
from sandbox_agent_client.sandboxes import plugins
from sandbox_agent_client.sandboxes.wheels import inspector_wheels
from sandbox_agent_core.spi.labels import CREATED, OURS, RUN, VERSION
from sandbox_agent_core.spi.provider import Check, Preflight


class Recording:
    """A provider whose sandbox is the server of the tests."""

    name = "recording"

    def __init__(self, endpoint: Endpoint, *, fails: str | None = None) -> None:
        self.calls: list[str] = []
        self.specs: list[SandboxSpec] = []
        self._endpoint = endpoint
        self._fails = fails

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        self.specs.append(spec)
        spec.report("unpacking")
        self._do("create")
        return SandboxRef(provider=self.name, id="box-1")

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        self._do("endpoint")
        return self._endpoint

    async def destroy(self, ref: SandboxRef) -> None:
        self._do(f"destroy {ref.id}")

    def _do(self, call: str) -> None:
        self.calls.append(call)
        if call.split()[0] == self._fails:
            raise errors.ProviderError(f"{call} failed")


async def test_a_provider_object_is_used_and_told_what_to_make(endpoint: Endpoint) -> None:
    provider = Recording(endpoint)
    steps: list[str] = []
    async with SandboxAgent.start(
        provider, env={"A": "b"}, labels={"of": "tests"}, report=steps.append
    ) as client:
        assert client.sandbox_ref == SandboxRef(provider="recording", id="box-1")
        assert (await client.health()).status == "ok"
        assert provider.calls == ["create", "endpoint"]
    assert provider.calls == ["create", "endpoint", "destroy box-1"]
    assert provider.specs[0].env == {"A": "b"}
    labels = dict(provider.specs[0].labels)
    assert labels.pop("of") == "tests"
    assert set(labels) == {OURS, RUN, VERSION, CREATED}
    said = ["creating a recording sandbox", "unpacking", "waiting for the server", "ready"]
    assert [re.sub(r"^\[\d+\.\d s\] ", "", step) for step in steps] == said
    assert [step.name for step in client.sandbox.startup] == said[:-1]


async def test_the_provider_is_told_all_that_the_caller_wants(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    (tmp_path / "needed-1-py3-none-any.whl").write_bytes(b"wheel")
    provider = Recording(endpoint)
    async with SandboxAgent.start(provider, agents=["claude"], wheelhouse=tmp_path, keep=True):
        pass
    (spec,) = provider.specs
    assert list(spec.agents) == ["claude"]
    assert spec.keep
    assert not callable(spec.wheelhouse)
    assert [wheel.filename for wheel in spec.wheelhouse] == ["needed-1-py3-none-any.whl"]
    assert [wheel.filename.split("-")[0] for wheel in spec.wheels()] == [
        "sandbox_agent_core",
        "sandbox_agent_server",
    ]
    assert spec.inspector is inspector_wheels


async def test_the_inspector_stays_here_when_the_caller_says_so(endpoint: Endpoint) -> None:
    provider = Recording(endpoint)
    async with SandboxAgent.start(provider, inspector=False):
        pass
    (spec,) = provider.specs
    assert spec.inspector is None
    with pytest.raises(errors.InvalidRequest, match="`inspector`"):
        await SandboxAgent.start(
            provider, ref=SandboxRef(provider="recording", id="box-1"), inspector=False
        )


def test_the_twin_runs_providers_in_a_loop_of_its_own(endpoint: Endpoint) -> None:
    provider = Recording(endpoint)
    with SandboxAgentSync.start(provider) as client:
        assert client.health().status == "ok"
    assert provider.calls == ["create", "endpoint", "destroy box-1"]


async def test_what_the_preflight_warns_of_is_logged_and_the_start_goes_on(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    class Warns(Recording):
        async def preflight(self) -> Preflight:
            return Preflight(
                [Check(name="SDK", ok=True, message="newer than known", is_warning=True)]
            )

    async with SandboxAgent.start(Warns(endpoint)) as client:
        assert (await client.health()).status == "ok"
    (record,) = (each for each in caplog.records if "newer than known" in each.getMessage())
    assert record.levelname == "WARNING"


async def test_a_failure_to_create_is_the_callers_to_know(endpoint: Endpoint) -> None:
    provider = Recording(endpoint, fails="create")
    with pytest.raises(errors.ProviderError, match="create failed"):
        await SandboxAgent.start(provider)
    assert provider.calls == ["create"]


async def test_a_failure_after_that_destroys_what_was_made(endpoint: Endpoint) -> None:
    provider = Recording(endpoint, fails="endpoint")
    with pytest.raises(errors.ProviderError, match="endpoint failed"):
        await SandboxAgent.start(provider)
    assert provider.calls[-1] == "destroy box-1"


async def test_a_server_that_does_not_answer_is_given_up_and_destroyed() -> None:
    provider = Recording(Endpoint(url="http://127.0.0.1:1"))
    with pytest.raises(errors.ServerStartFailed):
        await SandboxAgent.start(provider, health_timeout=0.1)
    assert provider.calls[-1] == "destroy box-1"


async def test_a_server_with_another_token_is_not_waited_for(endpoint: Endpoint) -> None:
    provider = Recording(Endpoint(url=endpoint.url, token="wrong"))
    with pytest.raises(errors.TokenInvalid):
        await SandboxAgent.start(provider)
    assert provider.calls[-1] == "destroy box-1"


async def test_a_launch_that_is_cancelled_destroys_what_was_made() -> None:
    provider = Recording(Endpoint(url="http://127.0.0.1:1"))
    task = asyncio.ensure_future(SandboxAgent.start(provider))
    async with asyncio.timeout(30):
        while "endpoint" not in provider.calls:
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert provider.calls[-1] == "destroy box-1"


async def test_a_failure_to_clean_up_does_not_hide_the_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider = Recording(Endpoint(url="http://127.0.0.1:1"), fails="destroy")
    with pytest.raises(errors.ServerStartFailed):
        await SandboxAgent.start(provider, health_timeout=0.1)
    assert "may be left behind" in caplog.text


async def test_a_sandbox_that_cannot_be_removed_is_an_error(endpoint: Endpoint) -> None:
    provider = Recording(endpoint, fails="destroy")
    client = await SandboxAgent.start(provider)
    with pytest.raises(errors.ProviderError, match="destroy"):
        await client.destroy_sandbox()


async def test_keep_leaves_the_sandbox(endpoint: Endpoint) -> None:
    provider = Recording(endpoint)
    async with SandboxAgent.start(provider, keep=True):
        pass
    assert provider.calls == ["create", "endpoint"]


async def test_an_exception_in_the_block_destroys_the_sandbox(endpoint: Endpoint) -> None:
    provider = Recording(endpoint)
    with pytest.raises(ZeroDivisionError):
        async with SandboxAgent.start(provider):
            raise ZeroDivisionError
    assert provider.calls[-1] == "destroy box-1"


PACKAGES = Path(__file__).parents[2]
NAMES = [
    path.parent.name.removeprefix("sandbox-agent-")
    for path in sorted(PACKAGES.glob("*/pyproject.toml"))
    if '[project.entry-points."sandbox_agent.providers"]' in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_that_is_not_installed_says_how_to_get_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "entry_points", lambda **_: EntryPoints())
    with pytest.raises(errors.ProviderNotInstalled, match=f"pip install sandbox-agent-{name}"):
        plugins.find_provider(name)


@pytest.mark.parametrize("name", ["no-such-provider", "server", "testing"])
def test_a_provider_that_does_not_exist_lists_those_that_do(name: str) -> None:
    with pytest.raises(errors.ProviderNotInstalled, match="Installed: .*local"):
        plugins.find_provider(name)


def test_providers_are_found_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        [
            EntryPoint("good", "sandbox_agent_client.sandboxes.local:LocalProvider", plugins.GROUP),
            EntryPoint("broken", "no_such_module:Provider", plugins.GROUP),
        ]
    )
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    assert isinstance(plugins.find_provider("good"), LocalProvider)
    assert isinstance(plugins.find_provider("local"), LocalProvider)
    with pytest.raises(errors.ProviderError, match="no_such_module"):
        plugins.find_provider("broken")


@pytest.mark.parametrize(
    "options",
    [
        {"env": {"": "x"}},
        {"env": {"A=B": "x"}},
        {"env": {"A\0": "x"}},
        {"env": {"A": "s3cr3t\0"}},
        {"agents": [""]},
        {"agents": ["mock\0"]},
    ],
)
async def test_what_no_process_can_be_given_is_refused_before_anything_is_made(
    endpoint: Endpoint, options: dict[str, Any]
) -> None:
    provider = Recording(endpoint)
    with pytest.raises(errors.InvalidRequest) as caught:
        await SandboxAgent.start(provider, **options)
    assert provider.calls == []
    assert "s3cr3t" not in str(caught.value)
