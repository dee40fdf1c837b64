"""What is missing is said before anything is made; and the Role of the examples is all that is needed, and no more."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import InvalidRequest, ProviderAuthError, ProviderError
from sandbox_agent_core.spi.provider import Check
from sandbox_agent_kubernetes import KubernetesProvider
from sandbox_agent_kubernetes.agent_sandboxes import Source
from sandbox_agent_kubernetes.preflight import rights_of_agent_sandboxes, rights_of_pods
from support.kubernetes import Cluster

EXAMPLES = Path(__file__).parents[3] / "examples" / "kubernetes"
KUBECTL = Path(sys.executable).parent / "kubectl"
DEADLINE_S = 20


def provider_of(cluster: Cluster, **options: Any) -> KubernetesProvider:
    return KubernetesProvider(kubeconfig=str(cluster.kubeconfig), **options)


async def failed(provider: KubernetesProvider) -> Check:
    (check,) = [check for check in (await provider.preflight()).checks if not check.ok]
    return check


def kubectl(cluster: Cluster, *arguments: str) -> str:
    done = subprocess.run(
        [KUBECTL, "--kubeconfig", cluster.kubeconfig, "--cache-dir", cluster.folder, *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_all_is_well_with_the_role_of_the_examples(cluster: Cluster) -> None:
    answer = await provider_of(cluster, storage="1Gi", reach="service").preflight()
    assert answer.ok, str(answer)
    assert cluster.url in str(answer)
    assert "'agents'" in str(answer)


async def test_rights_that_are_missing_are_named(cluster: Cluster) -> None:
    cluster.access.deny("create", "pods")
    cluster.access.deny("create", "pods/exec")
    check = await failed(provider_of(cluster))
    assert check.error is ProviderAuthError
    assert "create pods; create pods/exec" in check.message


async def test_rights_are_asked_for_what_is_used_only(cluster: Cluster) -> None:
    for resource in ("persistentvolumeclaims", "services", "networkpolicies"):
        cluster.access.deny("create", resource)
    assert (await provider_of(cluster, network_policy=False).preflight()).ok
    assert "persistentvolumeclaims" in (await failed(provider_of(cluster, storage="1Gi"))).message


async def test_a_login_that_is_refused_and_a_cluster_that_is_away(cluster: Cluster) -> None:
    check = await failed(provider_of(cluster, context="wrong"))
    assert (check.name, check.error) == ("cluster", ProviderAuthError)
    assert "kubectl auth whoami" in check.message


async def test_a_runtime_class_that_there_is_not(cluster: Cluster) -> None:
    cluster.access.bind([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])
    assert "gvisor" in (await failed(provider_of(cluster, runtime_class="gvisor"))).message
    spec = {"metadata": {"name": "gvisor"}, "handler": "runsc"}
    cluster.create("runtimeclasses", spec)
    assert (await provider_of(cluster, runtime_class="gvisor").preflight()).ok


async def test_a_pool_where_the_cluster_has_no_such_kinds(cluster: Cluster) -> None:
    check = await failed(provider_of(cluster, warm_pool="agents"))
    assert (check.name, check.error) == ("source", ProviderError)
    assert "controller of agents.x-k8s.io" in check.message


def test_the_role_has_each_right_that_is_asked_for(role: list[dict[str, Any]]) -> None:
    given = {
        (verb, group, resource)
        for rule in role
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    needed = {
        *rights_of_pods(has_volume=True, has_policy=True, is_forwarded=True, has_service=True),
        *rights_of_agent_sandboxes(Source(template="x"), is_forwarded=True),
        *rights_of_agent_sandboxes(Source(warm_pool="x"), is_forwarded=True),
    }
    assert needed <= given
    assert not any("*" in right for right in given)


def test_kubectl_takes_the_examples(make_kubernetes_cluster: Callable[..., Cluster]) -> None:
    cluster = make_kubernetes_cluster(namespaces=("default",), agent_sandbox=True)
    said = kubectl(cluster, "apply", "--validate=false", "-f", str(EXAMPLES / "namespace.yaml"))
    assert "role.rbac.authorization.k8s.io/sandbox-agent created" in said
    said = kubectl(cluster, "apply", "--validate=false", "-f", str(EXAMPLES / "warm-pool.yaml"))
    assert "sandboxwarmpool.extensions.agents.x-k8s.io/agents created" in said


@pytest.mark.parametrize(
    "options",
    [
        {"image": "x"},
        {"storage": "1Gi"},
        {"pod": {"spec": {}}},
        {"reach": "https://{name}.example.org", "route": {"apiVersion": "v1", "kind": "Route"}},
    ],
)
def test_what_the_template_says_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="template"):
        KubernetesProvider(warm_pool="agents", **options)
