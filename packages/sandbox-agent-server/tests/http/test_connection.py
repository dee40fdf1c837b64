"""What a connection may cost before anybody knows who is there: against the real server, on real sockets."""

from __future__ import annotations

import json
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from sandbox_agent_server.http.admission import connection_limit
from sandbox_agent_server.limits import Limits
from support.server import DEADLINE_S, ServerProcess, until

MIB = 1024 * 1024
HOST = b"host: localhost\r\n"
UPGRADE = (
    b"GET /v1/sessions/ses_1/ws HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n" + HOST
)
SHORT = [
    "--limit", "head_timeout_s=0.6", "--limit", "body_timeout_s=0.6", "--limit", "keep_alive_s=0.6",
]  # fmt: skip


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("patient")).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("impatient"), arguments=SHORT).start()
    yield process
    process.stop()


def connected(server: ServerProcess) -> closing[socket.socket]:
    port = int(server.url.rpartition(":")[2])
    return closing(socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S))


def send_all_taken(connection: socket.socket, piece: bytes, times: int) -> int:
    """How many pieces the server took before it closed."""
    for sent in range(times):
        try:
            connection.sendall(piece)
        except OSError:
            return sent
    return times


def answers(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


def problem_of(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    problem = json.loads(body)
    assert problem["status"] == int(head.split()[1])
    return problem["status"], problem["type"].rpartition(":")[2]


# Answers


def test_the_head_of_an_answer_comes_with_its_body(patient: ServerProcess) -> None:
    with connected(patient) as connection:
        for _ in range(20):
            connection.sendall(b"GET /v1/agents HTTP/1.1\r\n" + HOST + b"\r\n")
            head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 401 ")
            assert json.loads(body)["status"] == 401


def test_the_head_of_a_stream_does_not_wait_for_its_first_event(
    patient: ServerProcess,
) -> None:
    command = {"command": "sleep", "args": ["60"]}
    with patient.client() as http:
        process = http.post("/v1/processes", json=command).raise_for_status().json()["id"]
        with http.stream("GET", f"/v1/processes/{process}/logs?follow=true") as answer:
            assert answer.status_code == 200  # nothing was put out
        http.post(f"/v1/processes/{process}/kill").raise_for_status()


# Bytes


@pytest.mark.fault("headers without end, without a token", "refused; memory stays flat")
@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET / HTTP/1.1\r\n", b"".join(b"x%d: y\r\n" % number for number in range(20_000))),
        (b"GET / HTTP/1.1\r\nx: ", b"v" * 200_000),
        (b"GET / HTTP/1.1\r\n", b"n" * 200_000),
        (b"GET /", b"p" * 200_000),
        (UPGRADE + b"x: ", b"v" * 200_000),
    ],
    ids=["headers", "value", "name", "path", "upgrade"],
)
def test_a_head_without_an_end_is_refused_and_costs_no_memory(
    patient: ServerProcess, begin: bytes, piece: bytes
) -> None:
    before = patient.peak_memory_mib()
    with connected(patient) as connection:
        connection.sendall(begin)
        assert send_all_taken(connection, piece, 500) < 500
        assert problem_of(answers(connection)) == (431, "head_too_large")
    assert patient.peak_memory_mib() - before < 20


def test_a_whole_head_that_is_too_large_is_refused_too(patient: ServerProcess) -> None:
    with connected(patient) as connection:
        connection.sendall(
            b"GET /v1/agents HTTP/1.1\r\n" + HOST + b"x: " + b"v" * 65_536 + b"\r\n\r\n"
        )
        assert problem_of(answers(connection)) == (431, "head_too_large")


def test_a_head_just_below_the_limit_is_read(patient: ServerProcess) -> None:
    answer = httpx.get(
        f"{patient.url}/v1/health", headers={**patient.headers, "x-large": "v" * 60_000}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/health", "/nowhere", "/openapi.json"])
def test_a_body_without_an_end_is_refused_without_a_token(
    patient: ServerProcess, path: str
) -> None:
    before = patient.peak_memory_mib()
    chunk = b"%x\r\n%b\r\n" % (MIB, b"b" * MIB)
    with connected(patient) as connection:
        connection.sendall(
            b"POST %b HTTP/1.1\r\n%btransfer-encoding: chunked\r\n\r\n" % (path.encode(), HOST)
        )
        assert send_all_taken(connection, chunk, 200) < 100
        assert problem_of(answers(connection)) == (401, "token_invalid")
    assert patient.peak_memory_mib() - before < 20


@pytest.mark.parametrize(
    "piece",
    [b"x: y\r\n" * 10_000, b"v" * 100_000, b"1;" + b"e" * 100_000 + b"\r\nb\r\n"],
    ids=["trailers", "trailer", "extensions"],
)
def test_what_is_around_a_body_is_bounded(patient: ServerProcess, piece: bytes) -> None:
    before = patient.peak_memory_mib()
    end = b"" if piece.startswith(b"1;") else b"1\r\nb\r\n0\r\nx: "
    with connected(patient) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n" + end
        )
        assert send_all_taken(connection, piece, 1000) < 1000
        assert b"401" in answers(connection)
    assert patient.peak_memory_mib() - before < 20


