"""What a sandbox is in the cluster: hardened unless told otherwise, and nothing secret in what may be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_kubernetes import KubernetesProvider
from sandbox_agent_kubernetes.manifests import HOME, NETWORK_LABEL, PodOptions, merged


def options(**given: Any) -> PodOptions:
    return PodOptions(**{"server_port": 2468, **given})


def pod_of(**given: Any) -> dict[str, Any]:
    return options(**given).pod_manifest("one", labels={"mine": "yes"}, variables=["KEY", "HOME"])


def container_of(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def test_a_pod_keeps_to_the_restricted_standard() -> None:
    pod = pod_of()
    spec, container = pod["spec"], container_of(pod)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


def test_baseline_leaves_the_user_to_the_image() -> None:
    pod = pod_of(pod_security="baseline")
    assert "runAsUser" not in pod["spec"]["securityContext"]
    assert "securityContext" not in container_of(pod)


def test_the_environment_is_in_the_secret_and_not_in_the_pod() -> None:
    secret = options().secret_manifest("one", {"KEY": "s3cret"})
    assert secret["stringData"] == {"KEY": "s3cret"}
    assert container_of(pod_of())["env"] == [
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "one", "key": "KEY"}}},
        {"name": "HOME", "value": HOME},
    ]


def test_a_variable_that_a_secret_cannot_have_is_refused_without_its_value() -> None:
    with pytest.raises(InvalidRequest, match="A B") as caught:
        options().secret_manifest("one", {"A B": "s3cret"})
    assert "s3cret" not in str(caught.value)


def test_the_home_is_on_the_volume_that_outlives_the_pod() -> None:
    pod = pod_of(storage="10Gi", storage_class="fast")
    assert pod["spec"]["volumes"] == [
        {"name": "home", "persistentVolumeClaim": {"claimName": "one"}}
    ]
    assert container_of(pod)["volumeMounts"] == [{"name": "home", "mountPath": HOME}]
    claim = options(storage="10Gi", storage_class="fast").claim_manifest("one", pod)
    assert claim["spec"]["storageClassName"] == "fast"
    assert json.loads(claim["metadata"]["annotations"]["sandbox-agent/pod"]) == pod
    assert claim["metadata"]["labels"]["mine"] == "yes"


def test_placing_is_in_the_words_of_a_pod() -> None:
    spec = pod_of(
        runtime_class="gvisor",
        node_selector={"disk": "ssd"},
        tolerations=[{"key": "agents", "operator": "Exists"}],
        service_account="agents",
        image_pull_secrets=["registry"],
        active_deadline_seconds=3600,
    )["spec"]
    assert spec["runtimeClassName"] == "gvisor"
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["tolerations"] == [{"key": "agents", "operator": "Exists"}]
    assert spec["serviceAccountName"] == "agents"
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["activeDeadlineSeconds"] == 3600


def test_nobody_connects_to_a_pod_and_it_reaches_no_metadata_service() -> None:
    policy = options().network_policy_manifest()
    assert policy["spec"]["ingress"] == []
    blocks = [one["ipBlock"] for one in policy["spec"]["egress"][0]["to"]]
    assert {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]} in blocks
    assert policy["spec"]["podSelector"] == {
        "matchLabels": {NETWORK_LABEL: policy["metadata"]["name"]}
    }
    assert pod_of()["metadata"]["labels"][NETWORK_LABEL] == policy["metadata"]["name"]


def test_rules_of_its_user_are_another_policy_and_none_is_none() -> None:
    own = {"policyTypes": ["Egress"], "egress": []}
    named = options(network_policy=own)
    assert named.network_policy_name != options().network_policy_name
    assert named.network_policy_manifest()["spec"]["egress"] == []
    assert "ingress" not in named.network_policy_manifest()["spec"]
    assert options(network_policy=False).network_policy_name is None
    assert NETWORK_LABEL not in pod_of(network_policy=False)["metadata"]["labels"]


def test_a_pod_of_its_user_is_merged_by_the_names_of_things() -> None:
    pod = pod_of(
        pod={
            "metadata": {"name": "another", "annotations": {"team": "a"}},
            "spec": {
                "containers": [
                    {"name": "agent", "env": [{"name": "A", "value": "1"}]},
                    {"name": "sidecar", "image": "proxy"},
                ],
                "enableServiceLinks": None,
                "hostUsers": False,
            },
        }
    )
    assert pod["metadata"]["name"] == "one"
    assert len(pod["metadata"]["annotations"]) == 3
    ours, sidecar = pod["spec"]["containers"]
    assert [one["name"] for one in ours["env"]] == ["KEY", "HOME", "A"]
    assert ours["command"][0] == "/bin/sh"
    assert sidecar == {"name": "sidecar", "image": "proxy"}
    assert "enableServiceLinks" not in pod["spec"]
    assert pod["spec"]["hostUsers"] is False


def test_lists_without_names_are_replaced() -> None:
    assert merged({"command": ["a", "b"]}, {"command": ["c"]}) == {"command": ["c"]}
    assert merged({"x": {"y": 1}}, {"x": {"y": None}}) == {"x": {}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"pod_security": "privileged"}, "securityContext"),
        ({"limits": {"memory": 4}}, "'4Gi'"),
        ({"limits": {"memory": "4GB"}}, "4GB"),
        ({"storage": "ten"}, "no quantity"),
        ({"storage_class": "fast"}, "storage="),
        ({"pod": {"containers": []}}, "metadata"),
        ({"env": {"A": 1}}, "text"),
    ],
)
def test_wrong_options_are_refused_in_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        KubernetesProvider(**given)
