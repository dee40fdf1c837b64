"""A Pod is a real process: its own network, files and processes, its words, and its end."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from support.kubernetes import Cluster

Manifest = Callable[..., dict[str, Any]]
Run = Callable[..., None]
Execute = Callable[..., tuple[int, str, str]]

SERVE = (
    "python3",
    "-c",
    "import http.server as h; h.HTTPServer(('127.0.0.1', 8000), h.SimpleHTTPRequestHandler).serve_forever()",
)
PROBE = {"readinessProbe": {"httpGet": {"port": 8000}}}


def reason(pod: dict[str, Any]) -> str:
    (container,) = pod["status"].get("containerStatuses") or [{"state": {}}]
    return str(
        (container["state"].get("waiting") or container["state"].get("terminated") or {}).get(
            "reason", ""
        )
    )


def test_two_pods_listen_on_the_same_port(run: Run, execute: Execute) -> None:
    for name in ("one", "two"):
        run(name, *SERVE, container=PROBE)
        execute(name, "sh", "-c", f"echo {name} >index.html")
    fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000').read().decode().strip())"
    assert execute("one", "python3", "-c", fetch) == (0, "one\n", "")
    assert execute("two", "python3", "-c", fetch) == (0, "two\n", "")


def test_environment_comes_from_secrets_and_user_and_volumes_from_the_spec(
    core: client.CoreV1Api, run: Run, execute: Execute
) -> None:
    core.create_namespaced_secret(
        "agents", {"metadata": {"name": "keys"}, "stringData": {"TOKEN": "t", "OTHER": "o"}}
    )
    run(
        "web",
        container={
            "envFrom": [{"secretRef": {"name": "keys"}, "prefix": "X_"}],
            "env": [
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "TOKEN"}}}
            ],
            "volumeMounts": [{"name": "work", "mountPath": "/srv/workspace"}],
            "workingDir": "/srv/workspace",
        },
        volumes=[{"name": "work", "emptyDir": {}}],
        securityContext={
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "fsGroup": 2000,
            "runAsNonRoot": True,
        },
    )
    code, out, err = execute(
        "web",
        "sh",
        "-c",
        "echo $KEY $X_OTHER; id -u; id -g; pwd; touch here && stat -c %g here; hostname; echo $PPID",
    )
    assert (code, err) == (0, "")
    assert out.split() == ["t", "o", "1000", "1000", "/srv/workspace", "2000", "web", "0"]
    code, out, err = execute("web", "touch", "/usr/mine")
    assert code == 1
    assert "touch" in err


def test_a_pod_waits_for_its_secret_and_says_so(
    cluster: Cluster, core: client.CoreV1Api, manifest: Manifest
) -> None:
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "TOKEN"}}}]
    core.create_namespaced_pod("agents", manifest("web", container={"env": env}))
    cluster.wait_for("pods", "web", lambda pod: reason(pod) == "CreateContainerConfigError")
    core.create_namespaced_secret(
        "agents", {"metadata": {"name": "keys"}, "data": {"TOKEN": base64.b64encode(b"t").decode()}}
    )
    cluster.wait_for("pods", "web", lambda pod: pod["status"]["phase"] == "Running")
    events = core.list_namespaced_event(
        "agents", field_selector="involvedObject.name=web,reason=Failed"
    ).items
    assert [event.message for event in events] == ['Error: secret "keys" not found']


def test_images_and_room_can_be_missing(
    cluster: Cluster, core: client.CoreV1Api, manifest: Manifest
) -> None:
    cluster.lose_image("debian")
    cluster.cordon()
    core.create_namespaced_pod("agents", manifest("web"))
    pod = cluster.wait_for("pods", "web", lambda pod: pod["status"].get("conditions"))
    assert pod["status"]["conditions"][0]["reason"] == "Unschedulable"
    cluster.cordon(cordoned=False)
    cluster.wait_for("pods", "web", lambda pod: reason(pod) == "ImagePullBackOff")
    cluster.lose_image("debian", lost=False)
    cluster.wait_for("pods", "web", lambda pod: pod["status"]["phase"] == "Running")
    reasons = {event.reason for event in core.list_namespaced_event("agents").items}
    assert {"FailedScheduling", "Scheduled", "Failed", "BackOff", "Pulled", "Started"} <= reasons


def test_a_pod_asks_for_more_than_there_is(
    cluster: Cluster, core: client.CoreV1Api, manifest: Manifest
) -> None:
    cluster.resize(memory="1Gi")
    core.create_namespaced_pod(
        "agents", manifest("big", container={"resources": {"requests": {"memory": "2Gi"}}})
    )
    pod = cluster.wait_for("pods", "big", lambda pod: pod["status"].get("conditions"))
    assert (
        pod["status"]["conditions"][0]["message"]
        == "0/1 nodes are available: 1 Insufficient memory."
    )


def test_a_container_that_ends_is_started_again_without_its_files(
    cluster: Cluster, run: Run, execute: Execute
) -> None:
    run("web", restartPolicy="Always")
    execute("web", "touch", "/tmp/file")
    cluster.kill_for_memory("web")
    pod = cluster.wait_for(
        "pods", "web", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1
    )
    (status,) = pod["status"]["containerStatuses"]
    assert (
        status["lastState"]["terminated"]["reason"],
        status["lastState"]["terminated"]["exitCode"],
    ) == ("OOMKilled", 137)
    cluster.wait_for(
        "pods", "web", lambda pod: "running" in pod["status"]["containerStatuses"][0]["state"]
    )
    assert execute("web", "test", "-e", "/tmp/file")[0] == 1


@pytest.mark.parametrize(
    ("command", "phase", "why"), [("true", "Succeeded", "Completed"), ("exit 3", "Failed", "Error")]
)
def test_a_pod_that_ends_says_how(
    cluster: Cluster, core: client.CoreV1Api, manifest: Manifest, command: str, phase: str, why: str
) -> None:
    core.create_namespaced_pod("agents", manifest("web", "sh", "-c", f"echo said; {command}"))
    pod = cluster.wait_for("pods", "web", lambda pod: pod["status"]["phase"] == phase)
    assert reason(pod) == why
    assert core.read_namespaced_pod_log("web", "agents") == "said\n"


def test_eviction_and_deadline_leave_a_failed_pod(
    cluster: Cluster, core: client.CoreV1Api, run: Run, manifest: Manifest
) -> None:
    run("evicted")
    cluster.evict("evicted")
    core.create_namespaced_pod("agents", manifest("late", activeDeadlineSeconds=1))
    for name, why in (("evicted", "Evicted"), ("late", "DeadlineExceeded")):
        pod = cluster.wait_for("pods", name, lambda pod: pod["status"]["phase"] == "Failed")
        assert pod["status"]["reason"] == why
    evicted = cluster.get("pods", "evicted")
    assert evicted is not None
    assert "DisruptionTarget" in {each["type"] for each in evicted["status"]["conditions"]}


def test_deletion_gives_grace_and_takes_all_processes(
    cluster: Cluster, core: client.CoreV1Api, run: Run, execute: Execute
) -> None:
    run("polite", "sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait")
    run("deaf")
    execute("polite", "sh", "-c", "sleep 1001 >/dev/null 2>&1 &")
    core.delete_namespaced_pod("polite", "agents", grace_period_seconds=60)
    assert core.delete_namespaced_pod("deaf", "agents").metadata.deletion_timestamp
    for name in ("polite", "deaf"):
        cluster.wait_for("pods", name, lambda pod: pod is None)
    assert cluster.processes() == []


def test_what_a_pod_owns_goes_with_it(cluster: Cluster, core: client.CoreV1Api, run: Run) -> None:
    run("web")
    uid = core.read_namespaced_pod("web", "agents").metadata.uid
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "web", "uid": uid}
    core.create_namespaced_secret(
        "agents", {"metadata": {"name": "keys", "ownerReferences": [owner]}}
    )
    core.delete_namespaced_pod("web", "agents", grace_period_seconds=0)
    cluster.wait_for("secrets", "keys", lambda secret: secret is None)


def test_pod_security_refuses_at_create(
    cluster: Cluster, core: client.CoreV1Api, manifest: Manifest
) -> None:
    cluster.enforce_restricted()
    with pytest.raises(ApiException) as refused:
        core.create_namespaced_pod("agents", manifest("web"))
    assert refused.value.status == 403
    assert "runAsNonRoot != true" in refused.value.body
    whole = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    own = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    core.create_namespaced_pod(
        "agents", manifest("web", container={"securityContext": own}, securityContext=whole)
    )


def test_a_claim_outlives_its_pod(
    cluster: Cluster, core: client.CoreV1Api, run: Run, execute: Execute
) -> None:
    core.create_namespaced_persistent_volume_claim(
        "agents", {"metadata": {"name": "home"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    )
    mounted = {
        "container": {"volumeMounts": [{"name": "home", "mountPath": "/workspace"}]},
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}],
    }
    assert core.read_namespaced_persistent_volume_claim("home", "agents").status.phase == "Bound"
    run("first", **mounted)
    execute("first", "sh", "-c", "echo kept >/workspace/file")
    core.delete_namespaced_persistent_volume_claim("home", "agents")
    assert core.read_namespaced_persistent_volume_claim(
        "home", "agents"
    ).metadata.deletion_timestamp
    cluster.edit(
        "persistentvolumeclaims", "home", lambda it: it["metadata"].pop("deletionTimestamp")
    )
    core.delete_namespaced_pod("first", "agents", grace_period_seconds=0)
    run("second", **mounted)
    assert execute("second", "cat", "/workspace/file") == (0, "kept\n", "")
