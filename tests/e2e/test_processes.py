"""Commands and processes over HTTP, in the real server: shapes, ends of whole trees, logs, bounds."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.processes import is_running
from support.server import TOKEN, ServerProcess, until
from support.sockets import read_until

RUN = "/v1/processes/run"
PROCESSES = "/v1/processes"
CONFIG = """
[limits]
process_stop_grace_s = 0.5
max_unread_input_bytes = 100000
process_input_wait_s = 0.1
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("processes"), config=CONFIG)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def sh(line: str) -> dict[str, Any]:
    return {"command": "sh", "args": ["-c", line]}


def start(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = client.post(PROCESSES, json=body)
    assert answer.status_code == 200, answer.text
    info: dict[str, Any] = answer.json()
    return info


def ended(client: httpx.Client, process_id: str) -> dict[str, Any]:
    info: dict[str, Any] = client.get(f"{PROCESSES}/{process_id}", params={"wait": 30}).json()
    assert info["status"] == "exited", info
    return info


def output(client: httpx.Client, process_id: str, **params: Any) -> bytes:
    page = client.get(f"{PROCESSES}/{process_id}/logs", params=params).json()
    return b"".join(base64.b64decode(entry["data"]) for entry in page["entries"])


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def pids_of(client: httpx.Client, process_id: str, count: int) -> list[int]:
    """What the process printed, a number in each line."""
    until(lambda: output(client, process_id).count(b"\n") >= count)
    return [int(line) for line in output(client, process_id).split()]


def test_a_command_tells_how_it_ended_and_what_it_wrote(client: httpx.Client) -> None:
    answer = client.post(RUN, json=sh("echo out; echo err >&2; exit 3"))
    result = answer.json()
    assert answer.status_code == 200
    assert result.pop("durationMs") >= 0
    assert result == {
        "exitCode": 3, "timedOut": False, "stdout": "out\n", "stderr": "err\n",
        "stdoutTruncated": False, "stderrTruncated": False, "outputEncoding": "utf8",
    }  # fmt: skip
    killed = client.post(RUN, json=sh("kill -9 $$")).json()
    assert (killed.get("exitCode"), killed["signal"]) == (None, "SIGKILL")
    cut = client.post(RUN, json={**sh("yes | head -c 100000"), "maxOutputBytes": 10}).json()
    assert (cut["stdout"], cut["stdoutTruncated"], cut["exitCode"]) == ("y\n" * 5, True, 0)
    typed = client.post(RUN, json={"command": "cat", "input": "hello"}).json()
    assert typed["stdout"] == "hello"
    raw = {"command": "printf", "args": [r"\377"]}
    assert client.post(RUN, json=raw).json()["stdout"] == "\ufffd"
    exact = client.post(RUN, json={**raw, "outputEncoding": "base64"}).json()
    assert base64.b64decode(exact["stdout"]) == b"\xff"


def test_a_command_sees_what_it_was_given_and_no_token(
    client: httpx.Client, server: ServerProcess, tmp_path: Path
) -> None:
    body = {**sh("echo $FOO; pwd; env"), "env": {"FOO": "bar"}, "cwd": str(tmp_path)}
    lines = client.post(RUN, json=body).json()["stdout"].splitlines()
    assert lines[:2] == ["bar", str(tmp_path)]
    assert not [line for line in lines if TOKEN in line or line.startswith("SANDBOX_AGENT_")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"command": ""}, (400, "invalid_request")),
        ({"command": "a\0b"}, (400, "invalid_request")),
        ({"command": "true", "env": {"A=B": ""}}, (400, "invalid_request")),
        ({"command": "true", "timeoutMs": -1}, (400, "invalid_request")),
        ({"command": "true", "input": "!", "inputEncoding": "base64"}, (400, "invalid_request")),
        ({"command": "true", "cwd": "/nope"}, (404, "path_not_found")),
        ({"command": "true", "cwd": "/etc/hostname"}, (400, "not_a_directory")),
        ({"command": "nosuchcmd"}, (502, "process_start_failed")),
        ({"command": "/etc/hostname"}, (502, "process_start_failed")),
        ({"command": "true", "args": ["x" * 3_000_000]}, (502, "process_start_failed")),
    ],
)
@pytest.mark.parametrize("path", [RUN, PROCESSES])
def test_what_cannot_be_run_is_refused_in_a_sentence(
    client: httpx.Client, path: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert problem(client.post(path, json=body)) == expected


def test_a_timeout_kills_the_tree(client: httpx.Client, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    line = f"sleep 600 & echo $! > {pids}; setsid sleep 600 & echo $! >> {pids}; wait"
    result = client.post(RUN, json={**sh(line), "timeoutMs": 500}).json()
    assert (result["timedOut"], result.get("exitCode")) == (True, None)
    found = [int(pid) for pid in pids.read_text().split()]
    assert len(found) == 2
    assert not any(is_running(pid) for pid in found)


def test_a_command_is_answered_when_it_ends_whatever_it_left_running(
    client: httpx.Client, tmp_path: Path
) -> None:
    body = sh("sleep 600 > /dev/null 2>&1 & echo $!")
    left = int(client.post(RUN, json=body).json()["stdout"])
    assert is_running(left)
    client.post(RUN, json={"command": "kill", "args": [str(left)]})
    until(lambda: not is_running(left))


def test_who_leaves_takes_the_command_along(server: ServerProcess, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with server.client(timeout=1) as client, pytest.raises(httpx.TimeoutException):
        client.post(RUN, json=sh(f"echo $$ > {pid}; sleep 600"))
    until(lambda: not is_running(int(pid.read_text())))


def test_a_command_with_a_key_runs_once_and_to_its_end(
    server: ServerProcess, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    headers = {"Idempotency-Key": "one"}
    body = sh(f"echo once >> {count}; sleep 1.5; echo done")
    with server.client(timeout=1) as client, pytest.raises(httpx.TimeoutException):
        client.post(RUN, json=body, headers=headers)
    with server.client() as client:
        answer = client.post(RUN, json=body, headers=headers)
    assert answer.json()["stdout"] == "done\n"
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert count.read_text() == "once\n"


def test_a_process_is_watched_and_fed(client: httpx.Client) -> None:
    info = start(client, command="cat")
    path = f"{PROCESSES}/{info['id']}"
    assert info["status"] == "running"
    assert is_running(info["pid"])
    for body in ({"data": "aGVsbG8K"}, {"data": "wörld\n", "encoding": "utf8"}):
        assert client.post(f"{path}/input", json=body).status_code == 200
    assert problem(client.post(f"{path}/input", json={"data": "plain\n"})) == (400, "invalid_request")  # fmt: skip
    until(lambda: len(output(client, info["id"])) == 13)
    assert problem(client.delete(path)) == (409, "process_running")
    end = {"data": "bye", "encoding": "text", "eof": True}
    assert client.post(f"{path}/input", json=end).json() == {"bytesWritten": 3}
    done = ended(client, info["id"])
    assert (done["exitCode"], done["outputBytes"], done.get("pid")) == (0, 16, None)
    assert output(client, info["id"]) == "hello\nwörld\nbye".encode()
    assert problem(client.post(f"{path}/input", json={"data": ""})) == (409, "process_not_running")
    assert problem(client.post(f"{path}/terminal/resize", json={"cols": 1, "rows": 1})) == (409, "conflict")  # fmt: skip
    assert info["id"] in [one["id"] for one in client.get(PROCESSES).json()["processes"]]
    assert client.delete(path).status_code == 204
    gone = client.get(path)
    assert problem(gone) == (404, "process_not_found")
    assert gone.json()["details"] == {"resource": "process", "id": info["id"]}


def test_input_that_nobody_reads_is_bounded(client: httpx.Client) -> None:
    info = start(client, command="sleep", args=["600"])
    path = f"{PROCESSES}/{info['id']}/input"
    body = {"data": "x" * 60_000, "encoding": "text"}
    answers = [client.post(path, json=body) for _ in range(5)]
    assert problem(answers[-1]) == (429, "limit_reached")
    too_large = client.post(path, json={"data": "x" * 70_000, "encoding": "text"})
    assert problem(too_large) == (413, "payload_too_large")
    client.post(f"{PROCESSES}/{info['id']}/kill")


def test_a_log_is_read_from_anywhere_and_followed_to_its_end(client: httpx.Client) -> None:
    info = start(client, **sh("echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three; read x"))
    path = f"{PROCESSES}/{info['id']}/logs"
    until(lambda: output(client, info["id"]).endswith(b"three\n"))
    page = client.get(path).json()
    assert [(one["sequence"], one["stream"]) for one in page["entries"]] == [
        (1, "stdout"), (2, "stderr"), (3, "stdout"),
    ]  # fmt: skip
    assert page["nextCursor"] == 3
    assert output(client, info["id"], since=2) == b"three\n"
    assert output(client, info["id"], tail=1, stream="stderr") == b"two\n"
    assert output(client, info["id"], tail=0) == b""
    assert output(client, info["id"], stream="pty") == b""
    for params in ({"since": "-1"}, {"tail": "x"}, {"stream": "stdin"}, {"follow": "maybe"}):
        assert problem(client.get(path, params=params)) == (400, "invalid_request")
    headers = {"Last-Event-ID": "1"}
    with client.stream("GET", path, params={"follow": "true"}, headers=headers) as stream:
        lines = stream.iter_lines()
        names = []
        for line in lines:
            names.append(line) if line.startswith(("event:", "id:")) else None
            if line == "id: 3":
                client.post(f"{PROCESSES}/{info['id']}/input", json={"data": "", "eof": True})
    assert names == ["event: log", "id: 2", "event: log", "id: 3", "event: exit"]


def test_a_slow_follower_holds_nobody_and_is_told_what_it_missed(
    client: httpx.Client, server: ServerProcess
) -> None:
    with bounds(client, maxLogBytesPerProcess=200_000):
        info = start(client, **sh("read x; seq 1 2000000"))
        url = httpx.URL(server.url)
        with socket.create_connection((url.host, url.port)) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            slow.sendall(
                f"GET {PROCESSES}/{info['id']}/logs?follow=true HTTP/1.1\r\nhost: {url.host}\r\n"
                f"authorization: Bearer {TOKEN}\r\n\r\n".encode()
            )
            read_until(slow, b": open")
            before = server.memory_mib()
            client.post(f"{PROCESSES}/{info['id']}/input", json={"data": "Cg=="})
            assert ended(client, info["id"])["outputBytes"] == 14_888_896
            assert server.memory_mib() - before < 30
            slow.settimeout(30)
            told = b""
            while b"event: exit" not in told and (piece := slow.recv(65536)):
                told = told[-200_000:] + piece
                if b"event: gap" in told:
                    break
            assert b"event: gap" in told
        page = client.get(f"{PROCESSES}/{info['id']}/logs").json()
        assert page["gap"]["after"] == 0
        assert page["gap"]["sequence"] == page["entries"][0]["sequence"]
        kept = output(client, info["id"])
        assert page["gap"]["bytes"] + len(kept) == 14_888_896
        assert kept.endswith(b"2000000\n")


def test_a_process_that_waits_loses_nothing(client: httpx.Client) -> None:
    with bounds(client, maxLogBytesPerProcess=200_000):
        info = start(client, **sh("seq 1 300000"), whenLogFull="wait")
        path = f"{PROCESSES}/{info['id']}/logs"
        text = b""
        with client.stream("GET", path, params={"follow": "true"}) as stream:
            for line in stream.iter_lines():
                assert line != "event: gap"
                if line.startswith('data: {"sequence"'):
                    text += base64.b64decode(line.split('"data":"')[1].split('"')[0])
        assert text == b"".join(b"%d\n" % number for number in range(1, 300_001))


def test_stop_and_kill_end_the_whole_tree(client: httpx.Client) -> None:
    line = "sleep 600 & echo $!; setsid sleep 600 & echo $!; echo $$; wait"
    for how, signal in (("stop", "SIGTERM"), ("kill", "SIGKILL")):
        info = start(client, **sh(line))
        pids = pids_of(client, info["id"], 3)
        answer = client.post(f"{PROCESSES}/{info['id']}/{how}").json()
        assert (answer["status"], answer.get("exitCode"), answer["signal"]) == ("exited", None, signal)  # fmt: skip
        assert not any(is_running(pid) for pid in pids)
        assert client.post(f"{PROCESSES}/{info['id']}/{how}").json() == answer


def test_one_that_ignores_being_stopped_is_killed(client: httpx.Client) -> None:
    info = start(client, **sh("trap '' TERM; echo $$; sleep 600"))
    pids_of(client, info["id"], 1)
    path = f"{PROCESSES}/{info['id']}"
    early = client.post(f"{path}/stop", params={"waitMs": 1}).json()
    assert early["status"] == "running"
    assert ended(client, info["id"])["signal"] == "SIGKILL"


def test_a_process_with_a_timeout_is_stopped_at_it(client: httpx.Client) -> None:
    info = start(client, command="sleep", args=["600"], timeoutMs=50)
    done = ended(client, info["id"])
    assert (done["timedOut"], done["signal"]) == (True, "SIGTERM")


def test_a_process_on_a_terminal(client: httpx.Client) -> None:
    body = {"command": "bash", "args": ["--norc", "-i"], "tty": True, "env": {"PS1": "$ "}}
    info = start(client, **body, cols=90, rows=20)
    path = f"{PROCESSES}/{info['id']}"

    def types(text: str) -> None:
        assert client.post(f"{path}/input", json={"data": text, "encoding": "text"}).is_success

    types("stty size; echo $TERM\r")
    until(lambda: b"20 90\r\nxterm-256color\r\n" in output(client, info["id"], stream="pty"))
    for size in ({"cols": 0, "rows": 0}, {"cols": 70_000, "rows": 1}, {}):
        assert problem(client.post(f"{path}/terminal/resize", json=size)) == (400, "invalid_request")  # fmt: skip
    assert client.post(f"{path}/terminal/resize", json={"cols": 100, "rows": 30}).json() == {"cols": 100, "rows": 30}  # fmt: skip
    types("stty size; exit 5\r")
    assert ended(client, info["id"])["exitCode"] == 5
    text = output(client, info["id"])
    assert b"30 100\r\n" in text
    assert b"error" not in text.lower()
    stopped = start(client, **body)
    assert client.post(f"{PROCESSES}/{stopped['id']}/stop").json()["status"] == "exited"
    eof = start(client, command="cat", tty=True)
    client.post(f"{PROCESSES}/{eof['id']}/input", json={"data": "", "eof": True})
    assert ended(client, eof["id"])["exitCode"] == 0


def test_a_token_needs_the_scope_and_signs_what_it_starts(
    client: httpx.Client, server: ServerProcess
) -> None:
    def token(*scopes: str) -> dict[str, str]:
        body = {"actor": "ada", "scopes": list(scopes)}
        return {"authorization": f"Bearer {client.post('/v1/tokens', json=body).json()['token']}"}

    with httpx.Client(base_url=server.url, headers=token("prompt", "answer")) as other:
        for method, path in (("POST", RUN), ("POST", PROCESSES), ("GET", PROCESSES), ("GET", f"{PROCESSES}/config")):  # fmt: skip
            assert problem(other.request(method, path)) == (403, "permission_denied")
    with httpx.Client(base_url=server.url, headers=token("host")) as other:
        info = start(other, command="true")
    assert (info["owner"], info["actor"]) == ("user", "ada")
    assert client.get(PROCESSES, params={"owner": "system"}).json() == {"processes": []}
    assert problem(client.get(PROCESSES, params={"owner": "bad"})) == (400, "invalid_request")


def test_roots_and_bounds_hold(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "out").symlink_to("/tmp")
    config = f"root = '{tmp_path}'\n[limits]\nmax_processes = 5\nmax_ended_processes = 2\n"
    with ServerOf(server, config) as own, own.client() as client:
        for cwd, found in ((None, tmp_path), ("inside", tmp_path / "inside"), ("/tmp", None), ("..", None), ("out", None)):  # fmt: skip
            answer = client.post(RUN, json={"command": "pwd", "cwd": cwd})
            if found is not None:
                assert answer.json()["stdout"] == f"{found}\n"
            else:
                assert problem(answer) == (403, "path_forbidden")
        ids = [start(client, command="true")["id"] for _ in range(4)]
        until(lambda: [one["id"] for one in client.get(PROCESSES).json()["processes"]] == ids[2:])
        kept = {path.name for path in (own.data_dir / "processes").glob("proc_*")}
        assert kept == set(ids[2:])
        for _ in range(5):
            start(client, command="sleep", args=["600"])
        before = own.memory_mib()

        def attempt(_number: int) -> int:
            return client.post(PROCESSES, json={"command": "sleep", "args": ["600"]}).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(attempt, range(300))) == {429}
        assert own.memory_mib() - before < 10
        refused = client.post(RUN, json={"command": "true"})
        assert problem(refused) == (429, "limit_reached")
        assert refused.json()["details"] == {"limit": "max_processes", "value": 5}
        change = client.post(f"{PROCESSES}/config", json={"maxConcurrentProcesses": 6})
        assert change.json()["maxConcurrentProcesses"] == 6
        assert client.post(RUN, json={"command": "true"}).status_code == 200
        started = [one["pid"] for one in client.get(PROCESSES).json()["processes"] if "pid" in one]
        assert len(started) == 5
        assert own.stop() == 0
        assert not any(is_running(pid) for pid in started)


def test_after_a_death_of_the_server_nothing_runs_and_everything_can_be_read(
    server: ServerProcess,
) -> None:
    with ServerOf(server, "") as own:
        with own.client() as client:
            first = start(client, **sh("echo first; exit 4"))
            ended(client, first["id"])
            second = start(client, **sh("echo $$; setsid sleep 600 & echo $!; wait"))
            pids = pids_of(client, second["id"], 2)
            bad = client.post(f"{PROCESSES}/config", json={"defaultRunTimeoutMs": 500_000})
            assert problem(bad) == (400, "invalid_request")
            assert "maxRunTimeoutMs" in bad.json()["detail"]
            config = client.post(f"{PROCESSES}/config", json={"maxOutputBytes": 7}).json()
            last = start(client, command="true")
            ended(client, last["id"])
            assert client.delete(f"{PROCESSES}/{last['id']}").status_code == 204
        own.kill()
        own.start()
        until(lambda: not any(is_running(pid) for pid in pids))
        with own.client() as client:
            infos = {one["id"]: one for one in client.get(PROCESSES).json()["processes"]}
            assert infos.keys() == {first["id"], second["id"]}
            assert infos[first["id"]]["exitCode"] == 4
            assert infos[second["id"]]["status"] == "exited"
            assert infos[second["id"]].keys().isdisjoint({"exitCode", "pid"})
            assert output(client, first["id"]) == b"first\n"
            assert len(output(client, second["id"]).split()) == 2
            assert client.get(f"{PROCESSES}/config").json() == config
            assert start(client, command="true")["id"] == "proc_4"


@contextlib.contextmanager
def bounds(client: httpx.Client, **changed: int) -> Iterator[None]:
    before = client.get(f"{PROCESSES}/config").json()
    assert client.post(f"{PROCESSES}/config", json=changed).json() == {**before, **changed}
    try:
        yield
    finally:
        client.post(f"{PROCESSES}/config", json=before)


class ServerOf(contextlib.AbstractContextManager["ServerProcess"]):
    """One with a configuration of its own, beside that of the module."""

    _count = 0

    def __init__(self, beside: ServerProcess, config: str) -> None:
        ServerOf._count += 1
        directory = beside.data_dir.parent / f"own-{ServerOf._count}"
        directory.mkdir()
        self._server = ServerProcess(directory, config=config)

    def __enter__(self) -> ServerProcess:
        return self._server.start()

    def __exit__(self, *_: object) -> None:
        self._server.stop()
