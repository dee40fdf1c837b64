from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client, config, stream
from support.kubernetes import Cluster
from support.kubernetes.fixtures import kubernetes_cluster, make_kubernetes_cluster

__all__ = ["kubernetes_cluster", "make_kubernetes_cluster"]

Execute = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cluster(kubernetes_cluster: Cluster) -> Cluster:
    return kubernetes_cluster


@pytest.fixture
def core(cluster: Cluster) -> Iterator[client.CoreV1Api]:
    with config.new_client_from_config(str(cluster.kubeconfig)) as api:
        yield client.CoreV1Api(api)


@pytest.fixture
def manifest() -> Callable[..., dict[str, Any]]:
    """A Pod of one container: `manifest("web", "sh", "-c", …, container={…}, **spec)`."""

    def make(
        name: str, *command: str, container: dict[str, Any] | None = None, **spec: Any
    ) -> dict[str, Any]:
        only = {
            "name": "agent",
            "image": "debian",
            **({"command": list(command)} if command else {}),
            **(container or {}),
        }
        quick = {"terminationGracePeriodSeconds": 1, "restartPolicy": "Never"}
        return {"metadata": {"name": name}, "spec": {**quick, **spec, "containers": [only]}}

    return make


@pytest.fixture
def run(
    cluster: Cluster, core: client.CoreV1Api, manifest: Callable[..., dict[str, Any]]
) -> Callable[..., None]:
    """Creates a Pod and waits until it is ready."""

    def run(name: str, *command: str, **options: Any) -> None:
        core.create_namespaced_pod("agents", manifest(name, *command, **options))
        cluster.wait_for("pods", name, is_ready)

    return run


@pytest.fixture
def execute(cluster: Cluster) -> Iterator[Execute]:
    """Runs a command in a Pod with the official client: its exit code, output and error output."""
    with config.new_client_from_config(str(cluster.kubeconfig)) as api:
        core = client.CoreV1Api(api)

        def execute(pod: str, *command: str) -> tuple[int, str, str]:
            opened = stream.stream(
                core.connect_get_namespaced_pod_exec,
                pod,
                "agents",
                command=list(command),
                stdout=True,
                stderr=True,
                _preload_content=False,
            )
            opened.run_forever(timeout=30)
            try:
                return (
                    opened.returncode,
                    opened.read_stdout(timeout=0),
                    opened.read_stderr(timeout=0),
                )
            finally:
                opened.sock.shutdown()  # `close` of the official client leaves the socket open

        yield execute


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
