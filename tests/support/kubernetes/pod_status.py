"""How the status of a Pod is written: phase, conditions and the state of its container."""

from __future__ import annotations

from typing import Any

from support.kubernetes.storage import Object, now

__all__ = ["condition", "finished", "running", "unschedulable", "waiting"]


def condition(
    status: Object,
    type_: str,
    value: bool,
    *,
    reason: str = "",
    message: str = "",
    generation: int | None = None,
) -> None:
    """Set one condition; the time is that of its last change, the generation that of the spec which it is about."""
    conditions = status.setdefault("conditions", [])
    word = "True" if value else "False"
    before = next((each for each in conditions if each["type"] == type_), None)
    since = before["lastTransitionTime"] if before and before["status"] == word else now()
    after = {"type": type_, "status": word, "lastTransitionTime": since}
    after |= {key: text for key, text in (("reason", reason), ("message", message)) if text}
    if generation is not None:
        after["observedGeneration"] = generation
    if before is None:
        conditions.append(after)
    else:
        conditions[conditions.index(before)] = after


def unschedulable(pod: Object, message: str) -> None:
    pod["status"]["phase"] = "Pending"
    condition(pod["status"], "PodScheduled", False, reason="Unschedulable", message=message)


def waiting(pod: Object, reason: str, message: str = "", *, initial: str | None = None) -> None:
    """Its container, or the init container named, is not running yet."""
    status = pod["status"]
    status["phase"] = "Pending"
    condition(status, "PodScheduled", True)
    condition(status, "Initialized", initial is None)
    _not_ready(pod)
    state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    if initial is None:
        _container(pod)["state"] = state
    else:
        _container(pod)["state"] = {"waiting": {"reason": "PodInitializing"}}
        _container(pod, initial)["state"] = state


def running(pod: Object, *, pid: int, address: str, is_ready: bool) -> None:
    status = pod["status"]
    status.setdefault("startTime", now())
    status |= {
        "phase": "Running",
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
    }
    for type_ in ("PodScheduled", "Initialized"):
        condition(status, type_, True)
    container = _container(pod)
    if "running" not in container["state"]:
        container["state"] = {"running": {"startedAt": now()}}
    container |= {"started": True, "ready": is_ready, "containerID": f"fake://{pid}"}
    for type_ in ("ContainersReady", "Ready"):
        condition(status, type_, is_ready, reason="" if is_ready else "ContainersNotReady")


def finished(
    pod: Object, code: int, reason: str, *, restarts: bool = False, initial: str | None = None
) -> None:
    """Its container ended; the Pod too, unless the container is started again."""
    container = _container(pod, initial)
    before = container["state"].get("running") or {}
    state = {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "startedAt": before.get("startedAt", now()),
            "finishedAt": now(),
        }
    }
    if initial is not None:
        container |= {"state": state, "ready": code == 0}
        if code == 0:
            return
    _not_ready(pod, reason="PodCompleted" if code == 0 else "PodFailed")
    if restarts:
        container |= {
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": state,
            "restartCount": container["restartCount"] + 1,
        }
        return
    container["state"] = state
    pod["status"]["phase"] = "Succeeded" if code == 0 else "Failed"


def _not_ready(pod: Object, *, reason: str = "ContainersNotReady") -> None:
    container = _container(pod)
    container |= {"ready": False, "started": False}
    for type_ in ("ContainersReady", "Ready"):
        condition(pod["status"], type_, False, reason=reason)


def _container(pod: Object, initial: str | None = None) -> dict[str, Any]:
    """The status of its container, or of the init container named; made when it is first asked for."""
    specs = pod["spec"]["containers"] if initial is None else pod["spec"]["initContainers"]
    key = "containerStatuses" if initial is None else "initContainerStatuses"
    spec = specs[0] if initial is None else next(each for each in specs if each["name"] == initial)
    statuses: list[dict[str, Any]] = pod["status"].setdefault(key, [])
    for each in statuses:
        if each["name"] == spec["name"]:
            return each
    fresh = {
        "name": spec["name"],
        "image": spec["image"],
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": "ContainerCreating"}},
    }
    statuses.append(fresh)
    return fresh
