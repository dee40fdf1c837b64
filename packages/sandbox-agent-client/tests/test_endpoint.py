"""Addresses and tokens that cannot be used: an error of ours that says so, and never what is secret."""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterator
from itertools import cycle
from typing import Any

import httpx
import pytest
from sandbox_agent_client import Endpoint, SandboxAgent, SandboxAgentSync, errors
from sandbox_agent_client._async.transport import Transport
from sandbox_agent_client._calls import agents
from sandbox_agent_client._endpoint import headers_of
from sandbox_agent_client._failures import http_failures, websocket_failures
from sandbox_agent_client._stream_choice import StreamChoice
from sandbox_agent_client.sandboxes.health import wait_healthy
from websockets.asyncio.server import ServerConnection, serve

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "url",
    [
        "", "127.0.0.1:2468", "http://", "http:///v1", "http://[::1", "http://127.0.0.1:port",
        "http://127.0.0.1:99999", "http://127.0.0.1:-1", "http://127.0.0.1:0", "ftp://127.0.0.1",
        "ws://127.0.0.1", "file:///etc", "http://a b", "http://a\n.example", "http://a\0", "http://\udce9",
        "http://a?token=x", "http://a#b", "http://\u200b", "http://" + "a" * 70_000, "http://a..b", f"http://{'a' * 64}.example",
    ],
)  # fmt: skip
async def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        await SandboxAgent.connect(url)
    with pytest.raises(errors.InvalidRequest):
        SandboxAgentSync.connect(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1",
        "https://127.0.0.1:1",
        "http://[::1]:1",
    ],
)
@pytest.mark.parametrize("transport", ["sse", "ws"])
async def test_where_nobody_answers_is_unreachable(url: str, transport: Any) -> None:
    with pytest.raises(errors.ServerUnreachable):
        await SandboxAgent.connect(url, transport=transport)
    with pytest.raises(errors.ServerUnreachable):
        SandboxAgentSync.connect(url, transport=transport)


@pytest.mark.parametrize(
    "token", [f"{SECRET}\n", f"{SECRET}\r", f"é{SECRET}", f"{SECRET}\udce9", f"\0{SECRET}"]
)
async def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(
    endpoint: Endpoint, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for connect in (SandboxAgent.connect, SandboxAgentSync.connect):
        with pytest.raises(errors.TokenInvalid) as caught:
            await connect(endpoint.url, token=token)  # type: ignore[misc]
        assert SECRET not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(errors.TokenInvalid):
        await wait_healthy(Endpoint(url=endpoint.url, token=token), timeout_s=1)
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "headers", [{"X-Key": f"{SECRET}\n"}, {"X-Key": f"é{SECRET}"}, {"X Key": SECRET}, {"": SECRET}]
)
async def test_a_header_that_cannot_be_sent_is_refused_and_not_shown(
    endpoint: Endpoint, headers: dict[str, str]
) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        await SandboxAgent.connect(endpoint.url, token=endpoint.token, headers=headers)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_a_password_in_the_address_is_not_shown() -> None:
    with pytest.raises(errors.ServerUnreachable) as caught:
        await SandboxAgent.connect(f"http://ada:{SECRET}@127.0.0.1:1")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(Endpoint(url="http://a", token=SECRET))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "nonsense://127.0.0.1"),
        ("HTTPS_PROXY", "http://[::1"),
        ("SSL_CERT_FILE", "/no/such/file"),
    ],
)
async def test_an_environment_that_httpx_cannot_use_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(errors.SandboxAgentError):
        await SandboxAgent.connect("https://sandbox.example.invalid")


