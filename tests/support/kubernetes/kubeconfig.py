"""The files by which clients find the cluster: a kubeconfig with one context per way to log in, and a Pod's token."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.kubernetes.certificates import Certificates

__all__ = ["InCluster", "write_in_cluster", "write_kubeconfig"]


def write_kubeconfig(
    path: Path, *, url: str, certificates: Certificates, token: str, namespace: str
) -> None:
    """Contexts `token` (the current one), `certificate`, `exec` (a credential plugin), `wrong` and `anonymous`."""
    certificate, key = certificates.issue("admin")
    users: dict[str, dict[str, Any]] = {
        "token": {"token": token},
        "certificate": {"client-certificate": str(certificate), "client-key": str(key)},
        "exec": {"exec": _plugin(path.with_suffix(".plugin.py"), token)},
        "wrong": {"token": "wrong"},
        "anonymous": {},
    }
    cluster = {"server": url, "certificate-authority": str(certificates.authority)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "fake", "cluster": cluster}],
        "users": [{"name": name, "user": user} for name, user in users.items()],
        "contexts": [
            {"name": name, "context": {"cluster": "fake", "user": name, "namespace": namespace}}
            for name in users
        ],
        "current-context": "token",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def _plugin(path: Path, token: str) -> dict[str, Any]:
    """A program that prints the credential, as those of clouds do."""
    version = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": token}}
    path.touch(mode=0o600)
    path.write_text(f"print({json.dumps(credential)!r})\n", encoding="utf-8")
    return {
        "apiVersion": version,
        "command": sys.executable,
        "args": [str(path)],
        "interactiveMode": "Never",
    }


@dataclass(frozen=True, slots=True)
class InCluster:
    """What a Pod finds: the files of its service account, and the two variables that say where the server is."""

    token: Path
    authority: Path
    namespace: Path
    environment: dict[str, str]


def write_in_cluster(
    folder: Path, *, port: int, certificates: Certificates, token: str, namespace: str
) -> InCluster:
    """As mounted at /var/run/secrets/kubernetes.io/serviceaccount."""
    folder.mkdir()
    found = InCluster(
        token=folder / "token",
        authority=folder / "ca.crt",
        namespace=folder / "namespace",
        environment={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)},
    )
    found.token.touch(mode=0o600)
    found.token.write_text(token, encoding="utf-8")
    found.namespace.write_text(namespace, encoding="utf-8")
    found.authority.write_bytes(certificates.authority.read_bytes())
    return found
