"""What people type the first time, and what they are told: what was wrong and what it is here."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import (
    Endpoint,
    InvalidRequest,
    LocalProvider,
    SandboxAgent,
    SandboxAgentSync,
    SandboxRef,
    SandboxSpec,
    errors,
)
from sandbox_agent_client._failures import http_failures, stream_silence, websocket_failures
from sandbox_agent_client.sandboxes.plugins import START_OPTIONS


async def test_an_address_without_a_scheme_is_the_callers_mistake_and_not_worth_a_retry() -> None:
    with pytest.raises(InvalidRequest, match=r"http://127\.0\.0\.1:2468") as caught:
        await SandboxAgent.connect("127.0.0.1:2468")
    assert not caught.value.retryable
    with pytest.raises(InvalidRequest, match="text, not dict"):
        await SandboxAgent.connect({"baseUrl": "http://127.0.0.1:2468"})  # type: ignore[arg-type]


def test_a_timeout_is_one_of_pythons_too_and_stays_what_it_is() -> None:
    for seam in (
        lambda: http_failures("x"),
        lambda: websocket_failures("x"),
        lambda: stream_silence("x", 1),
    ):
        with pytest.raises(TimeoutError) as caught, seam():
            raise errors.Timeout("no answer", limit="l")
        error = caught.value
        assert isinstance(error, errors.Timeout)
        assert (str(error), error.details, error.retryable) == ("no answer", {"limit": "l"}, True)


async def test_a_client_that_was_left_says_so_in_our_tree(endpoint: Endpoint) -> None:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        session = await client.create_session("mock")
    for use in (client.health, session.refresh, lambda: session.prompt("x")):
        with pytest.raises(errors.ClientClosed):
            await use()
    with pytest.raises(errors.ClientClosed):
        session.on_event(lambda event: None)
    assert issubclass(errors.ClientClosed, RuntimeError)


async def test_what_is_forgotten_to_be_opened_says_how() -> None:
    opening: Any = SandboxAgent.start("local")
    assert "`await` it" in repr(opening)
    with pytest.raises(AttributeError, match="async with"):
        opening.create_session("mock")
    with pytest.raises(TypeError, match="SandboxAgentSync"), opening:
        pass


@pytest.mark.parametrize("sync", [True, False])
async def test_names_of_other_sdks_lead_to_ours(endpoint: Endpoint, sync: bool) -> None:
    client: Any
    if sync:
        client = SandboxAgentSync.connect(endpoint.url, token=endpoint.token)
    else:
        client = await SandboxAgent.connect(endpoint.url, token=endpoint.token)
    for theirs, ours in [
        ("dispose", "close"),
        ("createSession", "create_session"),
        ("baseUrl", "base_url"),
    ]:
        with pytest.raises(AttributeError, match=f"`{ours}`"):
            getattr(client, theirs)
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        client.fly()
    assert not hasattr(client, "_repr_html_")
    session = client.create_session("mock")
    session = session if sync else await session
    with pytest.raises(AttributeError, match="`on_event`"):
        session.onEvent(print)
    closed = client.close()
    if not sync:
        await closed


async def test_an_unknown_option_is_named_with_what_was_meant(endpoint: Endpoint) -> None:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        with pytest.raises(InvalidRequest, match="did you mean `system_prompt`"):
            await client.create_session("mock", sytem_prompt="x")  # type: ignore[call-arg]
    with pytest.raises(InvalidRequest, match="Use `idle_timeout`"):
        await SandboxAgent.start("local", idleTimeout=3)


def test_the_options_of_start_that_are_meant_are_those_it_has() -> None:
    parameters = inspect.signature(SandboxAgent.start).parameters
    assert set(START_OPTIONS) == set(parameters) - {"sandbox", "options"}


class SeedShaped:
    name = "mine"

    async def create(self) -> str:
        return "box"

    async def destroy(self, id: str) -> None: ...

    async def getUrl(self, id: str) -> str:  # noqa: N802 - as others spell it
        return "http://127.0.0.1:1"


class TakesNoSpec(SeedShaped):
    async def endpoint(self, ref: SandboxRef) -> str:
        return "http://127.0.0.1:1"


class GivesWrongThings(TakesNoSpec):
    destroyed: Any = None

    async def create(self, spec: SandboxSpec) -> Any:  # type: ignore[override]
        return "box"

    async def destroy(self, id: Any) -> None:
        self.destroyed = id


class GivesAUrl(GivesWrongThings):
    async def create(self, spec: SandboxSpec) -> Any:  # type: ignore[override]
        return SandboxRef(provider="mine", id="box")


@pytest.mark.parametrize(
    ("provider", "says"),
    [
        (SeedShaped(), "no `endpoint`.*`getUrl`"),
        (TakesNoSpec(), "`create` of provider 'mine' does not take"),
        (LocalProvider, "is a class"),
        ({"sandbox": "local"}, "takes a provider or its name"),
        (object(), "has no `name`"),
    ],
)
async def test_what_is_no_provider_is_told_what_one_is(provider: Any, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        await SandboxAgent.start(provider)


@pytest.mark.parametrize(
    ("provider", "says", "destroyed"),
    [
        (GivesWrongThings(), "gave str, and is to give a SandboxRef", "box"),
        (GivesAUrl(), r"Endpoint\(url=", SandboxRef(provider="mine", id="box")),
    ],
)
async def test_what_a_provider_should_not_give_is_named_and_nothing_is_left(
    provider: GivesWrongThings, says: str, destroyed: Any
) -> None:
    with pytest.raises(errors.ProviderError, match=says):
        await SandboxAgent.start(provider)  # type: ignore[arg-type]
    assert provider.destroyed == destroyed


async def test_a_second_server_on_a_data_directory_is_told_how_to_share_the_first(
    tmp_path: Path,
) -> None:
    async with SandboxAgent.start("local", data_dir=tmp_path):
        with pytest.raises(errors.ProviderError, match="SandboxAgent.connect"):
            await SandboxAgent.start("local", data_dir=tmp_path)
    async with SandboxAgent.start("local", data_dir=tmp_path) as client:
        assert await client.list_sessions() == []


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ([{"type": "txt", "text": "x"}], "no 'txt' blocks.*text, image"),
        ([{"text": "x"}], "`type`"),
        ([], "at least one"),
    ],
)
async def test_a_prompt_of_what_there_is_not_is_refused_whatever_the_agent(
    endpoint: Endpoint, prompt: Any, says: str
) -> None:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        session = await client.create_session("mock")
        with pytest.raises(InvalidRequest, match=says):
            await session.prompt(prompt)
        with pytest.raises(InvalidRequest, match="stdio, http or sse"):
            await client.create_session(
                "mock", mcp_servers=[{"name": "x", "type": "htp", "url": "http://127.0.0.1"}]
            )


async def test_what_a_client_does_is_logged_without_its_token(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sandbox_agent_client")
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        session = await client.create_session("mock")
    told = [
        one.getMessage() for one in caplog.records if one.name.startswith("sandbox_agent_client")
    ]
    assert any(endpoint.url in line for line in told)
    assert any(session.id in line for line in told)
    assert endpoint.token is not None
    assert endpoint.token not in caplog.text
