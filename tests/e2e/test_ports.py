"""Ports of the sandbox through the server: as the program there answers, and with nothing of ours given to it."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websockets
from support.ports import free_port
from support.server import ServerProcess, until
from support.sockets import read_until
from support.web_program import WebProgram, raw_program, web_program
from websockets.sync.client import ClientConnection, connect

NAVIGATES = {"accept": "text/html,application/xhtml+xml"}
VISIT = "sandbox-agent-visit"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(
        tmp_path_factory.mktemp("server"),
        arguments=[
            "--deny-port", "9-19", "--limit", "max_port_connections=4", "--limit", "port_look_s=0.05",
            "--limit", "port_answer_timeout_s=1", "--limit", "max_port_message_bytes=100000", "--log-level", "debug",
        ],
    ).start()  # fmt: skip
    yield process
    process.stop()


@pytest.fixture(scope="module")
def program() -> Iterator[WebProgram]:
    with web_program() as running:
        yield running


def at(server: ServerProcess, program: WebProgram | int, path: str = "/") -> str:
    port = program if isinstance(program, int) else program.port
    return f"{server.url}/v1/ports/{port}{path}"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def ticket(server: ServerProcess, port: int, **more: Any) -> dict[str, Any]:
    with server.client() as client:
        answer = client.post("/v1/tickets", json={"for": "port", "port": port, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def told(answer: httpx.Response) -> dict[str, Any]:
    """What the program was asked."""
    assert answer.status_code == 200, answer.text
    asked: dict[str, Any] = answer.json()
    asked["headers"] = dict(asked["headers"])
    return asked


# What listens


def test_the_list_names_the_program_and_the_server_itself(
    server: ServerProcess, program: WebProgram
) -> None:
    with server.client() as client:
        listed = {port["port"]: port for port in client.get("/v1/ports").json()["ports"]}
    ours = listed[program.port]
    assert (ours["address"], ours["isServer"]) == ("127.0.0.1", False)
    assert ours["pid"] > 0
    assert ours["program"]
    assert listed[httpx.URL(server.url).port]["isServer"]


def test_who_watches_is_told_of_a_port_that_opens_and_closes(server: ServerProcess) -> None:
    with (
        server.client() as client,
        client.stream("GET", "/v1/ports", headers={"accept": "text/event-stream"}) as stream,
    ):
        events = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))

        def ports() -> set[int]:
            return {port["port"] for port in next(events)["ports"]}

        ports()
        with socket.create_server(("127.0.0.1", 0)) as opened:
            number = opened.getsockname()[1]
            while number not in ports():
                pass
        while number in ports():
            pass


# What reaches the program


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_method_reaches_the_program_with_its_body(
    server: ServerProcess, program: WebProgram, method: str
) -> None:
    body = b"" if method in ("GET", "OPTIONS") else bytes(range(256)) * 10
    answer = httpx.request(
        method, at(server, program, "/a"), content=body, headers=server.headers, timeout=30
    )
    assert answer.headers["x-of-the-program"] == "yes"
    assert told(answer)["method"] == method
    assert answer.json()["sha256"] == hashlib.sha256(body).hexdigest()


def test_a_method_that_shows_what_gateways_add_does_not(
    server: ServerProcess, program: WebProgram
) -> None:
    answer = httpx.request("TRACE", at(server, program, "/a"), headers=server.headers, timeout=30)
    assert (answer.status_code, "GET" in answer.headers["allow"]) == (405, True)


def test_the_path_and_the_query_arrive_byte_for_byte(
    server: ServerProcess, program: WebProgram
) -> None:
    target = f"/v1/ports/{program.port}/a%2Fb/../c//d%20e/;x?q=%2e&q=&ticket=ST-1&stk=x"
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0)) as raw:
        head = (
            f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
        )
        raw.sendall(f"{head}Connection: close\r\n\r\n".encode())
        data = b"".join(iter(lambda: raw.recv(65536), b""))
    asked = json.loads(data.partition(b"\r\n\r\n")[2])
    assert asked["path"] == "/a%2Fb/../c//d%20e/;x"
    assert asked["query"] == "q=%2e&q=&ticket=ST-1&stk=x"


def test_the_program_thinks_it_is_asked_at_localhost_and_is_told_of_the_rest(
    server: ServerProcess, program: WebProgram
) -> None:
    host = httpx.URL(server.url).netloc.decode()
    headers = {
        **server.headers, "origin": server.url, "x-forwarded-for": "192.0.2.7", "te": "trailers",
        "connection": "keep-alive, x-hop", "x-hop": "1", "proxy-authorization": "Basic x",
    }  # fmt: skip
    asked = told(httpx.get(at(server, program, "/"), headers=headers))["headers"]
    assert asked["host"] == f"localhost:{program.port}"
    assert asked["origin"] == f"http://localhost:{program.port}"
    assert asked["x-forwarded-host"] == host
    assert asked["x-forwarded-proto"] == "http"
    assert asked["x-forwarded-for"] == "192.0.2.7"
    assert asked["x-forwarded-prefix"] == f"/v1/ports/{program.port}"
    assert not {"te", "x-hop", "proxy-authorization"} & asked.keys()


@pytest.mark.parametrize("header", ["authorization", "x-sandbox-agent-token"])
def test_no_token_of_ours_reaches_the_program(
    server: ServerProcess, program: WebProgram, header: str
) -> None:
    value = f"Bearer {server.token}" if header == "authorization" else str(server.token)
    answer = httpx.get(at(server, program, "/"), headers={header: value})
    assert str(server.token) not in answer.text


def test_a_ticket_becomes_a_cookie_of_that_port_and_leaves_the_address_bar(
    server: ServerProcess, program: WebProgram
) -> None:
    made = ticket(server, program.port)
    with httpx.Client(base_url=server.url) as browser:
        answer = browser.get(made["path"] + "&x=1", headers=NAVIGATES)
        assert (answer.status_code, answer.headers["location"]) == (307, "./?x=1")
        cookie = answer.headers["set-cookie"]
        assert f"Path=/v1/ports/{program.port};" in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        page = browser.get(answer.next_request.url, headers=NAVIGATES)  # type: ignore[union-attr]
        assert told(page)["query"] == "x=1"
        assert VISIT not in page.text
        # Of an application that has tokens of its own.
        theirs = browser.get(
            f"/v1/ports/{program.port}/api",
            headers={"authorization": "Bearer of-the-application", "cookie": f"a=1; {cookie}; b=2"},
        )
        asked = told(theirs)["headers"]
        assert asked["authorization"] == "Bearer of-the-application"
        assert asked["cookie"].startswith("a=1; ")
        assert VISIT not in asked["cookie"]
        # What has its own Authorization may still not carry ours.
        leak = browser.get(f"/v1/ports/{program.port}/", headers=server.headers)
        assert str(server.token) not in leak.text


def test_a_program_with_a_ticket_is_answered_at_once(
    server: ServerProcess, program: WebProgram
) -> None:
    made = ticket(server, program.port)
    answer = httpx.get(server.url + made["path"])
    assert "stk_" not in answer.text
    assert told(answer)["query"] == ""
    assert VISIT in answer.cookies


def test_a_page_of_a_port_has_no_authority_over_anything_else(
    server: ServerProcess, program: WebProgram
) -> None:
    """Its scripts are on our origin: the browser sends them with that port's cookie, wherever they ask."""
    made = ticket(server, program.port)
    visit = httpx.get(server.url + made["path"]).cookies[VISIT]
    origin = {"origin": server.url, "cookie": f"{VISIT}={visit}"}
    for path in (
        "/v1/sessions", "/v1/ports", "/v1/agents", "/v1/tokens", f"/v1/ports/{program.port + 1}/",
        f"/v1/ports/{program.port}0/", f"/v1/tickets?ticket={made['ticket']}", f"/v1/sessions?ticket={made['ticket']}",
        f"/v1/processes/x/terminal/ws?ticket={made['ticket']}", "/openapi.json",
    ):  # fmt: skip
        for given in (origin, {}):
            assert code(httpx.get(server.url + path, headers=given)) == (401, "token_invalid"), path
    posted = httpx.post(f"{server.url}/v1/tickets", headers=origin, json={"for": "port", "port": 1})
    assert posted.status_code == 401
    with pytest.raises(websockets.InvalidStatus) as refused:
        connect(f"{server.url}/v1/sessions/x/ws".replace("http", "ws"), additional_headers=origin)
    assert refused.value.response.status_code == 401


