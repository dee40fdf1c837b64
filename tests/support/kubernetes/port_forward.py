"""`pods/portforward` for clients that speak channels: one WebSocket carries one connection for each port it names.

kubectl speaks SPDY instead: see `spdy`.
"""

from __future__ import annotations

import asyncio
import os
import struct

from aiohttp import web

from support.kubernetes.channels import Channels
from support.kubernetes.containers import Container
from support.kubernetes.refusals import Refusal

__all__ = ["port_forward", "refused"]

_CHUNK_BYTES = 1 << 16


async def port_forward(request: web.Request, container: Container) -> web.StreamResponse:
    """Serve it: channel 2i is the data of the i-th port, 2i+1 says what went wrong.

    Raises:
        Refusal: 400, the request is none.
    """
    try:
        ports = [
            int(port) for given in request.query.getall("ports", []) for port in given.split(",")
        ]
    except ValueError:
        raise Refusal(400, "ports are numbers") from None
    if not ports:
        raise Refusal(400, 'query parameter "ports" is required')
    channels = await Channels.open(request, protocols=("v4.channel.k8s.io",))
    for index, port in enumerate(ports):
        for channel in (2 * index, 2 * index + 1):
            await channels.send(channel, struct.pack("<H", port))
    writers: dict[int, asyncio.StreamWriter] = {}
    pumps: list[asyncio.Task[None]] = []
    for index, port in enumerate(ports):
        try:
            reader, writers[2 * index] = await container.connect(port)
        except OSError as problem:
            await channels.send(2 * index + 1, refused(port, problem).encode())
            continue
        pumps.append(asyncio.create_task(_pump(channels, 2 * index, reader)))
    feed = asyncio.create_task(_feed(channels, writers))
    everything = asyncio.create_task(_all(pumps))
    try:
        await asyncio.wait({feed, everything}, return_when=asyncio.FIRST_COMPLETED)
        await channels.close()
    finally:
        feed.cancel()
        everything.cancel()
        await asyncio.gather(feed, everything, return_exceptions=True)
        for writer in writers.values():
            writer.close()
    return channels.response


def refused(port: int, problem: OSError) -> str:
    """The words of a kubelet whose Pod does not listen."""
    return (
        f"error forwarding port {port} to pod: failed to connect to localhost:{port} inside namespace, "
        f"IPv4: dial tcp4 127.0.0.1:{port}: connect: {os.strerror(problem.errno or 0).lower()}"
    )


async def _all(pumps: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(channels: Channels, channel: int, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        await channels.send(channel, data)


async def _feed(channels: Channels, writers: dict[int, asyncio.StreamWriter]) -> None:
    while (message := await channels.receive()) is not None:
        channel, data = message
        if data and channel in writers:
            writers[channel].write(data)
            await writers[channel].drain()
