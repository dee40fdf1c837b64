"""Terminals over a WebSocket: what is typed and shown, by several at once, after a break, and when it is over."""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.server import ServerProcess, until
from websockets.sync.client import ClientConnection, connect

QUIET = {"PS1": "$ ", "TERM": "dumb"}
# Says what it has read, and how large it is then.
ECHO = 'stty -echo; stty size; while read -r line; do echo "<$line>"; stty size; done'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(
        tmp_path_factory.mktemp("server"),
        arguments=[
            "--limit", "terminal_scrollback_bytes=2000", "--limit", "terminal_lead_bytes=100000",
            "--limit", "terminal_stall_s=0.5", "--log-level", "debug",
        ],
    ).start()  # fmt: skip
    yield process
    process.stop()


def call(server: ServerProcess, method: str, path: str, **more: Any) -> Any:
    with server.client() as client:
        answer = client.request(method, f"/v1/processes{path}", **more)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


@contextmanager
def running(server: ServerProcess, script: str, **more: Any) -> Iterator[str]:
    body = {"command": "bash", "args": ["-c", script], "tty": True, "env": QUIET, **more}
    process_id: str = call(server, "POST", "", json=body)["id"]
    try:
        yield process_id
    finally:
        call(server, "POST", f"/{process_id}/kill")
        call(server, "DELETE", f"/{process_id}")


def dial(server: ServerProcess, process_id: str, query: str = "", **more: Any) -> ClientConnection:
    url = f"{server.url}/v1/processes/{process_id}/terminal/ws{query}".replace("http", "ws", 1)
    more.setdefault("additional_headers", server.headers)
    return connect(url, compression=None, **more)


class Screen:
    """What one viewer has seen."""

    def __init__(self, socket_: ClientConnection) -> None:
        self.socket = socket_
        self.ready = json.loads(socket_.recv(30))
        self.seen = b""
        self.told: list[dict[str, Any]] = []

    def until(self, pattern: bytes) -> bytes:
        """Everything since the last time, up to the pattern."""
        while (match := re.search(pattern, self.seen)) is None:
            self.read()
        shown, self.seen = self.seen[: match.end()], self.seen[match.end() :]
        return shown

    def until_told(self, kind: str) -> dict[str, Any]:
        while not (found := [frame for frame in self.told if frame["type"] == kind]):
            self.read()
        self.told.remove(found[0])
        return found[0]

    def read(self) -> None:
        message = self.socket.recv(30)
        if isinstance(message, bytes):
            self.seen += message
        else:
            self.told.append(json.loads(message))

    def send(self, **frame: Any) -> None:
        self.socket.send(json.dumps(frame))

    def type(self, text: str) -> None:
        self.send(type="input", data=text)


# What is shown and typed


def test_the_first_frame_is_ready_and_a_terminal_takes_keys_and_sizes(
    server: ServerProcess,
) -> None:
    with running(server, ECHO) as process_id, dial(server, process_id) as socket_:
        screen = Screen(socket_)
        assert screen.ready["type"] == "ready"
        assert screen.ready["processId"] == process_id
        screen.until(rb"24 80\r\n")
        screen.send(type="resize", cols=123, rows=45)
        screen.type("\n")
        screen.until(rb"45 123\r\n")
        screen.type("plain \N{SNOWMAN}\n")
        screen.until("<plain \N{SNOWMAN}>".encode())
        data = base64.b64encode(b"coded\n").decode()
        screen.send(type="input", data=data, encoding="base64")
        screen.until(rb"<coded>")
        call(server, "POST", f"/{process_id}/terminal/resize", json={"cols": 90, "rows": 20})
        screen.type("\n")
        screen.until(rb"20 90\r\n")
        screen.send(type="close")
        with pytest.raises(websockets.ConnectionClosedOK):
            screen.until(rb"nothing of this")
        assert call(server, "GET", f"/{process_id}")["status"] == "running"