def test_a_port_has_an_origin_of_its_own_where_nothing_else_is(
    server: ServerProcess, program: WebProgram
) -> None:
    made = ticket(server, program.port)
    host = httpx.URL(made["origin"]).netloc.decode()
    assert host == f"port-{program.port}.localhost:{httpx.URL(server.url).port}"

    def ask(path: str, **headers: str) -> httpx.Response:
        return httpx.get(server.url + path, headers={"host": host, **headers})

    entered = ask(f"/v1/health?a=1&ticket={made['ticket']}", **NAVIGATES)
    assert (entered.status_code, entered.headers["location"]) == (307, "./health?a=1")
    visit = {"cookie": f"{VISIT}={entered.cookies[VISIT]}"}
    for path in ("/", "/v1/health", "/v1/sessions", "/ui/", "/v1/ports/1/"):
        answer = ask(path, **visit, origin=f"http://{host}")
        assert answer.headers["x-of-the-program"] == "yes", path
        assert told(answer)["headers"]["x-forwarded-host"] == host
        assert "x-forwarded-prefix" not in told(answer)["headers"]
        assert code(ask(path)) == (401, "token_invalid")
        assert code(ask(path, **visit, origin=server.url)) == (403, "permission_denied")
    # Nor is the page there one of the server's.
    theirs = httpx.get(f"{server.url}/v1/sessions", headers={**visit, "origin": f"http://{host}"})
    assert code(theirs) == (403, "permission_denied")
    other = {"host": f"port-{program.port + 1}.localhost", **visit}
    assert code(httpx.get(server.url, headers=other)) == (401, "token_invalid")


