"""What passes of a request and of its answer."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_client.inspector_hub.passing import answer_headers, request_headers, target_of
from sandbox_agent_core.spi.provider import Endpoint

AT = Endpoint(url="https://box.example/base/", token="of-the-server", headers={"X-Gate": "open"})


def scope(*headers: tuple[bytes, bytes], query: bytes = b"") -> Any:
    return {"type": "http", "headers": [*headers], "query_string": query}


def test_a_token_is_exchanged_and_what_is_of_the_connection_stays() -> None:
    given = scope(
        (b"host", b"127.0.0.1:1"), (b"authorization", b"Bearer of-the-hub"), (b"origin", b"http://127.0.0.1:1"),
        (b"accept", b"*/*"), (b"connection", b"keep-alive, x-hop"), (b"x-hop", b"1"), (b"x-gate", b"forged"),
        (b"x-sandbox-agent-token", b"of-the-hub"),
    )  # fmt: skip
    assert sorted(request_headers(given, AT, is_admitted=True)) == [
        (b"Authorization", b"Bearer of-the-server"), (b"X-Gate", b"open"), (b"accept", b"*/*"),
    ]  # fmt: skip
    assert sorted(request_headers(given, AT, is_admitted=False)) == [
        (b"X-Gate", b"open"), (b"accept", b"*/*"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "target"),
    [
        (b"", "https://box.example/base/v1/fs/file"),
        (b"path=%2Fa%20b&x=%C3%A4", "https://box.example/base/v1/fs/file?path=%2Fa%20b&x=%C3%A4"),
        (b"access_token=of-the-hub&a=", "https://box.example/base/v1/fs/file?a="),
    ],
)
def test_a_path_goes_as_it_was_written(query: bytes, target: str) -> None:
    assert target_of(scope(query=query), AT, b"/v1/fs/file") == target


def answer(*headers: tuple[bytes, bytes]) -> dict[bytes, bytes]:
    found = answer_headers(
        headers, prefix=b"/servers/a", url=AT.url, target=f"{AT.url}v1/ports/1/x", port=2469
    )
    return dict(found)


@pytest.mark.parametrize(
    ("location", "seen"),
    [
        (b"/base/v1/ports/3000/", b"/servers/a/v1/ports/3000/"),
        (b"https://box.example/base/x", b"/servers/a/x"),
        (b"https://box.example/base", b"/servers/a/"),
        (b"https://box.example/based", b"https://box.example/based"),
        (b"https://elsewhere.example/x", b"https://elsewhere.example/x"),
        (b"//elsewhere.example/x", b"https://elsewhere.example/x"),
        (b"y?z=%2e%2e/#f", b"/servers/a/v1/ports/1/y?z=%2e%2e/#f"),
        (b"?z", b"/servers/a/v1/ports/1/x?z"),
    ],
)
def test_what_leads_somewhere_leads_there_through_the_hub(location: bytes, seen: bytes) -> None:
    assert answer((b"Location", location))[b"location"] == seen


@pytest.mark.parametrize(
    "location",
    [b"http://127.0.0.1:2469/servers/b/v1/x", b"//localhost:2469/servers/b/v1/x", b"http:\\\\127.1:2469/servers/b",
     b"http://x@0x7f.1:2469/", b"javascript:alert(1)", b"http://[", b"http://a:b/"],
)  # fmt: skip
def test_no_server_leads_the_page_to_another_of_the_hub(location: bytes) -> None:
    assert b"location" not in answer((b"Location", location))


@pytest.mark.parametrize(
    "location",
    [b"../../../../../servers/b/v1/x", b"..\\..\\..\\..\\..\\servers/b/v1/x", b"/base/v1/%2e%2E/.%2e/%2e./servers/b/v1/x",
     b"/base/.\t./.\t./servers/b/v1/x"],
)  # fmt: skip
def test_nothing_climbs_out_of_its_server(location: bytes) -> None:
    assert answer((b"Location", location))[b"location"] == b"https://box.example/servers/b/v1/x"


@pytest.mark.parametrize("path", [b"Path=", b"path =", b"PATH\t= "])
def test_a_cookie_is_of_its_server_alone(path: bytes) -> None:
    cookie = answer((b"Set-Cookie", b"visit=1; HttpOnly; %b/v1/ports/3000/; SameSite=Lax" % path))
    assert cookie[b"set-cookie"] == (
        b"visit=1; HttpOnly; %b/servers/a/v1/ports/3000/; SameSite=Lax" % path
    )


def test_a_server_says_nothing_of_the_hubs_whole_origin() -> None:
    told = answer((b"Clear-Site-Data", b'"*"'), (b"Service-Worker-Allowed", b"/"), (b"Etag", b"1"))
    assert set(told) == {b"etag", b"content-security-policy"}