def test_the_answer_to_a_large_body_without_a_token_arrives_and_the_connection_stays(
    patient: ServerProcess,
) -> None:
    with httpx.Client(base_url=patient.url) as client:
        for _ in range(2):
            answer = client.post("/v1/sessions", content=b"b" * (4 * MIB))
            assert answer.status_code == 401
        assert client.get("/v1/health", headers=patient.headers).status_code == 200


def test_heads_are_bounded_over_all_connections(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(arguments=["--limit", "max_heads_bytes=100000"]).start()
    with ExitStack() as stack:
        first, *others = [stack.enter_context(connected(server)) for _ in range(6)]
        for connection in (first, *others):
            connection.sendall(b"GET /v1/agents HTTP/1.1\r\n" + HOST + b"x: " + b"v" * 20_000)
            # In the order in which they began: what is sent last is also read last.
            answer = httpx.get(f"{server.url}/v1/health", headers=server.headers)
            assert answer.status_code == 200
        assert answers(first) == b""
        others[-1].sendall(b"\r\n\r\n")
        assert others[-1].recv(12) == b"HTTP/1.1 401"


def test_requests_in_a_row_on_one_connection_are_answered_until_they_are_too_many(
    patient: ServerProcess,
) -> None:
    get = b"GET /v1/agents HTTP/1.1\r\n" + HOST
    last = get + b"connection: close\r\n\r\n"
    with connected(patient) as connection:
        connection.sendall((get + b"\r\n") * 10 + last)
        assert answers(connection).count(b"HTTP/1.1 401") == 11
    with connected(patient) as connection:
        connection.sendall((get + b"\r\n") * 1000 + last)
        assert answers(connection).count(b"HTTP/1.1 401") < 30
    assert "Traceback" not in patient.log()


@pytest.mark.parametrize(
    "request_bytes",
    [b"\x16\x03\x01garbage\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n",
     b"GET / HTTP/1.1\r\nx y\r\n\r\n", UPGRADE + b"\r\n"],
    ids=["tls", "version", "connect", "header", "handshake"],
)  # fmt: skip
def test_what_is_no_request_is_refused_with_a_problem(
    patient: ServerProcess, request_bytes: bytes
) -> None:
    with connected(patient) as connection:
        connection.sendall(request_bytes)
        assert problem_of(answers(connection)) == (400, "invalid_request")
    assert "Traceback" not in patient.log()


@pytest.mark.parametrize(
    "headers",
    [b"x: " + b"v" * 10_000 + b"\r\n", b"".join(b"x%d: y\r\n" % number for number in range(200))],
    ids=["long", "many"],
)
def test_a_websocket_request_with_too_long_lines_is_refused(
    patient: ServerProcess, headers: bytes
) -> None:
    with connected(patient) as connection:
        connection.sendall(UPGRADE + headers + b"\r\n")
        assert problem_of(answers(connection)) == (431, "head_too_large")


def test_what_goes_wrong_amid_requests_in_a_row_is_no_bug(patient: ServerProcess) -> None:
    token = b"authorization: %b\r\n" % patient.headers["authorization"].encode()
    session_id = patient.create().encode()
    stream = b"GET /v1/sessions/%b/events HTTP/1.1\r\naccept: text/event-stream\r\n" % session_id
    stream += HOST + token + b"\r\n"
    get = b"GET /v1/health HTTP/1.1\r\n" + HOST + token + b"\r\n"
    key = b"sec-websocket-version: 13\r\nsec-websocket-key: %b\r\n"
    upgrade = UPGRADE + token + key % b"dGhlIHNhbXBsZSBub25jZQ==" + b"\r\n"
    expects = (
        b"POST /v1/sessions HTTP/1.1\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n"
    )
    for sent in (
        stream + get,
        get + stream + get,
        stream + upgrade,
        expects + HOST + token + b"\r\nno chunk\r\n",
        UPGRADE + key % b"\xe9\xe9" + b"\r\n",
    ):
        with connected(patient) as connection:
            connection.sendall(sent)
            assert connection.recv(12).startswith(b"HTTP/1.1 ")
        # Something is written to whoever is still there.
        patient.prompt(session_id.decode(), "stream 3")
    assert "Traceback" not in patient.log()
    assert '"level": "error"' not in patient.log()


# Time


@pytest.mark.fault("connections that send half a request", "they are closed after a time")
@pytest.mark.parametrize("sent", [b"GE", b"GET / HTTP/1.1\r\nhost: local"], ids=["line", "header"])
def test_half_a_head_is_not_waited_for(impatient: ServerProcess, sent: bytes) -> None:
    with connected(impatient) as connection:
        connection.sendall(sent)
        assert problem_of(answers(connection)) == (408, "request_timeout")


def test_a_connection_that_says_nothing_is_closed(impatient: ServerProcess) -> None:
    for sent in (b"", b"\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", UPGRADE + b"\r\n"):
        with connected(impatient) as connection:
            connection.sendall(sent)
            answers(connection)


def test_half_a_body_is_not_waited_for(impatient: ServerProcess) -> None:
    head = b"POST /v1/sessions HTTP/1.1\r\n" + HOST + b"content-length: 100\r\n"
    token = b"authorization: %b\r\n" % impatient.headers["authorization"].encode()
    with connected(impatient) as connection:
        connection.sendall(head + token + b"\r\n{")
        assert problem_of(answers(connection)) == (408, "request_timeout")
    with connected(impatient) as connection:
        connection.sendall(head + b"\r\n{")
        assert b"401" in answers(connection)
    assert "Traceback" not in impatient.log()


def test_what_takes_longer_than_all_these_times_is_answered(impatient: ServerProcess) -> None:
    session_id = impatient.create()
    assert impatient.prompt(session_id, "stream 10 90")["stopReason"] == "end_turn"
    stream = {**impatient.headers, "accept": "text/event-stream"}
    url = f"{impatient.url}/v1/sessions/{session_id}/events"
    with httpx.stream("GET", url, headers=stream) as answer:
        impatient.prompt(session_id, "stream 10 90")
        ends = (line for line in answer.iter_lines() if '"type":"turn.ended"' in line)
        assert next(ends) != next(ends)


# Numbers


def test_at_the_limit_whoever_waits_makes_room(make_server: Callable[..., ServerProcess]) -> None:
    server = make_server(arguments=["--limit", "max_connections=8"]).start()
    with ExitStack() as stack:
        silent = [stack.enter_context(connected(server)) for _ in range(30)]
        for _ in range(3):
            assert httpx.get(f"{server.url}/v1/health", headers=server.headers).status_code == 200
        assert answers(silent[0]) == b""


def test_without_anybody_who_waits_one_more_is_refused_at_once(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(arguments=["--limit", "max_connections=3"]).start()
    token = server.headers["authorization"]
    follow = (
        f"GET /v1/sessions/{server.create()}/events HTTP/1.1\r\nhost: localhost\r\n"
        f"accept: text/event-stream\r\nauthorization: {token}\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(3):
            stream = stack.enter_context(connected(server))
            stream.sendall(follow.encode())
            assert stream.recv(15) == b"HTTP/1.1 200 OK"
        with connected(server) as connection:
            assert problem_of(answers(connection)) == (503, "unavailable")
        assert server.log().count("max_connections") == 1
    until(lambda: httpx.get(f"{server.url}/v1/health", headers=server.headers).status_code == 200)


@pytest.mark.parametrize(
    ("files", "connections", "limit"),
    [(64, 2048, 32), (65_536, 2048, 2048), (resource.RLIM_INFINITY, 2048, 2048), (1, 2048, 1)],
)
def test_connections_leave_half_of_the_descriptors_to_agents(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int, limit: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (files, files))
    assert connection_limit(Limits(max_connections=connections)) == limit


def test_without_descriptors_an_agent_says_so_and_starts_again_later(
    make_server: Callable[..., ServerProcess],
) -> None:
    command = json.dumps([sys.executable, "-m", "sandbox_agent_server.agents.mock"])
    server = make_server(config=f"[agents.stdio]\ncommand = {command}\n").start()
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    with server.client() as client:
        assert client.get("/v1/health").status_code == 200
        used = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + 3, hard))
        answer = client.post("/v1/sessions", json={"agent": "stdio"})
        assert answer.status_code == 502
        assert "Too many open files" in answer.text
        assert "RLIMIT_NOFILE" in answer.text
        assert "for this machine" not in answer.text
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (hard, hard))
        assert client.post("/v1/sessions", json={"agent": "stdio"}).status_code == 201
