"""Connections that break in the middle of real streams."""

from __future__ import annotations

import asyncio

import pytest
from cutting_proxy import CuttingProxy
from sandbox_agent_client import Endpoint, Event, MessageCompleted, SandboxAgent, TurnEnded, errors
from support.server import ServerProcess


async def connected(proxy: CuttingProxy, endpoint: Endpoint, transport: str) -> SandboxAgent:
    return await SandboxAgent.connect(
        proxy.url,
        token=endpoint.token,
        transport=transport,  # type: ignore[arg-type]
        reconnect_timeout=10,
    )


async def test_a_stream_is_complete_although_its_connections_are_cut(
    endpoint: Endpoint, transport: str
) -> None:
    async with (
        CuttingProxy(endpoint.url, cut_after_bytes=100_000) as proxy,
        await connected(proxy, endpoint, transport) as client,
    ):
        session = await client.create_session("mock")
        seqs: list[int] = []
        turn = asyncio.create_task(session.prompt("burst 3000x16"))
        async for entry in session.frames(after=0):
            seqs.append(entry.seq)
            if entry.method == "session/prompt" and entry.sender == "agent":
                break
        assert seqs == list(range(1, seqs[-1] + 1))
        assert (await turn).stop_reason == "end_turn"
        assert proxy.connections > 5


async def test_a_prompt_survives_an_outage(endpoint: Endpoint, transport: str) -> None:
    async with (
        CuttingProxy(endpoint.url) as proxy,
        await connected(proxy, endpoint, transport) as client,
    ):
        session = await client.create_session("mock")
        seen: list[Event] = []
        session.on_event(seen.append)
        turn = asyncio.create_task(session.prompt("stream 30 10"))
        await asyncio.sleep(0.1)
        proxy.refuses = True
        proxy.cut()
        await asyncio.sleep(0.3)
        proxy.refuses = False
        result = await asyncio.wait_for(turn, 10)
        assert result.stop_reason == "end_turn"
        async with asyncio.timeout(30):
            while not (seen and isinstance(seen[-1], TurnEnded)):
                await asyncio.sleep(0.01)
        assert seen == [event async for event in session.events(after=seen[0].seq - 1)]
        assert [event.text for event in seen if isinstance(event, MessageCompleted)] == [
            result.text
        ]


async def test_a_prompt_learns_that_its_server_was_killed(
    server: ServerProcess, transport: str
) -> None:
    endpoint = Endpoint(url=server.url, token=server.token)
    async with (
        CuttingProxy(server.url) as proxy,
        await connected(proxy, endpoint, transport) as client,
    ):
        session = await client.create_session("mock")
        seqs: list[int] = []
        session.on_event(lambda event: seqs.append(event.seq), after=0)
        turn = asyncio.create_task(session.prompt("slow 60"))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        proxy.retarget(server.url)
        with pytest.raises(errors.Unavailable, match="stopped during the turn"):
            await asyncio.wait_for(turn, 20)
        assert (await session.prompt("hello")).text == "You said: hello"
        history = [event.seq async for event in session.events()]
        async with asyncio.timeout(30):
            while len(seqs) < len(history):
                await asyncio.sleep(0.01)
        assert seqs == history


async def test_a_server_that_stays_away_is_an_error(endpoint: Endpoint, transport: str) -> None:
    async with CuttingProxy(endpoint.url) as proxy:
        client = await SandboxAgent.connect(
            proxy.url,
            token=endpoint.token,
            transport=transport,  # type: ignore[arg-type]
            reconnect_timeout=0.2,
        )
        async with client:
            session = await client.create_session("mock")
            turn = asyncio.create_task(session.prompt("slow 60"))
            await asyncio.sleep(0.1)
            proxy.refuses = True
            proxy.cut()
            with pytest.raises(errors.ServerUnreachable):
                await asyncio.wait_for(turn, 5)
            proxy.refuses = False
            # The turn did not know of the outage.
            assert (await session.cancel()).cancelled


async def test_a_stream_of_a_session_that_does_not_exist_is_refused(
    endpoint: Endpoint, transport: str
) -> None:
    async with SandboxAgent.connect(
        endpoint.url,
        token=endpoint.token,
        transport=transport,  # type: ignore[arg-type]
    ) as client:
        session = await client.create_session("mock")
        session._info.id = "no-such-session"
        with pytest.raises(errors.SessionNotFound):
            await asyncio.wait_for(anext(session.stream(after=0)), 5)


async def test_many_streams_of_one_client_do_not_wait_for_each_other(endpoint: Endpoint) -> None:
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as client:
        session = await client.create_session("mock")
        streams = [session.stream(after=0) for _ in range(120)]
        async with asyncio.timeout(20):
            first = await asyncio.gather(*(anext(stream) for stream in streams))
        assert {event.seq for event in first} == {1}
        for stream in streams:
            await stream.aclose()
