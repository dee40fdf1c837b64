"""`pods/exec`: a process in the container of a Pod, its three streams, and how it ended."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from support.kubernetes.channels import STDERR, STDIN, STDOUT, Channels
from support.kubernetes.containers import Container, NotStarted
from support.kubernetes.refusals import Refusal

__all__ = ["exec_stream"]

_CHUNK_BYTES = 1 << 16


async def exec_stream(request: web.Request, container: Container) -> web.StreamResponse:
    """Serve it. A client that goes does not end the process, but its streams.

    Raises:
        Refusal: 400, the request is none.
    """
    command = request.query.getall("command", [])
    wanted = {name for name in ("stdin", "stdout", "stderr", "tty") if _is_set(request, name)}
    if not command:
        raise Refusal(400, "you must specify at least 1 command to be executed")
    if not wanted & {"stdin", "stdout", "stderr"}:
        raise Refusal(400, "you must specify at least 1 of stdin, stdout, stderr")
    if "tty" in wanted:
        raise Refusal(400, "terminals are not modelled here")
    channels = await Channels.open(request, protocols=("v5.channel.k8s.io", "v4.channel.k8s.io"))
    try:
        process = await container.exec(command, has_input="stdin" in wanted)
    except NotStarted as problem:
        message = f"error executing command in container: failed to exec in container: {problem}"
        await channels.send_status(
            {"status": "Failure", "message": message, "reason": "InternalError", "code": 500}
        )
        await channels.close()
        return channels.response
    await _serve(channels, process, wanted)
    return channels.response


async def _serve(channels: Channels, process: asyncio.subprocess.Process, wanted: set[str]) -> None:
    feed = asyncio.create_task(_feed(channels, process))
    answer = asyncio.create_task(_answer(channels, process, wanted))
    try:
        await asyncio.wait({feed, answer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        feed.cancel()
        answer.cancel()
        await asyncio.wait({feed, answer})
        # When the client has gone: what the process still says ends in a broken pipe. There is no public way.
        process._transport.close()  # type: ignore[attr-defined]
    for task in (feed, answer):
        if (
            not task.cancelled()
            and (problem := task.exception())
            and not isinstance(problem, ConnectionError)
        ):
            raise problem


async def _answer(
    channels: Channels, process: asyncio.subprocess.Process, wanted: set[str]
) -> None:
    assert process.stdout
    assert process.stderr
    # Until everybody has closed them: a child that goes on in the background keeps the stream open.
    await asyncio.gather(
        _pump(channels, STDOUT, process.stdout, is_wanted="stdout" in wanted),
        _pump(channels, STDERR, process.stderr, is_wanted="stderr" in wanted),
    )
    await channels.send_status(_outcome(await process.wait()))
    await channels.close()


def _outcome(code: int) -> dict[str, Any]:
    if code == 0:
        return {"status": "Success"}
    code = code if code > 0 else 128 - code
    return {
        "status": "Failure",
        "message": f"command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


async def _pump(
    channels: Channels, channel: int, stream: asyncio.StreamReader, *, is_wanted: bool
) -> None:
    while data := await stream.read(_CHUNK_BYTES):
        if is_wanted:
            await channels.send(channel, data)


async def _feed(channels: Channels, process: asyncio.subprocess.Process) -> None:
    while (message := await channels.receive()) is not None:
        channel, data = message
        if channel != STDIN or process.stdin is None:
            continue
        if data is None:
            process.stdin.close()
            continue
        try:
            process.stdin.write(data)
            await process.stdin.drain()
        except ConnectionError:
            continue  # it reads no more: the rest is lost, as in a pipe
    if process.stdin:
        process.stdin.close()


def _is_set(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in ("true", "1")
