"""A path without a parameter is found at once, and everything else as ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgi_call import code_of, request
from sandbox_agent_server.http.errors import exception_handlers
from sandbox_agent_server.http.static_paths import StaticPaths
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route


def _saying(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def handler(request: Request) -> Response:
        return PlainTextResponse(f"{name} {request.path_params}")

    return handler


def app() -> Starlette:
    routes: list[BaseRoute] = [
        Route("/things/{id}", _saying("one"), methods=["GET", "DELETE"]),
        Route("/things", _saying("list"), methods=["GET"]),
        Route("/things", _saying("make"), methods=["POST"]),
    ]
    return Starlette(routes=[StaticPaths(routes), *routes], exception_handlers=exception_handlers())


async def test_each_method_of_a_path_reaches_its_route() -> None:
    for method, name in (("GET", "list"), ("POST", "make")):
        answer = await request(app(), method, "/things")
        assert answer.body.decode() == f"{name} {{}}"
    assert (await request(app(), "HEAD", "/things")).status == 200


async def test_a_path_with_a_parameter_is_found_as_ever() -> None:
    answer = await request(app(), "DELETE", "/things/7")
    assert answer.body.decode() == "one {'id': '7'}"


async def test_what_is_not_there_is_refused_as_ever() -> None:
    answer = await request(app(), "PUT", "/things")
    assert code_of(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert code_of(await request(app(), "GET", "/nothing")) == (404, "not_found")