def test_the_end_is_told_after_all_output_and_is_no_error_text(server: ServerProcess) -> None:
    with running(server, "read x; seq 20000; exit 5") as process_id:
        with dial(server, process_id) as socket_:
            screen = Screen(socket_)
            screen.type("\n")
            assert screen.until_told("exit") == {"type": "exit", "exitCode": 5}
            lines = screen.seen.decode().split("\r\n")
            assert lines[-2] == "20000"
            assert len(lines) > 20000
            with pytest.raises(websockets.ConnectionClosedOK):
                socket_.recv(30)
        with dial(server, process_id) as late:
            screen = Screen(late)
            assert screen.until_told("exit")["exitCode"] == 5
            assert screen.seen.endswith(b"20000\r\n")


def test_a_signal_is_the_end_too(server: ServerProcess) -> None:
    with running(server, "kill -KILL $$") as process_id, dial(server, process_id) as socket_:
        assert Screen(socket_).until_told("exit") == {"type": "exit", "signal": "SIGKILL"}


def test_several_look_and_type_and_the_last_size_counts(server: ServerProcess) -> None:
    with (
        running(server, ECHO) as process_id,
        dial(server, process_id) as one,
        dial(server, process_id) as two,
    ):
        screens = [Screen(one), Screen(two)]
        screens[0].type("from one\n")
        screens[1].type("from two\n")
        for screen in screens:
            shown = screen.until(rb"(?s)<from (one|two)>[^<]*<from (one|two)>")
            assert {b"<from one>", b"<from two>"} <= set(re.findall(rb"<[^>]*>", shown))
        screens[0].send(type="resize", cols=100, rows=30)
        screens[0].type("\n")
        screens[1].until(rb"30 100\r\n")
        screens[1].send(type="resize", cols=101, rows=31)
        screens[1].type("\n")
        screens[0].until(rb"31 101\r\n")


# Coming later, and back


def test_who_comes_later_sees_what_was_there_from_the_start_of_a_line(
    server: ServerProcess,
) -> None:
    script = "seq 1 1000; printf 'asks\\033[6n\\033]52;c;eA==\\007.\\n'; read x; echo over"
    with running(server, script) as process_id, dial(server, process_id) as first:
        Screen(first).until(rb"asks.*\.\r\n")
        with dial(server, process_id) as late:
            screen = Screen(late)
            screen.type("\n")
            shown = screen.until(rb"over\r\n")
            assert screen.ready["scrollbackBytes"] < 2000
            assert b"\x1b" not in shown
            lines = shown.decode().split("\r\n")
            assert lines[0].isdigit()
            assert [int(line) for line in lines if line.isdigit()] == list(
                range(int(lines[0]), 1001)
            )
        with dial(server, process_id, "?scrollback=0") as bare:
            assert Screen(bare).until_told("exit")["exitCode"] == 0


