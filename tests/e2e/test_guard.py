"""Who gets in, and by which name: what a hostile web page would try, over HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.server import TOKEN, ServerProcess
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as connect_websocket

CONSOLE = "https://console.example"
TWO_NAMES = ["--allow-host", "Sandbox.Example", "--cors-origin", CONSOLE]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server"), arguments=TWO_NAMES).start()
    yield process
    process.stop()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client() as connected:
        yield connected
        assert connected.get("/v1/health").json()["status"] == "ok"


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0",
     "[", "[::1", "]", "127.0.0.1@evil.example", "evil.example@127.0.0.1.example"],
)  # fmt: skip
def test_a_host_that_is_not_this_server_is_refused(client: httpx.Client, host: str) -> None:
    answer = client.get("/v1/health", headers={"host": host})
    assert code_of(answer) == (403, "permission_denied")
    assert repr(host) in answer.json()["detail"]
    assert "--allow-host" in answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1.2.3:99", "localhost", "LOCALHOST:1", "[::1]:8", "sandbox.example"]
)
def test_the_names_of_this_machine_are_let_in(client: httpx.Client, host: str) -> None:
    assert client.get("/v1/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://[", "https://console.example.evil.example",
     "http://console.example", "https://console.example:8443", "file://"],
)  # fmt: skip
def test_a_page_of_another_origin_is_refused(client: httpx.Client, origin: str) -> None:
    answer = client.get("/v1/health", headers={"origin": origin})
    assert code_of(answer) == (403, "permission_denied")
    assert repr(origin) in answer.json()["detail"]
    assert "access-control-allow-origin" not in answer.headers
    asked = {"origin": origin, "access-control-request-method": "POST"}
    assert code_of(client.options("/v1/sessions", headers=asked))[0] == 403


def test_a_page_of_the_server_itself_is_let_in(server: ServerProcess, client: httpx.Client) -> None:
    assert client.get("/v1/health", headers={"origin": server.url}).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [("/v1/health", {"authorization": "Bearer wrong-token"}, 401), ("/v1/nowhere", {}, 404),
     ("/v1/sessions/ses_no", {}, 404), ("/v1/sessions?limit=0", {}, 400)],
)  # fmt: skip
def test_an_allowed_page_can_read_why_it_was_refused(
    client: httpx.Client, path: str, headers: dict[str, str], status: int
) -> None:
    answer = client.get(path, headers={"origin": CONSOLE, **headers})
    assert code_of(answer)[0] == status
    assert answer.headers["access-control-allow-origin"] == CONSOLE
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "authorization",
    ["Bearer wrong-token", "Bearer", f"Bearer  {TOKEN}", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x",
     f"Bearer {TOKEN[:-1]}", "Bearer \u00e9\u00e8"],
)  # fmt: skip
def test_almost_the_token_is_not_the_token(server: ServerProcess, authorization: str) -> None:
    answer = httpx.get(
        f"{server.url}/v1/health", headers={"authorization": authorization.encode("latin-1")}
    )
    assert code_of(answer) == (401, "token_invalid")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


def test_the_scheme_is_read_in_either_case(server: ServerProcess) -> None:
    answer = httpx.get(f"{server.url}/v1/health", headers={"authorization": f"bearer {TOKEN}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"origin": "https://evil.example"}, 403), ({"origin": "http://["}, 403), ({}, 401),
     ({"authorization": "Bearer wrong-token"}, 401)],
)  # fmt: skip
def test_a_websocket_is_refused_before_it_opens(
    server: ServerProcess, client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    if status == 403:
        headers = {**headers, **server.headers}
    url = f"{server.url.replace('http', 'ws', 1)}/v1/sessions/{server.create()}/ws"
    with (
        pytest.raises(InvalidStatus) as refused,
        connect_websocket(url, additional_headers=headers),
    ):
        pass
    assert refused.value.response.status_code == status


def test_a_wrong_token_in_a_subprotocol_is_refused(server: ServerProcess) -> None:
    url = f"{server.url.replace('http', 'ws', 1)}/v1/sessions/{server.create()}/ws"
    offered = ["sandbox-agent", "bearer.wrong-token"]
    with pytest.raises(InvalidStatus) as refused, connect_websocket(url, subprotocols=offered):  # type: ignore[arg-type]
        pass
    assert refused.value.response.status_code == 401


def test_any_origin_may_be_let_in_and_still_needs_the_token(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, arguments=["--cors-origin", "*"]).start()
    try:
        origin = {"origin": "https://anyone.example"}
        with server.client() as client:
            answer = client.get("/v1/health", headers=origin)
        assert answer.headers["access-control-allow-origin"] == origin["origin"]
        assert httpx.get(f"{server.url}/v1/agents", headers=origin).status_code == 401
    finally:
        server.stop()
