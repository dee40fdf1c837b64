"""A port of a Pod on this machine's loopback: every byte both ways, as fast as it is taken, and nothing left open."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from sandbox_agent_kubernetes import port_forward
from sandbox_agent_kubernetes.cluster import Cluster as Api
from sandbox_agent_kubernetes.machine import PodMachine
from sandbox_agent_kubernetes.pods import Pod
from sandbox_agent_kubernetes.port_forward import PortForwards
from support.kubernetes import Cluster

PORT = 8000
DEADLINE_S = 30
BIG = 8 << 20

# Answers each connection by its first byte, and writes down when one that waits is over.
PROGRAM = """
import asyncio, contextlib, hashlib
async def answer(reader, writer):
    kind = await reader.readexactly(1)
    if kind == b"d":
        writer.write(b"x" * (8 << 20))
    elif kind == b"u":
        digest = hashlib.sha256(await reader.readexactly(8 << 20)).hexdigest()
        writer.write(digest.encode())
    elif kind == b"e":
        data = await reader.readexactly(5)
        writer.write(data + b" and more after that")
    elif kind == b"w":
        writer.write(b"waits")
        await writer.drain()
        await reader.read()
        with open("log", "w") as log:
            log.write("over")
    with contextlib.suppress(OSError):
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 8000)
    await server.serve_forever()
asyncio.run(main())
"""


@pytest.fixture
def pod(cluster: Cluster) -> str:
    container = {
        "name": "agent",
        "image": "any",
        "command": ["python3", "-c", PROGRAM],
        "readinessProbe": {"tcpSocket": {"port": PORT}},
    }
    spec = {"containers": [container]}
    cluster.create(
        "pods", {"metadata": {"name": "one"}, "spec": spec, "status": {"phase": "Pending"}}
    )
    cluster.wait_for("pods", "one", is_ready)
    return "one"


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


@pytest.fixture
def forwards(cluster: Cluster) -> PortForwards:
    return PortForwards(Api(kubeconfig=str(cluster.kubeconfig), context=None, namespace=None))


@pytest.fixture
async def port(forwards: PortForwards, pod: str) -> int:
    return await forwards.port("agents", pod, PORT, sandbox="one")


@asynccontextmanager
async def connected(
    port: int,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def said(port: int) -> bytes:
    """What comes to a connection that waits for an answer; nothing when it is reset."""
    async with connected(port) as (reader, writer):
        writer.write(b"w")
        with suppress(ConnectionError):
            return await reader.read(5)
        return b""


async def test_every_byte_comes_down_also_to_a_slow_reader(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"d")
        await asyncio.sleep(0)
        assert len(await reader.read(-1)) == BIG


async def test_every_byte_goes_up(port: int) -> None:
    content = os.urandom(BIG)
    async with connected(port) as (reader, writer):
        writer.write(b"u" + content)
        assert (await reader.read(-1)).decode() == hashlib.sha256(content).hexdigest()


async def test_a_client_that_has_said_all_hears_the_rest(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"e12345")
        writer.write_eof()
        assert await reader.read(-1) == b"12345 and more after that"


async def test_connections_are_many_at_once(port: int) -> None:
    assert await asyncio.gather(*(said(port) for _ in range(20))) == [b"waits"] * 20


async def test_the_pod_hears_that_a_client_has_left(
    cluster: Cluster, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_forward, "HALF_CLOSED_S", 0.05)
    assert await said(port) == b"waits"
    async with asyncio.timeout(DEADLINE_S):
        while "over" not in await log_of(cluster):
            await asyncio.sleep(0.02)


async def test_a_port_on_which_nobody_listens_resets(forwards: PortForwards, pod: str) -> None:
    assert await said(await forwards.port("agents", pod, 9, sandbox="one")) == b""


async def test_a_pod_that_is_gone_resets(cluster: Cluster, port: int) -> None:
    assert await said(port) == b"waits"
    cluster.delete("pods", "one")
    cluster.wait_for("pods", "one", lambda it: it is None)
    assert await said(port) == b""


async def test_the_next_connection_works_after_the_api_server_has_cut_all(
    cluster: Cluster, port: int
) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"w")
        assert await reader.read(5) == b"waits"
        await asyncio.to_thread(cluster.cut_connections)
        with suppress(ConnectionError):
            assert await reader.read() == b""
    assert await said(port) == b"waits"


async def test_a_forgotten_sandbox_has_no_port_and_no_connection(
    forwards: PortForwards, port: int
) -> None:
    async with connected(port) as (reader, writer):
        writer.write(b"w")
        assert await reader.read(5) == b"waits"
        await forwards.forget("agents", "one")
        with suppress(ConnectionError):
            assert await reader.read() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


def test_it_outlives_the_loop_that_has_asked_and_ends_with_its_owner(
    forwards: PortForwards, pod: str
) -> None:
    """As the synchronous client has several, one after the other."""
    port = asyncio.run(forwards.port("agents", pod, PORT, sandbox="one"))
    assert asyncio.run(said(port)) == b"waits"
    assert asyncio.run(forwards.port("agents", pod, PORT, sandbox="one")) == port
    thread = forwards._thread
    assert thread is not None
    forwards._thread = None
    thread.stop()
    assert not thread._thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(said(port))


async def log_of(cluster: Cluster) -> str:
    options = {"kubeconfig": str(cluster.kubeconfig), "context": None, "namespace": None}
    pod = Pod(cluster.get("pods", "one") or {})
    return (await PodMachine(Api(**options), pod).run("cat log", timeout_s=DEADLINE_S)).stdout
