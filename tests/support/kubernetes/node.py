"""What a Pod needs from the cluster before it can run: room on the one node, its image, its Secrets and its volumes."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.kubernetes.containers import HOME, PATH, ContainerSpec, Image
from support.kubernetes.resources import SECRETS, VOLUME_CLAIMS
from support.kubernetes.storage import Object, Storage

__all__ = ["ConfigError", "Node", "Unmountable", "quantity"]

_UNITS = {
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


class ConfigError(Exception):
    """A container's settings name what is not there: the Pod waits in CreateContainerConfigError."""


class Unmountable(Exception):
    """A volume cannot be had: the Pod waits in ContainerCreating, and events say FailedMount."""


def quantity(text: str | float) -> float:
    """`500m`, `2Gi` and the like as a number."""
    text = str(text)
    unit = text.lstrip("0123456789.+-")
    return float(text.removesuffix(unit)) * (_UNITS[unit] if unit else 1)


@dataclass(slots=True)
class Node:
    """The only node. What it offers may be changed while Pods wait for it."""

    storage: Storage
    folder: Path
    name: str = "node-1"
    is_cordoned: bool = False
    capacity: dict[str, float] = field(
        default_factory=lambda: {"cpu": 1000.0, "memory": quantity("4Ti")}
    )
    labels: dict[str, str] = field(
        default_factory=lambda: {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    )
    images: dict[str, Image] = field(default_factory=dict)
    missing_images: set[str] = field(default_factory=set)

    def why_no_room(self, pod: Object) -> str | None:
        """The scheduler's words; None if the Pod fits."""
        spec = pod["spec"]
        if self.is_cordoned:
            return "0/1 nodes are available: 1 node(s) were unschedulable."
        if not (spec.get("nodeSelector") or {}).items() <= self.labels.items():
            return "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
        for resource, offered in self.capacity.items():
            asked = sum(
                quantity(((each.get("resources") or {}).get("requests") or {}).get(resource, 0))
                for each in spec["containers"]
            )
            if asked > offered:
                return f"0/1 nodes are available: 1 Insufficient {resource}."
        return None

    def image(self, name: str) -> Image | None:
        """None if it cannot be pulled."""
        return None if name in self.missing_images else self.images.get(name, Image())

    def volumes(self, pod: Object, *, folder: Path) -> dict[str, Path]:
        """The folders of the Pod's volumes, by name; `folder` is the Pod's own.

        Raises:
            Unmountable
        """
        namespace = pod["metadata"]["namespace"]
        group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
        found = {}
        for volume in pod["spec"].get("volumes") or []:
            name = volume["name"]
            match volume:
                case {"emptyDir": _}:
                    path = folder / "volumes" / name
                    path.mkdir(parents=True, exist_ok=True)
                    path.chmod(0o777)
                case {"persistentVolumeClaim": {"claimName": claim}}:
                    path = self._claimed(namespace, claim)
                case {"secret": {"secretName": secret, **options}}:
                    path = folder / "volumes" / name
                    self._write_secret(
                        path, namespace, secret, is_optional=bool(options.get("optional"))
                    )
                case _:
                    kind = next((key for key in volume if key != "name"), "nothing")
                    raise Unmountable(
                        f'MountVolume.SetUp failed for volume "{name}": {kind} is not modelled here'
                    )
            if group is not None:
                _give_to_group(path, group)
            found[name] = path
        return found

    def claim_folder(self, claim: Object) -> Path:
        """Where the data of a PersistentVolumeClaim is; it outlives the Pods."""
        return Path(self.folder, "claims", claim["metadata"]["uid"])

    def _claimed(self, namespace: str, name: str) -> Path:
        claim = self.storage.find(VOLUME_CLAIMS, namespace, name)
        if claim is None:
            raise Unmountable(f'persistentvolumeclaim "{name}" not found')
        path = self.claim_folder(claim)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _write_secret(self, path: Path, namespace: str, name: str, *, is_optional: bool) -> None:
        secret = self.storage.find(SECRETS, namespace, name)
        path.mkdir(parents=True, exist_ok=True)
        if secret is None:
            if is_optional:
                return
            raise Unmountable(
                f'MountVolume.SetUp failed for volume "{path.name}" : secret "{name}" not found'
            )
        for key, value in (secret.get("data") or {}).items():
            (path / key).write_bytes(base64.b64decode(value))

    def container(
        self, pod: Object, container: dict[str, Any], volumes: dict[str, Path]
    ) -> ContainerSpec:
        """How to start one of a Pod's containers.

        Raises:
            ConfigError
        """
        image = self.image(container["image"]) or Image()
        security = {
            **(pod["spec"].get("securityContext") or {}),
            **(container.get("securityContext") or {}),
        }
        user = security.get("runAsUser", image.user)
        if security.get("runAsNonRoot") and user == 0:
            raise ConfigError("container has runAsNonRoot and image will run as root")
        own = {"PATH": PATH, "HOME": HOME, "HOSTNAME": pod["metadata"]["name"], **image.environment}
        command = [*(container.get("command") or image.command), *(container.get("args") or ())]
        group = security.get("fsGroup")
        return ContainerSpec(
            command=command,
            environment={**own, **self._environment(pod, container)},
            directory=container.get("workingDir") or HOME,
            user=user,
            group=security.get("runAsGroup", 0),
            groups=(group,) if group is not None else (),
            hostname=pod["metadata"]["name"],
            host_network=bool(pod["spec"].get("hostNetwork")),
            paths=image.paths,
            mounts=tuple(_mounts(container, volumes)),
        )

    def _environment(self, pod: Object, container: dict[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for source in container.get("envFrom") or []:
            if reference := source.get("secretRef"):
                data = self._secret(pod, reference)
                found |= {source.get("prefix", "") + key: value for key, value in data.items()}
        for variable in container.get("env") or []:
            name, origin = variable["name"], variable.get("valueFrom") or {}
            if reference := origin.get("secretKeyRef"):
                data = self._secret(pod, reference)
                if reference["key"] in data:
                    found[name] = data[reference["key"]]
                elif not reference.get("optional"):
                    where = f"{pod['metadata']['namespace']}/{reference['name']}"
                    raise ConfigError(f"couldn't find key {reference['key']} in Secret {where}")
            elif path := (origin.get("fieldRef") or {}).get("fieldPath"):
                found[name] = _field(pod, path)
            else:
                found[name] = variable.get("value") or ""
        return found

    def _secret(self, pod: Object, reference: dict[str, Any]) -> dict[str, str]:
        secret = self.storage.find(SECRETS, pod["metadata"]["namespace"], reference["name"])
        if secret is None:
            if reference.get("optional"):
                return {}
            raise ConfigError(f'secret "{reference["name"]}" not found')
        return {
            key: base64.b64decode(value).decode()
            for key, value in (secret.get("data") or {}).items()
        }


def _mounts(container: dict[str, Any], volumes: dict[str, Path]) -> list[tuple[Path, str, bool]]:
    found = []
    for mount in container.get("volumeMounts") or []:
        source = volumes[mount["name"]]
        if inner := mount.get("subPath"):
            source /= inner
            source.mkdir(parents=True, exist_ok=True)
        found.append((source, mount["mountPath"], bool(mount.get("readOnly"))))
    # A mount inside of another comes after it.
    return sorted(found, key=lambda each: each[1])


def _field(pod: Object, path: str) -> str:
    value: Any = pod
    for name in path.split("."):
        value = (value or {}).get(name)
    return str(value if value is not None else "")


def _give_to_group(path: Path, group: int) -> None:
    """As the kubelet does it for `fsGroup`: the group owns it, may write, and owns what is new."""
    os.chown(path, -1, group)
    path.chmod(path.stat().st_mode | 0o2070)
