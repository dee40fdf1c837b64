"""`pods/log`: what a container wrote, and what it still writes."""

from __future__ import annotations

import asyncio

from aiohttp import web

from support.kubernetes.kubelet import Kubelet
from support.kubernetes.refusals import Refusal
from support.kubernetes.requests import Call
from support.kubernetes.storage import Object

__all__ = ["logs"]

_POLL_S = 0.05
_CHUNK_BYTES = 1 << 16


async def logs(
    call: Call, request: web.Request, pod: Object, kubelet: Kubelet
) -> web.StreamResponse:
    """Serve it: `tailLines`, `limitBytes`, `previous` and `follow`; no time stamps.

    Raises:
        Refusal: 400, there is no such container, or it did not start.
    """
    container = call.query.get("container") or pod["spec"]["containers"][0]["name"]
    path = kubelet.log(pod, container, previous=call.is_set("previous"))
    if path is None:
        known = [
            each["name"]
            for each in (*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ()))
        ]
        if container not in known:
            raise Refusal(400, f"container {container} is not valid for pod {call.name}")
        what = "previous terminated container" if call.is_set("previous") else "container"
        raise Refusal(
            400, f'{what} "{container}" in pod "{call.name}" is waiting to start or not found'
        )
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    with path.open("rb") as file:
        written = file.read()
        await response.write(_cut(written, call))
        while call.is_set("follow"):
            is_running = kubelet.container(pod) is not None
            while more := file.read(_CHUNK_BYTES):
                await response.write(more)
            if not is_running:
                break
            await asyncio.sleep(_POLL_S)
    return response


def _cut(written: bytes, call: Call) -> bytes:
    if (lines := call.query.get("tailLines")) is not None:
        written = b"".join(written.splitlines(keepends=True)[-int(lines) :]) if int(lines) else b""
    if (limit := call.query.get("limitBytes")) is not None:
        written = written[: int(limit)]
    return written