def test_nobody_gets_to_a_port_without_a_ticket_or_with_another(
    server: ServerProcess, program: WebProgram
) -> None:
    other = ticket(server, program.port + 1)["ticket"]
    expired = ticket(server, program.port, ttl=0.001)["ticket"]
    good = ticket(server, program.port)["ticket"]
    for given in (
        "",
        f"?ticket={other}",
        f"?ticket={expired}",
        f"?ticket={good}x",
        "?ticket=x",
        f"?access_token={server.token}",
    ):
        assert code(httpx.get(at(server, program, "/" + given))) == (401, "token_invalid"), given
    # What stands for a visit is not what a ticket is exchanged for.
    assert httpx.get(at(server, program), cookies={VISIT: good}).status_code == 401


def test_what_a_ticket_opens_ends_with_the_token_that_made_it(
    server: ServerProcess, program: WebProgram
) -> None:
    with server.client() as client:
        made = client.post("/v1/tokens", json={"actor": "eve", "scopes": ["host"]}).json()
        theirs = {"authorization": f"Bearer {made['token']}"}
        body = {"for": "port", "port": program.port}
        path = client.post("/v1/tickets", json=body, headers=theirs).json()["path"]
        visit = httpx.get(server.url + path).cookies[VISIT]
        assert httpx.get(at(server, program), cookies={VISIT: visit}).status_code == 200
        leak = httpx.get(at(server, program), cookies={VISIT: visit}, headers=theirs)
        assert made["token"] not in leak.text
        client.delete(f"/v1/tokens/{made['id']}")
    assert httpx.get(at(server, program), cookies={VISIT: visit}).status_code == 401
    assert httpx.get(server.url + path).status_code == 401


def test_a_token_without_the_scope_reaches_no_port(
    server: ServerProcess, program: WebProgram
) -> None:
    with server.client() as client:
        made = client.post("/v1/tokens", json={"actor": "ann", "scopes": ["prompt"]}).json()
        theirs = {"authorization": f"Bearer {made['token']}"}
        assert code(client.get("/v1/ports", headers=theirs)) == (403, "permission_denied")
        body = {"for": "port", "port": program.port}
        assert client.post("/v1/tickets", json=body, headers=theirs).status_code == 403
    assert code(httpx.get(at(server, program), headers=theirs)) == (403, "permission_denied")


