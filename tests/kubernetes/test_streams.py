"""Streams into a Pod: exec and port-forward over WebSocket, and what becomes of them."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from kubernetes import client
from support.kubernetes import Cluster
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

Run = Callable[..., None]
Execute = Callable[..., tuple[int, str, str]]

ECHO = """
import socket
with socket.create_server(("127.0.0.1", 8000)) as listener:
    while True:
        connection, _ = listener.accept()
        while data := connection.recv(65536):
            connection.sendall(data)
        connection.close()
"""
WAIT_S = 30.0
PROBE = {"readinessProbe": {"tcpSocket": {"port": 8000}}}


def open_stream(
    cluster: Cluster, pod: str, what: str, *, protocol: str, **query: Any
) -> ClientConnection:
    return connect(
        f"{cluster.url.replace('https', 'wss')}/api/v1/namespaces/agents/pods/{pod}/{what}?{urlencode(query, doseq=True)}",
        additional_headers={"Authorization": f"Bearer {cluster.access.token()}"},
        subprotocols=[protocol],
        ssl=ssl.create_default_context(cafile=str(cluster.in_cluster.authority)),
        compression=None,
        open_timeout=WAIT_S,
    )


def test_exec_closes_its_input_in_v5(cluster: Cluster, run: Run) -> None:
    run("web")
    query = {
        "command": ["sh", "-c", "cat; echo done >&2; exit 5"],
        "stdin": "true",
        "stdout": "true",
        "stderr": "true",
    }
    with open_stream(cluster, "web", "exec", protocol="v5.channel.k8s.io", **query) as stream:
        stream.send(b"\0hello")
        stream.send(b"\xff\0")
        channels: dict[int, bytes] = {}
        for message in stream:
            channels[message[0]] = channels.get(message[0], b"") + message[1:]
    assert channels[1] == b"hello"
    assert channels[2] == b"done\n"
    assert json.loads(channels[3])["details"]["causes"] == [{"reason": "ExitCode", "message": "5"}]


def test_exec_says_what_it_cannot_start_and_how_it_was_killed(
    cluster: Cluster, run: Run, execute: Execute
) -> None:
    run("web")
    with open_stream(
        cluster, "web", "exec", protocol="v5.channel.k8s.io", command="nope", stdout="1"
    ) as stream:
        status = json.loads(list(stream)[-1][1:])
    assert status["reason"] == "InternalError"
    assert "details" not in status
    assert execute("web", "sh", "-c", "kill -9 $$")[0] == 137


def test_streams_to_no_running_pod_are_refused_before_they_open(cluster: Cluster) -> None:
    cluster.cordon()
    cluster.create(
        "pods",
        {
            "metadata": {"name": "waits"},
            "spec": {"containers": [{"name": "a", "image": "a"}]},
            "status": {},
        },
    )
    for name, status in (("waits", 400), ("gone", 404)):
        with pytest.raises(InvalidStatus) as refused:
            open_stream(
                cluster, name, "exec", protocol="v5.channel.k8s.io", command="true", stdout="1"
            )
        assert refused.value.response.status_code == status


def test_port_forward_carries_bytes_both_ways(cluster: Cluster, run: Run) -> None:
    run("web", "python3", "-c", ECHO, container=PROBE)
    sent = bytes(range(256)) * 4096
    with open_stream(
        cluster, "web", "portforward", protocol="v4.channel.k8s.io", ports=8000
    ) as stream:
        assert [stream.recv() for _ in range(2)] == [b"\0\x40\x1f", b"\1\x40\x1f"]
        for start in range(0, len(sent), 65536):
            stream.send(b"\0" + sent[start : start + 65536])
        got = b""
        while len(got) < len(sent):
            message = stream.recv(timeout=WAIT_S)
            assert message[0] == 0
            got += message[1:]
    assert got == sent


def test_port_forward_to_nobody_says_so_and_ends(cluster: Cluster, run: Run) -> None:
    run("web")
    with open_stream(
        cluster, "web", "portforward", protocol="v4.channel.k8s.io", ports=81
    ) as stream:
        *_, last = stream
    assert last[0] == 1
    assert b"connection refused" in last


def test_a_restart_of_the_server_cuts_streams_and_the_pod_goes_on(
    cluster: Cluster, core: client.CoreV1Api, run: Run
) -> None:
    run("web", "python3", "-c", ECHO, container=PROBE)
    with open_stream(
        cluster, "web", "portforward", protocol="v4.channel.k8s.io", ports=8000
    ) as stream:
        stream.send(b"\0ping")
        assert [stream.recv() for _ in range(3)][2] == b"\0ping"
        cluster.cut_connections()
        with pytest.raises(ConnectionClosed):
            stream.recv(timeout=WAIT_S)
    assert core.read_namespaced_pod("web", "agents").status.phase == "Running"
