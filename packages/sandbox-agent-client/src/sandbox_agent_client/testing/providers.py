"""What every sandbox provider has to do, as tests. A provider's test module subclasses the suite:

    class TestMine(ProviderConformance):
        @pytest.fixture
        def provider(self) -> MyProvider:
            return MyProvider()

Everything is real: each test makes a sandbox through the SDK, with the server and its mock agent in it, and
removes it. What a provider has no methods for is skipped, after a look that the SDK says so.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest
from sandbox_agent_core.errors import (
    CapabilityNotSupported,
    SandboxAsleep,
    SandboxNotFound,
    ServerStartFailed,
    ServerUnreachable,
)
from sandbox_agent_core.events import MessageDelta, PermissionResolved, TurnEnded
from sandbox_agent_core.spi.labels import OURS, RUN
from sandbox_agent_core.spi.provider import (
    Endpoint,
    SandboxProvider,
    SandboxRef,
    SandboxSpec,
    SupportsExtend,
    SupportsList,
    SupportsLogs,
    SupportsPause,
    SupportsPorts,
    SupportsPreflight,
)

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client._async.pool import SandboxPool
from sandbox_agent_client._async.requests import PermissionRequest
from sandbox_agent_client._async.session import Session

__all__ = ["KillOutside", "ProviderConformance"]

FRESH_PROCESS_TIMEOUT_S = 60
CANCEL_TIMEOUT_S = 60
ANSWER_TIMEOUT_S = 30
"""Also of a sandbox that is far away, or on a machine that is busy."""

KillOutside = Callable[[SandboxRef], Coroutine[Any, Any, None]]

# What another process does with a reference: it takes the sandbox over, says something in the session that is
# there, and leaves.
_FRESH_PROCESS = """
import asyncio, json, sys
from sandbox_agent_client import SandboxAgent

provider = None
{source}

async def main():
    async with SandboxAgent.start(provider, ref=sys.stdin.read()) as client:
        (session,) = await client.list_sessions()
        result = await session.prompt("text from a fresh process")
        print(json.dumps({{"stopReason": result.stop_reason, "ref": client.sandbox_ref.to_json()}}))

asyncio.run(main())
"""


_WEB_PROGRAM = """
import http.server
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from the sandbox")
    def log_message(self, *_args):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
