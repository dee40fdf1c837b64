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


@pytest.mark.parametrize(
    ("location", "seen"),
    [
        (b"/v1/ports/3000/", b"/servers/a/v1/ports/3000/"),
        (b"https://box.example/base/x", b"/servers/a/x"),
        (b"https://elsewhere.example/x", b"https://elsewhere.example/x"),
        (b"//elsewhere.example/x", b"//elsewhere.example/x"),
        (b"x?y", b"x?y"),
    ],
)
def test_what_leads_somewhere_leads_there_through_the_hub(location: bytes, seen: bytes) -> None:
    found = answer_headers([(b"Location", location)], prefix=b"/servers/a", url=AT.url)
    assert (b"location", seen) in found


def test_a_cookie_is_of_its_server_alone() -> None:
    given = [(b"Set-Cookie", b"visit=1; HttpOnly; Path=/v1/ports/3000/; SameSite=Lax")]
    ((_, cookie), _policy) = answer_headers(given, prefix=b"/servers/a", url=AT.url)
    assert cookie == b"visit=1; HttpOnly; Path=/servers/a/v1/ports/3000/; SameSite=Lax"
