"""The real kubectl is satisfied with this cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.kubernetes import Cluster

KUBECTL = Path(sysconfig.get_path("scripts"), "kubectl")

Manifest = Callable[..., dict[str, Any]]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(cluster: Cluster, tmp_path: Path) -> dict[str, str]:
    """Its cache of discovery is the test's own."""
    return {
        "KUBECONFIG": str(cluster.kubeconfig),
        "KUBECACHEDIR": str(tmp_path / "cache"),
        "PATH": os.environ["PATH"],
    }


@pytest.fixture
def kubectl(environment: dict[str, str], tmp_path: Path) -> Kubectl:
    def kubectl(
        *arguments: str, stdin: str = "", code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [KUBECTL, *arguments],
            input=stdin,
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    return kubectl


def test_a_pod_from_apply_to_delete(
    cluster: Cluster, kubectl: Kubectl, manifest: Manifest, tmp_path: Path
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        **manifest("web", "sh", "-c", "echo started; sleep 1000"),
    }
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    assert kubectl("apply", "-f", "pod.json").stdout == "pod/web created\n"
    kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=30s")
    assert kubectl("apply", "-f", "pod.json").stdout == "pod/web unchanged\n"
    assert (
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "pod.json").stdout
        == "pod/web serverside-applied\n"
    )
    assert "web" in kubectl("get", "pods").stdout
    assert kubectl("get", "pod", "web", "-o", "jsonpath={.status.phase}").stdout == "Running"
    assert kubectl("logs", "web").stdout == "started\n"
    assert "Started container agent" in kubectl("describe", "pod", "web").stdout
    assert kubectl("delete", "pod", "web", "--grace-period=1").stdout.startswith(
        'pod "web" deleted'
    )
    assert cluster.objects("pods") == []


def test_exec_and_cp(kubectl: Kubectl, run: Callable[..., None], tmp_path: Path) -> None:
    run("web")
    done = kubectl(
        "exec", "-i", "web", "--", "sh", "-c", "cat; echo err >&2; exit 3", stdin="hello", code=3
    )
    assert (done.stdout, done.stderr.splitlines()[0]) == ("hello", "err")
    (tmp_path / "up.txt").write_text("carried")
    kubectl("cp", "up.txt", "web:up.txt")
    kubectl("cp", "web:up.txt", "down.txt")
    assert (tmp_path / "down.txt").read_text() == "carried"


def test_port_forward(environment: dict[str, str], run: Callable[..., None]) -> None:
    serve = "import http.server as h; h.HTTPServer(('127.0.0.1', 8000), h.SimpleHTTPRequestHandler).serve_forever()"
    run("web", "python3", "-c", serve, container={"readinessProbe": {"tcpSocket": {"port": 8000}}})
    command = [KUBECTL, "port-forward", "--address=127.0.0.1", "pod/web", ":8000"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout
            port = forward.stdout.readline().split()[2].rpartition(":")[2]
            for _ in range(3):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                    assert b"Directory listing" in answer.read()
        finally:
            forward.terminate()


def test_refusals_are_told(cluster: Cluster, kubectl: Kubectl) -> None:
    assert '(NotFound): pods "gone" not found' in kubectl("get", "pod", "gone", code=1).stderr
    cluster.access.deny("list", "pods")
    assert "cannot list resource" in kubectl("get", "pods", code=1).stderr
