"""Which requests are for the origin of a port, and where there are such origins."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.http.hosts import Hosts
from sandbox_agent_server.http.port_headers import response_headers, visit_cookie
from sandbox_agent_server.http.port_origins import (
    PortOrigins,
    has_own_origin,
    origin_of,
    origins_of,
)


def scope(host: str, path: str = "/v1/sessions", **headers: str) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "headers": [(b"host", host.encode()), *raw],
    }


async def routed(asked: dict[str, Any]) -> dict[str, Any]:
    seen: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope)

    async def nothing(*_: Any) -> Any: ...

    await PortOrigins(app)(asked, nothing, nothing)
    return dict(seen[0])


@pytest.mark.parametrize("path", ["/", "/v1/health", "/v1/ports/4000/", "/ui/", "//x", "/../v1"])
@pytest.mark.parametrize("host", ["port-3000.localhost:2468", "PORT-3000.localhost"])
async def test_whatever_is_asked_by_the_name_of_a_port_is_that_ports(host: str, path: str) -> None:
    found = await routed(scope(host, path))
    assert found["path"] == f"/v1/ports/3000{path}"
    assert found["raw_path"] == f"/v1/ports/3000{path}".encode()
    assert has_own_origin(found)


@pytest.mark.parametrize(
    "host",
    ["localhost:2468", "127.0.0.1", "port-3000.localhost.example", "xport-3000.localhost", "port-.localhost",
     "port-0300.localhost", "port-3000.localhost:2468:1", "port-3000.localhost/", "a@port-3000.localhost", "evil.localhost", ""],
)  # fmt: skip
async def test_other_names_are_the_servers_own_or_nobodys(host: str) -> None:
    asked = scope(host)
    assert await routed(asked) == asked
    assert not Hosts("127.0.0.1", []).knows("evil.localhost")


@pytest.mark.parametrize(
    ("host", "suffix"),
    [("127.0.0.1:2468", ":2468"), ("localhost", ""), ("[::1]:80", ":80"), ("LOCALHOST:1", ":1")],
)
def test_a_browser_at_a_loopback_address_finds_them(host: str, suffix: str) -> None:
    assert origin_of(3000, scope(host)) == f"http://port-3000.localhost{suffix}"
    assert origins_of(scope(host)) == f"http://*.localhost{suffix}"


@pytest.mark.parametrize(
    "asked",
    [
        scope("box.example"), scope("127.0.0.1.example"), scope(""), scope("localhost:1; script-src *"),
        scope("localhost", x_forwarded_proto="https"), scope("localhost", x_forwarded_host="box.example"),
        scope("localhost", via="1.1 gateway"), scope("localhost") | {"scheme": "https"},
    ],
)  # fmt: skip
def test_elsewhere_there_are_none(asked: dict[str, Any]) -> None:
    assert origin_of(3000, asked) is None
    assert origins_of(asked) is None


def test_at_its_origin_a_program_is_at_the_root_and_its_cookies_live_in_a_frame() -> None:
    answer = [
        (b"Location", b"http://localhost:3000/x?y"),
        (b"Set-Cookie", b"a=1; Path=/app; SameSite=Strict; HttpOnly; secure"),
        (b"Set-Cookie", b"b=2; Domain=localhost"),
    ]
    in_a_frame = "SameSite=None; Secure; Partitioned"
    assert response_headers(answer, port=3000, prefix="") == [
        (b"location", b"/x?y"),
        (b"set-cookie", f"a=1; HttpOnly; {in_a_frame}; Path=/app".encode()),
        (b"set-cookie", f"b=2; {in_a_frame}; Path=/".encode()),
    ]
    name, value = visit_cookie("v", prefix="", max_age_s=60, is_secure=False)
    assert name == b"set-cookie"
    assert value == f"sandbox-agent-visit=v; Path=/; Max-Age=60; HttpOnly; {in_a_frame}".encode()