print(server.server_port)
server.serve_forever()
"""


@pytest.mark.anyio
class ProviderConformance:
    # -- what a provider's test module gives

    @pytest.fixture
    def provider(self) -> SandboxProvider:
        """The provider under test, as a test's user would make it."""
        raise NotImplementedError("give the fixture `provider`")

    @pytest.fixture
    def provider_source(self) -> str:
        """Python source that binds `provider` to an equal one in a fresh process.

        Without it the reference alone has to do: the provider is found by its entry point.
        """
        return ""

    @pytest.fixture
    def start_options(self) -> dict[str, Any]:
        """More keywords for `SandboxAgent.start`, such as a wheelhouse."""
        return {}

    @pytest.fixture
    def kill_outside(self) -> KillOutside | None:
        """Ends a sandbox behind the provider's back, as its lifetime or a person would. None: not tried."""
        return None

    @pytest.fixture
    def open_port(self) -> int | None:
        """A port that `port_url` knows and on which something speaks HTTP in every sandbox, such as the
        server's own. None: not tried."""
        return None

    # -- the life of a sandbox

    async def test_the_preflight_is_in_words(self, provider: SandboxProvider) -> None:
        if not isinstance(provider, SupportsPreflight):
            pytest.skip("this provider has none")
        answer = await provider.preflight()
        assert answer.ok, str(answer)
        assert all(check.name and check.message for check in answer.checks)

    async def test_a_session_streams_and_asks(
        self, provider: SandboxProvider, start_options: dict[str, Any]
    ) -> None:
        steps: list[str] = []
        async with SandboxAgent.start(provider, report=steps.append, **start_options) as client:
            ref = client.sandbox_ref
            assert ref is not None
            assert (await client.health()).status == "ok"
            await _check_token(client)
            session = await client.create_session("mock")
            deltas = [
                event
                async for event in session.prompt_stream("text hello")
                if isinstance(event, MessageDelta)
            ]
            assert len(deltas) > 1
            await _check_permission(session)
        assert len(steps) >= 2
        await _check_gone(provider, ref)

    async def test_a_reference_is_all_that_another_process_needs(
        self, provider: SandboxProvider, provider_source: str, start_options: dict[str, Any]
    ) -> None:
        async with SandboxAgent.start(provider, keep=True, **start_options) as client:
            ref = client.sandbox_ref
            assert ref is not None
            text = json.dumps(ref.to_json())
            assert client.token is not None
            assert client.token not in text
            session = await client.create_session("mock")
            await session.prompt("text from the first process")
        try:
            said = await asyncio.to_thread(_in_a_fresh_process, provider_source, text)
            assert said["stopReason"] == "end_turn"
            assert SandboxRef.from_json(said["ref"]).id == ref.id
            async with SandboxAgent.start(provider, ref=text) as again:
                events = (await again.get_session(session.id)).events()
                assert len([e async for e in events if isinstance(e, TurnEnded)]) == 2
            async with SandboxAgent.start(provider, ref=text, keep=False):
                pass
            await _check_gone(provider, ref)
        finally:
            await provider.destroy(ref)

    async def test_a_paused_sandbox_goes_on_where_it_was(
        self, provider: SandboxProvider, start_options: dict[str, Any]
    ) -> None:
        async with SandboxAgent.start(provider, **start_options) as client:
            if not isinstance(provider, SupportsPause):
                await _check_unable(client.sandbox.pause())
                pytest.skip("this provider has no pause")
            session = await client.create_session("mock")
            await session.prompt("text before")
            await client.sandbox.pause()
            assert client.sandbox.is_paused
            await _check_listed(provider, client.sandbox.ref, "paused", "stopped")
            assert (await session.prompt("text after")).stop_reason == "end_turn"
            assert not client.sandbox.is_paused
            await _check_listed(provider, client.sandbox.ref, "running")

    async def test_what_another_has_paused_is_woken_by_the_next_call(
        self, provider: SandboxProvider, start_options: dict[str, Any]
    ) -> None:
        if not isinstance(provider, SupportsPause):
            pytest.skip("this provider has no pause")
        async with SandboxAgent.start(provider, **start_options) as client:
            session = await client.create_session("mock")
            await provider.pause(client.sandbox.ref)
            with pytest.raises(SandboxAsleep) as caught:
                await provider.endpoint(client.sandbox.ref)
            assert caught.value.details["state"] in ("paused", "stopped")
            assert (await session.prompt("text after")).stop_reason == "end_turn"
            await provider.pause(client.sandbox.ref)
            await client.sandbox.resume()
            assert (await client.health()).status == "ok"

    async def test_a_sandbox_can_be_found_by_its_labels(
        self, provider: SandboxProvider, start_options: dict[str, Any]
    ) -> None:
        if not isinstance(provider, SupportsList):
            pytest.skip("this provider has no list")
        async with SandboxAgent.start(
            provider, labels={"conformance": "yes"}, **start_options
        ) as client:
            (info,) = [i for i in await provider.list() if i.ref.id == client.sandbox.ref.id]
            assert info.state == "running"
            assert info.labels[OURS] == "1"
            assert info.labels["conformance"] == "yes"
            run = {RUN: info.labels[RUN]}
            assert [i.ref.id for i in await provider.list(run)] == [info.ref.id]
            assert await provider.list({RUN: "another"}) == []
            listed = await provider.endpoint(info.ref)
            assert listed.token == client.token

    async def test_the_servers_log_can_be_read(
        self, provider: SandboxProvider, start_options: dict[str, Any]
    ) -> None:
        async with SandboxAgent.start(provider, **start_options) as client:
            if not isinstance(provider, SupportsLogs):
                await _check_unable(client.sandbox.logs())
                pytest.skip("this provider has no logs")
            assert "sandbox-agent-server" in await client.sandbox.logs()
            assert len((await client.sandbox.logs(tail=1)).splitlines()) <= 1

    async def test_a_life_can_be_prolonged(
        self, provider: SandboxProvider, start_options: dict[str, Any]
    ) -> None:
        async with SandboxAgent.start(provider, **start_options) as client:
            if not isinstance(provider, SupportsExtend):
                await _check_unable(client.sandbox.extend(60))
                pytest.skip("this provider's sandboxes have no lifetime that can be changed")
            await client.sandbox.extend(600)
            assert (await client.health()).status == "ok"

    async def test_another_port_can_be_reached(
        self, provider: SandboxProvider, start_options: dict[str, Any], open_port: int | None
    ) -> None:
        async with SandboxAgent.start(provider, **start_options) as client:
            await _check_proxy(client)
            if not isinstance(provider, SupportsPorts):
                assert (await client.sandbox.port_url(8000)).via == "proxy"
                pytest.skip("this provider opens no ports")
            if open_port is None:
                pytest.skip("the fixture `open_port` is not given")
            url = await client.sandbox.port_url(open_port)
            async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_TIMEOUT_S) as http:
                answer = await http.get(url.url, headers=url.headers)
                assert answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR
            ref = client.sandbox.ref
        with pytest.raises(SandboxNotFound):
            await provider.port_url(ref, open_port)

    # -- faults

    async def test_a_server_that_does_not_start_says_why_and_is_removed(
        self, provider: SandboxProvider, start_options: dict[str, Any]
    ) -> None:
        before = await _ids(provider)
        wrong = {"SANDBOX_AGENT_LOG_LEVEL": "no-such-level"}
        with pytest.raises(ServerStartFailed) as caught:
            await SandboxAgent.start(provider, env=wrong, **start_options)
        assert "log_level" in caught.value.details["log"]
        assert await _ids(provider) == before

    @pytest.mark.parametrize("step", [2, 3])
    async def test_a_start_that_is_cancelled_twice_leaves_nothing(
        self, provider: SandboxProvider, start_options: dict[str, Any], step: int
    ) -> None:
        before = await _ids(provider)
        reached = asyncio.Event()
        steps: list[str] = []

        def report(said: str) -> None:
            steps.append(said)
            if len(steps) == step:
                reached.set()

        task = asyncio.ensure_future(SandboxAgent.start(provider, report=report, **start_options))
        async with asyncio.timeout(CANCEL_TIMEOUT_S):
            await reached.wait()
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_TIMEOUT_S)
        assert task.cancelled()
        assert await _ids(provider) == before

    async def test_a_sandbox_that_was_killed_outside_is_an_error_and_can_be_destroyed(
        self,
        provider: SandboxProvider,
        start_options: dict[str, Any],
        kill_outside: KillOutside | None,
    ) -> None:
        if kill_outside is None:
            pytest.skip("the fixture `kill_outside` is not given")
        async with SandboxAgent.start(provider, **start_options) as client:
            ref = client.sandbox.ref
            await kill_outside(ref)
            with pytest.raises((ServerUnreachable, SandboxNotFound)):
                await client.health()
        await _check_gone(provider, ref)

    async def test_a_pool_hands_out_a_warm_one(
        self, provider: SandboxProvider, start_options: dict[str, Any]
    ) -> None:
        before = await _ids(provider)
        async with SandboxPool(provider, size=1, max_size=1, **start_options) as pool:
            await pool.wait_warm()
            client = await pool.acquire()
        async with client:  # outlives its pool, which then makes no successor
            session = await client.create_session("mock")
            assert (await session.prompt("text hello")).stop_reason == "end_turn"
        assert await _ids(provider) == before

    async def test_a_sandbox_that_never_was_is_not_found(self, provider: SandboxProvider) -> None:
        before = await _ids(provider)
        ref = SandboxRef(provider=provider.name, id="never-was-1f6e2c")
        with pytest.raises(SandboxNotFound):
            await provider.endpoint(ref)
        await provider.destroy(ref)
        assert await _ids(provider) == before

    async def test_creating_it_without_the_sdk_works_too(
        self, provider: SandboxProvider, start_options: dict[str, Any]
    ) -> None:
        """The interface itself: no label, no wheel, nobody to report to is needed by `endpoint` and `destroy`."""
        del start_options
        ref = await provider.create(SandboxSpec())
        try:
            endpoint = await provider.endpoint(ref)
            assert endpoint.token
        finally:
            await provider.destroy(ref)