@pytest.mark.parametrize("guard", [http_failures, websocket_failures])
@pytest.mark.parametrize(
    "failure",
    [
        ExceptionGroup("all attempts", [OSError("refused")]), OSError("gone"), EOFError(),
        UnicodeEncodeError("ascii", SECRET, 0, 1, "no"), ConnectionResetError(), TimeoutError(),
    ],
)  # fmt: skip
def test_whatever_a_network_library_raises_becomes_an_error_of_ours(
    guard: Any, failure: Exception
) -> None:
    if guard is http_failures and isinstance(failure, EOFError):
        pytest.skip("httpx raises none")
    with pytest.raises(errors.SandboxAgentError) as caught, guard("GET http://a"):
        raise failure
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "failure",
    [
        httpx.InvalidURL("no"), httpx.LocalProtocolError(f"Illegal header value b'{SECRET}'"),
        httpx.ProxyError("no"), httpx.DecodingError("no"), httpx.StreamConsumed(), httpx.PoolTimeout("no"),
        httpx.UnsupportedProtocol("no"), httpx.TooManyRedirects("no"), httpx.RemoteProtocolError("no"),
    ],
)  # fmt: skip
def test_whatever_httpx_raises_becomes_an_error_of_ours(failure: Exception) -> None:
    with pytest.raises(errors.SandboxAgentError) as caught, http_failures("GET http://a"):
        raise failure
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.fixture
async def stranger() -> AsyncIterator[str]:
    """A server that is not ours, and says so only over its WebSocket."""
    messages = cycle(
        [
            "[" * 100_000,
            "[1]",
            "7",
            '{"type":"event"}',
            '{"type":"error","error":7}',
            "no JSON",
        ]
    )

    async def answer(connection: ServerConnection) -> None:
        await connection.send(next(messages))

    async with serve(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


async def test_a_stream_of_a_stranger_ends_in_an_error_of_ours(
    client: SandboxAgent, stranger: str
) -> None:
    session = await client.create_session("mock")
    connection = client._connection
    connection._reconnect_timeout_s = 0.5
    connection.transport.choice = StreamChoice("ws")
    connection.transport.whereabouts.endpoint = Endpoint(url=stranger)
    with pytest.raises(errors.SandboxAgentError):
        await anext(session.stream(after=0))


async def test_an_answer_that_is_nested_too_deeply_is_an_error_of_ours() -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"[" * 100_000)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        with pytest.raises(errors.InternalError):
            await Transport(Endpoint(url="http://test"), http_client=http).call(agents.health())


# -- which header has the token


@pytest.mark.parametrize(
    ("endpoint", "sent"),
    [
        (Endpoint(url="http://x", token="t"), {"Authorization": "Bearer t"}),
        (
            Endpoint(url="http://x", token="t", token_header="X-Sandbox-Agent-Token"),
            {"X-Sandbox-Agent-Token": "t"},
        ),
        (
            Endpoint(url="http://x", token="t", headers={"authorization": "Basic g"}),
            {"authorization": "Basic g", "X-Sandbox-Agent-Token": "t"},
        ),
        (
            Endpoint(
                url="http://x",
                token="t",
                headers={"authorization": "Basic g"},
                token_header="Authorization",
            ),
            {"Authorization": "Bearer t"},
        ),
        (
            Endpoint(url="http://x", headers={"Authorization": "Bearer g"}),
            {"Authorization": "Bearer g"},
        ),
    ],
)
def test_a_gateway_keeps_the_header_that_it_wants(endpoint: Endpoint, sent: dict[str, str]) -> None:
    assert headers_of(endpoint) == sent


async def test_a_header_that_the_server_does_not_read_is_refused() -> None:
    with pytest.raises(errors.InvalidRequest, match="X-Sandbox-Agent-Token"):
        await SandboxAgent.connect("http://127.0.0.1:1", token="t", token_header="X-Token")  # type: ignore[arg-type]


async def test_a_server_is_worked_with_by_our_header(endpoint: Endpoint, transport: Any) -> None:
    """As behind a gateway that has checked a password of its own and passes it on."""
    async with SandboxAgent.connect(
        endpoint.url,
        token=endpoint.token,
        headers={"Authorization": "Basic dXNlcjpwYXNz"},
        transport=transport,
    ) as client:
        assert (await (await client.create_session("mock")).prompt("yes")).text == "You said: yes"


async def test_no_log_of_the_websocket_has_the_token(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with SandboxAgent.connect(
        endpoint.url, token=endpoint.token, transport="ws", headers={"x-gateway-token": "gw-s3cr3t"}
    ) as client:
        await (await client.create_session("mock")).prompt("yes")
    assert "Sec-WebSocket-Key" in caplog.text
    assert (endpoint.token or "") not in caplog.text
    assert "gw-s3cr3t" not in caplog.text
