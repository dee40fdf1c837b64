"""Nothing is lost, shown against the real server process."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.processes import is_running
from support.server import DEADLINE_S, ServerProcess, sse_items, until
from websockets.sync.client import connect as connect_websocket

BURST = 20_000
STDIO_MOCK = [sys.executable, "-m", "sandbox_agent_server.agents.mock"]


def configured(name: str, *arguments: str) -> str:
    """A configuration with the mock agent as a real process."""
    command = json.dumps([*STDIO_MOCK, *arguments])
    return f"[agents.{name}]\ncommand = {command}\n"


def assert_gap_free(entries: list[dict[str, Any]]) -> None:
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))


def chunk_numbers(entries: list[dict[str, Any]]) -> list[int]:
    """The numbers that the mock's burst writes at the start of every chunk."""
    numbers = []
    for entry in entries:
        update = (entry["payload"].get("params") or {}).get("update") or {}
        if entry["sender"] == "agent" and update.get("sessionUpdate") == "agent_message_chunk":
            numbers.append(int(update["content"]["text"].split()[0]))
    return numbers


@pytest.mark.fault(
    "a reader sleeps through a burst",
    "it gets every update, in order, and the server holds none of them for it",
)
def test_a_reader_that_sleeps_gets_every_update_of_a_burst(server: ServerProcess) -> None:
    session_id = server.create()
    seen: list[dict[str, Any]] = []
    url = f"/v1/sessions/{session_id}/events?view=frames"
    with (
        server.client() as client,
        client.stream("GET", url, headers={"accept": "text/event-stream"}) as stream,
    ):
        server.prompt(session_id, f"burst {BURST}x64", wait=False)
        for seq, entry in sse_items(stream.iter_lines()):
            assert seq == entry["seq"]
            seen.append(entry)
            if len(seen) in (1, 100, 5000):
                time.sleep(0.5)  # the reader that sleeps is what is tested
            if entry.get("method") == "session/prompt" and entry["sender"] == "agent":
                break
    assert_gap_free(seen)
    assert chunk_numbers(seen) == list(range(BURST))


def read_sse(
    server: ServerProcess, session_id: str, after: int, count: int
) -> list[dict[str, Any]]:
    """Up to `count` entries after a cursor, then the connection is dropped."""
    seen: list[dict[str, Any]] = []
    headers = {"accept": "text/event-stream", "last-event-id": str(after)}
    url = f"/v1/sessions/{session_id}/events?view=frames"
    with (
        server.client() as client,
        client.stream("GET", url, headers=headers) as stream,
    ):
        for _, entry in sse_items(stream.iter_lines()):
            seen.append(entry)
            if len(seen) >= count or is_turn_end(entry):
                break
    return seen


def read_websocket(
    server: ServerProcess, session_id: str, after: int, count: int
) -> list[dict[str, Any]]:
    url = server.url.replace("http", "ws", 1)
    seen: list[dict[str, Any]] = []
    with connect_websocket(
        f"{url}/v1/sessions/{session_id}/ws?view=frames&after={after}",
        additional_headers=server.headers,
        max_size=None,
        close_timeout=0.02,  # leave at once: the server is in the middle of a burst
    ) as websocket:
        for text in websocket:
            message = json.loads(text)
            if message["type"] == "event":
                seen.append(message["event"])
                if len(seen) >= count or is_turn_end(message["event"]):
                    break
    return seen


def is_turn_end(entry: dict[str, Any]) -> bool:
    return entry.get("method") in ("session/prompt", "_sandbox_agent/turn.ended") and (
        entry["sender"] != "client"
    )


@pytest.mark.fault(
    "a connection is cut 200 times while it streams",
    "nothing is missed, nothing comes twice (SSE and WebSocket)",
)
@pytest.mark.parametrize("read", [read_sse, read_websocket], ids=["sse", "websocket"])
def test_two_hundred_disconnects_lose_and_repeat_nothing(
    server: ServerProcess, read: Callable[..., list[dict[str, Any]]]
) -> None:
    session_id = server.create()
    server.prompt(session_id, "burst 12000x64", wait=False)
    chance = random.Random(7)
    seen: list[dict[str, Any]] = []
    for _ in range(200):
        after = seen[-1]["seq"] if seen else 0
        seen += read(server, session_id, after, chance.randint(1, 100))
        if is_turn_end(seen[-1]):
            break
    while not is_turn_end(seen[-1]):
        seen += read(server, session_id, seen[-1]["seq"], 100_000)
    assert_gap_free(seen)
    assert chunk_numbers(seen) == list(range(12_000))