async def _check_token(client: SandboxAgent) -> None:
    """The URL alone is not enough."""
    assert client.token is not None
    assert client.token not in client.base_url
    endpoint: Endpoint = client._connection.transport.endpoint
    async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_TIMEOUT_S) as http:
        answer = await http.get(f"{endpoint.url}/v1/sessions", headers=dict(endpoint.headers))
    assert answer.status_code == httpx.codes.UNAUTHORIZED


async def _check_permission(session: Session) -> None:
    asked: list[PermissionRequest] = []

    async def allow(request: PermissionRequest) -> None:
        asked.append(request)
        await request.allow_once()

    stop = session.on_permission(allow)
    result = await session.prompt("permission do it")
    stop()
    assert result.stop_reason == "end_turn"
    assert len(asked) == 1
    resolved = [e async for e in session.events() if isinstance(e, PermissionResolved)]
    assert len(resolved) == 1


async def _check_gone(provider: SandboxProvider, ref: SandboxRef) -> None:
    with pytest.raises(SandboxNotFound):
        await provider.endpoint(ref)
    await provider.destroy(ref)
    assert ref.id not in await _ids(provider)


async def _check_listed(provider: SandboxProvider, ref: SandboxRef, *states: str) -> None:
    if isinstance(provider, SupportsList):
        (found,) = [info for info in await provider.list() if info.ref.id == ref.id]
        assert found.state in states


async def _check_proxy(client: SandboxAgent) -> None:
    """What listens in the sandbox is reached through its server, also behind the provider's gateway."""
    async with await client.processes.spawn(["python3", "-u", "-c", _WEB_PROGRAM]) as process:
        async for chunk in process.logs(follow=True):
            port = int(chunk.text)
            break
        found = await client.ports.url(port)
        async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_TIMEOUT_S) as http:
            answer = await http.get(found.url, headers=found.headers)
        assert (answer.status_code, answer.text) == (httpx.codes.OK, "from the sandbox")


async def _check_unable(doing: Coroutine[Any, Any, object]) -> None:
    with pytest.raises(CapabilityNotSupported):
        await doing


async def _ids(provider: SandboxProvider) -> set[str]:
    """Empty where a provider cannot tell."""
    if isinstance(provider, SupportsList):
        return {info.ref.id for info in await provider.list()}
    return set()


def _in_a_fresh_process(source: str, ref: str) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - this Python, with a program of ours
        [sys.executable, "-c", _FRESH_PROCESS.format(source=source)],
        input=ref,
        capture_output=True,
        text=True,
        timeout=FRESH_PROCESS_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said
