"""The stream that survives its connections, against a scripted server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import httpx
import pytest
from client_frames import chunk, sse
from sandbox_agent_client import Endpoint, errors
from sandbox_agent_client._async import stream as stream_module
from sandbox_agent_client._async.interrupt import Interrupt
from sandbox_agent_client._async.stream import follow
from sandbox_agent_client._async.transport import Transport
from sandbox_agent_client._calls.events import session_events
from sandbox_agent_client._places import SessionPlace
from sandbox_agent_client._resume import Reconnection
from sandbox_agent_core.frames import LogEntry

STREAM = {"content-type": "text/event-stream; charset=utf-8"}
Reply = httpx.Response | Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox_agent_client._resume.BACKOFF_BASE_S", 0.001)
    monkeypatch.setattr("sandbox_agent_client._resume.BACKOFF_MAX_S", 0.01)


class Server:
    """Answers one request after the other; the last answer is repeated."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply(request) if callable(reply) else reply

    @property
    def cursors(self) -> list[int]:
        return [int(request.url.params["after"]) for request in self.requests]


def events(*entries: LogEntry, drop: bool = False) -> Reply:
    async def body() -> AsyncIterator[bytes]:
        yield b": hello\n\n"
        for entry in entries:
            yield sse(entry)
        if drop:
            yield sse(chunk(999))[:20]
            raise httpx.ReadError("connection reset")

    return lambda _request: httpx.Response(200, headers=STREAM, content=body())


async def collect(
    server: Server, count: int, *, after: int = 0, reconnect_timeout_s: float = 5.0
) -> list[LogEntry]:
    found: list[LogEntry] = []
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as http:
        transport = Transport(Endpoint(url="http://test/base/", token="t"), http_client=http)
        entries = follow(
            transport,
            session_events("ses_1"),
            SessionPlace("ses_1", after),
            interrupt=Interrupt(),
            reconnect_timeout_s=reconnect_timeout_s,
        )
        async with aclosing(entries):
            async for entry in entries:
                found.append(entry)
                if len(found) == count:
                    break
    return found


def seqs(entries: list[LogEntry]) -> list[int]:
    return [entry.seq for entry in entries]


async def test_it_asks_for_the_frame_view_with_the_token_below_the_base_path() -> None:
    server = Server(events(chunk(1)))
    await collect(server, 1)
    request = server.requests[0]
    assert request.url.path == "/base/v1/sessions/ses_1/events"
    assert request.url.params["view"] == "frames"
    assert request.headers["authorization"] == "Bearer t"
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["accept-encoding"] == "identity"


async def test_it_goes_on_from_its_cursor_after_a_drop() -> None:
    server = Server(
        events(chunk(1), chunk(2), drop=True), events(chunk(3), drop=True), events(chunk(4))
    )
    assert seqs(await collect(server, 4)) == [1, 2, 3, 4]
    assert server.cursors == [0, 2, 3]


async def test_it_goes_on_when_the_server_ends_the_stream() -> None:
    server = Server(events(chunk(1)), events(), events(chunk(2)))
    assert seqs(await collect(server, 2)) == [1, 2]


async def test_what_arrives_twice_is_given_once() -> None:
    server = Server(events(chunk(1), chunk(2), drop=True), events(chunk(1), chunk(2), chunk(3)))
    assert seqs(await collect(server, 3)) == [1, 2, 3]


async def test_a_gap_is_healed_by_a_new_connection() -> None:
    server = Server(events(chunk(1), chunk(3)), events(chunk(2), chunk(3)))
    assert seqs(await collect(server, 3)) == [1, 2, 3]
    assert server.cursors == [0, 1]


async def test_a_gap_that_stays_is_an_error() -> None:
    with pytest.raises(errors.StreamGap):
        await collect(Server(events(chunk(1), chunk(3)), events(chunk(3))), 3)


async def test_a_server_that_is_busy_or_restarts_is_waited_for() -> None:
    server = Server(
        httpx.Response(503, json={"type": "urn:sandbox-agent:error:unavailable"}),
        httpx.Response(429, json={"type": "urn:sandbox-agent:error:limit_reached"}),
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(200, text="<html>Starting …</html>", headers={"content-type": "text/html"}),
        events(chunk(1)),
    )
    assert seqs(await collect(server, 1)) == [1]
    # From the second answer on that is no stream of ours it also asks for what is in the log.
    asked = [request.headers["accept"] for request in server.requests]
    assert asked.count("text/event-stream") == 4
    assert asked.count("application/json") == 2


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "session_not_found", errors.SessionNotFound),
        (401, "token_invalid", errors.TokenInvalid),
        (403, "permission_denied", errors.PermissionDenied),
    ],
)
async def test_a_refusal_ends_it(
    status: int, code: str, error: type[errors.SandboxAgentError]
) -> None:
    problem = {"type": f"urn:sandbox-agent:error:{code}", "detail": "no"}
    headers = {"content-type": "application/problem+json"}
    server = Server(httpx.Response(status, json=problem, headers=headers))
    with pytest.raises(error, match="no"):
        await collect(server, 1)
    assert len(server.requests) == 1


async def test_a_gateway_that_refuses_for_a_while_is_no_end() -> None:
    server = Server(
        httpx.Response(404, text="no such sandbox yet"),
        httpx.Response(403, json={"message": "stale gateway token"}),
        events(chunk(1)),
    )
    assert seqs(await collect(server, 1)) == [1]


async def test_it_gives_up_after_its_deadline_and_says_why() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(errors.ServerUnreachable, match="connection refused"):
        await collect(Server(refuse), 1, reconnect_timeout_s=0.05)


@pytest.mark.parametrize(
    "junk", [b"data: not json\n\n", b'data: {"seq": 1}\n\n', b'data: "text"\n\n']
)
async def test_junk_does_not_pass_for_a_sign_of_life(junk: bytes) -> None:
    reply = lambda _request: httpx.Response(200, headers=STREAM, content=junk)  # noqa: E731
    with pytest.raises(errors.ServerUnreachable, match="sandbox-agent server"):
        await collect(Server(reply), 1, reconnect_timeout_s=0.05)


async def test_an_endpoint_that_moves_is_asked_for_again() -> None:
    urls = iter(["http://second"])

    async def locate() -> Endpoint:
        return Endpoint(url=next(urls))

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "first":
            raise httpx.ConnectError("gone", request=request)
        return httpx.Response(200, headers=STREAM, content=sse(chunk(1)))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        transport = Transport(Endpoint(url="http://first"), http_client=http, locate=locate)
        entries = follow(
            transport,
            session_events("ses_1"),
            SessionPlace("ses_1", 0),
            interrupt=Interrupt(),
            reconnect_timeout_s=5.0,
        )
        async with aclosing(entries):
            assert (await anext(entries)).seq == 1
    assert transport.endpoint.url == "http://second"


async def test_an_interrupt_ends_it_while_it_waits_to_reconnect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupt = Interrupt()

    class Slow(Reconnection):
        def delay_after(self, error: errors.SandboxAgentError) -> float:
            interrupt.set()
            return 3600.0

    monkeypatch.setattr(stream_module, "Reconnection", Slow)
    async with httpx.AsyncClient(transport=httpx.MockTransport(Server(events()))) as http:
        transport = Transport(Endpoint(url="http://test"), http_client=http)
        entries = follow(
            transport,
            session_events("ses_1"),
            SessionPlace("ses_1", 0),
            interrupt=interrupt,
            reconnect_timeout_s=None,
        )
        assert [entry async for entry in entries] == []
