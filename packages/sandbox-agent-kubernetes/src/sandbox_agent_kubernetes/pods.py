"""What a Pod's status and events say, in words and as states of sandboxes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sandbox_agent_core.spi.provider import SandboxInfo, SandboxRef, SandboxState

from sandbox_agent_kubernetes.cluster import Resource
from sandbox_agent_kubernetes.errors import PROVIDER

__all__ = [
    "CONTAINER",
    "EVENTS",
    "NAME_LABEL",
    "PODS",
    "PORT_ANNOTATION",
    "Pod",
    "memory_mb",
    "waits_for",
]

PODS: Final = Resource("/api/v1", "pods")
EVENTS: Final = Resource("/api/v1", "events")
CONTAINER: Final = "agent"
"""The container that the server runs in; of a Pod with another name for it, the first."""
NAME_LABEL: Final = "sandbox-agent-name"
"""On the Pod, for what leads to it."""
PORT_ANNOTATION: Final = "sandbox-agent/port"
"""On what a sandbox is known by: where its server listens, so that it is reached by who finds it in a list."""
_HOPELESS: Final = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
"""Kubelets go on trying; what is wrong does not change by itself."""
_PULLING: Final = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
_UNIT: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    f"{letter}i": 2 ** (10 * power) for power, letter in enumerate("KMGT", start=1)
}


@dataclass(frozen=True, slots=True)
class Pod:
    manifest: Mapping[str, Any]
    """As the API server has it."""
    token: str | None = field(default=None, repr=False)
    """Of its server, while the Pod is new: it is in the environment of the container."""
    maker: tuple[str, str] | None = None
    """Kind and name of what has made it, where that is what a sandbox is known by."""

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"]["namespace"])

    @property
    def uid(self) -> str:
        return str(self.manifest["metadata"]["uid"])

    @property
    def labels(self) -> Mapping[str, str]:
        return self.manifest["metadata"].get("labels") or {}

    @property
    def created_at(self) -> datetime | None:
        return _time(self.manifest["metadata"].get("creationTimestamp"))

    @property
    def server_port(self) -> int | None:
        """None where nobody has noted it."""
        text = (self.manifest["metadata"].get("annotations") or {}).get(PORT_ANNOTATION, "")
        return int(text) if re.fullmatch(r"[0-9]{1,5}", text) else None

    @property
    def container(self) -> str:
        names = [str(one["name"]) for one in self.manifest["spec"]["containers"]]
        return CONTAINER if CONTAINER in names else names[0]

    @property
    def address(self) -> str | None:
        return self._status.get("podIP") or None

    @property
    def claims(self) -> Sequence[str]:
        """Names of the volumes that outlive it."""
        volumes = self.manifest["spec"].get("volumes") or ()
        found = [volume.get("persistentVolumeClaim") for volume in volumes]
        return [str(one["claimName"]) for one in found if one]

    @property
    def ends_at(self) -> datetime | None:
        seconds = self.manifest["spec"].get("activeDeadlineSeconds")
        began = _time(self._status.get("startTime"))
        return began + timedelta(seconds=seconds) if began and seconds else None

    @property
    def is_owned(self) -> bool:
        """By something that makes Pods, and is listed in its place."""
        return bool(self.manifest["metadata"].get("ownerReferences"))

    @property
    def is_terminating(self) -> bool:
        return "deletionTimestamp" in self.manifest["metadata"]

    @property
    def is_running(self) -> bool:
        """Its container, too: scripts can run in it."""
        return self._phase == "Running" and not self.is_terminating and "running" in self._state

    @property
    def has_ended(self) -> bool:
        return self._phase in ("Succeeded", "Failed") or self._ended is not None

    @property
    def state(self) -> SandboxState:
        if self.is_running:
            return "running"
        return "stopped" if self.has_ended or self.is_terminating else "unknown"

    @property
    def why_hopeless(self) -> str | None:
        """Why it will not run, whatever one waits; None when it may."""
        if self.has_ended:
            return self.how_it_ended
        waiting = self._waiting
        # Its own Secret is made right after it.
        if f'secret "{self.name}" not found' in str(waiting.get("message")):
            return None
        return _of_waiting(self._image, waiting) if waiting.get("reason") in _HOPELESS else None

    @property
    def how_it_ended(self) -> str:
        """A sentence, with what to do where that is known."""
        reason, message = self._status.get("reason"), self._status.get("message") or ""
        if reason == "DeadlineExceeded":
            return "Its time was over: `active_deadline_seconds`."
        if reason == "Evicted":
            return f"Its node has evicted it: {message}"
        for condition in self._status.get("conditions") or ():
            if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
                return f"Its node has given it up ({condition.get('reason')}): {condition.get('message')}"
        ended = self._ended or {}
        if ended.get("reason") == "OOMKilled":
            limit = self._limits.get("memory")
            of = f" of {limit}" if limit else ""
            return f"It was out of memory: give it more than the limit{of} (`limits`), or run less in it at once."
        said = " ".join(str(part) for part in (reason, message, ended.get("message")) if part)
        return (
            f"Its container ended with status {ended.get('exitCode', 'unknown')}. {said}".rstrip()
        )

    @property
    def memory_mb(self) -> float | None:
        limit = self._limits.get("memory")
        return memory_mb(str(limit)) if limit is not None else None

    @property
    def waits_for(self) -> str:
        """A few words."""
        for condition in self._status.get("conditions") or ():
            if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
                return f"no node takes it: {condition.get('message')}"
        if waiting := self._waiting:
            return _of_waiting(self._image, waiting)
        return "its node starts it" if self.manifest["spec"].get("nodeName") else "a node"

    def info(self, state: SandboxState, *, kind: str | None = None) -> SandboxInfo:
        """As a list shows it: a Pod, or what has the name, the labels and the annotations of a sandbox in its place."""
        known = {"namespace": self.namespace, "kind": kind, "port": self.server_port}
        metadata = {key: value for key, value in known.items() if value is not None}
        return SandboxInfo(
            ref=SandboxRef(provider=PROVIDER, id=self.name, metadata=metadata),
            state=state,
            created_at=self.created_at,
            labels=self.labels,
        )

    @property
    def _status(self) -> Mapping[str, Any]:
        return self.manifest.get("status") or {}

    @property
    def _phase(self) -> str:
        return str(self._status.get("phase", "Unknown"))

    @property
    def _spec(self) -> Mapping[str, Any]:
        """Of its container."""
        name = self.container
        return next(one for one in self.manifest["spec"]["containers"] if one["name"] == name)

    @property
    def _image(self) -> str:
        return str(self._spec.get("image"))

    @property
    def _limits(self) -> Mapping[str, Any]:
        return (self._spec.get("resources") or {}).get("limits") or {}

    @property
    def _state(self) -> Mapping[str, Any]:
        """Of its container; of an init container while one keeps it waiting."""
        for which in ("initContainerStatuses", "containerStatuses"):
            for one in self._status.get(which) or ():
                state = one.get("state") or {}
                if which == "containerStatuses" and one.get("name") == self.container:
                    return state
                if (state.get("waiting") or {}).get("reason") in _HOPELESS:
                    return state
        return {}

    @property
    def _waiting(self) -> Mapping[str, Any]:
        return self._state.get("waiting") or {}

    @property
    def _ended(self) -> Mapping[str, Any] | None:
        ended: Mapping[str, Any] | None = self._state.get("terminated")
        return ended


def waits_for(pod: Pod, events: Sequence[Mapping[str, Any]]) -> str:
    """A sentence: what a Pod that does not run yet waits for, with the last warning of it."""
    warnings = [one for one in events if one.get("type") == "Warning"]
    last = max(warnings, key=_last_seen, default=None)
    words = pod.waits_for
    message = str(last.get("message", "")).strip() if last else ""
    if last is None or not message or message in words:
        return f"It waits: {words}."
    return f"It waits: {words}. {last.get('reason')}: {message}"


def memory_mb(quantity: str) -> float | None:
    """Of a quantity as Kubernetes writes it, `4Gi`; None for what is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kMGT]|[KMGT]i)?", quantity)
    return float(found[1]) * _UNIT[found[2] or ""] / 2**20 if found else None


def _of_waiting(image: str, waiting: Mapping[str, Any]) -> str:
    reason, message = waiting.get("reason"), str(waiting.get("message") or "").strip()
    if reason in _PULLING:
        return f"the image {image!r} cannot be pulled ({reason}): {message}"
    if reason == "ContainerCreating":
        return "its container is made (the image is pulled, volumes are attached)"
    return f"{reason}: {message}" if message else str(reason)


def _last_seen(event: Mapping[str, Any]) -> str:
    """RFC 3339 in UTC sorts as text."""
    seen = event.get("lastTimestamp") or event.get("eventTime")
    return str(seen or (event.get("metadata") or {}).get("creationTimestamp") or "")


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
