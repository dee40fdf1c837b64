"""The objects that a sandbox is, as the API takes them. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.spi.labels import OURS

from sandbox_agent_kubernetes.pods import CONTAINER, NAME_LABEL, PORT_ANNOTATION, memory_mb

__all__ = ["HOME", "NETWORK_LABEL", "TOKEN_VARIABLE", "PodOptions", "merged"]

DEFAULT_IMAGE: Final = "python:3.12-slim"
HOME: Final = "/home/agent"
"""Where the volume is: of whoever runs, whatever the image says, so that the server's state is on it."""
TOKEN_VARIABLE: Final = "SANDBOX_AGENT_TOKEN"  # noqa: S105 - the name of a variable
GRACE_S: Final = 10
"""For the server to end by itself."""
EPHEMERAL_SIZE: Final = "10Gi"
POD_ANNOTATION: Final = "sandbox-agent/pod"
"""On the claim of a sandbox: its Pod, to make it again."""
NETWORK_LABEL: Final = "sandbox-agent-network"
"""Which NetworkPolicy selects the Pod."""
METADATA_SERVICES: Final = ("169.254.169.254/32", "fd00:ec2::254/128")
"""Of clouds, which give away the credentials of the node."""

PodSecurity = Literal["restricted", "baseline"]
_VARIABLE: Final = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")

