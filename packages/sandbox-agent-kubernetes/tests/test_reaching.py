"""Where a Pod is reached, and what is made for that."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.errors import InvalidRequest, PortNotOpen, ProviderUnavailable
from sandbox_agent_kubernetes.pods import Pod
from sandbox_agent_kubernetes.reaching import Reach

INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "spec": {
        "rules": [
            {
                "host": "{name}.example.org",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {
                                "service": {"name": "{name}", "port": {"number": "{port}"}}
                            },
                        }
                    ]
                },
            }
        ]
    },
}


def reach(way: str, **more: Any) -> Reach:
    return Reach(way=way, server_port=2468, **more)


def pod_at(address: str | None) -> Pod:
    metadata = {"name": "one", "namespace": "agents"}
    return Pod({"metadata": metadata, "status": {"podIP": address}})


def test_by_the_address_of_the_pod() -> None:
    assert reach("pod-ip").url(pod_at("10.0.0.7"), 2468) == "http://10.0.0.7:2468"
    assert reach("pod-ip").url(pod_at("fd00::7"), 2468) == "http://[fd00::7]:2468"
    with pytest.raises(ProviderUnavailable):
        reach("pod-ip").url(pod_at(None), 2468)
    assert reach("pod-ip").objects("one", "agents") == []


def test_by_a_service_that_selects_the_pod() -> None:
    by_name = reach("service")
    assert by_name.url(pod_at(None), 2468) == "http://one.agents.svc:2468"
    (service,) = by_name.objects("one", "agents")
    assert service.manifest["spec"]["selector"] == {"sandbox-agent-name": "one"}
    with pytest.raises(PortNotOpen):
        by_name.url(pod_at(None), 3000)


def test_by_a_url_and_a_route_of_ones_own() -> None:
    way = reach("https://{name}.example.org/", route=INGRESS)
    assert way.url(pod_at(None), 2468) == "https://one.example.org"
    service, ingress = way.objects("one", "agents")
    assert service.manifest["kind"] == "Service"
    path = ingress.resource.path("agents")
    assert path == "/apis/networking.k8s.io/v1/namespaces/agents/ingresses"
    (rule,) = ingress.manifest["spec"]["rules"]
    assert rule["host"] == "one.example.org"
    assert rule["http"]["paths"][0]["backend"]["service"] == {
        "name": "one",
        "port": {"number": 2468},
    }
    assert ingress.manifest["metadata"] == {"name": "one"}
    assert "metadata" not in INGRESS


def test_a_url_may_have_every_port() -> None:
    way = reach("https://{port}-{name}.example.org")
    assert way.url(pod_at(None), 3000) == "https://3000-one.example.org"


@pytest.mark.parametrize(
    "wrong",
    [
        {"way": "ingress"},
        {"way": "https://example.org"},
        {"way": "service", "route": INGRESS},
        {"way": "https://{name}.example.org", "route": {"spec": {}}},
    ],
)
def test_what_leads_nowhere_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        reach(**wrong)
