"""A chat with an agent in the browser: the page, JSON to say and decide, server-sent events to watch.

python server.py [PORT]     then http://127.0.0.1:8000; AGENT=claude for another than the mock agent
"""

import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from sandbox_agent_client import SandboxAgent, Session, errors
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with SandboxAgent.start("local", data_dir="chat-data") as client:
        app.state.client = client
        yield


async def page(request: Request) -> Response:
    return FileResponse(Path(__file__).with_name("index.html"))


async def chats(request: Request) -> Response:
    sessions = await request.app.state.client.list_sessions(limit=50)
    return JSONResponse([{"id": s.id, "title": s.info.title or s.id} for s in sessions])


async def new_chat(request: Request) -> Response:
    await body(request)
    client: SandboxAgent = request.app.state.client
    session = await client.create_session(os.environ.get("AGENT", "mock"), cwd=str(Path.cwd()))
    return JSONResponse({"id": session.id}, 201)


async def watch(request: Request) -> Response:
    """Everything from the cursor on, then what happens. A browser that comes back says how far it was."""
    session = await chat(request)
    after = int(request.headers.get("last-event-id", 0))

    async def events() -> AsyncIterator[str]:
        async for event in session.stream(after=after):
            yield f"id: {event.seq}\ndata: {json.dumps(event.to_wire())}\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def say(request: Request) -> Response:
    session, text = await chat(request), (await body(request))["text"]
    if not session.info.title:
        await session.rename(text[:60])
    turn = await session.send(text)
    return JSONResponse({"turnId": turn.id}, 202)


async def answer(request: Request) -> Response:
    session, decision = await chat(request), await body(request)
    await session.respond(request.path_params["request_id"], **decision, actor="browser")
    return Response(status_code=204)


async def stop(request: Request) -> Response:
    await body(request)
    await (await chat(request)).cancel()
    return Response(status_code=204)


async def chat(request: Request) -> Session:
    client: SandboxAgent = request.app.state.client
    return await client.get_session(request.path_params["id"])


async def body(request: Request) -> dict[str, Any]:
    """Only JSON: another site's form could send anything else in the name of whoever has this page open."""
    if request.headers.get("content-type") != "application/json":
        raise errors.UnsupportedMediaType("Send application/json.")
    data: dict[str, Any] = await request.json()
    return data


async def problem(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, errors.SandboxAgentError)
    return JSONResponse({"code": exc.code, "message": exc.message}, exc.http_status)


app = Starlette(
    routes=[
        Route("/", page),
        Route("/chats", chats),
        Route("/chats", new_chat, methods=["POST"]),
        Route("/chats/{id}/events", watch),
        Route("/chats/{id}/say", say, methods=["POST"]),
        Route("/chats/{id}/requests/{request_id}", answer, methods=["POST"]),
        Route("/chats/{id}/stop", stop, methods=["POST"]),
    ],
    middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    exception_handlers={errors.SandboxAgentError: problem},
    lifespan=lifespan,
)

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    uvicorn.run(app, port=port, timeout_graceful_shutdown=1)
