"""A cluster for each test, which runs Pods as processes of this machine, with our server in the image. Who asks may do what the
Role in `examples/kubernetes` says, and the namespace enforces what it enforces there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.kubernetes import Cluster, Image
from support.kubernetes.examples import IMAGE
from support.kubernetes.fixtures import make_kubernetes_cluster
from support.wheelhouse import OUR_SERVER

__all__ = ["make_kubernetes_cluster"]

ROOT = Path(__file__).parents[3]
SERVER_IMAGE = Image(
    environment={"PATH": f"{OUR_SERVER.parent}{os.pathsep}/usr/bin{os.pathsep}/bin"},
    paths=(OUR_SERVER.parents[1], ROOT / "packages"),
)
"""It brings the server that is installed here."""


@pytest.fixture(scope="session")
def role() -> list[dict[str, Any]]:
    """The rules that its users are told to give."""
    text = (ROOT / "examples" / "kubernetes" / "namespace.yaml").read_text(encoding="utf-8")
    (rules,) = [one["rules"] for one in yaml.safe_load_all(text) if one["kind"] == "Role"]
    assert isinstance(rules, list)
    return rules


@pytest.fixture(autouse=True)
def no_other_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_cluster(
    make_kubernetes_cluster: Callable[..., Cluster], role: list[dict[str, Any]]
) -> Callable[..., Cluster]:
    def make(**options: Any) -> Cluster:
        made = make_kubernetes_cluster(**options)
        made.access.bind(role, namespace=made.namespace)
        made.enforce_restricted()
        made.image(IMAGE, SERVER_IMAGE)
        return made

    return make


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    return make_cluster()
