"""The public side of a fake provider: a request is passed on to a port of this machine, as it is, streams too."""

from __future__ import annotations

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

__all__ = ["pass_on"]

_HOP_BY_HOP = frozenset(
    {"connection", "host", "keep-alive", "transfer-encoding", "upgrade", "content-length"}
)


async def pass_on(request: Request, port: int, path: str) -> Response:
    """502 when nothing listens there."""
    client = httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(10, read=None))
    headers = {k: v for k, v in request.headers.items() if k not in _HOP_BY_HOP}
    asked = client.build_request(
        request.method,
        f"http://127.0.0.1:{port}{path}",
        params=request.query_params,
        headers=headers,
        content=await request.body(),
    )
    try:
        answer = await client.send(asked, stream=True)
    except httpx.TransportError as exc:
        await client.aclose()
        return Response(f"the sandbox does not answer: {exc}", status_code=502)

    async def body():  # type: ignore[no-untyped-def]
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        except httpx.TransportError:
            return  # it was killed or paused meanwhile
        finally:
            await answer.aclose()
            await client.aclose()

    kept = {k: v for k, v in answer.headers.items() if k not in _HOP_BY_HOP}
    return StreamingResponse(body(), status_code=answer.status_code, headers=kept)