def test_who_comes_back_with_an_offset_misses_nothing_and_sees_nothing_twice(
    server: ServerProcess,
) -> None:
    with running(server, "while read -r n; do seq 1 $n; done") as process_id:
        with dial(server, process_id) as socket_:
            screen = Screen(socket_)
            screen.type("20000\n")
            seen = screen.until(rb"\n1000\r\n")
        # More than one read brings, of which half is known.
        for known in (len(seen), len(seen) // 2, 0):
            with dial(server, process_id, f"?offset={known}") as again:
                screen = Screen(again)
                assert screen.ready["offset"] == known
                rest = screen.until(rb"\n20000\r\n")
                lines = (seen[:known] + rest).decode().split("\r\n")
                assert lines == ["20000", *map(str, range(1, 20001)), ""]
        with dial(server, process_id, f"?offset={10**9}") as ahead:
            screen = Screen(ahead)
            assert screen.ready["offset"] == call(server, "GET", f"/{process_id}")["outputBytes"]


def test_output_that_is_dropped_is_told(server: ServerProcess) -> None:
    call(server, "POST", "/config", json={"maxLogBytesPerProcess": 40_000})
    try:
        with running(server, "seq 1 100000; read x") as process_id:
            until(lambda: call(server, "GET", f"/{process_id}")["outputBytes"] > 600_000)
            with dial(server, process_id, "?offset=10") as socket_:
                screen = Screen(socket_)
                screen.until(rb"\n100000\r\n")
                (gap,) = screen.told
                assert gap["code"] == "output_skipped"
                assert gap["offset"] == 10 + gap["skippedBytes"] > 500_000
    finally:
        call(server, "POST", "/config", json={"maxLogBytesPerProcess": 10 * 1024 * 1024})


# Those who are slow


def raw_viewer(server: ServerProcess, process_id: str) -> socket.socket:
    """One that opens a terminal, and takes nothing from then on."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", httpx.URL(server.url).port))
    raw.sendall(
        f"GET /v1/processes/{process_id}/terminal/ws?access_token={server.token} HTTP/1.1\r\nHost: localhost\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert raw.recv(12) == b"HTTP/1.1 101"
    return raw


def test_a_process_runs_no_faster_than_its_one_viewer_takes_it(server: ServerProcess) -> None:
    """More than the log keeps: without that, the viewer would lose what it is too slow for."""
    call(server, "POST", "/config", json={"maxLogBytesPerProcess": 400_000})
    try:
        with (
            running(server, "read x; seq 1 400000; exit 0") as process_id,
            dial(server, process_id, max_queue=1) as socket_,
        ):
            screen = Screen(socket_)
            screen.type("\n")
            assert screen.until_told("exit")["exitCode"] == 0
            assert screen.told == []
            lines = screen.seen.decode().split("\r\n")
            assert lines[1:] == [*map(str, range(1, 400_001)), ""]
    finally:
        call(server, "POST", "/config", json={"maxLogBytesPerProcess": 10 * 1024 * 1024})


def test_a_viewer_that_takes_nothing_holds_nobody_and_costs_little(server: ServerProcess) -> None:
    script = "read x; head -c 30000000 /dev/zero | tr '\\0' y; echo; echo over"
    before = server.memory_mib()
    with running(server, script) as process_id, raw_viewer(server, process_id):
        with dial(server, process_id) as socket_:
            screen, size = Screen(socket_), 0
            screen.type("\n")
            while b"over" not in screen.seen:
                size += len(screen.seen[:-10])
                screen.seen = screen.seen[-10:]
                screen.read()
            assert size + len(screen.seen) >= 30_000_000
            assert screen.told == []
        # And when it is alone.
        assert call(server, "GET", f"/{process_id}?wait=30")["status"] == "exited"
    assert server.memory_mib() - before < 40


def test_a_process_whose_only_viewer_takes_nothing_goes_on_without_it(
    server: ServerProcess,
) -> None:
    script = "head -c 5000000 /dev/zero | tr '\\0' y; exit 3"
    with running(server, "read x; " + script) as process_id, raw_viewer(server, process_id):
        body = {"data": "\n", "encoding": "utf8"}
        call(server, "POST", f"/{process_id}/input", json=body)
        assert call(server, "GET", f"/{process_id}?wait=30")["exitCode"] == 3


# What is refused


@pytest.mark.parametrize(
    "frame",
    ["not json", "[]", "null", '"input"', "{}", '{"type":"bogus"}', '{"type":["input"]}', '{"type":"input"}',
     '{"type":"input","data":7}', '{"type":"input","data":"%%%","encoding":"base64"}',
     '{"type":"input","data":"x","encoding":"latin"}', '{"type":"input","data":"\\ud800"}',
     '{"type":"resize"}', '{"type":"resize","cols":0,"rows":0}', '{"type":"resize","cols":70000,"rows":1}',
     '{"type":"resize","cols":1e400,"rows":1}', '{"type":"input","data":"' + "x" * 70_000 + '"}',
     "[" * 100_000, '{"type":' * 1000, b"raw bytes\r", b""],
    ids=lambda frame: str(frame)[:24],
)  # fmt: skip
def test_a_wrong_frame_is_told_and_the_terminal_goes_on(
    server: ServerProcess, echo: str, frame: str | bytes
) -> None:
    with dial(server, echo, "?scrollback=0") as socket_:
        screen = Screen(socket_)
        socket_.send(frame)
        error = screen.until_told("error")
        assert error["message"]
        assert len(error["message"]) < 1000
        screen.type("still here\n")
        screen.until(rb"<still here>")


@pytest.fixture(scope="module")
def echo(server: ServerProcess) -> Iterator[str]:
    with running(server, ECHO) as process_id:
        yield process_id


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["type", "data", "encoding", "cols", "rows", "x"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
_FRAMES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.binary(max_size=200),
    _JSON.map(json.dumps),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["input", "resize"])},
        optional={"data": st.text(max_size=20), "encoding": st.text(max_size=6), "cols": _JSON, "rows": _JSON},
    ).map(json.dumps),
)  # fmt: skip


@given(st.lists(_FRAMES, max_size=30))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_frame_breaks_the_server(
    server: ServerProcess, echo: str, frames: list[str | bytes]
) -> None:
    with dial(server, echo, "?scrollback=0") as socket_:
        screen = Screen(socket_)
        for frame in frames:
            socket_.send(frame)
        screen.type("\x15\nstill here\n")
        screen.until(rb"<still here>")


def test_who_may_not_is_refused_before_the_upgrade(server: ServerProcess, echo: str) -> None:
    plain = call(server, "POST", "", json={"command": "sleep", "args": ["600"]})["id"]
    with server.client() as client:
        made = client.post("/v1/tokens", json={"actor": "ann", "scopes": ["prompt"]}).json()
    weak = {"additional_headers": {"authorization": f"Bearer {made['token']}"}}
    for process_id, query, more, status, resource in (
        ("nope", "", {}, 404, "process"),
        (plain, "", {}, 409, None),
        (echo, "", weak, 403, None),
        (echo, "", {"additional_headers": {}}, 401, None),
        ("nope", "", {"additional_headers": {}}, 401, None),
        (echo, "?access_token=wrong", {"additional_headers": {}}, 401, None),
        (echo, "?token=" + str(server.token), {"additional_headers": {}}, 401, None),
        (echo, "?ticket=stk_wrong", {"additional_headers": {}}, 401, None),
        (echo, "?offset=x", {}, 400, None),
        (echo, "", {"origin": "https://evil.example"}, 403, None),
    ):
        with pytest.raises(websockets.InvalidStatus) as refused:
            dial(server, process_id, query, **more)
        assert refused.value.response.status_code == status, (process_id, query)
        problem = json.loads(bytes(refused.value.response.body or b""))
        assert problem.get("details", {}).get("resource") == resource
    call(server, "POST", f"/{plain}/kill")
    call(server, "DELETE", f"/{plain}")


def test_a_browser_brings_a_token_or_a_ticket_in_the_query_of_this_alone(
    server: ServerProcess, echo: str
) -> None:
    with server.client() as client:
        ticket = client.post("/v1/tickets", json={"for": "terminal", "id": echo}).json()
        unknown = client.post("/v1/tickets", json={"for": "terminal", "id": "nope"})
    assert unknown.status_code == 404
    for query in (f"?access_token={server.token}", f"?ticket={ticket['ticket']}"):
        with dial(server, echo, query, additional_headers={}) as socket_:
            assert Screen(socket_).ready["processId"] == echo
    assert ticket["path"].endswith(f"/{echo}/terminal/ws?ticket={ticket['ticket']}")
    for path in (f"/{echo}", "", f"/{echo}/logs", f"/{echo}/terminal/ws/"):
        for name, value in (("access_token", server.token), ("ticket", ticket["ticket"])):
            answer = httpx.get(f"{server.url}/v1/processes{path}", params={name: value})
            assert answer.status_code == 401, path
    assert str(server.token) not in server.log()
    assert "stk_" not in server.log()


def test_what_is_no_websocket_is_told_so(server: ServerProcess, echo: str) -> None:
    answer = httpx.get(
        f"{server.url}/v1/processes/{echo}/terminal/ws", params={"access_token": server.token}
    )
    assert answer.status_code == 400
    assert "WebSocket" in answer.json()["detail"]
