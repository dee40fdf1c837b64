from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sandbox_agent_client import Endpoint, SandboxAgent, errors
from sandbox_agent_client._async.transport import Transport
from sandbox_agent_client._calls import agents, sessions

HEALTH = {"status": "ok", "version": "0", "uptimeS": 1.0}


def answering(reply: httpx.Response | Exception) -> Callable[[httpx.Request], httpx.Response]:
    def answer(_request: httpx.Request) -> httpx.Response:
        if isinstance(reply, Exception):
            raise reply
        return reply

    return answer


async def failure_of(reply: httpx.Response | Exception) -> errors.SandboxAgentError:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answering(reply))) as http:
        with pytest.raises(errors.SandboxAgentError) as caught:
            await Transport(Endpoint(url="http://test"), http_client=http).call(agents.health())
    return caught.value


async def test_a_problem_becomes_its_typed_error_with_its_details() -> None:
    problem = {
        "type": "urn:sandbox-agent:error:agent_process_exited",
        "status": 502,
        "detail": "it ended",
        "details": {"exitCode": 7},
    }
    error = await failure_of(httpx.Response(502, json=problem))
    assert isinstance(error, errors.AgentProcessExited)
    assert (error.message, error.details) == ("it ended", {"exitCode": 7})


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (httpx.Response(502, text="<html>Bad Gateway"), errors.ServerUnreachable),
        (httpx.Response(404, text="no such page"), errors.NotFound),
        (httpx.Response(418, text=""), errors.InvalidRequest),
        (httpx.Response(500, json=["not", "a", "problem"]), errors.InternalError),
        (httpx.Response(200, text="<html>Welcome"), errors.InternalError),
        (httpx.Response(200, json={"ok": True}), errors.InternalError),
        (httpx.ConnectError("refused"), errors.ServerUnreachable),
        (httpx.ConnectTimeout("slow"), errors.ServerUnreachable),
        (httpx.ReadTimeout("slow"), errors.Timeout),
        (httpx.RemoteProtocolError("junk"), errors.ServerUnreachable),
    ],
)
async def test_every_failure_is_an_error_of_ours(
    reply: httpx.Response | Exception, expected: type[errors.SandboxAgentError]
) -> None:
    assert type(await failure_of(reply)) is expected


async def test_what_only_reads_is_asked_again_when_its_connection_is_lost() -> None:
    replies: list[httpx.Response | Exception] = []

    def answer(_request: httpx.Request) -> httpx.Response:
        reply = replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    lost, well = httpx.RemoteProtocolError("disconnected"), httpx.Response(200, json=HEALTH)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        transport = Transport(Endpoint(url="http://test"), http_client=http)
        replies[:] = [lost, lost, well]
        assert (await transport.call(agents.health())).status == "ok"
        # Of a server that has ended it is told at once.
        replies[:] = [lost, httpx.ConnectError("refused"), well]
        with pytest.raises(errors.ServerUnreachable):
            await transport.call(agents.health())
        assert replies == [well]


async def test_headers_of_the_gateway_and_the_token_go_with_every_request() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=HEALTH)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        async with SandboxAgent.connect(
            "http://test/prefix", token="t", headers={"x-gateway": "g"}, http_client=http
        ):
            pass
        assert not http.is_closed
    assert str(seen[0].url) == "http://test/prefix/v1/health"
    assert (seen[0].headers["x-gateway"], seen[0].headers["authorization"]) == ("g", "Bearer t")


async def test_an_endpoint_that_expires_is_renewed_before_it_is_used() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json=HEALTH)

    async def locate() -> Endpoint:
        return Endpoint(url="http://test", token="fresh")

    soon = datetime.now(UTC) + timedelta(seconds=1)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        transport = Transport(
            Endpoint(url="http://test", token="stale", expires_at=soon),
            http_client=http,
            locate=locate,
        )
        await transport.call(agents.health())
        await transport.call(agents.health())
    assert seen == ["Bearer fresh", "Bearer fresh"]


@pytest.mark.parametrize("is_gone", [True, False])
async def test_a_gateway_that_refuses_makes_the_provider_be_asked(is_gone: bool) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["x-gateway"])
        if seen[-1] == "fresh":
            return httpx.Response(200, json=HEALTH)
        return httpx.Response(401, text="unknown sandbox")

    async def locate() -> Endpoint:
        if is_gone:
            raise errors.SandboxNotFound("it was destroyed")
        return Endpoint(url="http://test", headers={"x-gateway": "fresh"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        known = Endpoint(url="http://test", headers={"x-gateway": "old"})
        transport = Transport(known, http_client=http, locate=locate)
        if is_gone:
            with pytest.raises(errors.SandboxNotFound):
                await transport.call(agents.health())
        else:
            assert (await transport.call(agents.health())).status == "ok"
            assert seen == ["old", "fresh"]


async def test_connecting_to_nothing_says_where_and_leaves_nothing_open() -> None:
    with pytest.raises(errors.ServerUnreachable, match="http://127.0.0.1:1/"):
        await SandboxAgent.connect("http://127.0.0.1:1")


async def test_a_call_without_an_answer_parses_nothing() -> None:
    reply = answering(httpx.Response(204))
    async with httpx.AsyncClient(transport=httpx.MockTransport(reply)) as http:
        transport = Transport(Endpoint(url="http://test"), http_client=http)
        await transport.call(sessions.delete("s"))


def test_a_token_is_not_in_what_is_printed() -> None:
    assert "secret" not in repr(Endpoint(url="http://test", token="secret"))


@pytest.mark.parametrize("silence", [httpx.ReadTimeout("silent"), httpx.ReadError("cut")])
async def test_an_installation_is_waited_for_also_where_its_progress_is_held_back(
    silence: Exception,
) -> None:
    accepted: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/health":
            return httpx.Response(200, json=HEALTH)
        accepted.append(request.headers["accept"])
        if accepted[-1] == "text/event-stream":
            raise silence
        return httpx.Response(200, json={"already_installed": True})

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http,
        SandboxAgent.connect("http://test", http_client=http) as client,
    ):
        assert (await client.install_agent("mock")).already_installed
    assert accepted == ["text/event-stream", "application/json"]


async def test_no_call_looks_for_a_module_that_is_not_there(
    client: SandboxAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watch:
        @staticmethod
        def find_spec(name: str, *_where: object) -> None:
            """Asked last, so of what nobody else has found. It costs more than the call."""
            missing.append(name)

    missing: list[str] = []
    await client.health()
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Watch])
    for _ in range(2):
        await client.health()
    assert missing == []