@pytest.mark.parametrize(
    "body",
    [{}, {"for": "port"}, {"for": "desk", "port": 1}, {"for": "port", "port": 0}, {"for": "port", "port": 65536},
     {"for": "port", "port": 1, "ttl": 301}, {"for": "port", "port": 1, "id": "x"}, {"for": "terminal"},
     {"for": "terminal", "id": "x", "port": 1}, {"for": "port", "port": 1, "ttl": 0}],
)  # fmt: skip
def test_a_ticket_for_nothing_is_refused(server: ServerProcess, body: dict[str, Any]) -> None:
    with server.client() as client:
        assert code(client.post("/v1/tickets", json=body)) == (400, "invalid_request")


# What comes back


def test_events_arrive_as_they_are_written(server: ServerProcess, program: WebProgram) -> None:
    program.may_go_on.clear()
    url = at(server, program, "/stream")
    with httpx.stream("GET", url, headers=server.headers, timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "data: first"
        program.may_go_on.set()
        assert [line for line in lines if line] == ["data: second"]


def test_a_body_arrives_while_it_is_sent(server: ServerProcess, program: WebProgram) -> None:
    program.saw_first.clear()

    def parts() -> Iterator[bytes]:
        yield b"x" * 1000
        assert program.saw_first.wait(30)
        yield b"y" * 1000

    answer = httpx.post(
        at(server, program, "/upload"), content=parts(), headers=server.headers, timeout=30
    )
    assert answer.json() == {"size": 2000}


def test_an_answer_may_come_before_the_body_is_whole(server: ServerProcess) -> None:
    def echo(connection: socket.socket) -> None:
        # The body may begin in the piece that ends the head, and end in more than one.
        _, _, body = read_until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + body)
        while not body.endswith(b"0\r\n\r\n") and (part := connection.recv(65536)):
            connection.sendall(part)
            body += part

    with (
        raw_program(echo) as port,
        socket.create_connection(("127.0.0.1", httpx.URL(server.url).port or 0)) as raw,
    ):
        raw.settimeout(30)
        head = f"POST /v1/ports/{port}/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
        raw.sendall(f"{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode())
        raw.sendall(b"4\r\nfour\r\n")
        seen = read_until(raw, b"four")
        raw.sendall(b"4\r\nmore\r\n0\r\n\r\n")
        while part := raw.recv(65536):
            seen += part
    assert seen.startswith(b"HTTP/1.1 200")
    assert b"more" in seen


def test_whoever_leaves_is_not_answered_on(server: ServerProcess, program: WebProgram) -> None:
    program.left.clear()
    url = at(server, program, "/forever")
    with httpx.stream("GET", url, headers=server.headers, timeout=30) as stream:
        next(stream.iter_lines())
    assert program.left.wait(30)


def test_a_large_answer_takes_no_memory_of_the_server(
    server: ServerProcess, program: WebProgram
) -> None:
    before, size = server.memory_mib(), 0
    url = at(server, program, "/large?mib=200")
    with httpx.stream("GET", url, headers=server.headers, timeout=30) as stream:
        for part in stream.iter_raw():
            size += len(part)
    assert size == 200 * 1024 * 1024
    assert server.memory_mib() - before < 40


def test_a_head_and_an_empty_answer_have_no_body(
    server: ServerProcess, program: WebProgram
) -> None:
    with server.client() as client:
        for _ in range(2):  # on one connection: what is left of the first would spoil the second
            head = client.head(at(server, program, "/x"))
            assert (head.status_code, head.content) == (200, b"")
            assert int(head.headers["content-length"]) > 100
            assert client.get(at(server, program, "/empty")).status_code == 204


@pytest.mark.parametrize(
    ("location", "seen"),
    [("/app?a=1#f", "{prefix}/app?a=1#f"), ("next", "next"), ("?page=2", "?page=2"),
     ("http://localhost:{port}/x", "{prefix}/x"), ("http://127.0.0.1:{port}", "{prefix}/"),
     ("http://[::1]:{port}/x", "{prefix}/x"), ("{prefix}/x", "{prefix}/x"),
     ("https://example.com/x", "https://example.com/x"), ("http://localhost:1/x", "http://localhost:1/x")],
)  # fmt: skip
def test_a_redirect_stays_beneath_the_port(
    server: ServerProcess, program: WebProgram, location: str, seen: str
) -> None:
    names = {"port": program.port, "prefix": f"/v1/ports/{program.port}"}
    answer = httpx.get(
        at(server, program, "/redirect"),
        params={"to": location.format(**names)},
        headers=server.headers,
    )
    assert answer.headers["location"] == seen.format(**names)


def test_cookies_of_the_program_stay_beneath_its_port(
    server: ServerProcess, program: WebProgram
) -> None:
    answer = httpx.get(at(server, program, "/cookies"), headers=server.headers)
    prefix = f"/v1/ports/{program.port}"
    cookies = answer.headers.get_list("set-cookie")
    assert [(cookie.partition("=")[0], cookie.rpartition("Path=")[2]) for cookie in cookies] == [
        ("theirs", prefix),
        ("deeper", f"{prefix}/app"),
    ]
    assert "domain" not in str(cookies).lower()


def test_what_speaks_for_the_whole_origin_is_taken_out(
    server: ServerProcess, program: WebProgram
) -> None:
    answer = httpx.get(at(server, program), headers=server.headers)
    assert "service-worker-allowed" not in answer.headers
    assert len(answer.headers.get_list("date")) == 1


def test_a_port_without_a_slash_leads_to_the_one_with(
    server: ServerProcess, program: WebProgram
) -> None:
    answer = httpx.get(f"{server.url}/v1/ports/{program.port}?a=1", headers=server.headers)
    assert (answer.status_code, answer.headers["location"]) == (307, f"./{program.port}/?a=1")


def test_a_program_on_ipv6_alone_is_found(server: ServerProcess) -> None:
    with web_program("::1") as program:
        assert told(httpx.get(at(server, program), headers=server.headers))["method"] == "GET"


# When it does not work


def test_where_nothing_listens_is_said(server: ServerProcess) -> None:
    answer = httpx.get(at(server, free_port()), headers=server.headers)
    assert code(answer) == (502, "port_unreachable")
    assert "nothing listens" in answer.json()["detail"]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad",
    ],
)
def test_what_speaks_no_http_is_said(server: ServerProcess, said: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(said)

    with raw_program(answer) as port:
        assert code(httpx.get(at(server, port), headers=server.headers)) == (
            502,
            "port_unreachable",
        )


def test_a_program_that_does_not_answer_in_time_is_given_up(server: ServerProcess) -> None:
    def answer(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with raw_program(answer) as port:
        assert code(httpx.get(at(server, port), headers=server.headers, timeout=30)) == (
            504,
            "timeout",
        )


@pytest.mark.parametrize(
    "begun", [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
)  # fmt: skip
def test_half_an_answer_is_not_taken_for_whole(server: ServerProcess, begun: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(begun)

    with raw_program(answer) as port, pytest.raises(httpx.TransportError):
        httpx.get(at(server, port), headers=server.headers)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/ports/%3{port}/",
        "/v1/ports/{port}%2Fx",
        "/v1/ports/0{port}/",
        "/v1/ports/0/",
        "/v1/ports/65536/",
        "/v1/ports/x/",
    ],
)
def test_a_port_is_written_as_a_number(
    server: ServerProcess, program: WebProgram, path: str
) -> None:
    answer = httpx.get(server.url + path.format(port=program.port), headers=server.headers)
    assert code(answer) == (400, "invalid_request")


def test_the_server_itself_and_closed_ports_are_not_reached(server: ServerProcess) -> None:
    own = httpx.URL(server.url).port
    for port in (own, 9, 19):
        url = f"{server.url}/v1/ports/{port}/v1/health"
        assert code(httpx.get(url, headers=server.headers)) == (403, "port_forbidden")
        with server.client() as client:
            refused = client.post("/v1/tickets", json={"for": "port", "port": port})
        assert code(refused) == (403, "port_forbidden")


def test_one_connection_too_many_is_refused(server: ServerProcess, program: WebProgram) -> None:
    url = at(server, program, "/forever")
    streams = [httpx.stream("GET", url, headers=server.headers, timeout=30) for _ in range(4)]
    try:
        for stream in streams:
            stream.__enter__()
        assert code(httpx.get(at(server, program), headers=server.headers)) == (
            429,
            "limit_reached",
        )
    finally:
        for stream in streams:
            stream.__exit__(None, None, None)
    until(lambda: httpx.get(at(server, program), headers=server.headers).status_code == 200)


# WebSockets


def dial(
    server: ServerProcess, program: WebProgram, path: str = "/ws", **more: Any
) -> ClientConnection:
    url = at(server, program, path).replace("http", "ws")
    return connect(url, additional_headers={**server.headers, **more.pop("headers", {})}, **more)


def test_a_websocket_goes_both_ways_and_hides_who_came(
    server: ServerProcess, program: WebProgram
) -> None:
    with dial(server, program, "/ws?a=1", origin=server.url) as socket_:
        met = json.loads(socket_.recv())
        assert str(server.token) not in json.dumps(met)
        assert met["query"] == "a=1"
        assert met["headers"]["host"] == f"localhost:{program.port}"
        assert met["headers"]["origin"] == f"http://localhost:{program.port}"
        for message in ("text \N{SNOWMAN}", b"\x00\xff", "", b""):
            socket_.send(message)
            assert socket_.recv() == message
        socket_.ping().wait(30)
        socket_.send("close please")
        with pytest.raises(websockets.ConnectionClosed):
            socket_.recv()
        assert (socket_.close_code, socket_.close_reason) == (4321, "as you say")


def test_a_browser_brings_the_ticket_or_the_token_as_it_can(
    server: ServerProcess, program: WebProgram
) -> None:
    made = ticket(server, program.port)["ticket"]
    url = at(server, program, f"/ws?ticket={made}").replace("http", "ws")
    with connect(url, subprotocols=["chat"]) as socket_:  # type: ignore[list-item]
        met = json.loads(socket_.recv())
        assert (socket_.subprotocol, met["offered"], met["query"]) == ("chat", ["chat"], "")
    offered: Any = ["sandbox-agent", f"bearer.{server.token}"]
    with connect(at(server, program, "/ws").replace("http", "ws"), subprotocols=offered) as socket_:
        met = json.loads(socket_.recv())
        assert (socket_.subprotocol, met["offered"]) == ("sandbox-agent", [])
        assert str(server.token) not in json.dumps(met)


def test_a_closed_websocket_is_closed_at_the_program(
    server: ServerProcess, program: WebProgram
) -> None:
    program.left.clear()
    with dial(server, program) as socket_:
        socket_.recv()
    assert program.left.wait(30)


def test_a_refused_websocket_is_refused_as_the_program_does(
    server: ServerProcess, program: WebProgram
) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        dial(server, program, "/no")
    assert refused.value.response.status_code == 418
    assert refused.value.response.body == b"not you"
    for port, status in ((free_port(), 502), (9, 403)):
        with pytest.raises(websockets.InvalidStatus) as refused:
            connect(at(server, port).replace("http", "ws"), additional_headers=server.headers)
        assert refused.value.response.status_code == status


def test_a_message_that_is_too_large_ends_the_connection_and_nothing_else(
    server: ServerProcess, program: WebProgram
) -> None:
    with dial(server, program) as socket_:
        socket_.recv()
        socket_.send("x" * 100_001)
        with pytest.raises(websockets.ConnectionClosed):
            socket_.recv()
        assert socket_.close_code == 1009
    assert httpx.get(at(server, program), headers=server.headers).status_code == 200


def test_nothing_that_opens_anything_is_in_the_log(
    server: ServerProcess, program: WebProgram
) -> None:
    made = ticket(server, program.port)
    httpx.get(server.url + made["path"], headers=NAVIGATES)
    with connect(at(server, program, f"/ws?ticket={made['ticket']}").replace("http", "ws")):
        pass
    until(lambda: f"/v1/ports/{program.port}/ws" in server.log())
    assert "stk_" not in server.log()
    assert str(server.token) not in server.log()


def test_a_program_started_by_nobody_of_ours_is_reached(server: ServerProcess) -> None:
    """`python -m http.server`, HTTP/1.0: its answers end with the connection."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            url = at(server, port)
            until(lambda: httpx.get(url, headers=server.headers).status_code == 200)
            assert "<title>" in httpx.get(url, headers=server.headers).text
        finally:
            process.kill()
