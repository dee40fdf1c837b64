"""Health is answered before all else, and what is unusual about a request is left to the route behind."""

from __future__ import annotations

from typing import Any

import pytest
from asgi_call import Reached, request, websocket
from sandbox_agent_core.api.agents import Health
from sandbox_agent_server.http.health import HealthFirst

TOKEN = "t0ken-of-the-test"
HERE = {"host": "127.0.0.1:2468"}
BEARER = {"authorization": f"Bearer {TOKEN}"}


def first(inner: Reached, **options: Any) -> HealthFirst:
    settings = {
        "token": TOKEN,
        "bound_host": "127.0.0.1",
        "allow_hosts": ("box.example",),
        **options,
    }
    return HealthFirst(
        inner, health=lambda: Health(status="ok", version="1", uptime_s=2), **settings
    )


async def test_whoever_shows_nothing_is_told_nothing_but_that_it_answers() -> None:
    inner = Reached()
    answer = await request(first(inner), headers=HERE)
    assert (answer.status, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["x-request-id"].startswith("rid_")
    assert inner.scopes == []


async def test_the_server_s_own_token_is_told_all() -> None:
    inner = Reached()
    answer = await request(first(inner), headers={"host": "box.example", **BEARER})
    assert answer.json() == {"status": "ok", "version": "1", "uptimeS": 2}
    assert inner.scopes == []


async def test_where_no_token_is_needed_everybody_is_told_all() -> None:
    for headers in (HERE, {**HERE, "authorization": "Bearer whatever"}):
        answer = await request(first(Reached(), token=None), headers=headers)
        assert answer.json()["version"] == "1"


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {}, {**HERE, "origin": "https://a.example"}, {**HERE, "authorization": "Bearer wrong"},
     {**HERE, "authorization": f"bearer {TOKEN}"}, {**HERE, **BEARER, "x-sandbox-agent-token": "other"},
     [*HERE.items(), *BEARER.items(), ("authorization", "Bearer other")]],
)  # fmt: skip
async def test_what_is_unusual_is_left_to_the_route(headers: Any) -> None:
    inner = Reached()
    assert (await request(first(inner), headers=headers)).body == b"reached"
    assert len(inner.scopes) == 1


@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "/v1/health"), ("POST", "/v1/health"), ("GET", "/v1/health/")]
)
async def test_other_requests_go_on(method: str, path: str) -> None:
    inner = Reached()
    assert (await request(first(inner), method, path, HERE)).body == b"reached"


async def test_a_websocket_goes_on() -> None:
    (accepted,) = await websocket(first(Reached()), "/v1/health", HERE)
    assert accepted["type"] == "websocket.accept"