@pytest.mark.fault(
    "`kill -9` of the server in the middle of a burst",
    "nothing that anybody saw is lost, no gap, the turn has one end",
)
def test_kill_9_in_the_middle_of_a_burst_loses_nothing_that_anyone_saw(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(config=configured("stdio", "--spawn-child")).start()
    session_id = server.create("stdio")
    processes = children_of(server.pid)
    assert processes, "the agent runs as a process"
    server.prompt(session_id, "burst 200000x200", wait=False)
    seen: list[dict[str, Any]] = []
    with pytest.raises(httpx.TransportError), server.client() as client:  # noqa: PT012
        headers = {"accept": "text/event-stream"}
        url = f"/v1/sessions/{session_id}/events?view=frames"
        with client.stream("GET", url, headers=headers) as stream:
            for _, entry in sse_items(stream.iter_lines()):
                seen.append(entry)
                if len(seen) == 3000:
                    server.kill()

    server.start()
    entries = server.entries(session_id)
    assert_gap_free(entries)
    assert entries[: len(seen)] == seen
    events = server.events(session_id, "turn.started", "turn.ended")
    assert [event["type"] for event in events] == ["turn.started", "turn.ended"]
    assert events[1]["data"]["stopReason"] == "interrupted"
    numbers = chunk_numbers(entries)
    assert numbers == list(range(len(numbers)))
    until(lambda: not any(is_running(pid) for pid in processes))

    assert server.prompt(session_id, "hello again")["stopReason"] == "end_turn"
    (resumed,) = server.events(session_id, "session.resumed")
    assert resumed["data"]["continuity"] in ("native", "replayed")


@pytest.mark.fault(
    "`kill -9` of the server while a message is streamed",
    "the next server completes the message with what was streamed",
)
def test_deltas_before_a_crash_are_completed_after_it(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(config=configured("stdio")).start()
    session_id = server.create("stdio")
    server.prompt(session_id, "slow", wait=False)
    until(lambda: len(server.events(session_id, "message.delta")) >= 3)
    server.kill()
    server.start()
    deltas = server.events(session_id, "message.delta")
    completed = server.events(session_id, "message.completed")
    assert "".join(event["data"]["text"] for event in completed) == "".join(
        event["data"]["text"] for event in deltas
    )


@pytest.mark.fault(
    "the agent is killed", "its turn ends with an error that has its last words, within a second"
)
def test_a_killed_agent_is_reported_within_a_second_with_its_last_words(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(config=configured("stdio")).start()
    session_id = server.create("stdio")
    with server.client() as client:
        answer = client.post(
            f"/v1/sessions/{session_id}/prompt", params={"wait": "true"}, json={"text": "crash"}
        )
    assert answer.status_code == 502
    problem = answer.json()
    assert problem["type"].endswith(":agent_process_exited")
    assert problem["details"]["exitCode"] == 7
    assert problem["details"]["stderrTail"]

    server.prompt(session_id, "slow", wait=False)
    until(lambda: server.events(session_id, "message.delta"))
    until(lambda: len(children_of(server.pid)) == 1)  # git may still look at the files
    (pid,) = children_of(server.pid)
    killed = time.time()
    subprocess.run(["kill", "-KILL", str(pid)], check=True)
    until(lambda: len(server.events(session_id, "turn.ended")) == 2)
    ended = server.events(session_id, "turn.ended")[-1]
    assert ended["data"]["stopReason"] == "error"
    assert ended["data"]["error"]["data"]["signal"] == signal.SIGKILL
    stamped = time.mktime(time.strptime(ended["time"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert stamped - killed <= 1


@pytest.mark.fault("an agent ignores EOF and SIGTERM", "it is killed with its whole tree")
def test_delete_ends_an_agent_that_ignores_everything(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(config=configured("stubborn", "--stubborn", "--spawn-child")).start()
    session_id = server.create("stubborn")
    server.prompt(session_id, "hang", wait=False)
    processes = children_of(server.pid)
    assert len(processes) >= 2
    with server.client(timeout=5) as client:
        assert client.delete(f"/v1/sessions/{session_id}").status_code == 204
    assert not any(is_running(pid) for pid in processes)
    (ended,) = server.events(session_id, "turn.ended")
    assert ended["data"]["stopReason"] == "cancelled"


@pytest.mark.fault(
    "the server is stopped while agents hang", "it has ended everything within five seconds"
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_takes_at_most_five_seconds_whatever_the_agent_does(
    make_server: Callable[..., ServerProcess], number: signal.Signals
) -> None:
    server = make_server(config=configured("stubborn", "--stubborn", "--spawn-child")).start()
    session_id = server.create("stubborn")
    server.prompt(session_id, "hang", wait=False)
    processes = children_of(server.pid)
    process = server._process
    assert process is not None
    process.send_signal(number)
    assert process.wait(timeout=5) == 0
    assert not any(is_running(pid) for pid in processes)
    server.start()
    (ended,) = server.events(session_id, "turn.ended")
    assert ended["data"]["stopReason"] == "interrupted"


@pytest.mark.fault("sixty updates of 5 MB", "all are in the log; memory stays small")
@pytest.mark.slow
def test_sixty_updates_of_five_megabytes_fit_in_memory(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(config=configured("stdio")).start()
    session_id = server.create("stdio")
    url = f"/v1/sessions/{session_id}/events?view=frames&deltas=true"
    numbers = []
    with (
        server.client() as client,
        client.stream("GET", url, headers={"accept": "text/event-stream"}) as stream,
    ):
        server.prompt(session_id, "burst 60x5000000", wait=False)
        for _, entry in sse_items(stream.iter_lines()):
            numbers += chunk_numbers([entry])
            if is_turn_end(entry):
                break
    assert numbers == list(range(60))
    assert server.peak_memory_mib() < 200


def test_a_permission_waits_for_a_later_client_and_only_the_first_answer_counts(
    server: ServerProcess,
) -> None:
    session_id = server.create()
    server.prompt(session_id, "permission", wait=False)
    with server.client() as asker:
        until(lambda: pending(asker, session_id))
    with server.client() as first, server.client() as second:
        (request,) = pending(first, session_id)
        path = f"/v1/sessions/{session_id}/requests/{request['id']}"
        won = first.post(path, json={"reply": "once", "actor": "ada"})
        lost = second.post(path, json={"reply": "reject"})
    assert won.status_code == 200
    assert lost.status_code == 409
    assert lost.json()["details"]["resolution"]["actor"] == "ada"
    until(lambda: server.events(session_id, "turn.ended"))
    (resolved,) = server.events(session_id, "permission.resolved")
    assert resolved["data"]["decidedBy"] == "user"


@pytest.mark.fault("the connection of a prompt is dropped", "the turn goes on")
def test_a_dropped_connection_does_not_cancel_the_turn(server: ServerProcess) -> None:
    session_id = server.create()
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps({"text": "stream 20 10"}).encode()
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(
            f"POST /v1/sessions/{session_id}/prompt?wait=true HTTP/1.1\r\nHost: {host}\r\n"
            f"Authorization: Bearer {server.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        until(lambda: server.events(session_id, "turn.started"))
    until(lambda: server.events(session_id, "turn.ended"))
    (ended,) = server.events(session_id, "turn.ended")
    assert ended["data"]["stopReason"] == "end_turn"


@pytest.mark.fault(
    "the quota of all logs is used up", "507 `storage_error`; the log is whole and turns have ends"
)
def test_a_full_log_is_a_clear_error_and_stays_whole(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(
        arguments=["--limit", "max_log_bytes=2000000", "--limit", "storage_retry_s=0.5"]
    ).start()
    session_id = server.create()
    with server.client() as client:
        answer = client.post(
            f"/v1/sessions/{session_id}/prompt",
            params={"wait": "true"},
            json={"text": "burst 200x20000"},
        )
        for _ in range(20):  # until what room there was is used up
            refused = client.post(f"/v1/sessions/{session_id}/prompt", json={"text": "x" * 500_000})
            if refused.status_code != 202:
                break
        entries = server.entries(session_id)
    assert answer.status_code == 507
    assert refused.status_code == 507
    assert refused.json()["type"].endswith(":storage_error")
    assert "data-dir" in refused.json()["detail"]
    assert_gap_free(entries)
    numbers = chunk_numbers(entries)
    assert numbers == list(range(len(numbers)))
    server.stop()


@pytest.mark.fault(
    "the data directory cannot be written", "a sentence at the start, and exit code 1"
)
def test_a_data_directory_that_cannot_be_written_is_a_sentence_at_start(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory", encoding="utf-8")
    program = Path(sys.executable).with_name("sandbox-agent-server")
    done = subprocess.run(
        [program, "--port", "0", "--no-token", "--data-dir", blocked / "data"],
        capture_output=True, text=True, timeout=DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 1
    assert "--data-dir" in done.stderr
    assert "Traceback" not in done.stderr


def pending(client: httpx.Client, session_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/v1/sessions/{session_id}/requests").json()[
        "requests"
    ]
    return found


def children_of(pid: int) -> list[int]:
    """All descendants of a process."""
    table = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,sid="], capture_output=True, text=True, check=True
    ).stdout
    rows = [tuple(map(int, line.split())) for line in table.splitlines()]
    found = {child for child, parent, _ in rows if parent == pid}
    while True:
        more = {child for child, parent, sid in rows if parent in found or sid in found} - found
        if not more:
            return sorted(found)
        found |= more
