"""Events: what happened to an object, in words. The same words again only count up."""

from __future__ import annotations

import uuid
from typing import Literal

from support.kubernetes.resources import EVENTS
from support.kubernetes.storage import Object, Storage, now

__all__ = ["record"]


def record(
    storage: Storage,
    about: Object,
    reason: str,
    message: str,
    *,
    type_: Literal["Normal", "Warning"] = "Warning",
    component: str = "kubelet",
) -> None:
    """Write an event about an object into its namespace."""
    meta = about["metadata"]
    involved = {
        "kind": about["kind"],
        "apiVersion": about["apiVersion"],
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
    }
    for known in storage.objects(EVENTS, meta["namespace"]):
        if (known["involvedObject"], known["reason"], known["message"]) == (
            involved,
            reason,
            message,
        ):
            counted = {"count": known["count"] + 1, "lastTimestamp": now()}
            storage.edit(EVENTS, known, lambda it, counted=counted: it.update(counted))  # type: ignore[misc]
            return
    storage.create(
        EVENTS,
        {
            "metadata": {
                "name": f"{meta['name']}.{uuid.uuid4().hex[:16]}",
                "namespace": meta["namespace"],
            },
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": type_,
            "count": 1,
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "source": {"component": component},
        },
    )
