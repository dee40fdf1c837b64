"""What the server makes of an object before it takes it: names, defaults, and what it refuses."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import Any

from support.kubernetes.refusals import Refusal
from support.kubernetes.resources import PODS, SECRETS, Resource
from support.kubernetes.storage import Object

__all__ = ["admit", "check_update", "pod_security"]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_SECRET_BYTES = 1 << 20
_ANNOTATIONS_BYTES = 256 << 10
_MUTABLE_OF_PODS = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")


def admit(resource: Resource, it: Object, *, namespace: str) -> Object:
    """A new object with its name, namespace and defaults.

    Raises:
        Refusal: 400 or 422, it cannot be such an object.
    """
    if it.get("kind") not in (None, resource.kind) or it.get("apiVersion") not in (
        None,
        resource.api_version,
    ):
        raise Refusal(
            400,
            f"the object provided is no {resource.api_version} {resource.kind}: {it.get('apiVersion')} {it.get('kind')}",
        )
    meta = {
        key: value
        for key, value in (it.get("metadata") or {}).items()
        if key not in ("resourceVersion", "uid")
    }
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"] + secrets.token_hex(3)[:5]
    if resource.namespaced and meta.setdefault("namespace", namespace) != namespace:
        raise Refusal(
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        )
    it = {
        key: value
        for key, value in it.items()
        if key != "status" or "status" not in resource.subresources
    }
    it["metadata"] = meta
    _check_metadata(resource, meta)
    if resource == PODS:
        return _pod(it)
    if resource == SECRETS:
        return _secret(it)
    return it


def check_update(resource: Resource, before: Object, after: Object) -> None:
    """Raises: Refusal: 422, the object cannot be changed so."""
    _check_metadata(resource, after["metadata"])
    if resource != PODS:
        return
    old, new = before["spec"], after["spec"]
    same = {key for key in {*old, *new} if old.get(key) != new.get(key)} <= set(_MUTABLE_OF_PODS)
    if not same:
        raise _invalid(
            PODS,
            after,
            f"spec: Forbidden: pod updates may not change fields other than {', '.join(_MUTABLE_OF_PODS)}",
        )
    was, will_be = old.get("activeDeadlineSeconds"), new.get("activeDeadlineSeconds")
    if was is not None and (will_be is None or will_be > was):
        raise _invalid(
            PODS,
            after,
            "spec.activeDeadlineSeconds: Invalid value: must be less than or equal to previous value",
        )


def _check_metadata(resource: Resource, meta: dict[str, Any]) -> None:
    it = {"metadata": meta}
    name = meta.get("name") or ""
    if not name:
        raise _invalid(
            resource, it, "metadata.name: Required value: name or generateName is required"
        )
    if not _NAME.fullmatch(name) or len(name) > 253:
        raise _invalid(
            resource,
            it,
            f"metadata.name: Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'",
        )
    for key, value in (meta.get("labels") or {}).items():
        if not _LABEL_KEY.fullmatch(key):
            raise _invalid(
                resource,
                it,
                f'metadata.labels: Invalid value: "{key}": name part must consist of alphanumeric characters',
            )
        if not isinstance(value, str):
            raise Refusal(
                400,
                f'{resource.kind} in version "{resource.version}" cannot be handled: metadata.labels: a string is expected',
            )
        if not _LABEL_VALUE.fullmatch(value):
            raise _invalid(
                resource,
                it,
                f'metadata.labels: Invalid value: "{value}": a valid label must be an empty string or consist of alphanumeric characters, at most 63',
            )
    annotations = meta.get("annotations") or {}
    if not all(isinstance(value, str) for value in annotations.values()):
        raise Refusal(
            400,
            f'{resource.kind} in version "{resource.version}" cannot be handled: metadata.annotations: a string is expected',
        )
    if (
        sum(len(key) + len(value.encode()) for key, value in annotations.items())
        > _ANNOTATIONS_BYTES
    ):
        raise _invalid(
            resource,
            it,
            f"metadata.annotations: Too long: may not be more than {_ANNOTATIONS_BYTES} bytes",
        )


def _pod(it: Object) -> Object:
    spec = dict(it.get("spec") or {})
    containers = spec.get("containers") or []
    if not containers:
        raise _invalid(PODS, it, "spec.containers: Required value")
    if len(containers) > 1:
        raise Refusal(400, "Pods of more than one container are not modelled here")
    volumes = {each["name"] for each in spec.get("volumes") or []}
    for index, each in enumerate([*containers, *(spec.get("initContainers") or [])]):
        if not each.get("name") or not each.get("image"):
            raise _invalid(
                PODS,
                it,
                f"spec.containers[{index}].{'image' if each.get('name') else 'name'}: Required value",
            )
        for mount in each.get("volumeMounts") or []:
            if mount["name"] not in volumes:
                raise _invalid(
                    PODS,
                    it,
                    f'spec.containers[{index}].volumeMounts[0].name: Not found: "{mount["name"]}"',
                )
    defaults = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
    }
    return {
        **it,
        "spec": {**defaults, **spec},
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }


def _secret(it: Object) -> Object:
    given = {key: value for key, value in it.items() if key != "stringData"}
    data = dict(it.get("data") or {})
    data |= {
        key: base64.b64encode(value.encode()).decode()
        for key, value in (it.get("stringData") or {}).items()
    }
    try:
        size = sum(len(base64.b64decode(value, validate=True)) for value in data.values())
    except binascii.Error:
        raise Refusal(
            400, 'Secret in version "v1" cannot be handled as a Secret: illegal base64 data'
        ) from None
    if size > _SECRET_BYTES:
        raise _invalid(
            SECRETS,
            it,
            f"data: Too long: may not be more than {_SECRET_BYTES} bytes",
        )
    return {"type": "Opaque", **given, "data": data}


def pod_security(pod: Object, level: str) -> None:
    """What a namespace with the label `pod-security.kubernetes.io/enforce` refuses; only `restricted` does here.

    Raises:
        Refusal: 403, naming every violation.
    """
    if level != "restricted":
        return
    spec = pod["spec"]
    whole = spec.get("securityContext") or {}
    violations = []
    if spec.get("hostNetwork"):
        violations.append("host namespaces (hostNetwork=true)")
    for each in [*spec["containers"], *(spec.get("initContainers") or [])]:
        own = each.get("securityContext") or {}
        both = {**whole, **own}
        name = f'container "{each["name"]}" must set securityContext'
        if own.get("allowPrivilegeEscalation") is not False:
            violations.append(
                f"allowPrivilegeEscalation != false ({name}.allowPrivilegeEscalation=false)"
            )
        if "ALL" not in ((own.get("capabilities") or {}).get("drop") or []):
            violations.append(f'unrestricted capabilities ({name}.capabilities.drop=["ALL"])')
        if both.get("runAsNonRoot") is not True:
            violations.append(f"runAsNonRoot != true (pod or {name}.runAsNonRoot=true)")
        if (both.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
            violations.append(
                f'seccompProfile (pod or {name}.seccompProfile.type to "RuntimeDefault" or "Localhost")'
            )
    if violations:
        name = pod["metadata"]["name"]
        raise Refusal(
            403,
            f'pods "{name}" is forbidden: violates PodSecurity "restricted:latest": {", ".join(violations)}',
            details={"name": name, "kind": "pods"},
        )


def _invalid(resource: Resource, it: Object, why: str) -> Refusal:
    name = it["metadata"].get("name", "")
    return Refusal(
        422,
        f'{resource.kind} "{name}" is invalid: {why}',
        details={"name": name, "group": resource.group, "kind": resource.kind},
    )