# The container only holds the place: the server is started in it, ends with it, and is told beforehand.
_KEEPER: Final = """\
stop() {
  pid=$(cat "$HOME/.sandbox-agent/pid" 2>/dev/null) && kill -TERM "$pid" 2>/dev/null || exit 0
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.5; done
  exit 0
}
trap stop TERM INT
while :; do sleep 3600 & wait $!; done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodOptions:
    """See `KubernetesProvider` for what each means."""

    image: str | None = None
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    storage: str | None = None
    storage_class: str | None = None
    runtime_class: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    service_account: str | None = None
    image_pull_secrets: Sequence[str] = ()
    pod_security: PodSecurity = "restricted"
    run_as_user: int = 1000
    active_deadline_seconds: int | None = None
    network_policy: bool | Mapping[str, Any] = True
    is_reached_by_network: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    pod: Mapping[str, Any] = field(default_factory=dict, repr=False)
    server_port: int

    def __post_init__(self) -> None:
        if self.pod_security not in ("restricted", "baseline"):
            raise InvalidRequest(
                f"pod_security={self.pod_security!r}: use 'restricted' or 'baseline'; for a Pod with more power give "
                "its `securityContext` in `pod`."
            )
        for option in ("requests", "limits"):
            for name, quantity in getattr(self, option).items():
                _check_quantity(option, name, quantity)
        if self.storage is not None:
            _check_quantity("storage", "storage", self.storage)
        elif self.storage_class is not None:
            raise InvalidRequest("storage_class is of a volume: give `storage='10Gi'` as well.")
        if unknown := self.pod.keys() - {"metadata", "spec"}:
            raise InvalidRequest(
                f"pod: a Pod has `metadata` and `spec`, no {', '.join(sorted(unknown))}.",
                option="pod",
            )

    @property
    def network_policy_name(self) -> str | None:
        """One for all sandboxes with the same rules; None when there is to be none."""
        if self.network_policy is False:
            return None
        rules = json.dumps(self._network_rules(), sort_keys=True)
        return f"sandbox-agent-{hashlib.sha256(rules.encode()).hexdigest()[:12]}"

    def pod_manifest(
        self, name: str, *, labels: Mapping[str, str], variables: Iterable[str]
    ) -> dict[str, Any]:
        """The Pod. The Secret of the same name has its `variables`."""
        policy = self.network_policy_name
        own = {NAME_LABEL: name} | ({NETWORK_LABEL: policy} if policy else {})
        made: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "labels": {**self.labels, OURS: "1", **labels, **own},
                "annotations": {
                    PORT_ANNOTATION: str(self.server_port),
                    # A node is not emptied of what somebody waits for.
                    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                },
            },
            "spec": {
                "containers": [self._container(name, variables)],
                "volumes": [{"name": "home", **self._volume(name)}],
                # One that was started again would be without its server.
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": GRACE_S,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                **self._placing(),
                **self._pod_security(),
            },
        }
        manifest: dict[str, Any] = merged(made, self.pod)
        manifest["metadata"]["name"] = name  # its other objects are found by it
        return manifest

    def secret_manifest(self, name: str, variables: Mapping[str, str]) -> dict[str, Any]:
        """Raises: InvalidRequest: a name is none that a Secret can have."""
        if wrong := [one for one in variables if not _VARIABLE.fullmatch(one)]:
            raise InvalidRequest(
                f"`env`: Kubernetes takes letters, digits, `_`, `-` and `.` in names of variables, not {wrong[0]!r}."
            )
        metadata = {"name": name, "labels": {OURS: "1"}}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "Opaque",
            "stringData": dict(variables),
        }

    def claim_manifest(self, name: str, pod: Mapping[str, Any]) -> dict[str, Any]:
        """The volume that outlives the Pod, which it knows."""
        spec: dict[str, Any] = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": self.storage}},
        }
        if self.storage_class is not None:
            spec["storageClassName"] = self.storage_class
        metadata = {
            "name": name,
            "labels": pod["metadata"]["labels"],
            "annotations": {
                PORT_ANNOTATION: str(self.server_port),
                POD_ANNOTATION: json.dumps(pod),
            },
        }
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata,
            "spec": spec,
        }

    def network_policy_manifest(self) -> dict[str, Any]:
        name = self.network_policy_name
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "labels": {OURS: "1"}},
            "spec": {
                "podSelector": {"matchLabels": {NETWORK_LABEL: name}},
                **self._network_rules(),
            },
        }

    def _network_rules(self) -> Mapping[str, Any]:
        """What is forwarded by the API server comes from the node, where no policy applies."""
        if isinstance(self.network_policy, Mapping):
            return self.network_policy
        server = {"ports": [{"protocol": "TCP", "port": self.server_port}]}
        blocks = [
            {
                "ipBlock": {
                    "cidr": "::/0" if ":" in service else "0.0.0.0/0",
                    "except": [service],
                }
            }
            for service in METADATA_SERVICES
        ]
        return {
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [server] if self.is_reached_by_network else [],
            "egress": [{"to": blocks}],
        }

    def _container(self, name: str, variables: Iterable[str]) -> dict[str, Any]:
        secret = {
            one: {"name": one, "valueFrom": {"secretKeyRef": {"name": name, "key": one}}}
            for one in variables
        }
        made: dict[str, Any] = {
            "name": CONTAINER,
            "image": self.image or DEFAULT_IMAGE,
            "command": ["/bin/sh", "-c", _KEEPER],
            "env": list((secret | {"HOME": {"name": "HOME", "value": HOME}}).values()),
            "workingDir": HOME,
            "ports": [{"name": "server", "containerPort": self.server_port}],
            "volumeMounts": [{"name": "home", "mountPath": HOME}],
            "resources": {"requests": dict(self.requests), "limits": dict(self.limits)},
        }
        if self.pod_security == "restricted":
            made["securityContext"] = {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
        return made

    def _volume(self, name: str) -> Mapping[str, Any]:
        if self.storage is not None:
            return {"persistentVolumeClaim": {"claimName": name}}
        return {"emptyDir": {"sizeLimit": self.limits.get("ephemeral-storage", EPHEMERAL_SIZE)}}

    def _placing(self) -> Mapping[str, Any]:
        wanted = {
            "runtimeClassName": self.runtime_class,
            "nodeSelector": dict(self.node_selector),
            "tolerations": [dict(one) for one in self.tolerations],
            "serviceAccountName": self.service_account,
            "imagePullSecrets": [{"name": one} for one in self.image_pull_secrets],
            "activeDeadlineSeconds": self.active_deadline_seconds,
        }
        return {key: value for key, value in wanted.items() if value}

    def _pod_security(self) -> Mapping[str, Any]:
        if self.pod_security == "baseline":
            return {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}
        return {
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": self.run_as_user,
                "runAsGroup": self.run_as_user,
                "fsGroup": self.run_as_user,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            }
        }


_KEYS_OF_ITEMS: Final = ("mountPath", "containerPort", "name")
"""What items of a list are told apart by, as in a strategic merge patch."""


def merged(made: Any, given: Any) -> Any:
    """As `kubectl patch --type strategic` does it: tables are merged, lists of named things by their names; null removes;
    everything else is replaced."""
    if isinstance(made, Mapping) and isinstance(given, Mapping):
        both = {**made, **{key: merged(made.get(key), value) for key, value in given.items()}}
        return {key: value for key, value in both.items() if value is not None}
    if isinstance(made, list) and isinstance(given, list):
        key = next((key for key in _KEYS_OF_ITEMS if _have(key, [*made, *given])), None)
        if key is not None:
            items = {one[key]: one for one in made}
            items |= {one[key]: merged(items.get(one[key]), one) for one in given}
            return list(items.values())
    return given


def _have(key: str, items: Sequence[Any]) -> bool:
    return bool(items) and all(isinstance(one, Mapping) and key in one for one in items)


def _check_quantity(option: str, name: str, quantity: Any) -> None:
    if not isinstance(quantity, str):
        raise InvalidRequest(f"{option}: {name} is text, as in {name!r}: '4Gi', not {quantity!r}.")
    is_bytes = name in ("memory", "storage", "ephemeral-storage")
    if is_bytes and memory_mb(quantity) is None:
        raise InvalidRequest(
            f"{option}: {name}={quantity!r} is no quantity; Kubernetes writes `512Mi`, `4Gi`."
        )
