"""Whatever is sent, the answer is a problem document with a sentence that helps, and the server lives on."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.server import TOKEN, ServerProcess, until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

STREAMS = 100
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    limits = [
        f"max_subscribers={STREAMS}", "max_body_bytes=100000", "max_queued_turns=2",
        "max_pending_requests=1", "max_sessions=40",
    ]  # fmt: skip
    arguments = [argument for limit in limits for argument in ("--limit", limit)]
    process = ServerProcess(
        tmp_path_factory.mktemp("server"),
        arguments=[*arguments, "--cors-origin", "https://console.example"],
    ).start()
    yield process
    process.stop()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client() as connected:
        yield connected
        assert connected.get("/v1/health").json()["status"] == "ok"


@pytest.fixture
def session_id(server: ServerProcess) -> Iterator[str]:
    made = server.create()
    yield made
    with server.client() as connected:
        connected.delete(f"/v1/sessions/{made}")


def assert_problem(answer: httpx.Response, status: int, code: str, *words: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"urn:sandbox-agent:error:{code}"
    assert problem["status"] == status
    for word in words:
        assert word in problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not"),
        (b'{"agent": "\xc3\x28"}', "not"),
        (b"[]", "object"),
        (b'"text"', "object"),
        (b"[" * 5000 + b"]" * 5000, ""),
        (b'{"agent":"mock","metadata":' + b'{"a":' * 100 + b"1" + b"}" * 101, "deeper"),
        (b"{}", "agent"),
        (b'{"agent": 7}', "agent"),
        (b'{"agent": ""}', "agent"),
        (b'{"agent": "mock", "colour": "red"}', "colour"),
        (b'{"agent": "mock", "cwd": "relative/path"}', "absolute"),
        (b'{"agent": "mock", "cwd": "/there/is/no/such/place"}', "directory"),
        (b'{"agent": "mock", "id": "../../etc/passwd"}', "id"),
        (b'{"agent": "mock", "id": ""}', "id"),
        (b'{"agent": "mock", "cwd": "/' + b"x" * 5000 + b'"}', "too long"),
        (b'{"agent": "mock", "cwd": "/a\\u0000b"}', "directory"),
        (b'{"agent": "mock", "env": {"A": 1}}', "env"),
        (b'{"agent": "mock", "env": {"A=B": "c"}}', "'A=B'"),
        (b'{"agent": "mock", "env": {"": "c"}}', "empty"),
        (b'{"agent": "mock", "env": {"A": "b\\u0000c"}}', "NUL"),
        (b'{"agent": "mock", "env": {"HOME": "/etc/passwd"}}', "HOME '/etc/passwd'"),
        (b'{"agent": "mock", "metadata": {"a": NaN}}', "nan"),
        (b'{"agent": "mock", "metadata": {"a": [1e999]}}', "inf"),
        (b'{"agent": "mock", "metadata": {"a": ' + b"9" * 5000 + b"}}", "not JSON"),
        (b'{"agent": "mock", "permissionPolicy": {"timeoutS": -1}}', "timeoutS"),
        (b'{"agent": "mock", "permissionPolicy": {"rules": [{"action": "maybe"}]}}', "action"),
    ],
)
def test_a_body_that_cannot_be_a_session_is_refused(
    client: httpx.Client, body: bytes, word: str
) -> None:
    answer = client.post("/v1/sessions", content=body, headers=JSON)
    assert_problem(answer, 400, "invalid_request", word)


STDIO = {"name": "docs", "command": "docs-mcp"}
HTTP = {"name": "docs", "type": "http", "url": "https://docs.example/mcp"}


@pytest.mark.parametrize(
    ("servers", "word"),
    [
        ([STDIO, STDIO], "two have this name"),
        ([STDIO, HTTP], "'docs'"),
        ([{}], "mcpServers[0]"),
        ([STDIO, {**HTTP, "name": " "}], "mcpServers[1]"),
        ([{**STDIO, "name": 7}], "name"),
        ([{"name": "a"}], "command"),
        ([{**STDIO, "command": "a\0b"}], "command"),
        ([{**STDIO, "args": "--port"}], "args"),
        ([{**STDIO, "args": [7]}], "args"),
        ([{**STDIO, "env": [{"name": "A", "value": 7}]}], "env"),
        ([{**STDIO, "env": {"A": "s3cret\0"}}], "env"),
        ([{**STDIO, "env": "A=b"}], "env"),
        ([{**HTTP, "url": "docs.example"}], "url"),
        ([{**HTTP, "url": None}], "url"),
        ([{**HTTP, "headers": ["x"]}], "headers"),
        ([{**HTTP, "type": 1}], "type"),
    ],
)
def test_mcp_servers_that_are_none_are_refused(
    client: httpx.Client, session_id: str, servers: list[Any], word: str
) -> None:
    for path in ("/v1/sessions", f"/v1/sessions/{session_id}/resume"):
        body = {"mcpServers": servers} | ({"agent": "mock"} if path == "/v1/sessions" else {})
        problem = assert_problem(client.post(path, json=body), 400, "invalid_request", word)
        assert "s3cret" not in json.dumps(problem)


def test_mcp_servers_that_an_agent_would_drop_are_refused(client: httpx.Client) -> None:
    server = {"name": "docs", "command": "docs-mcp", "args": [], "env": []}
    refused = client.post("/v1/sessions", json={"agent": "copilot", "mcpServers": [server]})
    assert refused.status_code == 400
    assert refused.json()["details"]["offered"] == ["http", "sse"]
    assert "'docs'" in refused.json()["detail"]


def test_an_unknown_agent_is_refused_with_those_there_are(client: httpx.Client) -> None:
    answer = client.post("/v1/sessions", json={"agent": "claud"})
    assert_problem(answer, 400, "unsupported_agent", "claude", "mock")


def test_a_body_of_another_type_is_refused(client: httpx.Client) -> None:
    headers = {"content-type": "text/plain"}
    answer = client.post("/v1/sessions", content=b"agent=mock", headers=headers)
    assert_problem(answer, 415, "unsupported_media_type", "application/json")


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_over_the_limit_is_refused(client: httpx.Client, is_chunked: bool) -> None:
    body = json.dumps({"agent": "mock", "metadata": {"a": "x" * 200_000}}).encode()
    content = iter([body[:50_000], body[50_000:]]) if is_chunked else body
    answer = client.post("/v1/sessions", content=content, headers=JSON)
    problem = assert_problem(answer, 413, "payload_too_large", "100000")
    assert problem["details"]["limit"] == "max_body_bytes"


@pytest.mark.parametrize(
    "path", ["ses_nowhere", "..%2f..%2fetc", "%00", "a%20b", "x" * 3000, "%F0%9F%92%A9"]
)
def test_a_session_that_is_not_there_is_not_found(client: httpx.Client, path: str) -> None:
    assert client.get(f"/v1/sessions/{path}").status_code == 404
    answer = client.post(f"/v1/sessions/{path}/prompt", json={"text": "hi"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == 404


def test_an_id_that_is_taken_is_refused(client: httpx.Client, session_id: str) -> None:
    answer = client.post("/v1/sessions", json={"agent": "mock", "id": session_id})
    assert_problem(answer, 409, "session_already_exists", session_id)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "mimeType": "image/png", "data": "!!!notbase64"},
        {"type": "image", "mimeType": "image/png", "data": "data:image/png;base64,aGk="},
        {"type": "image", "mimeType": "image/png", "data": "aGVsbG8="},
        {"type": "image"},
        {"type": 7},
        {},
    ],
)
def test_a_prompt_that_no_model_could_read_is_refused(
    client: httpx.Client, server: ServerProcess, session_id: str, block: dict[str, Any]
) -> None:
    answer = client.post(f"/v1/sessions/{session_id}/prompt", json={"content": [block]})
    assert_problem(answer, 400, "invalid_request", "content[0]")
    assert not server.events(session_id, "turn.started", "turn.queued")


def test_a_mode_or_model_that_is_not_offered_is_refused_with_the_offer(
    client: httpx.Client, session_id: str
) -> None:
    path = f"/v1/sessions/{session_id}"
    problem = assert_problem(client.patch(path, json={"mode": "fly"}), 400, "mode_not_supported")
    assert "plan" in problem["details"]["offered"]
    problem = assert_problem(client.patch(path, json={"model": "x"}), 400, "value_not_supported")
    assert "mock-fast" in problem["details"]["offered"]
    answer = client.post("/v1/sessions", json={"agent": "mock", "id": "never", "mode": "fly"})
    assert_problem(answer, 400, "mode_not_supported", "fly")
    assert client.get("/v1/sessions/never").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "after=-1", "after=abc", "after=1.5", "after=99999999999999999999", "after=٣", "limit=0",
        "limit=-5", "view=raw", "deltas=maybe",
    ],
)  # fmt: skip
def test_a_cursor_or_page_that_cannot_be_is_refused(
    client: httpx.Client, session_id: str, query: str
) -> None:
    answer = client.get(f"/v1/sessions/{session_id}/events?{query}")
    assert_problem(answer, 400, "invalid_request", query.partition("=")[0])


def test_other_cursors_that_cannot_be_are_refused(client: httpx.Client, session_id: str) -> None:
    path = f"/v1/sessions/{session_id}/events"
    headers = {"accept": "text/event-stream", "last-event-id": "-3"}
    assert_problem(client.get(path, headers=headers), 400, "invalid_request", "Last-Event-ID")
    answer = client.get(path, headers={"accept": "image/png"})
    assert_problem(answer, 406, "not_acceptable", "text/event-stream")


@pytest.mark.parametrize("cursor", ["somewhere", "", "-1", "1_0", "1.0", "٣", "9" * 20, "9" * 5000])
def test_a_cursor_that_no_page_gave_is_refused(client: httpx.Client, cursor: str) -> None:
    answer = client.get("/v1/sessions", params={"cursor": cursor})
    assert_problem(answer, 400, "invalid_request", "cursor", repr(cursor[:64]))
    answer = client.get("/v1/sessions?limit=1001")
    assert_problem(answer, 400, "invalid_request", "1000", "1001")


@pytest.mark.parametrize(
    "body", [{}, {"text": "a", "content": []}, {"content": []}, {"text": 7}, {"words": "a"}]
)
def test_a_prompt_needs_a_text_or_content(
    client: httpx.Client, session_id: str, body: dict[str, Any]
) -> None:
    answer = client.post(f"/v1/sessions/{session_id}/prompt", json=body)
    assert_problem(answer, 400, "invalid_request")


def test_a_session_that_has_ended_takes_no_prompt(client: httpx.Client, session_id: str) -> None:
    client.delete(f"/v1/sessions/{session_id}")
    answer = client.post(f"/v1/sessions/{session_id}/prompt", json={"text": "hi"})
    assert_problem(answer, 409, "session_ended", "resuming")


@pytest.mark.parametrize(
    ("header", "word"),
    [({}, "Bearer"), ({"authorization": "Bearer wrong-token"}, "wrong"),
     ({"authorization": f"Basic {TOKEN}"}, "no Bearer token"), ({"authorization": "Bearer"}, "required")],
)  # fmt: skip
def test_without_the_token_nothing_answers(
    server: ServerProcess, header: dict[str, str], word: str
) -> None:
    # Two paths are open to who shows nothing; what is shown there has to be right.
    paths = ["/v1/sessions", "/openapi.json", "/nowhere", *(["/", "/v1/health"] if header else [])]
    for path in paths:
        answer = httpx.get(server.url + path, headers=header)
        assert_problem(answer, 401, "token_invalid", word)
        assert answer.headers["www-authenticate"] == "Bearer"


def test_pages_of_other_origins_and_hosts_are_kept_out(client: httpx.Client) -> None:
    answer = client.get("/v1/health", headers={"origin": "https://evil.example"})
    assert_problem(answer, 403, "permission_denied", "--cors-origin")
    answer = client.get("/v1/health", headers={"host": "evil.example:80"})
    assert_problem(answer, 403, "permission_denied", "--allow-host")


def test_an_allowed_origin_may_call(server: ServerProcess, client: httpx.Client) -> None:
    origin = {"origin": "https://console.example"}
    answer = client.get("/v1/health", headers=origin)
    assert answer.headers["access-control-allow-origin"] == origin["origin"]
    asked = {"access-control-request-method": "POST"}
    preflight = httpx.options(server.url + "/v1/sessions", headers={**origin, **asked})
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]


def test_routes_and_methods_that_are_not_there(client: httpx.Client) -> None:
    assert_problem(client.get("/v2/nothing"), 404, "not_found", "/openapi.json")
    answer = client.put("/v1/sessions")
    assert_problem(answer, 405, "method_not_allowed", "GET, HEAD, POST")
    assert answer.headers["allow"] == "GET, HEAD, POST"


def test_something_that_is_not_http_does_no_harm(
    server: ServerProcess, client: httpx.Client
) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    connection.connect()
    connection.sock.sendall(b"\x00\x01\x02 this is no HTTP\r\n\r\n")
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 400")
    connection.close()


def test_answers_that_do_not_fit_leave_the_request_open(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    path = f"/v1/sessions/{session_id}/requests"
    answer = client.post(f"{path}/req_nobody_asked", json={"reply": "once"})
    assert_problem(answer, 404, "request_not_found", "req_nobody_asked")
    server.prompt(session_id, "permission", wait=False)
    until(lambda: client.get(path).json()["requests"])
    (request,) = client.get(path).json()["requests"]
    wrong: list[dict[str, Any]] = [
        {}, {"optionId": "fly"}, {"reply": "maybe"}, {"answers": {"a": "b"}},
        {"reply": "once", "optionId": "allow-once"},
    ]  # fmt: skip
    for body in wrong:
        answer = client.post(f"{path}/{request['id']}", json=body)
        assert_problem(answer, 400, "invalid_request")
    assert len(client.get(path).json()["requests"]) == 1


def test_a_question_is_answered_by_the_ids_that_were_asked(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    path = f"/v1/sessions/{session_id}/requests"
    server.prompt(session_id, "question", wait=False)
    until(lambda: client.get(path).json()["requests"])
    (request,) = client.get(path).json()["requests"]
    answer = client.post(f"{path}/{request['id']}", json={"answers": {"size": "big"}})
    assert_problem(answer, 400, "invalid_request", "size", request["questions"][0]["id"])


def test_more_prompts_than_may_wait_are_refused(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    path = f"/v1/sessions/{session_id}/prompt"
    for text in ("slow 60", "one", "two"):
        assert client.post(path, json={"text": text}).status_code == 202
    problem = assert_problem(client.post(path, json={"text": "three"}), 429, "limit_reached")
    assert problem["details"]["limit"] == "max_queued_turns"
    cancelled = client.post(f"/v1/sessions/{session_id}/cancel", json={}).json()["cancelled"]
    assert len(cancelled) == 3


def test_more_agents_than_may_run_are_refused(make_server: Any) -> None:
    server = make_server(arguments=["--limit", "max_sessions=1"]).start()
    first = server.create()
    with server.client() as client:
        problem = assert_problem(
            client.post("/v1/sessions", json={"agent": "mock"}), 429, "limit_reached"
        )
        assert problem["details"]["limit"] == "max_sessions"
        assert client.delete(f"/v1/sessions/{first}").status_code == 204
        assert client.post("/v1/sessions", json={"agent": "mock"}).status_code == 201


def dial(server: ServerProcess, session_id: str, **options: Any) -> ClientConnection:
    url = server.url.replace("http", "ws", 1)
    return connect_websocket(f"{url}/v1/sessions/{session_id}/ws?after=999999", **options)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"authorization": "Bearer nonsense"}, 401),
     ({"authorization": f"Bearer {TOKEN}", "origin": "https://evil.example"}, 403)],
)  # fmt: skip
def test_a_websocket_is_guarded_as_everything_else(
    server: ServerProcess, session_id: str, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        dial(server, session_id, additional_headers=headers)
    assert refused.value.response.status_code == status
    assert refused.value.response.headers["content-type"] == "application/problem+json"


def test_a_browser_gives_its_token_as_a_subprotocol(server: ServerProcess, session_id: str) -> None:
    with dial(server, session_id, subprotocols=["sandbox-agent", f"bearer.{TOKEN}"]) as websocket:
        assert websocket.subprotocol == "sandbox-agent"


@pytest.mark.parametrize(
    "frame",
    ["{", "[]", '{"type":"dance"}', "{}", '{"type":"prompt","id":"1"}', b"\x00\xff",
     '{"type":"respond","id":"1"}', '{"type":"cancel","colour":"red"}'],
)  # fmt: skip
def test_a_bad_command_is_answered_and_the_socket_stays_open(
    server: ServerProcess, session_id: str, frame: str | bytes
) -> None:
    with dial(server, session_id, additional_headers=server.headers) as websocket:
        websocket.send(frame)
        answer = json.loads(websocket.recv(timeout=10))
        assert answer["type"] == "error"
        assert answer["error"]["type"].endswith(":invalid_request")
        websocket.send('{"type":"cancel","id":"after"}')
        result = json.loads(websocket.recv(timeout=10))
        assert result == {"type": "result", "id": "after", "result": {"cancelled": [], "tasks": []}}


@pytest.mark.fault("ten thousand idle streams", "the server answers as before")
@pytest.mark.slow
async def test_ten_thousand_idle_subscribers_do_no_harm(
    server: ServerProcess, client: httpx.Client, session_id: str
) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    request = (
        f"GET /v1/sessions/{session_id}/events HTTP/1.1\r\nHost: {host}\r\n"
        f"Accept: text/event-stream\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    ).encode()
    held: list[asyncio.StreamWriter] = []
    statuses: dict[bytes, int] = {}
    at_once = asyncio.Semaphore(100)

    async def subscribe() -> None:
        async with at_once:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(request)
            status = (await reader.readline()).split()[1]
            statuses[status] = statuses.get(status, 0) + 1
            if status == b"200":
                held.append(writer)
                return
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"application/problem+json" in head
            writer.close()
            await writer.wait_closed()

    await asyncio.gather(*(subscribe() for _ in range(10_000)))
    assert statuses == {b"200": STREAMS, b"429": 10_000 - STREAMS}
    assert server.memory_mib() < 200
    answer = client.get(
        f"/v1/sessions/{session_id}/events", headers={"accept": "text/event-stream"}
    )
    problem = assert_problem(answer, 429, "limit_reached")
    assert problem["details"]["limit"] == "max_subscribers"
    for writer in held:
        writer.close()
        await writer.wait_closed()
